"""A plan as a file: what was seen, what is wanted, and all that applying it needs, with its own sha256.

The file is one JSON document and one item a line, so that a large plan is
written and read as a stream. Its last line holds the sha256 of all that stands
before: a file that was edited or cut short is refused.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import IO, Any, Self

from bulkip.errors import UsageError
from bulkip.model import JsonValue

VERSION = 1
MARK = "bulkip_plan"
LONGEST_LINE = 2**20
_ENCODER = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))
_HEAD: Mapping[str, type] = MappingProxyType(
    {
        **dict.fromkeys(("job_name", "job_path", "job_digest", "url", "version", "digest"), str),
        "simulated": bool,
        "created_at": float,
        **dict.fromkeys(("facts", "settings"), dict),
    }
)
_END = b'],"sha256":"'


@dataclass(frozen=True, slots=True)
class PlanHead:
    """What stands above the items: which job, when, against which API, and how it is to be applied.

    `facts` are for readers, `settings` for whoever applies the plan; no secret
    is in either. `created_at` is in Unix seconds; `digest` stands for what the
    plan means: the same wishes against the same present values give the same.
    """

    job_name: str
    job_path: str
    job_digest: str
    url: str
    simulated: bool
    created_at: float
    version: str
    digest: str
    facts: Mapping[str, JsonValue]
    settings: Mapping[str, JsonValue]


def plan_lines(head: PlanHead, items: Iterable[Mapping[str, JsonValue]]) -> Iterator[str]:
    """Yield the lines of a plan file, its sha256 last."""
    seen = hashlib.sha256()
    for line in _content(head, items):
        seen.update(line.encode())
        yield line
    yield f'],"sha256":"{seen.hexdigest()}"}}\n'


def _content(head: PlanHead, items: Iterable[Mapping[str, JsonValue]]) -> Iterator[str]:
    fields = {name: getattr(head, name) for name in PlanHead.__dataclass_fields__}
    yield f'{{"{MARK}":{VERSION},"head":{_ENCODER.encode(fields)},"items":[\n'
    comma = ""
    for item in items:
        yield f"{comma}{_ENCODER.encode(item)}\n"
        comma = ","


class PlanFile:
    """Owns an open plan file; a context manager.

    `head` is known at once, `items` can be read once. The file was found whole
    and as it was written when it was opened; should it change while its items
    are read, `items` raises UsageError at their end, so nothing may be sent
    before they are all read.
    """

    def __init__(self, path: Path) -> None:
        """Open a plan file; raises UsageError when it is none, or not as it was written."""
        self._path = path
        self._seen = hashlib.sha256()
        try:
            self._file: IO[bytes] = path.open("rb")
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {error.strerror}; `bulkip plan JOB -o PLAN` makes one"
                             ) from error  # fmt: skip
        try:
            self._read_head()
            self._read_on()
            self._rewind()
            self.head = self._read_head()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def items(self) -> Iterator[Mapping[str, Any]]:
        """Yield the items in plan order; raises UsageError when the file is not as it was written."""
        for number, line in enumerate(iter(self._line, b""), start=2):
            if line.startswith(_END):
                self._check_end(line)
                return
            self._seen.update(line)
            item = self._loaded(line.removeprefix(b","), number)
            if not isinstance(item, dict):
                raise self._damaged(f"line {number} is no item")
            yield item
        raise self._damaged("it ends too early")

    def _read_on(self) -> None:
        """Raise UsageError unless the rest of the file is as it was written."""
        for line in iter(self._line, b""):
            if line.startswith(_END):
                return self._check_end(line)
            self._seen.update(line)
        raise self._damaged("it ends too early")

    def _rewind(self) -> None:
        try:
            self._file.seek(0)
        except OSError as error:
            raise UsageError(f"{self._path}: a plan is read twice, and this is no file; keep it in one"
                             ) from error  # fmt: skip
        self._seen = hashlib.sha256()

    def _check_end(self, line: bytes) -> None:
        if line != f'],"sha256":"{self._seen.hexdigest()}"}}\n'.encode() or self._line():
            raise self._damaged("its sha256 is not that of its content")

    def _read_head(self) -> PlanHead:
        line = self._line()
        opening, closing = f'{{"{MARK}":'.encode(), b',"items":[\n'
        if not (line.startswith(opening) and line.endswith(closing)):
            raise UsageError(f"{self._path}: this is no plan; `bulkip plan JOB -o PLAN` makes one")
        self._seen.update(line)
        found = self._loaded(line.removesuffix(closing) + b"}", 1)
        if found.get(MARK) != VERSION:
            raise UsageError(
                f"{self._path}: plan version {found.get(MARK)} is not {VERSION}; make the plan again"
            )
        head = found.get("head")
        if not isinstance(head, dict) or {name: type(value) for name, value in head.items()} != _HEAD:
            raise self._damaged("its head is not whole")
        if not "".join(value for value in head.values() if isinstance(value, str)).isprintable():
            raise self._damaged("its head has characters that do not print")
        return PlanHead(**head)

    def _line(self) -> bytes:
        try:
            line = self._file.readline(LONGEST_LINE)
        except OSError as error:
            raise UsageError(f"{self._path}: cannot be read: {error.strerror}; is it a plan?") from error
        if len(line) == LONGEST_LINE:
            raise self._damaged("a line is too long")
        return line

    def _loaded(self, line: bytes, number: int) -> Any:
        try:
            return json.loads(line)
        except (ValueError, RecursionError) as error:
            raise self._damaged(f"line {number} is no JSON") from error

    def _damaged(self, why: str) -> UsageError:
        return UsageError(
            f"{self._path}: the plan was edited or cut short ({why}); make it again, nothing was sent"
        )
