"""What is wrong with a job file, in plain words and each with its place."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bulkip.characters import quoted
from bulkip.jobfile import NodePath, Tree
from bulkip.model import Problem
from bulkip.settings.fields import did_you_mean
from bulkip.settings.schema import BLOCKS, ENTRIES, AccountBlock, ActionEntry, FreeIpsBlock, JobFile


def problems_of(error: ValidationError, tree: Tree) -> Iterator[Problem]:
    """Yield every problem that the schema found."""
    for detail in error.errors(include_url=False):
        path = node_path(detail["loc"])
        unknown = detail["type"] == "extra_forbidden"
        place = tree.key_place(path) if unknown else tree.place(path)
        yield Problem(place, _message(detail, path))


def node_path(loc: tuple[int | str, ...]) -> NodePath:
    """Return the path in the file: a target's kind is a part of the location, but no key."""
    if loc[:1] == ("targets",) and len(loc) > 2:  # noqa: PLR2004 - targets, its number, its kind
        rest = loc[3:]
        return (*loc[:2], *(() if rest == ("plain",) else rest))
    return loc


def _message(detail: ErrorDetails, path: NodePath) -> str:
    name = _name(path)
    match detail["type"]:
        case "value_error":
            return f"{name}: {_reason(detail)}"
        case "extra_forbidden":
            return (
                f"unknown key {quoted(str(path[-1]))}; {did_you_mean(str(path[-1]), _known(detail['loc']))}"
            )
        case "missing":
            return f"{_name(path[:-1])}: the key `{path[-1]}` is missing{_EXAMPLES.get(str(path[-1]), '')}"
        case "union_tag_not_found":
            return _unknown_kind(detail["input"])
        case "tuple_type":
            return f"{name}: must be a list (lines that begin with `- `)"
        case _:
            return f"{name}: {detail['msg'].lower()}"


_EXAMPLES = {"version": "; write `version: 1`", "action": "; write it like `action: update_ptr`"}


def _name(path: NodePath) -> str:
    """Return a path as people say it: `limits.rate`, or `job` for the whole file."""
    words = [str(part + 1) if isinstance(part, int) else part for part in path]
    return f"`{'.'.join(words)}`" if words else "job"


def _reason(detail: ErrorDetails) -> str:
    return str(detail.get("ctx", {}).get("error", detail["msg"]))


def _unknown_kind(node: Any) -> str:
    word = next(iter(node), "")
    return f"target has no key that says what it is; {did_you_mean(str(word), list(ENTRIES))}"


def _known(loc: tuple[int | str, ...]) -> list[str]:
    """Return the keys that the block around an unknown key takes."""
    match loc[:-1]:
        case ("actions", int()):
            return ActionEntry.known_keys()
        case ("targets", int(), "free_ips", "free_ips"):
            return FreeIpsBlock.known_keys()
        case ("targets", int(), str(kind)):
            return ENTRIES[kind].known_keys()
        case ("accounts", str()):
            return AccountBlock.known_keys()
        case ("accounts", str(), str(block)) | (str(block),) if block in BLOCKS:
            return BLOCKS[block].known_keys()
        case _:
            return JobFile.known_keys()
