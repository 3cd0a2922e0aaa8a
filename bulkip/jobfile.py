"""What stands in a YAML file, strictly: a tree of plain values, each with its place.

YAML guesses types, shares nodes and crashes on deep nesting. So the tree is built
from parser events: no anchors, aliases, tags, merge keys or second documents, no
key twice, and only true, false, null and plain decimal numbers are typed.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

import yaml

from bulkip.characters import FORBIDDEN, forbidden_text, quoted
from bulkip.errors import JobError
from bulkip.inputfile import read_input
from bulkip.model import Place, Problem
from bulkip.plaintext import MAX_PROBLEMS, Broken, plain_text

MAX_BYTES = 64 * 2**20
MAX_DEPTH = 20

Scalar: TypeAlias = str | bool | int | Decimal | None
Node: TypeAlias = "Scalar | list[Node] | dict[str, Node]"
NodePath: TypeAlias = tuple[str | int, ...]

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?")
_EXCLUSION = re.compile(r"![0-9A-Fa-f.:/-]+")
_GLUED = re.compile(r":[,\[\]{}]")
_TOUCHING = re.compile(r"[|>][-+0-9]*#")
_WORDS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None, "": None}


@dataclass(frozen=True, slots=True)
class Tree:
    """A YAML document: its values, where each value and each key stands, and its bytes' digest."""

    root: Node
    places: Mapping[NodePath, Place]
    key_places: Mapping[NodePath, Place]
    digest: str

    def place(self, path: NodePath) -> Place:
        """Return where the value at a path stands, or the nearest value around it."""
        while path not in self.places:
            path = path[:-1]
        return self.places[path]

    def key_place(self, path: NodePath) -> Place:
        """Return where the key of a path stands; a list entry has no key and gives its own place."""
        return self.key_places.get(path) or self.place(path)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a YAML file gave: a tree unless its structure is broken, and every problem seen."""

    tree: Tree | None
    problems: tuple[Problem, ...]


def read_tree(path: str | Path) -> Tree:
    """Read a YAML file strictly; raises `JobError` with every problem in it."""
    reading = scan_file(path)
    if reading.tree is None or reading.problems:
        raise JobError(reading.problems)
    return reading.tree


def scan_file(path: str | Path) -> Reading:
    """Read a YAML file strictly, with its problems as values, so that others can be shown beside them."""
    content = read_input(Path(path), MAX_BYTES)
    if isinstance(content, str):
        return Reading(None, (Problem(Place(str(path), 1), content),))
    return scan_bytes(content, str(path))


def scan_bytes(content: bytes, file: str, *, pure: bool = False) -> Reading:
    """Read YAML from bytes; `pure` keeps to the slow parser that every installation has."""
    problems: list[Problem] = []
    try:
        text = plain_text(content, file, problems)
        composer = _Composer(text, file, problems, pure=pure)
        root = composer.document()
    except Broken as broken:
        return Reading(None, (*problems, broken.problem))
    digest = hashlib.sha256(content).hexdigest()
    return Reading(Tree(root, composer.places, composer.key_places, digest), tuple(problems))


class _Composer:
    """Owns one pass over the events of one document."""

    def __init__(self, text: str, file: str, problems: list[Problem], *, pure: bool) -> None:
        self.places: dict[NodePath, Place] = {}
        self.key_places: dict[NodePath, Place] = {}
        self._file = file
        self._problems = problems
        self._text = text
        self._in_flow = False
        self._events = _events(text, file, pure=pure)

    def document(self) -> Node:
        """Return the value of the only document."""
        event = self._next()
        if not isinstance(event, yaml.DocumentStartEvent):
            raise Broken(Place(self._file, 1), "the file is empty")
        if event.version or event.tags:
            self._problem(event, "a YAML directive (%) is not supported; remove the line")
        root = self._node(self._next(), (), Place(self._file, 1))
        self._next()
        event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            raise Broken(self._at(event), "a second document starts here; one file holds one document")
        return root

    def _next(self) -> yaml.Event:
        if len(self._problems) >= MAX_PROBLEMS:
            last = self._problems[-1].place
            raise Broken(last, f"more than {MAX_PROBLEMS} problems; the rest was not read")
        return next(self._events)

    def _at(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        return Place(self._file, mark.line + 1, mark.column + 1) if mark else Place(self._file, 1)

    def _problem(self, event: yaml.Event, message: str) -> None:
        self._problems.append(Problem(self._at(event), message))

    def _node(self, event: yaml.Event, path: NodePath, owner: Place) -> Node:
        """Return the value that an event begins, and note where it stands: nothing stands at its owner's."""
        if isinstance(event, yaml.AliasEvent):
            self.places[path] = owner
            self._problem(event, "an alias (*) is not supported; write the value out, or put text in quotes")
            return None
        self._check_decoration(event)
        if isinstance(event, yaml.ScalarEvent):
            self.places[path] = self._at(event) if event.value or event.style else owner
            self._check_dialect(event)
            return self._scalar(event)
        self.places[path] = self._at(event)
        if len(path) >= MAX_DEPTH:
            raise Broken(self._at(event), f"nested deeper than {MAX_DEPTH} levels")
        return self._collection(event, path)

    def _collection(self, event: yaml.Event, path: NodePath) -> Node:
        around = self._in_flow
        self._in_flow = around or bool(getattr(event, "flow_style", False))
        value = self._list(path) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(path)
        self._in_flow = around
        return value

    def _check_decoration(self, event: yaml.Event) -> None:
        if getattr(event, "anchor", None) is not None:
            self._problem(event, "an anchor (&) is not supported; remove it, or put the text in quotes")
        if (tag := getattr(event, "tag", None)) is not None:
            example = f' like "{tag}"' if _EXCLUSION.fullmatch(tag) else ""
            self._problem(event, f"a tag (!) is not supported; remove it, or put the text in quotes{example}")

    def _check_dialect(self, event: yaml.ScalarEvent) -> None:
        """Refuse what the C parser and the pure one read differently."""
        if event.style in ("|", ">") and self._follows(event.start_mark, _TOUCHING):
            self._problem(event, f"`#` touches `{event.style}`; put a space before the comment")
        if self._in_flow and not event.style and "?" in event.value:
            self._problem(event, "plain text inside brackets holds a `?`; put the text in quotes")

        if self._in_flow and not event.style and self._follows(event.end_mark, _GLUED):
            self._problem(event, "a space is missing behind the `:` of this key")

    def _follows(self, mark: object, pattern: re.Pattern[str]) -> bool:
        index = getattr(mark, "index", None)  # the parsers have a mark of their own each
        return isinstance(index, int) and pattern.match(self._text, index) is not None

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        if wrong := forbidden_text(event.value):
            self._problem(event, wrong)
            return FORBIDDEN.sub("", event.value)
        return event.value if event.style else typed(event.value)

    def _list(self, path: NodePath) -> list[Node]:
        entries: list[Node] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            entries.append(self._node(event, (*path, len(entries)), self._at(event)))
        return entries

    def _mapping(self, path: NodePath) -> dict[str, Node]:
        """Return a mapping; of a key that stands twice the first one counts."""
        entries: dict[str, Node] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event)
            child = (*path, key)
            if key in entries:
                first = self.key_places[child]
                self._problem(event, f"key {quoted(key)} stands twice; the first is in line {first.line}")
                self._node(self._next(), (*child, ""), self._at(event))  # the places of the first one stay
                continue
            self.key_places[child] = self._at(event)
            entries[key] = self._node(self._next(), child, self._at(event))
        return entries

    def _key(self, event: yaml.Event) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise Broken(self._at(event), "a key must be plain text; did you mean to put it in quotes?")
        self._check_decoration(event)
        self._check_dialect(event)
        if wrong := forbidden_text(event.value):
            self._problem(event, wrong)
        if not event.value and not event.style:
            self._problem(event, "a key is missing before `:`")
        if event.value == "<<" and not event.style:
            self._problem(event, "merge key `<<` is not supported; write the keys out")
        return FORBIDDEN.sub("", event.value)


def typed(text: str) -> Scalar:
    """Return what a plain scalar means; whatever would not come back as written stays text."""
    if text in _WORDS:
        return _WORDS[text]
    if not _NUMBER.fullmatch(text):
        return text
    number = Decimal(text) if "." in text else int(text)
    return number if str(number) == text else text


def _events(text: str, file: str, *, pure: bool) -> Iterator[yaml.Event]:
    """Yield the events of the stream after its start, with syntax errors in our words."""
    fast = yaml.__with_libyaml__ and not pure
    loader = yaml.CSafeLoader(text) if fast else yaml.SafeLoader(text)
    try:
        loader.get_event()
        while (event := loader.get_event()) is not None:
            yield event
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, file) from None
    except (ValueError, OverflowError):  # the pure parser on an escape like "\UFFFFFFFF"
        mark = getattr(loader, "line", 0), getattr(loader, "column", 0)
        raise Broken(Place(file, mark[0] + 1, mark[1] + 1), "not valid YAML: bad escape") from None
    finally:
        loader.dispose()


def _syntax_error(error: yaml.MarkedYAMLError, file: str) -> Broken:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    if error.problem == "exceeded maximum nesting depth":  # newer parsers have a limit of their own
        return Broken(Place(file, line + 1, column + 1), f"nested deeper than {MAX_DEPTH} levels")
    context = f" {error.context}" if error.context else ""
    return Broken(Place(file, line + 1, column + 1), f"not valid YAML{context}: {error.problem}")
