"""What the words mean: the frozen data that every other floor speaks in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from bulkip.frozen import Struct

JsonValue: TypeAlias = "str | int | float | Decimal | bool | list[JsonValue] | dict[str, JsonValue] | None"
"""What JSON holds; what the API answers has no floats, because its figures are kept to the last digit."""


class Status(StrEnum):
    """How an item ended; the closed set of design.md §4."""

    CHANGED = "changed"  # the server accepted this value, or a read-back showed it
    UNCHANGED = "unchanged"  # it was already as wanted; nothing was sent
    OK = "ok"  # a read that was answered
    MATCH = "match"  # a check whose expectation is met
    MISMATCH = "mismatch"  # a check whose expectation is not met
    UNVERIFIED = "unverified"  # written, but the required proof is missing
    FAILED = "failed"  # the server refused definitively, or a read got no answer
    UNKNOWN = "unknown"  # a write that may have happened
    CONFLICT = "conflict"  # the value moved since the plan; not overwritten
    SKIPPED = "skipped"  # `when` said no, or an earlier action of the address failed
    NOT_RUN = "not_run"  # a halt, a deadline or a signal came first


class ErrorClass(StrEnum):
    """Why an item ended badly; the closed set of design.md §4."""

    AUTH = "auth"
    PERMISSION = "permission"
    INVALID = "invalid"
    NOT_FOUND = "not_found"
    THROTTLED = "throttled"
    SERVER = "server"
    CONNECT = "connect"
    TIMEOUT = "timeout"
    NETWORK = "network"
    TLS = "tls"
    DNS = "dns"
    PROTOCOL = "protocol"
    UNKNOWN_ANSWER = "unknown_answer"
    BUDGET = "budget"
    BREAKER = "breaker"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    INTERNAL = "internal"


class Purpose(StrEnum):
    """Why a call was made; only `call` counts as an attempt of the item's row."""

    CALL = "call"
    BEFORE = "before"  # the value before a write is read
    READBACK = "readback"  # a write in doubt is settled by reading
    VERIFY = "verify"
    LOOKUP = "lookup"
    LOGIN = "login"
    LOGOUT = "logout"
    PROBE = "probe"  # does the server still take this token at all?


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file the user wrote; line and column count from 1."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in an input: where, what, and the way out."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


@dataclass(frozen=True, slots=True)
class Heading:
    """The first row of a CSV list as its author wrote it, and what stands between its cells."""

    names: tuple[str, ...]
    delimiter: str


@dataclass(frozen=True, slots=True)
class Target:
    """One address of the job, in canonical form, with the other fields of its row as text.

    `cells` is the whole row below its `heading` as it was written, for those
    who give it back; a target without a heading is given back by its fields.
    """

    ip: str
    fields: Mapping[str, str]
    place: Place
    heading: Heading | None = field(default=None, compare=False, repr=False)
    cells: Sequence[str] = field(default=(), compare=False, repr=False)
    account: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of a job's `actions`, its templates not yet rendered.

    `places` locates "action", "when", "period" and each "with.<parameter>".
    """

    index: int
    name: str
    action: str
    params: Mapping[str, str | tuple[str, ...]]
    places: Mapping[str, Place]
    place: Place
    when: str | None = None
    period: str | None = None
    tags: frozenset[str] = frozenset()
    allow_empty: bool = False
    allow_same: bool = False
    allow_ipmi: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an item before its run begins: value there, server found, or even how it ended.

    `unread` says why the value there could not be read, where it is written all the same.
    """

    before: "Before | None" = None
    result: "Result | None" = None
    server: str | None = None
    unread: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One action on one address with everything rendered; a line of the plan.

    `number` is the position in the plan, from 1. Items of one address share
    their `chain` and run in order. `form` is exactly what is sent besides
    action and token. `skip` carries the reason when the item is not to run.
    `target` and `known` are there only while the plan is made. `account` is
    one of the job's `accounts`, empty in a job that has none.
    """

    number: int
    chain: int
    key: str
    step: str
    action: str
    ip: str | None
    form: Mapping[str, str]
    source: str
    skip: str | None = None
    target: Target | None = field(default=None, compare=False, repr=False)
    known: Known | None = field(default=None, compare=False, repr=False)
    account: str = ""


class Before(Struct, frozen=True):
    """The PTR names that a reading found before a write; empty when there was none."""

    names: tuple[str, ...]
    read_at: float  # Unix seconds


class Result(Struct, frozen=True):
    """How an item ended. `names` are the PTR names known to be there afterwards."""

    status: Status
    error_class: ErrorClass | None = None
    error_code: str | None = None
    message: str | None = None
    http_status: int | None = None
    value: JsonValue = None
    empty: bool = False
    note: str | None = None
    names: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls in so many seconds."""

    calls: int
    period_s: float

    def __str__(self) -> str:
        return f"{self.calls}/{self.period_s:g}s" if self.period_s != 1 else f"{self.calls}/s"

    @property
    def per_s(self) -> float:
        """Calls per second, over the whole window."""
        return self.calls / self.period_s


@dataclass(frozen=True, slots=True)
class Counts:
    """How many items of a run stand at each status; every item is counted once."""

    by_status: Mapping[Status, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All items of the plan."""
        return sum(self.by_status.values())

    def of(self, *statuses: Status) -> int:
        """How many items stand at any of these statuses."""
        return sum(self.by_status.get(status, 0) for status in statuses)
