"""What one start of a run may spend before it halts: its retries, its failures, its time."""

from collections.abc import Container

from bulkip.budget import SUCCESS_RETURN, Budget
from bulkip.ceiling import Ceiling
from bulkip.model import ErrorClass, Status
from bulkip.stops import Stop, StopKind
from bulkip.wire import Verdict


class Allowance:
    """Owns retry budget, failure ceiling and time through all stages of one start.

    Where a run has several accounts, each has an allowance of its own besides,
    in which `stop` is what ended it for this start.
    """

    def __init__(self, budget: int, ceiling: Ceiling, time_s: float | None = None) -> None:
        """Begin with a full budget, no failures and so many seconds; None sets no end."""
        self.time_left_s = time_s
        self._budget = Budget(budget, budget)
        self._ceiling = ceiling
        self._on_trial: tuple[int, int] | None = None  # streak of lost calls, and what it cost so far
        self._heard = (0, 0, 0)  # what others have come to, as far as that is counted here
        self._accounts: dict[str, Allowance] = {}
        self.stop: Stop | None = None

    @property
    def ended(self) -> int:
        """How many items have ended in this start, or in this step of a rollout."""
        return self._ceiling.ended

    @property
    def failed(self) -> int:
        """How many of them badly."""
        return self._ceiling.failed

    @property
    def planned(self) -> int:
        """Of how many items a share may fail."""
        return self._ceiling.planned

    @property
    def spent(self) -> int:
        """What retries have cost here, without those of others."""
        return self._budget.full - self._budget.left - self._heard[2]

    def hear(self, ended: int, failed: int, spent: int) -> Stop | None:
        """Take in what others of this start have come to in all; return the stop when it is too much."""
        heard = self._heard
        self._heard = (ended, failed, spent)
        self._ceiling = self._ceiling.with_others(ended - heard[0], failed - heard[1])
        self._budget = self._budget.with_returned(heard[2] - spent)
        if self._budget.left < 0:
            return Stop(StopKind.HALT, f"{self._spent_text()}, by all workers together", ErrorClass.BUDGET)
        return _stop_at(self._ceiling)

    def begin_hearing(self) -> None:
        """Hear others from now on whose sums begin at nothing; what was heard before stays counted."""
        self._heard = (0, 0, 0)

    def of(self, account: str) -> "Allowance":
        """Return the allowance of one of several accounts: its own retries, and the failures of all."""
        if account not in self._accounts:
            self._accounts[account] = _AccountAllowance(self, self._budget.full)
        return self._accounts[account]

    @property
    def stops(self) -> tuple[Stop, ...]:
        """What ended accounts for this start."""
        return tuple(one.stop for one in self._accounts.values() if one.stop is not None)

    def pay(self, because: Verdict, outages: Container[int]) -> Stop | None:
        """Pay for asking again; return the stop when it cannot be paid.

        Calls that were lost while the server was away cost nothing, and what
        they cost before that was known is given back.
        """
        self._acquit(outages)
        if not because.retry_cost or because.streak in outages:
            return None
        left = self._budget.without(because.retry_cost)
        if left is None:
            last = f"; last: {because.message}" if because.message else ""
            return Stop(StopKind.HALT, self._spent_text() + last, ErrorClass.BUDGET)
        self._budget = left
        if because.streak is not None:
            self._try(because.streak, because.retry_cost)
        return None

    def _spent_text(self) -> str:
        return f"the budget of {self._budget.full} for retries is spent (`retry.budget`)"

    def _acquit(self, outages: Container[int]) -> None:
        """Give back what retries cost whose calls turned out to be lost to an outage."""
        if self._on_trial is not None and self._on_trial[0] in outages:
            self._budget = self._budget.with_returned(self._on_trial[1])
            self._on_trial = None

    def succeed(self) -> None:
        """Give a little back for an item that succeeded at once."""
        if not self._budget.is_full:
            self._budget = self._budget.with_returned(SUCCESS_RETURN)

    def end(self, status: Status) -> Stop | None:
        """Count how an item ended; return the stop when too many have failed."""
        self._ceiling = self._ceiling.after(status)
        return _stop_at(self._ceiling)

    def begin_step(self, planned: int) -> None:
        """Begin a step of a rollout with so many items: failures count within a step."""
        self._ceiling = self._ceiling.for_step(planned)

    def end_step(self) -> Stop | None:
        """Return the stop when the step that ends had too many failures, however small it was."""
        return _stop_at(self._ceiling.whole_step)

    def fail_after_all(self) -> Stop | None:
        """Count an item as failed that had ended well; return the stop when that makes too many."""
        self._ceiling = self._ceiling.with_one_more_failure()
        return _stop_at(self._ceiling)

    def _try(self, streak: int, cost: int) -> None:
        held, spent = self._on_trial or (streak, 0)
        self._on_trial = (streak, cost + (spent if held == streak else 0))


class _AccountAllowance(Allowance):
    """Owns the retry budget of one account; failures are counted with those of the others."""

    def __init__(self, whole: Allowance, budget: int) -> None:
        super().__init__(budget, Ceiling(None, 0, 0))
        self._whole = whole

    def end(self, status: Status) -> Stop | None:
        """Count how an item ended among those of all accounts."""
        return self._whole.end(status)

    def fail_after_all(self) -> Stop | None:
        """Count an item as failed that had ended well, among those of all accounts."""
        return self._whole.fail_after_all()


def _stop_at(ceiling: Ceiling) -> Stop | None:
    """Return the stop that a ceiling causes; None while it holds."""
    if not ceiling.is_exceeded:
        return None
    lifting = ("--max-failed", str(ceiling.met))
    return Stop(StopKind.HALT, ceiling.text, ErrorClass.CANCELLED, lifting=lifting, everywhere=True)
