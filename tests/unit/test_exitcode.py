"""Which exit code a run ends with."""

from dataclasses import replace
from signal import SIGHUP, SIGINT, SIGTERM

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.exitcode import Ending, ExitCode, exit_code, worst
from bulkip.model import Counts, Status

FROZEN = {
    "OK": 0, "INTERNAL": 1, "USAGE": 2, "ITEMS_FAILED": 3, "EXPECTATION": 4, "SAFETY": 5, "HALTED": 6,
    "ACCESS": 7, "LOCKED": 8, "UNKNOWN_WRITES": 9,
}  # fmt: skip
PRECEDENCE = (1, 129, 130, 143, 7, 8, 5, 6, 9, 3, 4, 0)
GOOD = Counts({Status.CHANGED: 3, Status.UNCHANGED: 2, Status.OK: 1, Status.SKIPPED: 1})

endings = st.builds(
    Ending,
    counts=st.builds(Counts, st.dictionaries(st.sampled_from(Status), st.integers(0, 2))),
    internal=st.booleans(),
    signal=st.none() | st.sampled_from([int(SIGHUP), int(SIGINT), int(SIGTERM)]),
    access=st.booleans(),
    locked=st.booleans(),
    safety=st.booleans(),
    halted=st.booleans(),
    expectation_missed=st.booleans(),
    proof_required=st.booleans(),
)


def ending_with(status: Status, *, proof_required: bool = False) -> Ending:
    """Return the ending of a run with one item at this status beside good ones."""
    return Ending(counts=Counts({**GOOD.by_status, status: 1}), proof_required=proof_required)


def reasons(ending: Ending) -> set[int]:
    """Return the code of everything that happened in a run, the harmless included."""
    counts = ending.counts
    alone = {
        1: ending.internal,
        7: ending.access,
        8: ending.locked,
        5: ending.safety,
        6: ending.halted,
        9: counts.of(Status.UNKNOWN) > 0,
        3: counts.of(Status.FAILED, Status.CONFLICT) > 0
        or (ending.proof_required and counts.of(Status.UNVERIFIED) > 0),
        4: ending.expectation_missed or counts.of(Status.MISMATCH) > 0,
    }
    signal = {128 + ending.signal} if ending.signal is not None else set()
    return {0} | signal | {code for code, held in alone.items() if held}


def test_exit_codes_are_frozen() -> None:
    """Pipelines rely on these numbers; none of them ever changes."""
    assert {code.name: code.value for code in ExitCode} == FROZEN


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        pytest.param(Ending(), 0, id="nothing-to-do"),
        pytest.param(Ending(counts=GOOD), 0, id="all-succeeded"),
        pytest.param(Ending(internal=True), 1, id="bug"),
        pytest.param(ending_with(Status.FAILED), 3, id="failed"),
        pytest.param(ending_with(Status.CONFLICT), 3, id="conflict"),
        pytest.param(ending_with(Status.UNVERIFIED), 0, id="unverified"),
        pytest.param(ending_with(Status.UNVERIFIED, proof_required=True), 3, id="unverified-but-required"),
        pytest.param(ending_with(Status.MISMATCH), 4, id="mismatch"),
        pytest.param(Ending(expectation_missed=True), 4, id="expectation"),
        pytest.param(ending_with(Status.NOT_RUN), 0, id="not-run-alone"),
        pytest.param(Ending(safety=True), 5, id="safety-stop"),
        pytest.param(Ending(halted=True), 6, id="halted"),
        pytest.param(Ending(access=True), 7, id="access"),
        pytest.param(Ending(locked=True), 8, id="locked"),
        pytest.param(ending_with(Status.UNKNOWN), 9, id="unknown-write"),
        pytest.param(Ending(signal=int(SIGHUP)), 129, id="sighup"),
        pytest.param(Ending(signal=int(SIGINT)), 130, id="sigint"),
        pytest.param(Ending(signal=int(SIGTERM)), 143, id="sigterm"),
    ],
)
def test_each_ending_has_its_code(ending: Ending, code: int) -> None:
    """The table of the README, line by line."""
    assert exit_code(ending) == code


@given(endings)
def test_gravest_reason_gives_the_code(ending: Ending) -> None:
    """Of all that happened, the first in 1 > signals > 7 > 8 > 5 > 6 > 9 > 3 > 4 > 0 decides."""
    held = reasons(ending)

    assert exit_code(ending) == next(code for code in PRECEDENCE if code in held)


@given(endings)
def test_zero_means_that_nothing_went_wrong(ending: Ending) -> None:
    """A pipeline may take 0 for success: whatever else happens gives another code."""
    assert (exit_code(ending) == 0) == (reasons(ending) == {0})


@given(endings)
def test_good_items_hide_no_bad_one(ending: Ending) -> None:
    """However many items succeed beside it, a code stays what it is."""
    more = Counts({**ending.counts.by_status, Status.CHANGED: 10_000, Status.OK: 10_000})

    assert exit_code(replace(ending, counts=more)) == exit_code(ending)


@pytest.mark.parametrize(
    ("codes", "gravest"),
    [
        pytest.param([], 0, id="none"),
        pytest.param([0, 0], 0, id="all_well"),
        pytest.param([3, 4, 0], 3, id="failed_before_missed"),
        pytest.param([3, 9, 6], 6, id="halted"),
        pytest.param([6, 5, 7], 7, id="access"),
        pytest.param([8, 130], 130, id="signal"),
        pytest.param([143, 1], 1, id="bug"),
    ],
)
def test_several_runs_end_with_the_gravest_code(codes: list[int], gravest: int) -> None:
    """Runs that belong together end with one code, by the precedence of a single run."""
    assert worst(codes) == gravest
