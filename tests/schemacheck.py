"""A small witness for JSON Schema 2020-12: the keywords that our schemas use, and an alarm for any other."""

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeAlias

Schema: TypeAlias = Mapping[str, Any]
Check: TypeAlias = Callable[[Any, Any, Schema, Schema], Iterator[str]]

ANNOTATIONS = {"$schema", "$defs", "title", "description", "default", "then"}
TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "object": (dict,),
    "array": (list,),
    "number": (int, float, Decimal),
    "integer": (int,),
}


def faults(value: Any, schema: Schema, root: Schema | None = None) -> list[str]:
    """Return what a schema refuses about a value; nothing when it takes it."""
    root = schema if root is None else root
    found: list[str] = []
    for keyword, wanted in schema.items():
        if keyword in ANNOTATIONS:
            continue
        found += CHECKS[keyword](value, wanted, schema, root)  # an unknown keyword is a KeyError on purpose
    return found


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, TYPES[name])


def _type(value: Any, wanted: str | list[str], _schema: Schema, _root: Schema) -> Iterator[str]:
    names = [wanted] if isinstance(wanted, str) else wanted
    if not any(_is(value, name) for name in names):
        yield f"{value!r} is none of {names}"


def _enum(value: Any, wanted: list[Any], _schema: Schema, _root: Schema) -> Iterator[str]:
    if not any(type(value) is type(one) and value == one for one in wanted):
        yield f"{value!r} is not among {wanted}"


def _const(value: Any, wanted: Any, schema: Schema, root: Schema) -> Iterator[str]:
    yield from _enum(value, [wanted], schema, root)


def _pattern(value: Any, wanted: str, _schema: Schema, _root: Schema) -> Iterator[str]:
    if isinstance(value, str) and not re.search(wanted.replace("$", r"\Z"), value):
        yield f"{value!r} does not match {wanted}"


def _max_length(value: Any, wanted: int, _schema: Schema, _root: Schema) -> Iterator[str]:
    if isinstance(value, str) and len(value) > wanted:
        yield f"{len(value)} characters are more than {wanted}"


def _bound(holds: Callable[[Any, Any], bool]) -> Check:
    def check(value: Any, wanted: Any, _schema: Schema, _root: Schema) -> Iterator[str]:
        if _is(value, "number") and not holds(value, wanted):
            yield f"{value} is out of bounds, {wanted}"

    return check


def _min_items(value: Any, wanted: int, _schema: Schema, _root: Schema) -> Iterator[str]:
    if isinstance(value, list) and len(value) < wanted:
        yield f"fewer than {wanted} entries"


def _items(value: Any, wanted: Schema, _schema: Schema, root: Schema) -> Iterator[str]:
    for entry in value if isinstance(value, list) else ():
        yield from faults(entry, wanted, root)


def _contains(value: Any, wanted: Schema, _schema: Schema, root: Schema) -> Iterator[str]:
    if isinstance(value, list) and all(faults(entry, wanted, root) for entry in value):
        yield "no entry is of the wanted kind"


def _required(value: Any, wanted: list[str], _schema: Schema, _root: Schema) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (f"{name} is missing" for name in wanted if name not in value)


def _properties(value: Any, wanted: Schema, _schema: Schema, root: Schema) -> Iterator[str]:
    for name in wanted:
        if isinstance(value, dict) and name in value:
            yield from (f"{name}: {fault}" for fault in faults(value[name], wanted[name], root))


def _additional(value: Any, wanted: Any, schema: Schema, root: Schema) -> Iterator[str]:
    further = value.keys() - schema.get("properties", {}).keys() if isinstance(value, dict) else ()
    for name in further:
        if wanted is False:
            yield f"{name} is unknown"
        else:
            yield from faults(value[name], wanted, root)


def _property_names(value: Any, wanted: Schema, _schema: Schema, root: Schema) -> Iterator[str]:
    for name in value if isinstance(value, dict) else ():
        yield from faults(name, wanted, root)


def _any_of(value: Any, wanted: list[Schema], _schema: Schema, root: Schema) -> Iterator[str]:
    if all(faults(value, choice, root) for choice in wanted):
        yield f"{value!r} is none of {len(wanted)} choices"


def _all_of(value: Any, wanted: list[Schema], _schema: Schema, root: Schema) -> Iterator[str]:
    for part in wanted:
        yield from faults(value, part, root)


def _if(value: Any, wanted: Schema, schema: Schema, root: Schema) -> Iterator[str]:
    if not faults(value, wanted, root):
        yield from faults(value, schema["then"], root)


def _ref(value: Any, wanted: str, _schema: Schema, root: Schema) -> Iterator[str]:
    yield from faults(value, root["$defs"][wanted.removeprefix("#/$defs/")], root)


CHECKS: Mapping[str, Check] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "pattern": _pattern,
    "maxLength": _max_length,
    "minimum": _bound(lambda value, wanted: value >= wanted),
    "exclusiveMinimum": _bound(lambda value, wanted: value > wanted),
    "maximum": _bound(lambda value, wanted: value <= wanted),
    "minItems": _min_items,
    "items": _items,
    "contains": _contains,
    "required": _required,
    "properties": _properties,
    "additionalProperties": _additional,
    "propertyNames": _property_names,
    "anyOf": _any_of,
    "allOf": _all_of,
    "if": _if,
    "$ref": _ref,
}
