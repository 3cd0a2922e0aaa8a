"""How a template is compiled once and rendered for every item."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import jinja2
from jinja2 import meta

from bulkip.templates.bounds import LONGEST, TooMuchError
from bulkip.templates.grammar import confine, refuse_unknown_names
from bulkip.templates.plain import Plain, plain_of
from bulkip.templates.sandbox import NO_FIELD, Sandbox
from bulkip.templates.scope import Scope

_MARKS = ("{{", "{%", "{#")
_FOREIGN = (
    jinja2.TemplateError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,  # a recursion that is too deep is one
    SyntaxError,
    TypeError,
    ValueError,
)


_BY_VALUE = (TooMuchError, ArithmeticError, LookupError, ValueError)


class TemplateError(ValueError):
    """Raised when a template cannot be compiled or rendered.

    `line` counts from 1 within the template. `from_row` says that the values
    of the target were at fault, so that another one may do; `missing` that its
    rows do not have a field at all, which every row of a file shares.
    """

    def __init__(self, message: str, *, line: int = 1, from_row: bool = False, missing: bool = False) -> None:
        self.line = line
        self.from_row = from_row
        self.missing = missing
        super().__init__(message if line == 1 else f"{message} (line {line} of the template)")


@dataclass(frozen=True, slots=True)
class Constant:
    """A text that is the same for every item."""

    text: str
    constant = True
    uses: frozenset[str] = frozenset()

    def render(self, _values: Mapping[str, object]) -> str:
        """Return the text."""
        return self.text


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template. `uses` are the names it asks for."""

    compiled: jinja2.Template
    uses: frozenset[str]
    plain: Plain | None = None
    constant = False

    def render(self, values: Mapping[str, object]) -> str:
        """Return the text for the values of an item; raise `TemplateError` where there is none."""
        if self.plain is not None:
            text = self.plain.render(values)
            if text is not None:
                return text
        return self._evaluated(values)

    def _evaluated(self, values: Mapping[str, object]) -> str:
        try:
            context = self.compiled.new_context({**values, **self.compiled.globals}, shared=True)
            return _joined(self.compiled.root_render_func(context))
        except _FOREIGN as foreign:
            message = _message(foreign)
            missing = message.startswith(NO_FIELD)
            raise TemplateError(message, from_row=self._blames_row(foreign), missing=missing) from foreign

    def _blames_row(self, foreign: BaseException) -> bool:
        """Say whether another target might do: its values, and not the template's own kind, were at fault."""
        if isinstance(foreign, jinja2.UndefinedError):
            return bool(self.uses & {"row", "ip"})
        return "row" in self.uses and isinstance(foreign, _BY_VALUE)


Rendering: TypeAlias = Constant | Template


def compile_template(text: str, scope: Scope) -> Rendering:
    """Return the rendering of a text; one that uses nothing of an item is rendered here and now."""
    if not any(mark in text for mark in _MARKS):
        return Constant(text)
    if len(text) > LONGEST:
        raise TemplateError(f"has {len(text)} characters; a template has at most {LONGEST}")
    template = _compiled(text, scope)
    if template.uses & scope.per_item:
        return template
    return Constant(template.render(scope.constants))


def _compiled(text: str, scope: Scope) -> Template:
    sandbox = Sandbox()
    try:
        tree = sandbox.parse(text)
        used = meta.find_undeclared_variables(tree)
        refuse_unknown_names(scope, used)
        plain = plain_of(tree, scope)
        confine(tree, scope)
        code = sandbox.compile(tree)
        return Template(jinja2.Template.from_code(sandbox, code, sandbox.globals), frozenset(used), plain)
    except jinja2.TemplateSyntaxError as wrong:
        raise TemplateError(_message(wrong), line=wrong.lineno) from wrong
    except _FOREIGN as foreign:
        raise TemplateError(_message(foreign)) from foreign


def _joined(chunks: Iterator[str]) -> str:
    text = ""
    for chunk in chunks:
        text += chunk
        if len(text) > LONGEST:
            raise TemplateError(f"makes more than {LONGEST} characters")
    return text


def _message(foreign: BaseException) -> str:
    if isinstance(foreign, RecursionError):
        return "is nested too deeply"
    if isinstance(foreign, jinja2.TemplateError):
        return foreign.message or "cannot be rendered"
    return str(foreign)[:300] or type(foreign).__name__
