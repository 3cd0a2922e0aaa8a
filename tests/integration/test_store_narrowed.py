"""What a resume writes down about its items, so that a few of them are found among a million."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from anyio import run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkip.model import Before, Item, Result, Status
from bulkip.store import Beforehand, Choice, Home, Part, WorkLeft, open_writer, reopen
from bulkip.store.questions import TODO
from tests.shelves import Shelf
from tests.storedruns import item, nothing, settle

MANY_RUNS = (HealthCheck.function_scoped_fixture,)  # a shelf takes as many runs as there are examples
UNKNOWN = Choice((Status.UNKNOWN,), actions=("update_ptr",))
QUESTIONS: Sequence[Callable[[Beforehand], object]] = (
    Beforehand.items_left,
    Beforehand.is_open,
    Beforehand.writes_left,
    Beforehand.reads_left,
    Beforehand.addresses_left,
    Beforehand.planned_changes,
    Beforehand.lookups_left,
    Beforehand.leads_left,
    Beforehand.counts,
    lambda reader: reader.changes_ahead(3),
    lambda reader: reader.to_apply(2, 3),
    lambda reader: reader.to_read(2, 3),
    lambda reader: reader.to_check(2, 3),
    lambda reader: reader.to_trace(2, 3),
    lambda reader: reader.to_look_up(2, 3),
)


def pairs(addresses: int) -> list[Item]:
    """Return a plan of addresses with a PTR write and then a lookup of the same address."""
    plan: list[Item] = []
    for number in range(1, 2 * addresses, 2):
        first = item(number)
        form = {**first.form, "id": "lookup"} if number % 3 == 0 else first.form
        plan += [replace(first, form=form)]
        plan += [replace(first, number=number + 1, key=f"{number}+", step="2", action="get_ip")]
    return plan


def ended(home: Home, plan: list[Item], ends: list[Status | None], read: set[int]) -> None:
    """Give items their results, and some of them the value before."""

    async def work() -> None:
        async with open_writer(home) as writer:
            for one, status in zip(plan, ends, strict=False):
                if one.number in read and one.action == "update_ptr":
                    await writer.record_before(one, Before(("old.example",), 5.0), nothing)
                if status is not None:
                    await settle(writer, one, Result(status))

    run(work)


def answers(home: Home) -> list[object]:
    """Ask everything that a start asks about what it has to do."""
    with Beforehand(home) as reader:
        return [ask(reader) for ask in QUESTIONS]


@settings(max_examples=15, deadline=None, suppress_health_check=MANY_RUNS)
@given(
    ends=st.lists(st.none() | st.sampled_from([Status.CHANGED, Status.FAILED]), max_size=12),
    read=st.sets(st.integers(1, 12)),
)
def test_narrowing_changes_no_answer(shelf: Shelf, ends: list[Status | None], read: set[int]) -> None:
    """Whether a run looks among all its items or among those that a resume wrote down, it finds the same."""
    plan = pairs(6)
    home = shelf.freeze(plan)
    ended(home, plan, ends, read)
    among_all = answers(home)

    reopen(home, UNKNOWN)

    with WorkLeft(home) as reader:
        assert reader.undone()[0] == TODO
    assert answers(home) == among_all


def test_item_that_ends_later_is_not_to_do_any_more(shelf: Shelf) -> None:
    """What was written down at the start is asked again for its result."""
    plan = pairs(2)
    shelf.freeze(plan)
    reopen(shelf.home, UNKNOWN)

    ended(shelf.home, plan, [Status.CHANGED, Status.OK, Status.CHANGED], set())

    with WorkLeft(shelf.home) as reader:
        assert [one.item.number for chain in reader.to_apply(0, 9) for one in chain] == [3, 4]
        assert (reader.items_left(), reader.writes_left(), reader.is_open()) == (1, 0, True)


def test_retried_item_is_to_do_again(shelf: Shelf) -> None:
    """A retry writes down anew what is open, what it opened among it."""
    plan = pairs(2)
    shelf.freeze(plan)
    ended(shelf.home, plan, [Status.FAILED, Status.OK, Status.CHANGED, Status.OK], set())
    reopen(shelf.home, UNKNOWN)

    reopen(shelf.home, Choice((Status.FAILED,)))

    with WorkLeft(shelf.home) as reader:
        assert ([one.item.number for one in reader.to_check(0, 9)], reader.items_left()) == ([1], 1)


def test_finished_chains_are_passed_over(shelf: Shelf) -> None:
    """A resume of a large run with little left does not page through what is done."""
    plan = pairs(40)
    shelf.freeze(plan)
    ends: list[Status | None] = [Status.OK] * 80
    ends[41], ends[79] = None, None
    ended(shelf.home, plan, ends, set())

    with WorkLeft(shelf.home) as reader:
        found = reader.to_apply(0, 10)

    assert [[one.item.number for one in chain] for chain in found] == [[41, 42], [79, 80]]


@pytest.mark.parametrize("left", [pytest.param(0, id="first"), pytest.param(7, id="last")])
def test_run_is_open_until_its_last_item_has_ended(shelf: Shelf, left: int) -> None:
    """Wherever the item without a result stands, the run has work left."""
    plan = pairs(4)
    ends: list[Status | None] = [Status.OK] * 8
    shelf.freeze(plan)

    ended(shelf.home, plan, [None if place == left else end for place, end in enumerate(ends)], set())

    with WorkLeft(shelf.home) as reader:
        assert reader.is_open()


@given(
    ends=st.lists(st.sampled_from([None, Status.OK, Status.UNKNOWN]), min_size=12, max_size=12),
    read=st.sets(st.integers(1, 12)),
    border=st.integers(0, 6),
    narrowed=st.booleans(),
)
@settings(max_examples=15, deadline=None, suppress_health_check=MANY_RUNS)
def test_parts_share_the_work_of_the_whole(
    *, shelf: Shelf, ends: list[Status | None], read: set[int], border: int, narrowed: bool
) -> None:
    """What two parts are given, one after the other, is what one would be given for the whole run."""
    plan = pairs(6)
    home = shelf.freeze(plan)
    ended(home, plan, ends, read)
    if narrowed:
        reopen(home, UNKNOWN)

    with Beforehand(home) as whole:
        work, counts = _work(whole), _counts(whole)
    shared: list[object] = []
    counted = [0] * len(counts)
    for part in (Part(last=2 * border), Part(first=2 * border + 1)):
        with Beforehand(home, part) as reader:
            shared += _work(reader)
            counted = [one + more for one, more in zip(counted, _counts(reader), strict=True)]

    assert sorted(repr(one) for one in shared) == sorted(repr(one) for one in work)
    assert counted == counts


def _work(reader: Beforehand) -> list[object]:
    pages = (reader.to_apply, reader.to_read, reader.to_check, reader.to_trace, reader.to_look_up)
    return [one for page in pages for one in page(0, 100)]


def _counts(reader: Beforehand) -> list[int]:
    return [reader.items_left(), reader.reads_left(), reader.lookups_left(), reader.leads_left()]
