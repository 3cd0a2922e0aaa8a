"""How the account that the bench measures against answers and counts."""

from collections.abc import Callable
from itertools import count

from tests.bench.accounts import Account, Terms, read_log
from tests.bench.arrivals import NEW, REFUSED, WRITE

READ = b"action=get_ptr&ip=10.0.0.1&id=1"
WRITTEN = b"action=update_ptr&ip=10.0.0.1&id=1&ptr=a.example.net"


def ticking(step_s: float) -> Callable[[], float]:
    """Return a clock that moves on whenever it is looked at."""
    ticks = count()
    return lambda: next(ticks) * step_s


def test_name_that_was_written_is_read_back() -> None:
    """A write replaces the name that every address had."""
    account = Account(Terms(), ticking(1.0))

    answers = [account.answer(body) or b"" for body in (READ, WRITTEN, READ)]

    assert [b"old.example.net" in one for one in answers] == [True, False, False]
    assert b'"message":"a.example.net"' in answers[2]


def test_log_survives_the_wire() -> None:
    """Times and kinds arrive as they were noted."""
    account = Account(Terms(), ticking(0.5))
    for body in (READ, WRITTEN):
        account.answer(body)

    log = read_log(account.log())

    assert list(log.times) == [0.0, 0.5]
    assert list(log.kinds) == [NEW, NEW | WRITE]


def test_strict_account_refuses_exactly_what_is_above_its_limit() -> None:
    """With a limit of two a second, the third call within it is refused and counts for nothing."""
    account = Account(Terms(limit=2), ticking(0.4))

    answers = [account.answer(READ) or b"" for _ in range(5)]

    assert [one.startswith(b"HTTP/1.1 429") for one in answers] == [False, False, True, False, False]
    assert read_log(account.log()).marked(REFUSED) == [0.8]


def test_faults_are_the_same_whatever_the_order() -> None:
    """What goes wrong depends on the call and how often it came, not on what came between."""
    bodies = [b"action=get_ptr&ip=10.0.0.%d" % number for number in range(200)]
    one, other = (Account(Terms(faults=0.05), ticking(1.0)) for _ in range(2))

    forward = {body: one.answer(body) for body in bodies}
    backward = {body: other.answer(body) for body in reversed(bodies)}

    assert forward == backward
    assert 2 <= sum(b"200" not in (answer or b"")[:12] for answer in forward.values()) <= 20


def test_call_of_that_number_is_told_to_come_back_later() -> None:
    """One call is refused with a Retry-After, and the next is answered."""
    account = Account(Terms(pause_at=2, pause_s=3), ticking(1.0))

    answers = [account.answer(READ) or b"" for _ in range(3)]

    assert [b"Retry-After: 3" in one for one in answers] == [False, True, False]
