"""What the entries of `actions` mean: a step each."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from bulkip.actions import ACTIONS
from bulkip.actions.action import Action
from bulkip.characters import quoted
from bulkip.jobfile import NodePath, Tree
from bulkip.model import Place, Problem, Step
from bulkip.settings.fields import did_you_mean
from bulkip.settings.schema import ActionEntry


def steps_of(actions: Mapping[int, ActionEntry], tree: Tree) -> Iterator[Step | Problem]:
    """Yield a step for each action, and what is wrong with it.

    An entry with unknown parameters still gives a step, with the names that
    were probably meant, so that mistakes in the rows are told together with
    this one; an entry whose action nobody knows gives none.
    """
    seen: dict[str, Place] = {}
    for position, entry in actions.items():
        problems = [*_entry_problems(entry, tree, position)]
        step = _step(entry, tree, position)
        first = seen.setdefault(step.name, step.place)
        if first is not step.place:
            message = f"action name {quoted(step.name)} stands twice; the first is in line {first.line}"
            problems.append(Problem(tree.place(("actions", position, "name")), message))
        yield from problems
        if step.action in ACTIONS:
            yield step


def _step(entry: ActionEntry, tree: Tree, position: int) -> Step:
    path: NodePath = ("actions", position)
    written = _meant(entry, ACTIONS.get(entry.action))
    params = {name: entry.params[written[name]] for name in written}
    inner = entry.params.get("period")
    period_path = (*path, "period") if entry.period else (*path, "with", "period")
    places = {"action": tree.place((*path, "action")), "when": tree.place((*path, "when"))}
    places["period"] = tree.place(period_path)
    places.update({f"with.{name}": tree.place((*path, "with", written[name])) for name in params})
    return Step(
        index=position,
        name=entry.name or str(position + 1),
        action=entry.action,
        params=params,
        places=places,
        place=tree.place(path),
        when=entry.when,
        period=entry.period or (inner if isinstance(inner, str) else None),
        tags=entry.tags,
        allow_empty=entry.allow_empty,
        allow_same=entry.allow_same,
        allow_ipmi=entry.allow_ipmi,
    )


def _meant(entry: ActionEntry, action: Action | None) -> dict[str, str]:
    """Return the parameters that an entry sets, with the names they were written under."""
    known = [parameter.name for parameter in action.parameters if parameter.name != "ip"] if action else []
    given = [name for name in entry.params if name not in {"ip", "period"}]
    meant = {name: name for name in given if name in known}
    for name in given:
        near = get_close_matches(name, known, n=1)
        if name not in known and near:
            meant.setdefault(near[0], name)
    return meant


def _entry_problems(entry: ActionEntry, tree: Tree, position: int) -> Iterator[Problem]:
    path: NodePath = ("actions", position)
    action = ACTIONS.get(entry.action)
    if action is None:
        message = f"unknown action {quoted(entry.action)}; {did_you_mean(entry.action, list(ACTIONS))}"
        yield Problem(tree.place((*path, "action")), message)
        return
    for name in entry.params:
        if wrong := _parameter_problem(action, name):
            yield Problem(tree.key_place((*path, "with", name)), wrong)
    yield from _period_problems(entry, action, tree, path)


def _parameter_problem(action: Action, name: str) -> str | None:
    if name == "ip" and action.needs_ip:
        return "the address comes from `targets`; remove `ip` here"
    known = [parameter.name for parameter in action.parameters if parameter.name != "ip"]
    if name in known:
        return None
    hint = did_you_mean(name, known) if known else "it takes none"
    return f"unknown parameter {quoted(name)} of {action.name}; {hint}"


def _period_problems(entry: ActionEntry, action: Action, tree: Tree, path: NodePath) -> Iterator[Problem]:
    takes_period = any(parameter.name == "period" for parameter in action.parameters)
    if entry.period and not takes_period:
        yield Problem(tree.key_place((*path, "period")), f"{action.name} takes no `period`; remove it")
    if entry.period and "period" in entry.params:
        yield Problem(tree.key_place((*path, "with", "period")), "`period` is set twice; remove one of them")
    if isinstance(entry.params.get("period"), tuple):
        yield Problem(tree.place((*path, "with", "period")), "`period` must be a single value, not a list")
