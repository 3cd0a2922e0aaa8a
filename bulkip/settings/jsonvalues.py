"""What one value of a job file may look like, as JSON Schema; the twin of `fields` for editors.

A pattern holds for text and a minimum for numbers, so one schema serves both
ways of writing a value. Where the loader knows more than a pattern can say,
the schema is the wider one.
"""

from types import MappingProxyType
from typing import Final, TypeAlias

from bulkip.alerts import Moment
from bulkip.model import JsonValue, Status
from bulkip.policy import REPORT_FORMATS, Forward, OnExists, VerifyMode
from bulkip.quantities import MAX_CALLS, MAX_DURATION_S
from bulkip.settings import alerts
from bulkip.settings import fields as f
from bulkip.settings.reportfields import Report

Schema: TypeAlias = dict[str, JsonValue]

LONGEST = 4096
_MOST = 999_999_999
_NUMBER = r"(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,6})?"
_PARTS = "".join(rf"(?:{_NUMBER}{unit})?" for unit in ("d", "h", "m", "s", "ms"))
_TIME = rf"(?:{_NUMBER}|(?=[0-9]){_PARTS})"
_COUNT = "(?:0|[1-9][0-9]{0,8})"
_PERCENT = r"(?:100(?:\.0{1,6})?|[1-9]?[0-9](?:\.[0-9]{1,6})?)%"
_FEW_PERCENT = r"(?:50(?:\.0{1,6})?|[1-4]?[0-9](?:\.[0-9]{1,6})?)%"
_RATE = r"(?:1000000|[1-9][0-9]{0,5})(?:/(?:[1-9][0-9]{0,8})?(?:ms|sec|min|hour|day|[dhms]))?"
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_IPV6 = r"[0-9A-Fa-f]*:[0-9A-Fa-f:]*:?(?:[0-9.]+)?"
_ADDRESS = rf"(?:{_IPV4}|{_IPV6})"
_NETWORK = rf"(?:{_IPV4}/(?:3[0-2]|[12]?[0-9])|{_IPV6}/(?:0|[1-9][0-9]{{0,2}}))"
_LOCAL = r"(?:[lL][oO][cC][aA][lL][hH][oO][sS][tT]|127\.[0-9.]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?"
_URL = rf"(?:[hH][tT]{{2}}[pP][sS]://[^@?#/\\\s]+|[hH][tT]{{2}}[pP]://{_LOCAL})(?:/[!-~]*)?"
_HOOK = rf"(?:[hH][tT]{{2}}[pP][sS]://[^@#/\\\s]+|[hH][tT]{{2}}[pP]://{_LOCAL})(?:[/?][!-~]*)?"
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = "[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
_STRETCH = rf"(?:{_DAY}|[0-9]{{4}}-[0-9]{{2}}|[0-9]{{4}}-W[0-9]{{2}})"
_MOMENT = rf"(?:{_STRETCH}|{_DAY}{_CLOCK}|[1-9][0-9]{{9}})"
_WORDS = "yesterday|today|last-7-days|last-month|month-to-date"
TEMPLATE = r"[\s\S]*\{[{%#][\s\S]*"


def text(pattern: str, **more: JsonValue) -> Schema:
    """Return the schema of a text that matches a pattern as a whole."""
    return {"type": "string", "pattern": f"^(?:{pattern})$", **more}


def number_or_text(kind: str, pattern: str, **bounds: JsonValue) -> Schema:
    """Return the schema of a value that is a number for YAML or a text, as its author liked."""
    return {"type": [kind, "string"], "pattern": f"^(?:{pattern})$", **bounds}


def or_list(schema: Schema, **more: JsonValue) -> Schema:
    """Return the schema of a value or a list of such values."""
    return {"anyOf": [schema, {"type": "array", "items": schema, **more}]}


def or_null(schema: Schema) -> Schema:
    """Return a schema that takes null too: a key without a value counts as not there."""
    match schema:
        case {"anyOf": list(choices)}:
            return {**schema, "anyOf": [*choices, {"type": "null"}]}
        case {"enum": list(words)}:
            return {**schema, "enum": [*words, None]}
        case {"type": list(types)}:
            return {**schema, "type": [*types, "null"]}
        case _:
            return {**schema, "type": [schema["type"], "null"]}


def templated(schema: Schema, *, empty: bool) -> Schema:
    """Return a schema that takes a template in the value's place, and an empty text where that is allowed."""
    return {"anyOf": [schema, text(f"|{TEMPLATE}" if empty else TEMPLATE, maxLength=LONGEST)]}


TEXT: Final[Schema] = {"type": ["string", "number", "boolean"], "maxLength": LONGEST}
FILLED: Final[Schema] = {**TEXT, "pattern": r"\S"}
LINE: Final[Schema] = {**TEXT, "pattern": r"^(?=.*\S)[^\u0000-\u001f\u007f-\u00a0\u2028\u2029]*$"}
FLAG: Final[Schema] = {"type": "boolean"}
RATE: Final = number_or_text("integer", _RATE, minimum=1, maximum=MAX_CALLS)
SHARE: Final = number_or_text("integer", f"{_COUNT}|{_PERCENT}", minimum=0, maximum=_MOST)
STATUS: Final[Schema] = {"enum": [status.value for status in Status]}
ADDRESS: Final = text(rf"\s*{_ADDRESS}\s*")
NETWORK: Final = text(rf"\s*{_NETWORK}\s*")
RANGE: Final = text(rf"\s*{_ADDRESS}\s*-\s*{_ADDRESS}\s*")
EXPRESSION: Final = text(rf"\s*!?\s*(?:{_ADDRESS}|{_NETWORK}|{_ADDRESS}\s*-\s*{_ADDRESS})\s*")
PERIOD: Final = text(rf"{_WORDS}|{_STRETCH}|{_MOMENT}\.\.{_MOMENT}|{TEMPLATE}", maxLength=LONGEST)
_REPORTS = "|".join(REPORT_FORMATS)

_SECRET: Final = text(r"env:[A-Za-z_][A-Za-z0-9_]*|file:[\s\S]*\S[\s\S]*", maxLength=LONGEST)
_HOOK_URL: Final = text(rf"env:[A-Za-z_][A-Za-z0-9_]*|file:[\s\S]*\S[\s\S]*|{_HOOK}", maxLength=LONGEST)
_HOOK_TIME: Final = number_or_text("number", rf"(?=.*[1-9]){_TIME}", exclusiveMinimum=0, maximum=600)
_MOMENT_WORD: Final[Schema] = {"enum": [moment.value for moment in Moment]}


def _calling(key: str, schema: Schema) -> Schema:
    """Return the schema of a hook that is a mapping."""
    more: Schema = {
        "timeout": {
            "description": "How long it may take; 10s, and 30s for a command.",
            **or_null(_HOOK_TIME),
        },
        "required": {"description": "Let its failure be one of the run.", "type": "boolean"},
    }
    return _mapping({key: {"description": _CALLED[key], **schema}, **more}, key)


def _mapping(properties: Schema, required: str) -> Schema:
    return {
        "type": "object",
        "required": [required],
        "properties": properties,
        "additionalProperties": False,
    }


_CALLED: Final = MappingProxyType[str, str](
    {
        "url": "Where the summary is posted: a URL, env:NAME or file:PATH.",
        "command": "A program and its arguments; the summary is on its stdin, and there is no shell.",
    }
)
_WORDS_OF: Final[Schema] = {"type": "array", "items": TEXT, "minItems": 1}
_HOOKS: Final[Schema] = {"anyOf": [_HOOK_URL, _calling("url", _HOOK_URL), _calling("command", _WORDS_OF)]}
_NOTICE: Final[Schema] = {
    "anyOf": [
        _SECRET,
        _mapping(
            {
                "url": {
                    "description": "Who hears of it, as apprise writes it: env:NAME or file:PATH.",
                    **_SECRET,
                },
                "on": {
                    "description": "When: failure, unless it says so.",
                    **or_list(_MOMENT_WORD, minItems=1),
                },
            },
            "url",
        ),
    ]
}

VALUES: Final = MappingProxyType[object, Schema](
    {
        f.Text: TEXT,
        f.Filled: FILLED,
        f.Line: LINE,
        f.Flag: FLAG,
        f.Count: number_or_text("integer", _COUNT, minimum=0, maximum=_MOST),
        f.Positive: number_or_text("integer", "[1-9][0-9]{0,8}", minimum=1, maximum=_MOST),
        f.Places: number_or_text("integer", "[1-9][0-9]{0,2}|1000", minimum=1, maximum=1000),
        f.Attempts: number_or_text("integer", "[1-9][0-9]?|100", minimum=1, maximum=100),
        f.Version: {"enum": [1, "1"]},
        f.Statuses: or_list(STATUS, minItems=1),
        f.RunName: number_or_text("integer", "last(?:~[0-9]{1,6})?|[0-9][0-9A-Za-z-]{0,63}", minimum=0),
        f.Wait: number_or_text("number", _TIME, minimum=0, maximum=MAX_DURATION_S),
        f.PositiveTime: number_or_text(
            "number", rf"(?=.*[1-9]){_TIME}", exclusiveMinimum=0, maximum=MAX_DURATION_S
        ),
        f.OptionalTime: number_or_text(
            "number", rf"none|(?=.*[1-9]){_TIME}", exclusiveMinimum=0, maximum=MAX_DURATION_S
        ),
        f.Pause: number_or_text("number", f"prompt|{_TIME}", minimum=0, maximum=MAX_DURATION_S),
        f.Rates: or_list(RATE, minItems=1),
        f.Headroom: text(_FEW_PERCENT),
        f.OptionalShare: number_or_text("integer", f"none|{_COUNT}|{_PERCENT}", minimum=0, maximum=_MOST),
        f.Steps: {"type": "array", "items": SHARE, "minItems": 1},
        f.ForwardMode: {"enum": [choice.value for choice in Forward]},
        f.Mode: {"enum": [choice.value for choice in VerifyMode]},
        f.Resolvers: {
            "anyOf": [
                {"enum": ["authoritative"]},
                {
                    "type": "array",
                    "items": text(rf"(?:\[[0-9A-Fa-f:.]+\]|{_IPV4})(?::[0-9]{{1,5}})?"),
                    "minItems": 1,
                },
            ]
        },
        f.Url: text(_URL, maxLength=LONGEST),
        f.Secret: _SECRET,
        alerts.HookList: or_list(_HOOKS),
        alerts.NoticeList: or_list(_NOTICE),
        f.Zone: text("[A-Za-z0-9_+/-]+"),
        f.Variables: {
            "type": "object",
            "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
            "additionalProperties": or_null(TEXT),
        },
        Report: {
            "anyOf": [
                text(rf"\s*(?:{_REPORTS})\s*(?:=.*\S.*)?", maxLength=LONGEST),
                {
                    "type": "object",
                    "required": ["format"],
                    "additionalProperties": False,
                    "properties": {
                        "format": {"description": "What it shows.", **text(rf"\s*(?:{_REPORTS})\s*")},
                        "path": {"description": "Where it goes; may be a template.", **or_null(LINE)},
                        "on_exists": {
                            "description": "What becomes of a file that is there.",
                            "enum": [*(choice.value for choice in OnExists), None],
                        },
                    },
                },
            ]
        },
        f.Tags: or_list(LINE),
        f.Delimiter: text(r"""tab|\\t|[^0-9A-Za-z"'\n ]"""),
        f.Hosts: {"enum": ["all", "usable"]},
        f.StdinFormat: {"enum": ["csv", "jsonl", "text"]},
    }
)
"""What each type of `fields` takes."""
