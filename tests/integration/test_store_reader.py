"""What a run store says: its counts, its rows, and what is left to do."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest
from anyio import run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkip.model import Before, ErrorClass, Item, Purpose, Result, Status
from bulkip.safety import PlannedChanges
from bulkip.store import Choice, Home, RunWriter, WorkLeft, open_writer, reopen
from tests.shelves import Shelf
from tests.storedruns import SENT_AT, attempt, item, nothing, outcome, settle

Work = Callable[[RunWriter], Awaitable[None]]
FAILED = Result(Status.FAILED, ErrorClass.INVALID, "-1", "malformed IP", 200)


def stored(shelf: Shelf, plan: Sequence[Item], work: Work) -> WorkLeft:
    """Freeze a plan, do some work on it, and open the store to read."""
    home = shelf.freeze(plan)
    wrote(home, work)
    return WorkLeft(home)


def wrote(home: Home, work: Work) -> None:
    """Do some work on a store that is there."""

    async def write() -> None:
        async with open_writer(home) as writer:
            await work(writer)

    run(write)


def two_steps(chains: int, steps: int = 2) -> list[Item]:
    """Return a plan in which every address has several reads, one after the other."""
    return [
        replace(item(chain * steps + step + 1), chain=chain * steps + 1, step=str(step), action="get_ip")
        for chain in range(chains)
        for step in range(steps)
    ]


async def begun(writer: RunWriter) -> None:
    """Announce a write and be killed before its answer."""
    await writer.begin_attempt(attempt(1), SENT_AT)


async def doubted(writer: RunWriter) -> None:
    """End a write in doubt and be killed before its read-back."""
    await writer.begin_attempt(attempt(1), SENT_AT)
    await writer.finish_attempt(attempt(1), outcome(in_doubt=True))


async def finished(writer: RunWriter) -> None:
    """End a write without a doubt and be killed before its result."""
    await writer.begin_attempt(attempt(1), SENT_AT)
    await writer.finish_attempt(attempt(1), outcome())


async def withdrawn(writer: RunWriter) -> None:
    """Take a write back before it was sent."""
    await writer.begin_attempt(attempt(1), SENT_AT)
    await writer.withdraw_attempt(attempt(1))


async def cleared(writer: RunWriter) -> None:
    """Clear the doubt of a write and be killed before its result."""
    await doubted(writer)
    await writer.clear_doubt(item(1))


async def idle(_writer: RunWriter) -> None:
    """Do nothing."""


async def settled_after_doubt(writer: RunWriter) -> None:
    """Settle a write that had been in doubt."""
    await doubted(writer)
    await settle(writer, item(1), Result(Status.CHANGED))


@pytest.mark.parametrize(
    ("work", "status"),
    [
        pytest.param(idle, Status.NOT_RUN, id="nothing-sent"),
        pytest.param(begun, Status.UNKNOWN, id="killed-in-flight"),
        pytest.param(doubted, Status.UNKNOWN, id="in-doubt"),
        pytest.param(finished, Status.NOT_RUN, id="refused-and-not-settled"),
        pytest.param(withdrawn, Status.NOT_RUN, id="not-sent"),
        pytest.param(cleared, Status.NOT_RUN, id="doubt-cleared"),
        pytest.param(settled_after_doubt, Status.CHANGED, id="settled"),
    ],
)
def test_status_of_a_write_without_result_is_derived(shelf: Shelf, work: Work, status: Status) -> None:
    """After a kill the store says what may have happened: unknown if a write is in doubt, else not run."""
    with stored(shelf, [item(1)], work) as reader:
        assert dict(reader.counts().by_status) == {status: 1}


def test_read_in_flight_at_a_kill_was_not_run(shelf: Shelf) -> None:
    """A read changes nothing, so a read without result is simply still to do."""
    with stored(shelf, [replace(item(1), action="get_ip")], begun) as reader:
        assert dict(reader.counts().by_status) == {Status.NOT_RUN: 1}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ends=st.lists(st.none() | st.sampled_from(Status), max_size=12))
def test_books_balance(shelf: Shelf, ends: list[Status | None]) -> None:
    """Whatever became of them, every item is counted once and has one row (laws L1 and L7)."""
    plan = [item(number) for number in range(1, len(ends) + 1)]

    async def work(writer: RunWriter) -> None:
        for one, status in zip(plan, ends, strict=True):
            if status is not None:
                await settle(writer, one, Result(status))

    with stored(shelf, plan, work) as reader:
        statuses = [row["status"] for row in reader.rows()]
        counts = reader.counts()
        left = reader.items_left()

    assert statuses == [status or Status.NOT_RUN for status in ends]
    assert (counts.total, left) == (len(ends), ends.count(None))


def test_reopened_item_waits_for_the_result_of_its_new_generation(shelf: Shelf) -> None:
    """A retry begins a generation: the old result stays in the store, and counts no longer."""

    async def fail(writer: RunWriter) -> None:
        await settle(writer, item(1), FAILED)

    async def succeed(writer: RunWriter) -> None:
        await settle(writer, item(1), Result(Status.CHANGED), generation=1)

    with stored(shelf, [item(1)], fail):
        pass
    assert reopen(shelf.home, Choice((Status.FAILED,))) == 1
    with WorkLeft(shelf.home) as reader:
        assert [row["status"] for row in reader.rows()] == ["not_run"]

    wrote(shelf.home, succeed)

    with WorkLeft(shelf.home) as reader:
        assert ([row["status"] for row in reader.rows()], reader.class_counts()) == (["changed"], {})


def test_retry_takes_up_what_was_skipped_with_it(shelf: Shelf) -> None:
    """What an earlier failure of the address ruled out is opened with it; other results stay."""
    plan = two_steps(chains=2, steps=2)

    async def work(writer: RunWriter) -> None:
        await settle(writer, plan[0], FAILED)
        await settle(writer, plan[1], Result(Status.SKIPPED))
        await settle(writer, plan[2], Result(Status.OK))
        await settle(writer, plan[3], Result(Status.OK))

    with stored(shelf, plan, work):
        pass

    assert reopen(shelf.home, Choice((Status.FAILED,))) == 2


@pytest.mark.parametrize("most", [1, 2, 3, 4, 5, 7, 100])
def test_chains_come_whole_and_once(shelf: Shelf, most: int) -> None:
    """However long a page is, the items of one address come together and none comes twice."""
    plan = two_steps(chains=5, steps=3)
    pages: list[tuple[int, ...]] = []

    with stored(shelf, plan, idle) as reader:
        after = 0
        while page := reader.to_apply(after, most):
            pages += [tuple(planned.item.number for planned in chain) for chain in page]
            after = page[-1][0].item.chain

    assert pages == [(first, first + 1, first + 2) for first in range(1, 16, 3)]


def test_chain_says_how_far_its_items_have_come(shelf: Shelf) -> None:
    """A later start sees results, the value before, the attempts made and the doubts of each item."""
    plan = [item(1), replace(item(2), chain=1, action="get_ip"), replace(item(3), chain=1)]

    async def work(writer: RunWriter) -> None:
        await settle(writer, item(1), Result(Status.CHANGED))
        await writer.record_before(item(3), Before(("old.example",), 5.0), nothing)
        await writer.begin_attempt(attempt(3, number=2), SENT_AT)

    with stored(shelf, plan, work) as reader:
        ((first, second, third),) = reader.to_apply(0, 10)

    assert (first.status, second.status, second.before) == (Status.CHANGED, None, None)
    assert (third.before, third.attempts, third.in_doubt) == (Before(("old.example",), 5.0), 2, True)


def test_values_are_read_once_and_of_ptr_writes_only(shelf: Shelf) -> None:
    """To be read are the PTR writes that have neither a reading nor a result."""
    plan = [item(1), item(2), replace(item(3), action="get_ip"), replace(item(4), action="set_main"), item(5)]

    async def work(writer: RunWriter) -> None:
        await writer.record_before(item(1), Before((), 5.0), nothing)
        await settle(writer, item(2), FAILED)

    with stored(shelf, plan, work) as reader:
        found = [planned.item.number for planned in reader.to_read(0, 10)]
        assert (found, reader.reads_left(), reader.to_read(5, 10)) == ([5], 1, [])


def test_writes_left_are_those_without_result(shelf: Shelf) -> None:
    """The question before the first write names what is really left to send."""
    plan = [item(1), item(2), replace(item(3), action="get_ip"), replace(item(4), action="set_main")]

    async def work(writer: RunWriter) -> None:
        await settle(writer, item(1), Result(Status.UNCHANGED))

    with stored(shelf, plan, work) as reader:
        assert (reader.writes_left(), reader.items_left()) == (2, 3)


def test_planned_changes_are_told_apart(shelf: Shelf) -> None:
    """Limits count records that are set, changed and cleared, and how many addresses have one."""
    clearing = replace(item(3), form={**item(3).form, "ptr": ""})
    befores = ((), ("old.example",), ("old.example",), ("host-4.example.net",))

    async def work(writer: RunWriter) -> None:
        for number, names in enumerate(befores, 1):
            await writer.record_before(item(number), Before(names, 5.0), nothing)
        await settle(writer, item(4), Result(Status.UNCHANGED))

    with stored(shelf, [item(1), item(2), clearing, item(4)], work) as reader:
        assert reader.planned_changes() == PlannedChanges(sets=1, changes=1, clears=1, existing=3)


def test_attempts_of_a_row_are_its_own_calls(shelf: Shelf) -> None:
    """Read-backs and readings before are calls on the wire, but no attempts of the item."""

    async def work(writer: RunWriter) -> None:
        purposes = (Purpose.BEFORE, Purpose.CALL, Purpose.READBACK, Purpose.CALL)
        for number, purpose in enumerate(purposes, 1):
            await writer.record_attempt(attempt(1, number, purpose), outcome(sent_at=SENT_AT + number))

    with stored(shelf, [item(1)], work) as reader:
        (row,) = reader.rows()
        assert (row["attempts"], row["started_at"], reader.last_number(1)) == (2, SENT_AT + 2, 4)
        assert reader.pace() == (4, 3.0)


def test_calls_of_the_last_window_are_known(shelf: Shelf) -> None:
    """A new start counts what was sent shortly before, probes included, so that no limit is broken."""

    async def work(writer: RunWriter) -> None:
        for number, sent_at in enumerate((100.0, 200.0, 300.0), 1):
            await writer.record_attempt(attempt(0, number, Purpose.PROBE), outcome(sent_at=sent_at))

    with stored(shelf, [item(1)], work) as reader:
        assert sorted(reader.sent_since(150.0)) == [200.0, 300.0]


def test_troubles_show_one_example_each(shelf: Shelf) -> None:
    """The recap names each error class once, the most frequent first, with its first address."""
    slow = Result(Status.FAILED, ErrorClass.TIMEOUT, message="no answer")

    async def work(writer: RunWriter) -> None:
        for number, result in ((1, slow), (2, FAILED), (3, FAILED)):
            await settle(writer, item(number), result)

    with stored(shelf, [item(number) for number in (1, 2, 3)], work) as reader:
        assert reader.troubles() == [
            ("invalid", 2, "203.0.0.2", "malformed IP"),
            ("timeout", 1, "203.0.0.1", "no answer"),
        ]
        assert reader.class_counts() == {"invalid": 2, "timeout": 1}


def test_fact_about_the_run_is_remembered(shelf: Shelf) -> None:
    """What a run keeps about itself survives it; what it never kept is nothing."""

    async def work(writer: RunWriter) -> None:
        await writer.remember("waits", [{"reason": "throttled", "times": 2}])

    with stored(shelf, [item(1)], work) as reader:
        assert reader.remembered("waits") == [{"reason": "throttled", "times": 2}]
        assert reader.remembered("nothing") is None


def test_newest_start_is_the_one_that_counts(shelf: Shelf) -> None:
    """A run that was resumed ended as its last start did."""

    async def work(writer: RunWriter) -> None:
        for code in (6, 0):
            number = await writer.begin_start(1.0)
            await writer.end_start(number, 2.0, code, None)

    with stored(shelf, [item(1)], work) as reader:
        assert (reader.last_start()["number"], reader.last_start()["exit_code"]) == (2, 0)


def test_plan_that_never_started_has_no_start(shelf: Shelf) -> None:
    """A plan is not a run."""
    with stored(shelf, [item(1)], idle) as reader:
        assert reader.last_start() == {}


def test_call_under_way_at_a_kill_counts_as_in_flight(shelf: Shelf) -> None:
    """Nobody knows when it was sent, so it is counted apart from those whose time is known."""
    with stored(shelf, [item(1)], begun) as reader:
        assert (reader.in_flight(), reader.sent_since(0)) == (1, [])
    with stored(shelf, [item(1)], finished) as reader:
        assert (reader.in_flight(), len(reader.sent_since(0))) == (0, 1)
