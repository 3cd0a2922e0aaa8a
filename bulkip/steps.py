"""How a job's steps are made ready: everything compiled once, every mistake of a template found once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

from bulkip.actions import ACTIONS
from bulkip.actions.action import Action, Allow
from bulkip.conditions import Condition, compile_condition
from bulkip.model import Place, Problem, Step
from bulkip.periods import Period, resolve, told_moment
from bulkip.templates import (
    Constant,
    PeriodFields,
    Rendering,
    Scope,
    Template,
    TemplateError,
    compile_template,
)

Renderings: TypeAlias = Rendering | tuple[Rendering, ...]

_BOUNDARIES = frozenset({"period_start", "period_stop"})


@dataclass(frozen=True, slots=True)
class Clock:
    """The moment of planning and the job's zone; every relative period is resolved against them.

    A period that ends after `over` (Unix seconds) is refused; None takes any.
    """

    now: datetime
    zone: ZoneInfo
    over: int | None = None

    def resolve(self, text: str) -> Period:
        """Return the period that a text means; raise `ValueError` when it means none."""
        return resolve(text, now=self.now, zone=self.zone)

    def unfinished(self, stop: int) -> str | None:
        """Return why a period that ends so is refused; None when it is over, or need not be."""
        if self.over is None or stop <= self.over:
            return None
        ends, over = (told_moment(at, self.zone) for at in (stop, self.over))
        return (
            f"it ends {ends} {self.zone.key} and is not over at {over}; name a period that is, "
            "or take what there is so far with --partial"
        )


@dataclass(frozen=True, slots=True)
class ReadyStep:
    """A step whose templates are compiled.

    `from_row` are the parameters that the row may give because `with` does
    not. `period` is known, or a template of the row, or None.
    """

    step: Step
    action: Action
    allow: Allow
    params: Mapping[str, Renderings]
    from_row: tuple[str, ...]
    constants: Mapping[str, object]
    when: Condition | None = None
    period: Period | Template | None = None

    def place_of(self, name: str) -> Place:
        """Return where the step states a parameter, else where the step begins."""
        places = self.step.places
        return places.get(f"with.{name}") or places.get(name) or self.step.place

    def fixes(self, name: str) -> bool:
        """Say whether the step gives a parameter the same value for every item."""
        if name in _BOUNDARIES | {"period"} and isinstance(self.period, Period):
            return True
        renderings = self.params.get(name)
        if renderings is None:
            return False
        return all(one.constant for one in (renderings if isinstance(renderings, tuple) else (renderings,)))


@dataclass(frozen=True, slots=True)
class _Draft:
    """A step on its way to readiness; `problems` grows while its templates are compiled."""

    step: Step
    action: Action
    variables: Mapping[str, str]
    clock: Clock
    problems: list[Problem]

    def scope(self, period: Period | Template | None) -> Scope:
        """Return what the step's templates can name."""
        names = {"ip", "row", "item"} if self.action.needs_ip else {"item"}
        constants: dict[str, object] = {"vars": self.variables}
        if isinstance(period, Period):
            constants["period"] = PeriodFields.of(period, self.clock.zone)
        elif period is not None or "period" in self.from_row():
            names.add("period")
        return Scope(constants, frozenset(names))

    def from_row(self) -> tuple[str, ...]:
        """Return the parameters that a row may give."""
        if not self.action.needs_ip:
            return ()
        stated = {"ip", *self.step.params} | ({"period"} if self.step.period is not None else set())
        stated |= _BOUNDARIES if "period" in stated else set()
        stated |= {"period"} if stated & _BOUNDARIES else set()
        return tuple(one.name for one in self.action.parameters if one.name not in stated)

    def note(self, name: str, message: str) -> None:
        """Keep a mistake at the place where the step states it."""
        place = self.step.places.get(f"with.{name}") or self.step.places.get(name) or self.step.place
        self.problems.append(Problem(place, f"{described(self.step)}: {name}: {message}"))


def described(step: Step) -> str:
    """Return how messages name a step: its action and its name."""
    return f"{step.action} (step {step.name})"


def ready_steps(
    steps: Iterable[Step], variables: Mapping[str, str], clock: Clock, *, allow_ipv6: bool
) -> tuple[tuple[ReadyStep, ...], tuple[Problem, ...]]:
    """Return the steps that are ready and every problem of those that are not."""
    ready: list[ReadyStep] = []
    problems: list[Problem] = []
    for step in steps:
        draft = _Draft(step, ACTIONS[step.action], variables, clock, [])
        made = _ready(draft, allow_ipv6=allow_ipv6)
        problems.extend(draft.problems)
        if not draft.problems:
            ready.append(made)
    return tuple(ready), tuple(problems)


def _ready(draft: _Draft, *, allow_ipv6: bool) -> ReadyStep:
    step = draft.step
    period = _period(draft)
    scope = draft.scope(period)
    params = {name: _renderings(draft, name, scope) for name in step.params if name != "period"}
    return ReadyStep(
        step,
        draft.action,
        Allow(empty=step.allow_empty, ipmi=step.allow_ipmi, ipv6=allow_ipv6),
        params,
        draft.from_row(),
        scope.constants,
        _condition(draft, scope),
        period,
    )


def _period(draft: _Draft) -> Period | Template | None:
    text = draft.step.params.get("period", draft.step.period)
    if text is None:
        return None
    if fault := _period_fault(draft):
        draft.note("period", fault)
        return None
    try:
        rendering = compile_template(str(text), draft.scope(None))
        return draft.clock.resolve(rendering.text) if isinstance(rendering, Constant) else rendering
    except ValueError as wrong:
        draft.note("period", str(wrong))
        return None


def _period_fault(draft: _Draft) -> str | None:
    step = draft.step
    if not any(one.name == "period_start" for one in draft.action.parameters):
        return "it belongs to get_traffic only; remove it"
    if step.period is not None and "period" in step.params:
        return "it stands twice, in the step and in `with`; remove one"
    if both := sorted(_BOUNDARIES & step.params.keys()):
        return f"it and {' and '.join(both)} say the same thing; remove one"
    if isinstance(step.params.get("period"), tuple):
        return "it is a list; give one period"
    return None


def _renderings(draft: _Draft, name: str, scope: Scope) -> Renderings:
    value = draft.step.params[name]
    if isinstance(value, str):
        return _rendering(draft, name, value, scope)
    return tuple(_rendering(draft, name, one, scope) for one in value)


def _rendering(draft: _Draft, name: str, text: str, scope: Scope) -> Rendering:
    try:
        return compile_template(text, scope)
    except TemplateError as wrong:
        draft.note(name, str(wrong))
        return Constant("")


def _condition(draft: _Draft, scope: Scope) -> Condition | None:
    if draft.step.when is None:
        return None
    try:
        condition = compile_condition(draft.step.when, scope)
        if condition.rendering.constant:
            condition.holds({})
    except TemplateError as wrong:
        draft.note("when", str(wrong))
        return None
    return condition
