"""What a whole job file may look like, as JSON Schema for editors.

Derived from the models that the loader reads with. It takes every job that the
loader takes; of what the loader refuses it refuses what a schema can see.
"""

from bulkip.actions import ACTIONS
from bulkip.settings.jobaccounts import NAME
from bulkip.settings.jsonentries import action_schema, closed, key_schema, target_schema
from bulkip.settings.jsonvalues import VALUES, Schema, or_null
from bulkip.settings.keywords import KEYS
from bulkip.settings.reportfields import Report
from bulkip.settings.schema import BLOCKS, AccountBlock, JobFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def job_schema() -> Schema:
    """Return the schema of a job file (JSON Schema 2020-12)."""
    return {
        "$schema": DIALECT,
        "title": "bulkip job",
        "description": "What bulkip is to do: for which addresses, which actions, and how fast.",
        "type": "object",
        "required": ["version", "actions"],
        "additionalProperties": False,
        "properties": {name: _key(name) for name in JobFile.known_keys()},
        "allOf": [_targets_where_needed()],
        "$defs": {"target": target_schema(), "action": action_schema()},
    }


def _key(name: str) -> Schema:
    return {"description": KEYS[name], **_content(name)}


def _content(name: str) -> Schema:
    match name:
        case "targets":
            return {"type": ["array", "null"], "items": {"$ref": "#/$defs/target"}}
        case "accounts":
            return {
                "type": ["object", "null"],
                "propertyNames": {"pattern": f"^{NAME}$"},
                "additionalProperties": closed(AccountBlock, "accounts"),
            }
        case "actions":
            return {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/action"}}
        case "reports":
            return {"type": ["array", "null"], "items": VALUES[Report]}
        case _ if name in BLOCKS:
            return or_null(closed(BLOCKS[name], name))
        case _:
            return key_schema(JobFile, name, name)


def _targets_where_needed() -> Schema:
    """Return the rule that a job with an action on addresses names some."""
    on_addresses: Schema = {"enum": [action.name for action in ACTIONS.values() if action.needs_ip]}
    one: Schema = {"required": ["action"], "properties": {"action": on_addresses}}
    return {
        "if": {
            "required": ["actions"],
            "properties": {"actions": {"contains": one}},
        },
        "then": {"required": ["targets"], "properties": {"targets": {"type": "array", "minItems": 1}}},
    }
