"""Which item a free worker takes next, and when a stage is over."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from anyio import CancelScope, create_task_group, current_time, sleep

from bulkip.brake import Brake
from bulkip.course import Course
from bulkip.frozen import replace
from bulkip.model import ErrorClass, Item, Purpose
from bulkip.scheduler import PARKED_MOST, Parked, Scheduler, Turn
from bulkip.stops import Stop, StopKind
from bulkip.store import PlannedItem

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

ENOUGH = Stop(StopKind.HALT, "enough", ErrorClass.CANCELLED)


def turn(number: int) -> Turn:
    """Return the turn of an item that has not begun."""
    item = Item(number, number, str(number), "1", "get_ip", f"10.0.0.{number}", {}, "job.yaml:1")
    return Turn((PlannedItem(item, 0, None, None, 0, in_doubt=False),), Course(Purpose.CALL))


def number_of(one: Turn) -> int:
    """Return which item a turn is for."""
    return one.chain[0].item.number


def parked(one: Turn, delay_s: float) -> Parked[Turn]:
    """Return a turn that goes on later, with one call behind it."""
    return Parked(replace(one, course=replace(one.course, calls=one.course.calls + 1)), delay_s)


class Pile:
    """A feed of turns that takes its time over each."""

    def __init__(self, count: int, delay_s: float = 0.0) -> None:
        """Hold so many turns."""
        self.left = [turn(number) for number in range(1, count + 1)]
        self.taken = 0
        self._delay_s = delay_s

    def at_hand(self) -> Turn | None:
        """Return the next turn where it takes no time."""
        if self._delay_s or not self.left:
            return None
        self.taken += 1
        return self.left.pop(0)

    async def next(self) -> Turn | None:
        """Return the next turn."""
        await sleep(self._delay_s)
        if not self.left:
            return None
        self.taken += 1
        return self.left.pop(0)


class Workshop:
    """Works on turns: each takes a second, and some are parked the first time."""

    def __init__(self, park: dict[int, float] | None = None, took_s: float = 1.0) -> None:
        """Park these items for so long when they come first."""
        self.begun: list[tuple[int, float]] = []
        self.busy = self.most = 0
        self._park = dict(park or {})
        self._took_s = took_s

    async def step(self, one: Turn) -> Parked[Turn] | None:
        """Work on a turn."""
        self.begun.append((number_of(one), current_time()))
        self.busy += 1
        self.most = max(self.most, self.busy)
        await sleep(self._took_s)
        self.busy -= 1
        delay_s = self._park.pop(number_of(one), None)
        return None if delay_s is None else parked(one, delay_s)

    def order(self) -> list[int]:
        """Return the items in the order in which they were worked on."""
        return [number for number, _ in self.begun]

    def times(self, number: int) -> list[float]:
        """Return when an item was worked on."""
        return [at for begun, at in self.begun if begun == number]


class CountingBrake(Brake):
    """A brake that nobody listens to, and that counts how often somebody waited."""

    def __init__(self) -> None:
        """Begin to count."""
        super().__init__(lambda _stop: None)
        self.waits = 0

    @contextmanager
    def waiting(self) -> Iterator[CancelScope]:
        """Count a wait."""
        self.waits += 1
        with super().waiting() as scope:
            yield scope


def brake() -> Brake:
    """Return a brake that nobody listens to."""
    return Brake(lambda _stop: None)


@pytest.mark.parametrize("workers", [1, 4, 50])
@pytest.mark.parametrize("feed_s", [0.0, 0.3, 5.0])
async def test_every_turn_is_worked_on_once(workers: int, feed_s: float) -> None:
    """Every turn is worked on once, by no more hands than there are, however slow the feed is."""
    shop = Workshop()

    await Scheduler(Pile(30, feed_s), brake()).run(workers, shop.step)

    assert Counter(shop.order()) == dict.fromkeys(range(1, 31), 1)
    assert shop.most <= workers


async def test_empty_stage_is_over_at_once() -> None:
    """A stage without turns ends."""
    shop = Workshop()

    await Scheduler(Pile(0), brake()).run(4, shop.step)

    assert shop.begun == []


async def test_parked_turn_comes_back_when_its_wait_is_over() -> None:
    """A parked turn goes on after its delay, not before, and the stage waits for it."""
    shop = Workshop(park={1: 60})

    await Scheduler(Pile(5), brake()).run(2, shop.step)

    first, second = shop.times(1)
    assert second - first == pytest.approx(1 + 60, abs=0.01)


async def test_parked_turn_holds_no_worker() -> None:
    """While a turn is parked, the only worker goes on with the others."""
    shop = Workshop(park={1: 60})

    await Scheduler(Pile(5), brake()).run(1, shop.step)

    assert shop.order() == [1, 2, 3, 4, 5, 1]


async def test_turn_whose_wait_is_over_goes_before_a_fresh_one() -> None:
    """What began first ends first: a due turn is taken before the feed is asked."""
    shop = Workshop(park={1: 1.5})

    await Scheduler(Pile(5), brake()).run(1, shop.step)

    assert shop.order() == [1, 2, 3, 1, 4, 5]


async def test_shorter_wait_ends_first() -> None:
    """Of two parked turns the one whose wait ends first comes first, whichever was parked first."""
    shop = Workshop(park={1: 60, 2: 30})

    await Scheduler(Pile(2), brake()).run(1, shop.step)

    assert shop.order() == [1, 2, 2, 1]


async def test_parked_turns_are_bounded() -> None:
    """With many turns waiting, no fresh one is begun until one of them went on."""
    most = PARKED_MOST
    shop = Workshop(park=dict.fromkeys(range(1, most + 100), 10_000), took_s=0.001)
    pile = Pile(most + 50)

    async with create_task_group() as group:
        group.start_soon(Scheduler(pile, brake()).run, 4, shop.step)
        await sleep(1000)
        taken = pile.taken
        await sleep(50_000)

    assert most <= taken <= most + 4
    assert pile.left == []


async def test_idle_workers_sleep_while_others_work() -> None:
    """Hundreds of workers without work are not woken by every turn that ends: it would take all CPU."""
    shop, counting = Workshop(park=dict.fromkeys(range(1, 101), 5.0)), CountingBrake()

    await Scheduler(Pile(200, 0.1), counting).run(workers := 500, shop.step)

    assert len(shop.begun) == 300
    assert counting.waits < workers + 2 * len(shop.begun)


async def test_stop_takes_nothing_new_and_lets_the_present_end() -> None:
    """After a stop what is being worked on ends, what is parked or fresh stays, and the stage is over."""
    shop, stopper, pile = Workshop(park={1: 3600}), brake(), Pile(100)
    begun = current_time()

    async with create_task_group() as group:
        group.start_soon(Scheduler(pile, stopper).run, 2, shop.step)
        await sleep(4.5)
        stopper.pull(ENOUGH)

    assert current_time() - begun < 6
    assert (shop.busy, pile.taken) == (0, 10)


async def test_stop_ends_a_stage_that_only_waits() -> None:
    """A stage whose last turns are parked for an hour ends at once when it is stopped."""
    shop, stopper = Workshop(park={1: 3600, 2: 3600}), brake()
    begun = current_time()

    async with create_task_group() as group:
        group.start_soon(Scheduler(Pile(2), stopper).run, 4, shop.step)
        await sleep(60)
        stopper.pull(ENOUGH)

    assert current_time() - begun < 61


async def test_bug_in_a_step_ends_the_stage() -> None:
    """An error that no step expects ends the stage and is not swallowed."""

    async def step(_turn: Turn) -> Parked[Turn] | None:
        raise LookupError

    with pytest.raises(BaseExceptionGroup) as raised:
        await Scheduler(Pile(5), brake()).run(2, step)

    assert _kinds(raised.value.exceptions) == {LookupError}


def _kinds(errors: Sequence[BaseException]) -> set[type[BaseException]]:
    return {type(error) for error in errors}
