"""A run store in which every way to end occurs and every law holds, for those who want to break one."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from anyio import run

from bulkip.frozen import replace as replaced
from bulkip.keys import key_of
from bulkip.model import Before, ErrorClass, Item, Purpose, Result, Status
from bulkip.store import Attempt, Choice, Outcome, RunWriter, open_writer, reopen
from bulkip.store.schema import store_path
from bulkip.wire import VerdictKind
from tests.storedruns import HEADER, SENT_AT, SETTLED_AT, frozen, nothing

OLD = ("old.example.org",)
FORM = {"id": "4711", "location": "NL"}
ATTEMPTS = 3
TOLD = 9  # one outcome is unknown


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an item as it went."""

    purpose: Purpose
    outcome: VerdictKind
    status: int | None = 200
    error_class: ErrorClass | None = None
    in_doubt: bool = False


SEEN = Call(Purpose.BEFORE, VerdictKind.SUCCESS)
ACCEPTED = Call(Purpose.CALL, VerdictKind.SUCCESS)
REFUSED = Call(Purpose.CALL, VerdictKind.PERMANENT, 200, ErrorClass.PERMISSION)
LOST = Call(Purpose.CALL, VerdictKind.TRANSIENT, None, ErrorClass.TIMEOUT, in_doubt=True)
READ_BACK = Call(Purpose.READBACK, VerdictKind.SUCCESS)
UNREADABLE = Call(Purpose.READBACK, VerdictKind.UNKNOWN, 200, ErrorClass.UNKNOWN_ANSWER)


def name_of(number: int) -> str:
    """Return the PTR name that an item wants."""
    return f"host-{number}.example.net"


def item(number: int, action: str = "update_ptr", skip: str | None = None) -> Item:
    """Return an item with an address and a chain of its own, and the key that its content gives."""
    ip = f"203.0.113.{number}"
    form = {"ip": ip, **FORM} | ({"ptr": name_of(number)} if action == "update_ptr" else {})
    form = {} if skip else form
    key = key_of("1", action, ip, {"when": skip} if skip else form)
    return Item(number, number, key, "1", action, ip, form, f"rows.csv:{number + 1}", skip)


def honest_run(folder: Path) -> Path:
    """Make the store of a run of eight items and two starts; returns its folder.

    1 was changed, 2 shown so by a read-back, 3 as wanted already, 4 refused and
    changed by a retry, 5 is unknown, 6 was read, 7 skipped, 8 a main address.
    """
    items = [item(number) for number in range(1, 6)]
    items += [item(6, "get_ip"), item(7, skip="when: no"), item(8, "set_main")]
    header = replace(HEADER, id=folder.name, settings={"retry": {"attempts": ATTEMPTS}})
    frozen(folder, items, header)
    run(_first_start, folder, items)
    reopen(folder, Choice((Status.FAILED,)))
    run(_second_start, folder, items[3])
    return folder


async def _first_start(folder: Path, items: Sequence[Item]) -> None:
    async with open_writer(folder) as writer:
        assert await writer.begin_start(SENT_AT) == 1
        changed, shown, same, refused, unknown, read, _skipped, main = items
        await _ended(writer, changed, [SEEN, ACCEPTED], _result(Status.CHANGED, changed))
        note = "confirmed by read-back"
        await _ended(
            writer, shown, [SEEN, LOST, READ_BACK], replaced(_result(Status.CHANGED, shown), note=note)
        )
        await _ended(writer, same, [SEEN], _result(Status.UNCHANGED, same))
        failed = Result(Status.FAILED, ErrorClass.PERMISSION, message="permission denied", http_status=200)
        await _ended(writer, refused, [SEEN, REFUSED], failed)
        lost = Result(Status.UNKNOWN, ErrorClass.TIMEOUT, message="no answer")
        await _ended(writer, unknown, [SEEN, LOST, UNREADABLE], lost)
        await _ended(writer, read, [ACCEPTED], Result(Status.OK, value={"ip": read.ip}))
        await _ended(writer, main, [ACCEPTED], Result(Status.CHANGED))
        await writer.end_start(1, SETTLED_AT, TOLD, None)


async def _second_start(folder: Path, retried: Item) -> None:
    async with open_writer(folder) as writer:
        assert await writer.begin_start(SENT_AT + 60) == 2
        calls = [SEEN, ACCEPTED]
        await _called(writer, retried, calls, start=2, first=3)
        await writer.settle(retried, 1, _result(Status.CHANGED, retried), SETTLED_AT + 60, nothing)
        await writer.end_start(2, SETTLED_AT + 60, TOLD, None)


def _result(status: Status, one: Item) -> Result:
    return Result(status, http_status=200, names=(name_of(one.number),))


async def _ended(writer: RunWriter, one: Item, calls: Sequence[Call], result: Result) -> None:
    await _called(writer, one, calls)
    if Purpose.READBACK in {call.purpose for call in calls} and result.status is Status.CHANGED:
        await writer.clear_doubt(one)
    await writer.settle(one, 0, result, SETTLED_AT, nothing)


async def _called(
    writer: RunWriter, one: Item, calls: Sequence[Call], *, start: int = 1, first: int = 1
) -> None:
    for number, call in enumerate(calls, first):
        attempt = Attempt(one.number, number, start, call.purpose)
        at = SENT_AT + number / 100 + 60 * (start - 1)
        outcome = Outcome(
            at, at + 0.005, call.outcome, call.error_class, call.status, None, in_doubt=call.in_doubt
        )
        if call is SEEN:
            await writer.record_before(one, Before(OLD, at), nothing)
        if call.purpose is not Purpose.CALL or one.action == "get_ip":
            await writer.record_attempt(attempt, outcome)
            continue
        wanted = (name_of(one.number),) if one.action == "update_ptr" else None
        begun = replace(attempt, wanted=wanted, seen=OLD if wanted else None)
        await writer.begin_attempt(begun, at)
        await writer.finish_attempt(begun, outcome)


def tampered(folder: Path, *statements: str) -> None:
    """Change the store of a run behind bulkip's back."""
    with closing(sqlite3.connect(store_path(folder), isolation_level=None)) as store:
        for statement in statements:
            store.execute(statement)


def asked(folder: Path, question: str) -> list[Any]:
    """Ask the store of a run."""
    with closing(sqlite3.connect(store_path(folder))) as store:
        return store.execute(question).fetchall()
