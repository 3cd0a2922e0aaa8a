"""Which laws of a run (design.md §5) did this one break? Judged by its rows and the server's log."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from bulkip.model import Purpose, Status

LEFT = frozenset({Status.NOT_RUN, Status.UNKNOWN})
NEVER_WRITTEN = frozenset({Status.FAILED, Status.UNCHANGED, Status.NOT_RUN, Status.SKIPPED, Status.CONFLICT})
"""At one of these statuses an item may not have been changed by us."""
CLOCK_S = 0.002
"""Rows and log tell times in whole milliseconds."""


class Kind(StrEnum):
    """What a violation costs its user; the columns of the table that the crash loop prints."""

    LOST = "lost"  # an item without a row, or without an end
    DOUBLED = "doubled after success"
    FALSE_SUCCESS = "false successes"
    FALSE_FAILURE = "false failures"
    UNACCOUNTED = "unaccounted writes"
    OUTSIDE = "calls outside the plan"
    EXCESS = "attempts in excess"
    BOOKS = "books that do not balance"
    MOVED = "ends that moved"
    OVERWRITTEN = "values overwritten unseen"
    SECRET = "secrets found"


@dataclass(frozen=True, slots=True)
class Violation:
    """One law broken, in words."""

    kind: Kind
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a run from outside.

    `plan` gives each address the PTR name that its author wants there. `rows`
    are those of `bulkip report`, `attempts` the table of the run store, `seen`
    the server's log, `state` the PTR names there now. `allowed` are the
    attempts of one item in one start, `others` the addresses that somebody
    else changed meanwhile. `replaced` are the names that our writes found
    there, each with its address.
    """

    plan: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]]
    attempts: Sequence[Mapping[str, Any]]
    seen: Sequence[Mapping[str, Any]]
    state: Mapping[str, tuple[str, ...]]
    allowed: int = 5
    summary: Mapping[str, Any] = field(default_factory=dict)
    others: frozenset[str] = frozenset()
    replaced: Sequence[tuple[str, tuple[str, ...]]] = ()

    @property
    def writes(self) -> list[Mapping[str, Any]]:
        """The writes that reached the server, in order."""
        return [entry for entry in self.seen if entry["action"] == "update_ptr"]

    @property
    def executed(self) -> set[str]:
        """The addresses that the server changed for us."""
        return {entry["ip"] for entry in self.writes if entry["effect"]}

    @property
    def sent(self) -> list[Mapping[str, Any]]:
        """The recorded writes, those without an end included."""
        return [one for one in self.attempts if one["action"] == "update_ptr" and one["purpose"] == "call"]


Law = Callable[[Evidence], Iterator[Violation]]


def violations(evidence: Evidence) -> list[Violation]:
    """Return what a run broke of the laws that hold at any moment, in the middle of it too."""
    return [found for law in LAWS for found in law(evidence)]


def unfinished(evidence: Evidence) -> list[Violation]:
    """Return the items that a run left without an end; to be asked when it says that it has finished."""
    return [
        Violation(Kind.LOST, f"{row['ip']} was left at {row['status']}: {row['message']}")
        for row in evidence.rows
        if row["status"] in LEFT
    ]


def moved(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[Violation]:
    """Return the items whose end changed although nobody asked for a retry (L3, L5)."""
    now = {row["key"]: row["status"] for row in after}
    return [
        Violation(Kind.MOVED, f"{row['ip']} was {row['status']} and is {now.get(row['key'])}")
        for row in before
        if row["status"] not in LEFT and now.get(row["key"]) != row["status"]
    ]


def one_row_for_each_item(evidence: Evidence) -> Iterator[Violation]:
    """Hold L1: items and rows correspond one to one."""
    rows = Counter(row["ip"] for row in evidence.rows)
    for ip in evidence.plan:
        if rows[ip] != 1:
            yield Violation(Kind.LOST, f"{ip} has {rows[ip]} rows")
    for ip in rows.keys() - evidence.plan.keys():
        yield Violation(Kind.OUTSIDE, f"{ip} has a row and is not in the plan")


def every_write_is_recorded(evidence: Evidence) -> Iterator[Violation]:
    """Hold L2: what reached the server is in the store, and what was answered did reach it."""
    seen = Counter(entry["ip"] for entry in evidence.writes)
    begun = Counter(attempt["ip"] for attempt in evidence.sent)
    answered = Counter(attempt["ip"] for attempt in evidence.sent if attempt["http_status"] is not None)
    for ip in seen.keys() | begun.keys():
        if not answered[ip] <= seen[ip] <= begun[ip]:
            text = f"{ip}: {seen[ip]} writes on the wire, {begun[ip]} recorded, {answered[ip]} answered"
            yield Violation(Kind.UNACCOUNTED, text)
    for attempt in evidence.sent:
        if attempt["wanted"] != f'["{evidence.plan.get(attempt["ip"])}"]':
            yield Violation(Kind.UNACCOUNTED, f"{attempt['ip']}: recorded a write of {attempt['wanted']}")


def success_is_true(evidence: Evidence) -> Iterator[Violation]:
    """Hold the first half of L4: what is called done is there, and was done by us where we say so."""
    executed = evidence.executed
    for row in evidence.rows:
        ip, wanted = row["ip"], (evidence.plan.get(row["ip"], ""),)
        if row["status"] not in {Status.CHANGED, Status.UNCHANGED} or ip in evidence.others:
            continue
        if evidence.state.get(ip) != wanted:
            yield Violation(
                Kind.FALSE_SUCCESS, f"{ip} is {row['status']}, the server has {evidence.state.get(ip)}"
            )
        elif row["status"] == Status.CHANGED and ip not in executed:
            yield Violation(Kind.FALSE_SUCCESS, f"{ip} is changed, and no write of it was carried out")


def failure_is_true(evidence: Evidence) -> Iterator[Violation]:
    """Hold the second half of L4: what is called not done was not done by us."""
    executed = evidence.executed
    for row in evidence.rows:
        if row["status"] in NEVER_WRITTEN and row["ip"] in executed:
            text = f"{row['ip']} is {row['status']}, and our write was carried out"
            yield Violation(Kind.FALSE_FAILURE, text)
        elif row["status"] == Status.CONFLICT and row["ip"] not in evidence.others:
            yield Violation(Kind.FALSE_FAILURE, f"{row['ip']} is a conflict, and nobody else wrote it")


def nothing_is_written_twice(evidence: Evidence) -> Iterator[Violation]:
    """Hold L6: no write goes out after one that was carried out, and none after its success was recorded."""
    done: set[str] = set()
    for entry in evidence.writes:
        if entry["ip"] in done and entry["ip"] not in evidence.others:
            yield Violation(Kind.DOUBLED, f"{entry['ip']} was written again at {entry['wall']}")
        if entry["effect"]:
            done.add(entry["ip"])
    ended = {row["ip"]: row["finished_at"] for row in evidence.rows if row["status"] == Status.CHANGED}
    for entry in evidence.writes:
        at = ended.get(entry["ip"])
        if at is not None and _seconds(entry["wall"]) > _seconds(at) + CLOCK_S:
            yield Violation(Kind.DOUBLED, f"{entry['ip']} was done at {at} and written at {entry['wall']}")


def nothing_is_overwritten_unseen(evidence: Evidence) -> Iterator[Violation]:
    """Hold the promise of a plan: what a write replaces had been seen, and is not somebody else's since."""
    seen = {(one["ip"], tuple(json.loads(one["seen"]))) for one in evidence.sent if one["seen"] is not None}
    for ip, names in evidence.replaced:
        if (ip, names) not in seen:
            yield Violation(Kind.OVERWRITTEN, f"{ip}: {names} was replaced by a write that had not seen it")


def nothing_outside_the_plan(evidence: Evidence) -> Iterator[Violation]:
    """Hold L6: no other address, no other value, and nothing but POST."""
    for entry in evidence.seen:
        ip, form = entry["ip"], entry["form"]
        if entry["method"] != "POST" or (ip is not None and ip not in evidence.plan):
            yield Violation(Kind.OUTSIDE, f"{entry['method']} {entry['action']} of {ip}")
        elif entry["action"] == "update_ptr" and form.get("ptr") != evidence.plan[ip]:
            yield Violation(Kind.OUTSIDE, f"{ip} was set to {form.get('ptr')}")


def attempts_are_bounded(evidence: Evidence) -> Iterator[Violation]:
    """Hold L6: never more attempts than allowed in one start, for each purpose by itself.

    The value before may be read on two occasions: for the plan, and again just
    before the write.
    """
    made = Counter((one["item"], one["start"], one["purpose"]) for one in evidence.attempts if one["item"])
    for (item, start, purpose), count in made.items():
        if count > evidence.allowed * (2 if purpose == Purpose.BEFORE else 1):
            yield Violation(Kind.EXCESS, f"item {item}: {count} of {purpose} in start {start}")


def books_balance(evidence: Evidence) -> Iterator[Violation]:
    """Hold L7: the statuses add up to the plan, the attempts add up over the items."""
    if evidence.summary:
        by_status = Counter(row["status"] for row in evidence.rows)
        told = evidence.summary["by_status"]
        if dict(by_status) != told or evidence.summary["total"] != len(evidence.plan):
            yield Violation(Kind.BOOKS, f"the summary says {told}, the rows {dict(by_status)}")
    recorded = Counter(one["ip"] for one in evidence.sent)
    for row in evidence.rows:
        if row["attempts"] != recorded[row["ip"]]:
            text = f"{row['ip']}: {row['attempts']} attempts in its row, {recorded[row['ip']]} in the store"
            yield Violation(Kind.BOOKS, text)


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


LAWS: Sequence[Law] = (
    one_row_for_each_item,
    every_write_is_recorded,
    success_is_true,
    failure_is_true,
    nothing_is_written_twice,
    nothing_is_overwritten_unseen,
    nothing_outside_the_plan,
    attempts_are_bounded,
    books_balance,
)
