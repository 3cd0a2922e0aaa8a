"""What exactly will be done: targets and steps become items, or problems, one target at a time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product

from bulkip.actions.action import ParameterError, Rendered
from bulkip.actions.checks import address, shown
from bulkip.keys import key_of
from bulkip.model import Item, Place, Problem, Step, Target
from bulkip.periods import Period
from bulkip.recipes import Recipe, recipe_of
from bulkip.steps import Clock, ReadyStep, Renderings, described, ready_steps
from bulkip.templates import Address, ItemFields, PeriodFields, Row, Template, TemplateError


class _PlanError(Exception):
    """Raised inside the planner with the problems of one item; never leaves it."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__()


@dataclass(frozen=True, slots=True)
class Rules:
    """What turns targets into items: the steps, ready, and the clock; beside a step its short way, if any.

    `problems` are the mistakes of the steps themselves, each once.
    """

    with_ip: tuple[tuple[ReadyStep, Recipe | None], ...]
    without_ip: tuple[ReadyStep, ...]
    clock: Clock
    problems: tuple[Problem, ...] = ()

    @classmethod
    def of(
        cls, steps: Iterable[Step], clock: Clock, variables: Mapping[str, str], *, allow_ipv6: bool = False
    ) -> "Rules":
        """Compile a job's steps for a moment and a zone."""
        ready, problems = ready_steps(steps, variables, clock, allow_ipv6=allow_ipv6)
        with_ip = tuple((one, recipe_of(one, clock)) for one in ready if one.action.needs_ip)
        without_ip = tuple(one for one in ready if not one.action.needs_ip)
        return cls(with_ip, without_ip, clock, problems)

    def any_takes(self, name: str) -> bool:
        """Say whether an action that needs an address has a parameter of this name."""
        return any(one.name == name for ready, _ in self.with_ip for one in ready.action.parameters)


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where an item is being made: its position in the plan, its chain, its target, account and moment."""

    number: int
    chain: int
    clock: Clock
    target: Target | None = None
    account: str = ""

    def place(self, ready: ReadyStep) -> Place:
        """Return where the item comes from: its row, or its step when it has no address."""
        return ready.step.place if self.target is None else self.target.place


def items_of(rules: Rules, target: Target, first_number: int, chain: int) -> list[Item | Problem]:
    """Return a target's items in the order of the steps; a step that cannot be carried out gives problems."""
    made: list[Item | Problem] = []
    for number, (ready, recipe) in enumerate(rules.with_ip, first_number):
        item = recipe.item(target, number, chain) if recipe is not None else None
        if item is not None:
            made.append(item)
        else:
            made.extend(_made(ready, _Spot(number, chain, rules.clock, target, target.account)))
    return made


def items_without_ip(rules: Rules, accounts: Iterable[str] = ("",)) -> list[Item | Problem]:
    """Return the items of the steps that need no address, one for each account, each a chain of its own."""
    made: list[Item | Problem] = []
    for number, (ready, account) in enumerate(product(rules.without_ip, accounts), start=1):
        made.extend(_made(ready, _Spot(number, number, rules.clock, account=account)))
    return made


def _made(ready: ReadyStep, spot: _Spot) -> Iterable[Item | Problem]:
    try:
        values = _values(ready, spot)
        if ready.when is not None and not _applies(ready, spot, values):
            return (_skipped(ready, spot),)
        return (_item(ready, spot, _form(ready, spot, values)),)
    except _PlanError as stopped:
        return stopped.problems


def _values(ready: ReadyStep, spot: _Spot) -> dict[str, object]:
    values = {**ready.constants, "item": ItemFields(spot.number - 1)}
    if spot.target is not None:
        values["ip"] = Address(spot.target.ip)
        values["row"] = Row(spot.target.fields)
    return values


def _applies(ready: ReadyStep, spot: _Spot, values: Mapping[str, object]) -> bool:
    if ready.when is None:
        return True
    try:
        return ready.when.holds(values)
    except TemplateError as wrong:
        raise _PlanError(_template_problem(ready, spot, "when", wrong)) from wrong


def _form(ready: ReadyStep, spot: _Spot, values: dict[str, object]) -> dict[str, str]:
    rendered = _rendered(ready, spot, values)
    by_period = "period" in values
    try:
        form = ready.action.build(rendered, ready.allow)
    except ParameterError as refused:
        problems = (_refused(ready, spot, rendered, *one) for one in refused.problems)
        raise _PlanError(*problems) from refused
    if (stop := form.get("period_stop")) and (fault := spot.clock.unfinished(int(stop))):
        name = "period" if by_period else "period_stop"
        raise _PlanError(_parameter_problem(ready, spot, name, fault))
    return form


def _rendered(ready: ReadyStep, spot: _Spot, values: dict[str, object]) -> dict[str, Rendered]:
    rendered: dict[str, Rendered] = {}
    if spot.target is not None:
        rendered["ip"] = spot.target.ip
        for name in ready.from_row:
            if cell := spot.target.fields.get(name):
                rendered[name] = cell
    _set_period(ready, spot, values, rendered)
    for name, renderings in ready.params.items():
        rendered[name] = _text(ready, spot, name, renderings, values)
    return rendered


def _text(
    ready: ReadyStep, spot: _Spot, name: str, renderings: Renderings, values: Mapping[str, object]
) -> Rendered:
    try:
        if isinstance(renderings, tuple):
            return tuple([one.render(values) for one in renderings])
        text = renderings.render(values)
    except TemplateError as wrong:
        raise _PlanError(_template_problem(ready, spot, name, wrong)) from wrong
    if name == "ip" and spot.target is not None and not _same_address(text, spot.target.ip):
        message = f"{shown(text)} is not the target's address {spot.target.ip}; leave ip out of `with`"
        raise _PlanError(_row_problem(ready, spot, name, message))
    return text


def _same_address(text: str, ip: str) -> bool:
    try:
        return address(text) == ip
    except ValueError:
        return False


def _set_period(
    ready: ReadyStep, spot: _Spot, values: dict[str, object], rendered: dict[str, Rendered]
) -> None:
    period = _period(ready, spot, values, rendered)
    if period is not None:
        values["period"] = PeriodFields.of(period, spot.clock.zone)
        rendered["period_start"], rendered["period_stop"] = str(period.start), str(period.stop)


def _period(
    ready: ReadyStep, spot: _Spot, values: Mapping[str, object], rendered: dict[str, Rendered]
) -> Period | None:
    text = rendered.pop("period", None)
    if isinstance(ready.period, Period):
        return ready.period
    if isinstance(ready.period, Template):
        text = _text(ready, spot, "period", ready.period, values)
    elif text is not None and ("period_start" in rendered or "period_stop" in rendered):
        message = "it stands in the row beside period_start or period_stop; keep one of them"
        raise _PlanError(_parameter_problem(ready, spot, "period", message))
    try:
        return None if text is None else spot.clock.resolve(str(text))
    except ValueError as wrong:
        raise _PlanError(_parameter_problem(ready, spot, "period", str(wrong))) from wrong


def _item(ready: ReadyStep, spot: _Spot, form: Mapping[str, str], skip: str | None = None) -> Item:
    step, place = ready.step, spot.place(ready)
    ip = None if spot.target is None else spot.target.ip
    content = form if skip is None else {"when": skip}
    return Item(
        number=spot.number,
        chain=spot.chain,
        key=key_of(step.name, step.action, ip, content, spot.account),
        step=step.name,
        action=step.action,
        ip=ip,
        form=form,
        source=f"{place.file}:{place.line}",
        skip=skip,
        target=spot.target,
        account=spot.account,
    )


def _skipped(ready: ReadyStep, spot: _Spot) -> Item:
    return _item(ready, spot, {}, skip=f"when: {ready.step.when}")


def _parameter_problem(ready: ReadyStep, spot: _Spot, name: str, message: str) -> Problem:
    if ready.fixes(name):  # the same for every row, so it is the step's fault
        return Problem(ready.place_of(name), f"{described(ready.step)}: {name}: {message}")
    return _row_problem(ready, spot, name, message)


def _template_problem(ready: ReadyStep, spot: _Spot, name: str, wrong: TemplateError) -> Problem:
    if wrong.missing and spot.target is not None:
        text = f"{wrong} (rows of {spot.target.place.file})"
        return Problem(ready.place_of(name), f"{described(ready.step)}: {name}: {text}")
    if wrong.from_row:
        return _row_problem(ready, spot, name, str(wrong))
    return Problem(ready.place_of(name), f"{described(ready.step)}: {name}: {wrong}")


def _refused(
    ready: ReadyStep, spot: _Spot, rendered: Mapping[str, Rendered], name: str, message: str
) -> Problem:
    """Return the problem of a refused parameter; one that no row can have is told once, at the step."""
    if name in rendered or spot.target is None or name not in ready.from_row:
        return _parameter_problem(ready, spot, name, message)
    if name in spot.target.fields:
        return _row_problem(ready, spot, name, f"the row's `{name}` is empty, and an empty cell is no value")
    columns = ", ".join(f"`{column}`" for column in spot.target.fields) or "no fields"
    near = get_close_matches(name, [column.lower() for column in spot.target.fields], n=1)
    hint = f"; write the column as `{name}`" if near == [name] else ""
    rows = f"the rows of {spot.target.place.file} have {columns}{hint}"
    return Problem(ready.step.place, f"{described(ready.step)}: {name}: {message}; {rows}")


def _row_problem(ready: ReadyStep, spot: _Spot, name: str, message: str) -> Problem:
    address = "" if spot.target is None else f" for {spot.target.ip}"
    return Problem(spot.place(ready), f"{described(ready.step)}{address}: {name}: {message}")
