"""Does a step apply to an item? What `when` says, as true or false."""

from collections.abc import Mapping
from dataclasses import dataclass

from bulkip.templates import Rendering, Scope, TemplateError, compile_template

_TRUTH = {
    "true": True,
    "1": True,
    "yes": True,
    "false": False,
    "0": False,
    "no": False,
    "": False,
}
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled `when`."""

    rendering: Rendering

    def holds(self, values: Mapping[str, object]) -> bool:
        """Say whether the text it gives for an item means yes; other texts raise `TemplateError`."""
        text = self.rendering.render(values).strip()
        truth = _TRUTH.get(text.lower())
        if truth is None:
            raise TemplateError(
                f"gives {text[:_SHOWN]!r}, which is neither true nor false; "
                "write a comparison such as {{ row.role == 'mail' }}",
                from_row="row" in self.rendering.uses,
            )
        return truth


def compile_condition(text: str, scope: Scope) -> Condition:
    """Return the condition that `when` states.

    The text is a template that gives true, false, 1, 0, yes, no or nothing;
    without braces it is one of these words or else a bare expression:
    ``row.role == 'mail'`` is short for ``{{ row.role == 'mail' }}``.
    """
    bare = not any(mark in text for mark in ("{{", "{%", "{#"))
    if bare and text.strip().lower() not in _TRUTH:
        text = f"{{{{ ({text}) }}}}"
    return Condition(compile_template(text, scope))
