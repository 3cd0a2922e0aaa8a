"""Why a call did not follow the one before at once, and how the calls of an item are told."""

from pathlib import Path

import pytest
from anyio import run

from bulkip.cli.timeline import Entry, timeline
from bulkip.model import Purpose
from bulkip.store import Attempt, Outcome, RunHistory, open_writer
from bulkip.wire import VerdictKind
from tests.storedruns import SENT_AT, frozen, item

Call = tuple[Purpose, VerdictKind | None, int]
"""Purpose, outcome and start of a call."""


def told(folder: Path, *calls: Call) -> list[Entry]:
    """Return the time line of calls that were sent a second apart and answered within a quarter of one."""
    frozen(folder, [item(1)])
    run(sent, folder, calls)
    with RunHistory(folder) as history:
        return timeline(history.attempts_of(1), SENT_AT)


async def sent(folder: Path, calls: tuple[Call, ...]) -> None:
    """Write calls down; one without an outcome stays in flight."""
    async with open_writer(folder) as writer:
        for number, (purpose, outcome, start) in enumerate(calls, 1):
            at, attempt = SENT_AT + number - 1, Attempt(1, number, start, purpose)
            if outcome is None:
                await writer.begin_attempt(attempt, at)
            else:
                answer = (None, 503, "busy")
                await writer.record_attempt(attempt, Outcome(at, at + 0.25, outcome, *answer, in_doubt=False))


@pytest.mark.parametrize(
    ("earlier", "later", "reason"),
    [
        pytest.param(
            (Purpose.CALL, VerdictKind.TRANSIENT, 1), (Purpose.CALL, None, 1), "back-off", id="back-off"
        ),
        pytest.param(
            (Purpose.CALL, VerdictKind.TRANSIENT, 1),
            (Purpose.READBACK, VerdictKind.SUCCESS, 1),
            "settle time before the read-back",
            id="settle",
        ),
        pytest.param(
            (Purpose.CALL, VerdictKind.THROTTLE, 1),
            (Purpose.CALL, None, 1),
            "everyone paused after a throttled answer",
            id="throttled",
        ),
        pytest.param(
            (Purpose.READBACK, VerdictKind.SUCCESS, 1), (Purpose.CALL, None, 1), "back-off", id="sent-again"
        ),
        pytest.param(
            (Purpose.BEFORE, VerdictKind.SUCCESS, 1),
            (Purpose.CALL, None, 1),
            "the other values were read, then its turn came",
            id="turn",
        ),
        pytest.param(
            (Purpose.CALL, None, 1), (Purpose.READBACK, None, 2), "start 2 of the run", id="resumed"
        ),
        pytest.param(
            (Purpose.VERIFY, VerdictKind.SUCCESS, 1), (Purpose.VERIFY, None, 1), "looked at again", id="look"
        ),
        pytest.param((Purpose.CALL, VerdictKind.SUCCESS, 1), (Purpose.VERIFY, None, 1), None, id="not-known"),
    ],
)
def test_gap_has_its_reason(tmp_path: Path, earlier: Call, later: Call, reason: str | None) -> None:
    """What came before, and what was done next, say why it waited; where they do not, nothing is invented."""
    assert told(tmp_path, earlier, later)[1].reason == reason


def test_times_count_from_the_first_call_of_the_address(tmp_path: Path) -> None:
    """A call tells how long after the first one it went, and how long after the last answer."""
    calls = told(tmp_path, (Purpose.CALL, VerdictKind.TRANSIENT, 1), (Purpose.CALL, VerdictKind.SUCCESS, 1))

    assert [(one.since_s, one.gap_s, one.took_s) for one in calls] == [(0.0, None, 0.25), (1.0, 0.75, 0.25)]


def test_call_is_told_with_its_answer_and_its_gap(tmp_path: Path) -> None:
    """A reader sees when, why, what came back, and for how long it waited before."""
    _, second = told(
        tmp_path, (Purpose.CALL, VerdictKind.TRANSIENT, 1), (Purpose.CALL, VerdictKind.SUCCESS, 1)
    )

    assert list(second.lines()) == [
        "              ... 0.750 s: back-off",
        "     1.000 s  call      success, HTTP 503, 250 ms",
        "              busy",
    ]


def test_call_without_an_answer_says_so(tmp_path: Path) -> None:
    """A write in flight at a kill is told as what it is: nobody knows its end."""
    (only,) = told(tmp_path, (Purpose.CALL, None, 1))

    assert list(only.lines()) == [
        "     0.000 s  call      no answer is known: cut off, or in flight, in doubt"
    ]
