"""The short way from a target to its item: what all targets of a step share is worked out once.

It makes the same item as the long way or gives up; whatever it gives up goes the long way, which knows
what is wrong and where.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from bulkip.actions.action import Parameter, Rendered
from bulkip.actions.forms import without_value
from bulkip.keys import keys_like
from bulkip.makers import maker_of
from bulkip.model import Item, Target
from bulkip.periods import Period
from bulkip.steps import Clock, ReadyStep, Renderings
from bulkip.templates import Address, Constant, ItemFields, Rendering, Row, Template

_Values: TypeAlias = Mapping[str, Any]
_item = maker_of(Item)


@dataclass(frozen=True, slots=True)
class _Part:
    """A parameter that differs from target to target: what gives its text, and what checks it.

    Of a parameter that is `needed` there has to be a text; of others there is
    nothing where it is `optional`, and else what stands in its place already.
    """

    name: str
    render: Callable[[_Values], str | None]
    check: Callable[[Rendered], str]
    needed: bool
    optional: bool


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the items of one step are made, as far as that is known before their targets are.

    `skeleton` is the form in its documented order, `parts` fill it. A target
    that has any of the fields `spoilers` is for the long way.
    """

    ready: ReadyStep
    clock: Clock
    skeleton: Mapping[str, str]
    parts: tuple[_Part, ...]
    spoilers: tuple[str, ...]
    uses: frozenset[str]
    is_plain: bool
    key: Callable[[str, Mapping[str, str], str], str]

    def item(self, target: Target, number: int, chain: int) -> Item | None:
        """Return the item of a target, or None when it takes the long way to know."""
        for name in self.spoilers:
            if target.fields.get(name):
                return None
        try:
            form = self._form(target, number)
        except ValueError:  # of a template or a check; the long way tells it
            return None
        if form is None:
            return None
        ip, step, place = target.ip, self.ready.step, target.place
        source, account = f"{place.file}:{place.line}", target.account
        key = self.key(ip, form, account)
        return _item(
            number, chain, key, step.name, step.action, ip, form, source, None, target, None, account
        )

    def _form(self, target: Target, number: int) -> dict[str, str] | None:
        """Return what is sent; None, or ValueError, when something about it is not as usual."""
        ready, values = self.ready, self._values(target, number)
        if ready.when is not None and not ready.when.holds(values):
            return None
        form = {**self.skeleton, "ip": target.ip}
        for part in self.parts:
            text = part.render(values)
            if text:
                form[part.name] = part.check(text)
            elif part.needed or text is None:
                return None
            elif part.optional:
                del form[part.name]
        if ready.action.objections(form, ready.allow):
            return None
        if (stop := form.get("period_stop")) and self.clock.unfinished(int(stop)):
            return None
        return form

    def _values(self, target: Target, number: int) -> _Values:
        """Return what the templates use; plain ones only look at it."""
        values: dict[str, object] = {"row": target.fields}
        if "ip" in self.uses:
            values["ip"] = Address(target.ip)
        if "item" in self.uses:
            values["item"] = ItemFields(number - 1)
        return values if self.is_plain else {**self.ready.constants, **values, "row": Row(target.fields)}


def recipe_of(ready: ReadyStep, clock: Clock) -> Recipe | None:
    """Return the short way of a step whose targets have addresses; None when there is none."""
    known = {one.name for one in ready.action.parameters if one.sent} - {"ip"}
    if isinstance(ready.period, Template) or not known.issuperset(ready.params):
        return None
    try:
        found = [_ingredient(ready, one) for one in ready.action.parameters if one.sent]
    except ValueError:  # what is wrong is so for every target; the long way tells it
        return None
    parts = tuple(part for _, _, part in found if part is not None)
    skeleton = {name: text for name, text, _ in found if text is not None}
    rendered = [one for stated in ready.params.values() for one in _each(stated)]
    rendered += [] if ready.when is None else [ready.when.rendering]
    unsent = {one.name for one in ready.action.parameters if not one.sent}
    return Recipe(
        ready,
        clock,
        skeleton,
        parts,
        spoilers=tuple(unsent.intersection(ready.from_row)),
        uses=frozenset().union(*(one.uses for one in rendered)),
        is_plain=all(isinstance(one, Constant) or one.plain is not None for one in rendered),
        key=keys_like(ready.step.name, ready.step.action, skeleton, {"ip", *(part.name for part in parts)}),
    )


def _ingredient(ready: ReadyStep, parameter: Parameter) -> tuple[str, str | None, _Part | None]:
    """Return the name of a parameter, what stands for it in the skeleton, and what fills it."""
    name, default = parameter.name, parameter.default
    if name == "ip":
        return name, "", None
    stated = ready.params.get(name)
    if isinstance(stated, Template):
        render = stated.plain.render if stated.plain is not None else stated.render
        return name, default or "", _part(parameter, render)
    if stated is None and name in ready.from_row:
        return name, default or "", _part(parameter, _cell(name))
    value = _fixed(stated, name, ready.period)
    return name, parameter.check(value) if value else without_value(parameter, value), None


def _part(parameter: Parameter, render: Callable[[_Values], str | None]) -> _Part:
    needed = parameter.required or parameter.empty_is_a_value
    return _Part(parameter.name, render, parameter.check, needed=needed, optional=parameter.default is None)


def _cell(name: str) -> Callable[[_Values], str]:
    def cell(values: _Values) -> str:
        text: str = values["row"].get(name, "")
        return text

    return cell


def _fixed(stated: Renderings | None, name: str, period: Period | Template | None) -> Rendered | None:
    """Return the value that a parameter has for every target, None for none; or ValueError."""
    if isinstance(period, Period) and name in {"period_start", "period_stop"}:
        return str(period.start if name == "period_start" else period.stop)
    if stated is None:
        return None
    texts = [one.text for one in _each(stated) if isinstance(one, Constant)]
    if len(texts) < len(_each(stated)):
        raise ValueError(f"{name} is a list that differs from target to target")
    return tuple(texts) if isinstance(stated, tuple) else texts[0]


def _each(stated: Renderings) -> tuple[Rendering, ...]:
    return stated if isinstance(stated, tuple) else (stated,)
