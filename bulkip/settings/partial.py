"""What of a job file is valid on its own, when other parts of it are not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from bulkip.jobfile import NodePath, Tree
from bulkip.model import Problem
from bulkip.settings.schema import ActionEntry, JobFile, TargetEntry
from bulkip.settings.wording import node_path, problems_of

_LISTS = ("targets", "actions")


@dataclass(frozen=True, slots=True)
class Partial:
    """The valid parts of a job file: entries by their position in the file, and what is wrong."""

    file: JobFile
    targets: Mapping[int, TargetEntry]
    actions: Mapping[int, ActionEntry]
    problems: tuple[Problem, ...]


def validate(tree: Tree) -> Partial:
    """Check a whole tree; where it is wrong, the rest is checked as if the wrong parts were not there."""
    root = tree.root if isinstance(tree.root, dict) else {}
    try:
        file = JobFile.model_validate(tree.root)
    except ValidationError as error:
        bad = {node_path(detail["loc"]) for detail in error.errors(include_url=False)} - {()}
        kept = _kept(root, bad)
        file = JobFile.model_validate(_pruned(root, bad, kept))
        return _partial(file, kept, tuple(problems_of(error, tree)))
    return _partial(file, _kept(root, set()), ())


def _partial(file: JobFile, kept: Mapping[str, list[int]], problems: tuple[Problem, ...]) -> Partial:
    targets = dict(zip(kept["targets"], file.targets, strict=True))
    actions = dict(zip(kept["actions"], file.actions, strict=True))
    return Partial(file, targets, actions, problems)


def _kept(root: Mapping[str, Any], bad: set[NodePath]) -> dict[str, list[int]]:
    """Return the positions of the entries without a mistake, by list."""
    wrong = {path[:2] for path in bad}
    return {name: list(_sound(root.get(name), name, wrong)) for name in _LISTS}


def _sound(entries: Any, name: str, wrong: set[NodePath]) -> Iterator[int]:
    positions = range(len(entries)) if isinstance(entries, list) else ()
    return (position for position in positions if (name, position) not in wrong)


def _pruned(root: Mapping[str, Any], bad: set[NodePath], kept: Mapping[str, list[int]]) -> dict[str, Any]:
    """Return the job without what is wrong in it."""
    whole = {path[0] for path in bad if len(path) == 1 or not isinstance(root.get(str(path[0])), dict)}
    sound: dict[str, Any] = {"version": 1}
    for key, node in root.items():
        if key in _LISTS:
            sound[key] = [node[position] for position in kept[key]]
        elif key not in whole:
            sound[key] = _without(node, {path[1] for path in bad if path[0] == key and len(path) > 1})
    return sound


def _without(node: Any, keys: set[str | int]) -> Any:
    if not isinstance(node, dict):
        return node
    return {key: value for key, value in node.items() if key not in keys}
