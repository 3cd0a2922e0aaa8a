"""What retries cost, and how many failures halt a run."""

import pytest

from bulkip.allowance import Allowance
from bulkip.budget import Budget, retry_cost
from bulkip.ceiling import Ceiling
from bulkip.model import ErrorClass, Status
from bulkip.policy import Percent, Share
from bulkip.stops import StopKind
from bulkip.wire import Verdict, VerdictKind

SERVER = Verdict(VerdictKind.TRANSIENT, ErrorClass.SERVER, retry_cost=5)
NO_CEILING = Ceiling(None, 0, 100)


@pytest.mark.parametrize(
    ("verdict", "old", "cost"),
    [
        pytest.param(Verdict(VerdictKind.TRANSIENT, ErrorClass.SERVER), False, 5, id="trouble"),
        pytest.param(Verdict(VerdictKind.TRANSIENT, ErrorClass.TIMEOUT), False, 10, id="time-out"),
        pytest.param(Verdict(VerdictKind.AUTH, ErrorClass.AUTH), False, 0, id="token-renewed"),
        pytest.param(Verdict(VerdictKind.THROTTLE, ErrorClass.THROTTLED), False, 5, id="throttled"),
        pytest.param(Verdict(VerdictKind.THROTTLE, ErrorClass.THROTTLED), True, 0, id="same-cool-down"),
    ],
)
def test_retry_costs_by_what_it_answers(verdict: Verdict, old: bool, cost: int) -> None:  # noqa: FBT001 -- a column
    """A time-out costs double; what others paid for or nobody is to blame for is free."""
    assert retry_cost(verdict, old=old) == cost


def test_success_gives_back_no_more_than_was_spent() -> None:
    """The budget never grows beyond what it was."""
    assert Budget(10, 9).with_returned(5) == Budget(10, 10)


def test_empty_budget_halts() -> None:
    """When a retry cannot be paid, the run halts and says why."""
    allowance = Allowance(10, NO_CEILING)
    paid = [allowance.pay(SERVER, ()) for _ in range(2)]

    stop = allowance.pay(SERVER, ())

    assert paid == [None, None]
    assert stop is not None
    assert (stop.kind, stop.error_class) == (StopKind.HALT, ErrorClass.BUDGET)


def test_success_gives_a_little_back() -> None:
    """Five clean successes pay for one retry."""
    allowance = Allowance(5, NO_CEILING)
    allowance.pay(SERVER, ())

    for _ in range(5):
        allowance.succeed()

    assert allowance.pay(SERVER, ()) is None


def test_retries_of_an_outage_are_given_back() -> None:
    """What was paid for calls that turned out to be lost to an outage comes back."""
    allowance = Allowance(10, NO_CEILING)
    lost = Verdict(VerdictKind.TRANSIENT, ErrorClass.NETWORK, retry_cost=5, streak=7)
    for _ in range(2):
        allowance.pay(lost, ())

    assert [allowance.pay(SERVER, {7}) for _ in range(2)] == [None, None]


def test_retry_within_an_outage_is_free() -> None:
    """A call of a streak that opened the breaker costs nothing, however little is left."""
    lost = Verdict(VerdictKind.TRANSIENT, ErrorClass.NETWORK, retry_cost=5, streak=7)

    assert Allowance(0, NO_CEILING).pay(lost, {7}) is None


@pytest.mark.parametrize(
    ("allowed", "planned", "endings", "halts"),
    [
        pytest.param(Percent(5), 100, "f" * 5 + "c" * 95, False, id="as-many-as-allowed"),
        pytest.param(Percent(5), 100, "c" * 94 + "f" * 6, True, id="one-more"),
        pytest.param(Percent(5), 100, "f" * 19, False, id="too-small-a-sample"),
        pytest.param(Percent(5), 100, "f" * 20, True, id="enough-of-a-sample"),
        pytest.param(Percent(0), 100, "c" * 19 + "f", True, id="none-allowed"),
        pytest.param(Percent(5), 10, "f" * 10, False, id="small-plan"),
        pytest.param(2, 100, "ff", False, id="count"),
        pytest.param(2, 100, "fff", True, id="count-exceeded-at-once"),
        pytest.param(2, 100, "fux", True, id="every-kind-counts"),
        pytest.param(0, 100, "f", True, id="count-of-none"),
        pytest.param(None, 100, "f" * 100, False, id="off"),
        pytest.param(0, 100, "cs", False, id="skipped-is-no-failure"),
    ],
)
def test_ceiling_is_exceeded_not_reached(
    allowed: Share | None,
    planned: int,
    endings: str,
    halts: bool,  # noqa: FBT001 -- a column
) -> None:
    """More failures than `max_failed` halt; a percentage waits for `min_sample` items, a count does not."""
    letters = {
        "f": Status.FAILED, "c": Status.CHANGED, "u": Status.UNKNOWN, "x": Status.CONFLICT,
        "s": Status.SKIPPED,
    }  # fmt: skip
    allowance = Allowance(0, Ceiling(allowed, 20, planned))

    stops = [allowance.end(letters[letter]) for letter in endings]

    assert (stops[-1] is not None) == halts


def test_accounts_pay_for_themselves_and_fail_together() -> None:
    """What one account spends on retries is not missing to another; failures are counted over all."""
    whole = Allowance(5, Ceiling(1, 0, 10))
    nl, us = whole.of("nl"), whole.of("us")

    paid = [account.pay(SERVER, frozenset()) for account in (nl, nl, us)]
    ends = [account.end(Status.FAILED) for account in (nl, us)]

    assert [stop is not None for stop in paid] == [False, True, False]
    assert [stop is not None and stop.everywhere for stop in ends] == [False, True]
    assert whole.of("nl") is nl
