"""What the entries of `targets` and `actions` may look like, as JSON Schema."""

from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Final, get_args, get_type_hints

from pydantic import BaseModel

from bulkip.actions import ACTIONS, checks
from bulkip.actions.action import Action, Parameter, Rendered, as_given
from bulkip.model import JsonValue
from bulkip.owners import FIELD
from bulkip.settings.block import Block
from bulkip.settings.jsonvalues import (
    ADDRESS,
    EXPRESSION,
    LONGEST,
    NETWORK,
    PERIOD,
    RANGE,
    TEMPLATE,
    TEXT,
    VALUES,
    Schema,
    number_or_text,
    or_list,
    or_null,
    templated,
    text,
)
from bulkip.settings.keywords import KEYS
from bulkip.settings.schema import BLOCKS, ENTRIES, ActionEntry, RowEntry
from bulkip.settings.written import written

_ID: Final = number_or_text("integer", "[1-9][0-9]{0,9}", minimum=1, maximum=9_999_999_999)
_SECONDS: Final = number_or_text("integer", "0|[1-9][0-9]{0,9}", minimum=0, maximum=9_999_999_999)
_SWITCH: Final[Schema] = {
    "type": ["integer", "boolean", "string"],
    "pattern": "^(?:0|1|[tT][rR][uU][eE]|[fF][aA][lL][sS][eE])$",
    "minimum": 0,
    "maximum": 1,
}
_CODE: Final[Schema] = {
    "type": ["string", "integer", "boolean"],
    "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$",
    "minimum": 0,
}
_MAIN: Final[Schema] = {"anyOf": [number_or_text("integer", "0|1", minimum=0, maximum=1), ADDRESS]}
_LINE: Final[Schema] = {**TEXT, "maxLength": checks.LONGEST_TEXT, "pattern": r"^[^\u0000-\u001f]*$"}
_NAMES: Final = or_list(text(rf"\S*|{TEMPLATE}", maxLength=LONGEST))

PARAMETERS: Final = MappingProxyType[Callable[[Rendered], str], Schema](
    {
        checks.server_id: {"anyOf": [_ID, {"const": checks.LOOKUP}]},
        checks.subnet_id: _ID,
        checks.location: _CODE,
        checks.flag: _SWITCH,
        checks.unix_seconds: _SECONDS,
        checks.single_line: _LINE,
        checks.one_text: _MAIN,
    }
)
"""What a parameter may be when it is no template, by the check that reads it."""
_AS_THEY_ARE: Final = MappingProxyType[Callable[[Rendered], str], Schema](
    {checks.ptr_text: _NAMES, as_given: PERIOD}
)
_EXACT: Final = MappingProxyType[str, Schema](
    {
        "targets.ip": ADDRESS,
        "targets.cidr": NETWORK,
        "targets.range": RANGE,
        "targets.id": _ID,
        "targets.location": _CODE,
        "targets.exclude_special": _SWITCH,
        "actions.period": PERIOD,
        "actions.with": {"type": "object"},
        "actions.action": {"enum": [*ACTIONS]},
    }
)


def kind_of(model: type[BaseModel], name: str) -> object:
    """Return the type of a field as `fields` names it, without the None that stands for "not set"."""
    hint = get_type_hints(model, include_extras=True)[name]
    kinds = [kind for kind in get_args(hint) if kind is not type(None)]
    return kinds[0] if type(None) in get_args(hint) and hint not in VALUES else hint


def properties_of(model: type[Block], block: str) -> dict[str, JsonValue]:
    """Return the keys of a block, each with its description, what it may hold, and its default."""
    return {
        field.alias or name: {
            "description": KEYS[f"{block}.{field.alias or name}"],
            **key_schema(model, name, f"{block}.{field.alias or name}"),
        }
        for name, field in model.model_fields.items()
    }


def key_schema(model: type[Block], name: str, path: str) -> Schema:
    """Return what a key may hold; one that need not be there may be null, and has a default."""
    kind, field = kind_of(model, name), model.model_fields[name]
    if isinstance(kind, type) and issubclass(kind, Block):
        inner = closed(kind, name if name in BLOCKS else path.partition(".")[0])
        return inner if field.is_required() else or_null(inner)
    schema = _EXACT.get(path) or VALUES[kind]
    if field.is_required():
        return schema
    default = None if field.default_factory else written(field.default, kind)
    return or_null(schema) if default is None else {**or_null(schema), "default": default}


def closed(model: type[Block], block: str) -> Schema:
    """Return the schema of a mapping; only a row may have keys that nobody foresaw."""
    required = [field.alias or name for name, field in model.model_fields.items() if field.is_required()]
    is_row = issubclass(model, RowEntry)
    own: Schema = {FIELD: {"description": KEYS[f"{block}.{FIELD}"], **or_null(TEXT)}} if is_row else {}
    return {
        "type": "object",
        **({"required": [*required]} if required else {}),
        "properties": {**properties_of(model, block), **own},
        "additionalProperties": or_null(TEXT) if is_row else False,
    }


def target_schema() -> Schema:
    """Return the schema of an entry of `targets`: plain text, or a mapping of one of the kinds."""
    plain: Schema = {
        "title": "plain",
        "description": 'An address, a network, a range A-B, or "!..." to leave some out.',
        **EXPRESSION,
    }
    kinds: list[JsonValue] = [{"title": kind, **closed(model, "targets")} for kind, model in ENTRIES.items()]
    return {"anyOf": [plain, *kinds]}


def action_schema() -> Schema:
    """Return the schema of an entry of `actions`; its action says which parameters it takes."""
    return {**closed(ActionEntry, "actions"), "allOf": [*_cases()]}


def _cases() -> Iterator[Schema]:
    for action in ACTIONS.values():
        yield {
            "if": {"properties": {"action": {"const": action.name}}, "required": ["action"]},
            "then": {"properties": {"with": _with(action), **_without_period(action)}},
        }


def _without_period(action: Action) -> Schema:
    takes = any(parameter.name == "period" for parameter in action.parameters)
    return {} if takes else {"period": {"type": "null"}}


def _with(action: Action) -> Schema:
    taken = [parameter for parameter in action.parameters if parameter.name != "ip"]
    return {
        "type": ["object", "null"],
        "properties": {parameter.name: _parameter(parameter) for parameter in taken},
        "additionalProperties": False,
    }


def _parameter(parameter: Parameter) -> Schema:
    plain = PARAMETERS.get(parameter.check)
    schema = templated(plain, empty=not parameter.required) if plain else _AS_THEY_ARE[parameter.check]
    explained: Schema = {
        "description": f"{parameter.help[0].upper()}{parameter.help[1:]}.",
        **or_null(schema),
    }
    return explained if parameter.default is None else {**explained, "default": int(parameter.default)}
