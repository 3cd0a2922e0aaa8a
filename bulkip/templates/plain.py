"""The short way for templates that only fill in fields: no evaluation, four times faster.

It gives the same text as Jinja2 or gives up; whatever it gives up goes the long way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Any

from jinja2 import nodes

from bulkip.templates.bounds import LONGEST
from bulkip.templates.scope import Scope

Lookup = tuple[str, Callable[[Any], object]]


@dataclass(frozen=True, slots=True)
class Plain:
    """A pattern of `%s` and the fields to put in."""

    pattern: str
    lookups: tuple[Lookup, ...]

    def render(self, values: Mapping[str, object]) -> str | None:
        """Return the text, or None when a field is missing or the text is too long."""
        lookups = self.lookups
        try:
            if len(lookups) == 1:  # as nearly all of them have
                name, get = lookups[0]
                text = self.pattern % (get(values[name]),)
            else:
                text = self.pattern % tuple([get(values[name]) for name, get in lookups])
        except (AttributeError, KeyError):
            return None
        return text if len(text) <= LONGEST else None


def plain_of(tree: nodes.Template, scope: Scope) -> Plain | None:
    """Return the short way for a parsed template, or None when it says more than fields."""
    if not all(isinstance(node, nodes.Output) for node in tree.body):
        return None
    parts = [_part(node, scope) for output in tree.body for node in output.iter_child_nodes()]
    found = [part for part in parts if part is not None]
    if len(found) < len(parts):
        return None
    lookups = tuple(part for part in found if not isinstance(part, str))
    pattern = "".join(part.replace("%", "%%") if isinstance(part, str) else "%s" for part in found)
    return Plain(pattern, lookups)


def _part(node: nodes.Node, scope: Scope) -> str | Lookup | None:
    match node:
        case nodes.TemplateData(data=str(text)):
            return text
        case nodes.Name(name="ip"):
            return ("ip", str) if "ip" in scope.per_item else None
        case nodes.Getattr(node=nodes.Name(name=str(name)), attr=str(field)):
            return _field(name, field, scope)
        case _:
            return None


def _field(name: str, field: str, scope: Scope) -> str | Lookup | None:
    match name:
        case "row":
            return name, itemgetter(field)
        case "ip" | "item" if field in (scope.fields_of(name) or ()):
            return name, attrgetter(field)
        case "vars":
            variables = scope.constants.get(name)
            value = variables.get(field) if isinstance(variables, Mapping) else None
            return value if isinstance(value, str) else None
        case _:
            return None
