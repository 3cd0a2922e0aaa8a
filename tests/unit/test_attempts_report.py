"""The report of calls: one line for each call on the wire."""

import json
from pathlib import Path
from typing import Any

import pytest
from anyio import run

from bulkip.model import ErrorClass, Purpose
from bulkip.reports import FORMATS
from bulkip.reports.attempts import attempt_fields
from bulkip.store import Outcome, RunHistory, RunReader, open_writer
from tests.storedruns import SENT_AT, attempt, frozen, item, outcome

FIELDS = [
    "key", "action", "ip", "number", "purpose", "sent_at", "finished_at", "outcome", "error_class",
    "http_status", "message",
]  # fmt: skip


@pytest.fixture
def calls(tmp_path: Path) -> list[dict[str, Any]]:
    """Return the lines of a run that probed, read, was throttled, and was killed in a write."""
    frozen(tmp_path, [item(1), item(2)])
    run(killed_run, tmp_path)
    with RunReader(tmp_path) as reader:
        return [json.loads(line) for line in FORMATS["attempts"](reader)]


async def killed_run(folder: Path) -> None:
    """Make five calls, written down in another order than they were sent."""
    why = (ErrorClass.THROTTLED, 429, "slow down")
    throttled = Outcome(SENT_AT + 2, SENT_AT + 3, "throttle", *why, in_doubt=False)
    async with open_writer(folder) as writer:
        await writer.record_attempt(attempt(2, 1), throttled)
        await writer.record_attempt(attempt(1, 1, Purpose.BEFORE), outcome(sent_at=SENT_AT + 1))
        await writer.record_attempt(attempt(0, 1, Purpose.PROBE), outcome(sent_at=SENT_AT))
        await writer.begin_attempt(attempt(1, 2), SENT_AT + 4)


def test_every_line_has_every_field_in_order(calls: list[dict[str, Any]]) -> None:
    """Programs rely on the fields: always all of them, always in this order."""
    assert [list(call) for call in calls] == [FIELDS] * 4


def test_line_is_what_the_fields_say(tmp_path: Path) -> None:
    """The lines are built in the cheapest way, and say what is told of a call elsewhere."""
    frozen(tmp_path, [item(1), item(2)])
    run(killed_run, tmp_path)

    with RunReader(tmp_path) as reader, RunHistory(tmp_path) as history:
        lines = [*FORMATS["attempts"](reader)]
        fields = [attempt_fields(row) for row in history.attempts()]

    assert lines == [json.dumps(one, ensure_ascii=False, separators=(",", ":")) + "\n" for one in fields]


def test_lines_stand_in_order_of_sending(calls: list[dict[str, Any]]) -> None:
    """The report tells what went over the wire as it happened, whatever was written down first."""
    assert [call["purpose"] for call in calls] == ["probe", "before", "call", "call"]


def test_calls_of_the_run_itself_belong_to_no_item(calls: list[dict[str, Any]]) -> None:
    """A probe or a login has neither key nor action nor address."""
    assert [calls[0][name] for name in ("key", "action", "ip")] == [None] * 3


def test_call_tells_how_it_ended(calls: list[dict[str, Any]]) -> None:
    """Item, number, times and answer are there."""
    assert calls[2] == {
        "key": "key-2", "action": "update_ptr", "ip": "203.0.0.2", "number": 1, "purpose": "call",
        "sent_at": "2026-09-01T03:15:03.000Z", "finished_at": "2026-09-01T03:15:04.000Z",
        "outcome": "throttle", "error_class": "throttled", "http_status": 429, "message": "slow down",
    }  # fmt: skip


def test_call_in_flight_at_a_kill_has_no_outcome(calls: list[dict[str, Any]]) -> None:
    """A write that was sent and never answered is there, with nothing known of its end."""
    assert [calls[3][name] for name in ("ip", "number", "finished_at", "outcome")] == [
        "203.0.0.1", 2, None, None,
    ]  # fmt: skip


def test_run_without_calls_has_no_lines(tmp_path: Path) -> None:
    """A plan that was never started sent nothing."""
    frozen(tmp_path, [item(1)])

    with RunReader(tmp_path) as reader:
        assert list(FORMATS["attempts"](reader)) == []
