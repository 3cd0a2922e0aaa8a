"""Which constructs of Jinja2 a template may use, and which names: known before anything is rendered."""

import difflib
from collections.abc import Iterable

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError

from bulkip.templates.scope import Scope

DEEPEST_LOOP = 2
_MOST_HINTS = 20

_ALLOWED = (
    nodes.Expr,
    nodes.Template,
    nodes.Output,
    nodes.If,
    nodes.For,
    nodes.Assign,
    nodes.Pair,
    nodes.Keyword,
    nodes.Operand,
)
_BOUND_BY: dict[type[nodes.Node], str] = {
    nodes.Concat: "bounded",
    nodes.List: "flat",
    nodes.Tuple: "flat",
    nodes.Dict: "flat",
}


def refuse_unknown_names(scope: Scope, used: set[str]) -> None:
    """Raise for the first name that the scope does not have."""
    unknown = sorted(used - scope.names - {"range"})
    if unknown:
        raise TemplateSyntaxError(f"{unknown[0]!r} is not defined here{_hint(unknown[0], scope.names)}", 1)


def confine(node: nodes.Node, scope: Scope, loops: int = 0) -> None:
    """Refuse what is not allowed below a node, and bound what its loops and joined values can make.

    The tree is changed in place: a loop's source, what `~` makes and what a
    literal list holds go through filters that raise when it is too much.
    """
    if isinstance(node, nodes.For):
        loops += 1
        _refuse_deep_loop(node, loops)
        node.iter = _filtered(node.iter, "elements")
    for field, value in node.iter_fields():
        if isinstance(value, list):
            value[:] = [_confined(child, scope, loops) for child in value]
        elif isinstance(value, nodes.Node):
            setattr(node, field, _confined(value, scope, loops))


def _confined(child: object, scope: Scope, loops: int) -> object:
    if not isinstance(child, nodes.Node):
        return child
    _refuse_foreign(child, scope)
    confine(child, scope, loops)
    bound = _BOUND_BY.get(type(child))
    if bound is None or getattr(child, "ctx", "load") != "load":
        return child
    return _filtered(child, bound)


def _refuse_foreign(node: nodes.Node, scope: Scope) -> None:
    if not isinstance(node, _ALLOWED):
        word = type(node).__name__.lower()
        raise TemplateSyntaxError(f"`{word}` is not available in a template", node.lineno)
    if isinstance(node, nodes.Name) and node.name == "self":
        raise TemplateSyntaxError("'self' is not defined here", node.lineno)
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
        _refuse_unknown_field(scope, node, node.node.name)


def _refuse_unknown_field(scope: Scope, node: nodes.Getattr, name: str) -> None:
    if not scope.has_field(name, node.attr):
        hint = _hint(node.attr, scope.fields_of(name) or ())
        raise TemplateSyntaxError(f"`{name}` has no field {node.attr!r}{hint}", node.lineno)


def _refuse_deep_loop(node: nodes.For, loops: int) -> None:
    if node.recursive or loops > DEEPEST_LOOP:
        raise TemplateSyntaxError(f"a loop recurs or is more than {DEEPEST_LOOP} deep", node.lineno)


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno, environment=node.environment)


def _hint(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, 1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(names[:_MOST_HINTS])}"
