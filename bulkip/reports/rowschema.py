"""What a row of a report and a plan file hold: JSON Schema for their readers."""

from typing import Final, TypeAlias

from bulkip.actions import ACTIONS
from bulkip.model import ErrorClass, JsonValue, Status
from bulkip.planfile import VERSION
from bulkip.reports.changes import Change

Schema: TypeAlias = dict[str, JsonValue]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_TEXT: Final[Schema] = {"type": "string"}
_SHA256: Final = "^[0-9a-f]{64}$"
_TEXT_OR_NULL: Final[Schema] = {"type": ["string", "null"]}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_NAMES: Final[Schema] = {"type": ["string", "array", "null"], "items": _TEXT, "minItems": 2}
_TIME: Final[Schema] = {
    **_TEXT_OR_NULL,
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$",
}
_WHAT: Final[dict[str, Schema]] = {
    "key": {
        **_TEXT,
        "pattern": "^[0-9a-f]{32}$",
        "description": "The item's identity: a digest of what it does.",
    },
    "action": {"enum": [*ACTIONS], "description": "The call of the API."},
    "ip": {**_TEXT_OR_NULL, "description": "The address; null for an action without one."},
    "params": {
        "type": "object",
        "additionalProperties": _TEXT,
        "description": "What is sent besides action and token.",
    },
    "source": {**_TEXT, "description": "file:line of the target."},
}
_HOW: Final[dict[str, Schema]] = {
    "status": {"enum": [status.value for status in Status], "description": "How the item ended."},
    "error_class": {
        "enum": [*(kind.value for kind in ErrorClass), None],
        "description": "Why it ended badly.",
    },
    "error_code": {**_TEXT_OR_NULL, "description": "The server's own code."},
    "message": {**_TEXT_OR_NULL, "description": "What the server or bulkip says about it, cleaned."},
    "http_status": {"type": ["integer", "null"], "description": "The last answer's HTTP status."},
    "attempts": {**_COUNT, "description": "How many times the call itself was made."},
    "before": {**_NAMES, "description": "The PTR name before; a list where there are several."},
    "after": {**_NAMES, "description": "The PTR name known to be there afterwards."},
    "data": {"description": "The typed answer of a read; traffic in GB as the server counts."},
    "empty": {"type": "boolean", "description": "The server answered that there is nothing."},
    "note": {**_TEXT_OR_NULL, "description": "What else is worth knowing."},
    "verified": {
        "type": ["string", "boolean", "null"],
        "description": "What the verification found; null without one.",
    },
    "started_at": {**_TIME, "description": "When its first call was sent, in UTC."},
    "finished_at": {**_TIME, "description": "When its result was known, in UTC."},
    "duration_ms": {"type": ["integer", "null"], "minimum": 0, "description": "From start to finish."},
}


def row_schema() -> Schema:
    """Return the schema of one line of `bulkip report -f jsonl`; every field is always there."""
    return _row("bulkip report row", "One item of a run and how it ended.", _WHAT | _HOW)


def plan_schema() -> Schema:
    """Return the schema of a whole plan file."""
    head: dict[str, Schema] = {
        **dict.fromkeys(("job_name", "job_path", "job_digest", "url", "version"), _TEXT),
        "simulated": {"type": "boolean", "description": "Made against a simulator, and only good for one."},
        "created_at": {"type": "number", "description": "Unix seconds."},
        "digest": {**_TEXT, "pattern": _SHA256, "description": "What the plan means, for --expect-plan."},
        "facts": {"type": "object", "description": "Counts, calls and time, for readers."},
        "settings": {"type": "object", "description": "What applying it needs; no secret."},
    }
    whole: dict[str, Schema] = {
        "bulkip_plan": {"const": VERSION},
        "head": _closed(head),
        "items": {"type": "array", "items": _planned_item()},
        "sha256": {**_TEXT, "pattern": _SHA256, "description": "Of all that stands before it."},
    }
    return {"$schema": DIALECT, "title": "bulkip plan", **_closed(whole)}


def _planned_item() -> Schema:
    """Return the schema of an item; only those of jobs with several accounts name theirs."""
    names: Schema = {"type": ["array", "null"], "items": _TEXT}
    members: dict[str, Schema] = {
        **_WHAT,
        **dict.fromkeys(("number", "chain"), _COUNT),
        **dict.fromkeys(("skip", "message", "unread"), _TEXT_OR_NULL),
        "step": {**_TEXT, "description": "The name of the action in the job."},
        "change": {"enum": [change.value for change in Change], "description": "What is done with it."},
        "before": {**names, "description": "The PTR names when the plan was made; null when not read."},
        "read_at": {"type": ["number", "null"], "description": "When they were read, in Unix seconds."},
        "server_found": {"type": "boolean", "description": "Whether the id in `params` was looked up."},
    }
    account: Schema = {**_TEXT, "description": "Whose the address is, where the job has several accounts."}
    return {**_closed(members), "properties": {**members, "account": account}}


def _closed(properties: dict[str, Schema]) -> Schema:
    """Return the schema of an object with exactly these members."""
    return {
        "type": "object",
        "required": [*properties],
        "properties": {**properties},
        "additionalProperties": False,
    }


def _row(title: str, description: str, properties: dict[str, Schema]) -> Schema:
    return {"$schema": DIALECT, "title": title, "description": description, **_closed(properties)}
