"""Where does a report go whose path is a template? It may name the period, the job, the run and variables."""

from collections.abc import Mapping
from dataclasses import dataclass

from bulkip.characters import forbidden_text
from bulkip.templates import (
    Constant,
    JobFields,
    PeriodFields,
    RunFields,
    Scope,
    TemplateError,
    compile_template,
)

NAMES = frozenset({"period", "job", "run", "vars"})
_MARKS = ("{{", "{%", "{#")


@dataclass(frozen=True, slots=True)
class PathFacts:
    """What the path of a report can name, once the plan of its run is made."""

    job: str
    run: str
    vars: Mapping[str, str]
    period: PeriodFields | None = None


def is_template(path: str) -> bool:
    """Say whether a path is made anew for each run."""
    return any(mark in path for mark in _MARKS)


def names_in(path: str) -> frozenset[str]:
    """Return which names a path asks for; raises TemplateError when it is no template that can be one."""
    rendering = compile_template(path, Scope({}, NAMES))
    return rendering.uses


def check_path(path: str, variables: Mapping[str, str]) -> None:
    """Raise TemplateError when a path asks for what there will not be, as far as no plan is needed to see."""
    compile_template(path, Scope({"vars": variables}, NAMES - {"vars"}))


def path_of(path: str, facts: PathFacts) -> str:
    """Return the path that a template makes; raises TemplateError when it makes none."""
    constants: dict[str, object] = {"job": JobFields(facts.job), "run": RunFields(facts.run)}
    constants |= {"vars": facts.vars} | ({"period": facts.period} if facts.period else {})
    rendering = compile_template(path, Scope(constants, frozenset()))
    made = rendering.text if isinstance(rendering, Constant) else ""
    if not made.strip() or made == "-":
        raise TemplateError(f"makes `{made}`, which names no file")
    if wrong := forbidden_text(made) or ("a line end" if set("\n\r\t") & set(made) else None):
        raise TemplateError(f"makes a path with a character that lies to its reader: {wrong}")
    return made
