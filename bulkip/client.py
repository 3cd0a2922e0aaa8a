"""How one call is made: place, write-ahead, pace, wire, verdict, and the books kept on it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Protocol

from anyio import CancelScope, get_cancelled_exc_class, move_on_after

from bulkip.brake import Brake
from bulkip.budget import retry_cost
from bulkip.clock import loop_clock
from bulkip.errors import StoreError
from bulkip.frozen import replace
from bulkip.gate import Gate
from bulkip.model import ErrorClass
from bulkip.outage import Breaker
from bulkip.policy import Limits, RetryPolicy
from bulkip.retry import backoff_s
from bulkip.stops import Watch, watch
from bulkip.store import Attempt, Outcome
from bulkip.wire import ANSWERED, ApiRequest, Failure, FailureKind, Reply, SendOff, Verdict, VerdictKind

CUT_OFF = Verdict(VerdictKind.TRANSIENT, ErrorClass.CANCELLED, message="cut off when the run was stopped")
OUT_OF_TIME = Failure(FailureKind.TIMEOUT, sent=True, message="the time of this item was up")
READABLE = "readable"
"""The fact that a run keeps once the server gave it an answer of this API."""


class Wire(Protocol):
    """Whoever carries a request to the server and its reply back."""

    async def send(self, request: ApiRequest, send_off: SendOff) -> Reply:
        """Return the answer, or where on the way it was lost; says `send_off` once, when the call leaves."""
        ...


class Books(Protocol):
    """Whoever writes down which calls were made."""

    async def begin_attempt(self, attempt: Attempt, now: float) -> None:
        """Commit a write before it is sent."""
        ...

    async def withdraw_attempt(self, attempt: Attempt) -> None:
        """Take back a write that was not sent."""
        ...

    async def finish_attempt(self, attempt: Attempt, outcome: Outcome) -> None:
        """Write how a begun attempt ended."""
        ...

    async def record_attempt(self, attempt: Attempt, outcome: Outcome) -> None:
        """Write a read after it ended."""
        ...

    async def remember(self, name: str, value: object) -> None:
        """Keep a fact about the run."""
        ...


@dataclass(frozen=True, slots=True)
class Judge:
    """What a client needs to understand replies and to wait."""

    verdict: Callable[[ApiRequest, Reply, float], Verdict]
    limits: Limits
    retry: RetryPolicy
    rng: Random
    wall: Callable[[], float]


class Client:
    """Makes every call of a run, so that one gate and one book see them all."""

    def __init__(self, wire: Wire, gate: Gate, books: Books, brake: Brake, judge: Judge) -> None:
        """Call through this wire, gate and book until the brake is pulled."""
        self._wire = wire
        self._gate = gate
        self._books = books
        self._brake = brake
        self.judge = judge
        self._clock = loop_clock()
        self._watch = Watch()
        self.fact = READABLE  # of several accounts each has its own
        self.under_way = 0
        self.last_success_at = float("-inf")

    @property
    def breaker(self) -> Breaker:
        """The breaker of the gate, which knows whether lost calls were the server's doing."""
        return self._gate.breaker

    def knows_the_server(self) -> None:
        """Begin with a server that has given this run an answer of the API before."""
        self._watch = Watch(readable=True)

    async def call(
        self, request: ApiRequest, attempt: Attempt, *, knock: bool = False, within_s: float | None = None
    ) -> Verdict | None:
        """Make one call and return its verdict; None when the run stopped before it was sent.

        With `knock` it goes out although the breaker is open; `within_s` cuts
        it off before its own time-out.
        """
        if not await self._admitted(request, attempt, knock=knock):
            return None
        try:
            sent_at, wall = self._clock(), self.judge.wall()
            reply = await self._carry(request, attempt, wall, within_s)
        finally:
            self._gate.leave()
        verdict = self._capped(self.judge.verdict(request, reply, self.judge.wall()))
        verdict = self._noted(verdict, reply, sent_at, knock=knock)
        known = self._watch.readable
        self._draw_conclusions(attempt.item, verdict, sent_at)
        await self._write_down(request, attempt, verdict, wall)
        if self._watch.readable and not known:
            await self._books.remember(self.fact, value=True)
        return verdict

    async def _carry(
        self, request: ApiRequest, attempt: Attempt, wall: float, within_s: float | None
    ) -> Reply:
        """Send, and note a call that is cancelled on its way: it was on the wire all the same."""
        self.under_way += 1
        try:
            if within_s is None:
                return await self._wire.send(request, self._gate.send_off)
            with move_on_after(within_s):
                return await self._wire.send(request, self._gate.send_off)
        except get_cancelled_exc_class():
            with CancelScope(shield=True), suppress(StoreError):
                await self._write_down(request, attempt, replace(CUT_OFF, in_doubt=request.writes), wall)
            raise
        finally:
            self.under_way -= 1
        return OUT_OF_TIME

    async def _admitted(self, request: ApiRequest, attempt: Attempt, *, knock: bool) -> bool:
        """Wait until a call may be sent, and hold its place; False when the run stopped before.

        A read that need not wait for anything does not even ask who would end its wait.
        """
        if not request.writes and self._brake.stop is None and await self._gate.enter_now():
            return True
        with self._brake.waiting() as scope:
            await self._wait(request, attempt, knock=knock)
        return not scope.cancelled_caught

    async def _wait(self, request: ApiRequest, attempt: Attempt, *, knock: bool) -> None:
        """Wait for the server to be there, a place, the write-ahead and the pace, in this order.

        The pace comes last, so that neither a slow disk nor a full house
        bunches calls that the limiter had spaced. Where the breaker opened
        meanwhile, the call gives its place back and begins anew.
        """
        breaker = self._gate.breaker
        while True:
            if breaker.is_open and not knock:
                await breaker.closed()
            await self._gate.enter()
            try:
                await self._gate.cooled_down()
                if request.writes:
                    await self._begin(attempt)
                else:
                    await self._gate.turn()
                if knock or not breaker.is_open:
                    return
                self._gate.send_off()
                if request.writes:
                    await self._withdraw(attempt)
            except BaseException:
                self._gate.leave()
                raise
            self._gate.leave()

    def _noted(self, verdict: Verdict, reply: Reply, sent_at: float, *, knock: bool) -> Verdict:
        """Add what the call says beside its answer: its time, its price, and whose fault its loss is."""
        breaker, took_s = self._gate.breaker, self._clock() - sent_at
        price = 0 if verdict.kind in ANSWERED else retry_cost(verdict, old=self._gate.is_old(sent_at))
        noted = replace(verdict, took_s=took_s, retry_cost=price)
        if not isinstance(reply, Failure) or reply.answered:
            breaker.answered(probe=knock)
            return noted
        streak = breaker.lost(verdict.message, probe=knock)
        return replace(noted, streak=streak, excused=not reply.sent or streak in breaker.outages)

    async def _begin(self, attempt: Attempt) -> None:
        try:
            await self._books.begin_attempt(attempt, self.judge.wall())
            await self._gate.turn()
        except BaseException:
            await self._withdraw(attempt)
            raise

    async def _withdraw(self, attempt: Attempt) -> None:
        """Take the attempt back: it was not sent, whatever the reason; cancellation may not hinder that."""
        with CancelScope(shield=True), suppress(StoreError):
            await self._books.withdraw_attempt(attempt)

    def _capped(self, verdict: Verdict) -> Verdict:
        """End the tries of an item whose server asks for more patience than the job has."""
        asked = verdict.retry_after_s
        if asked is None or asked <= self.judge.limits.max_retry_after_s:
            return verdict
        if verdict.kind is not VerdictKind.THROTTLE or verdict.in_doubt:
            return replace(verdict, retry_after_s=None)
        text = f"the server asks to wait {asked:.0f} s, more than `max_retry_after`: {verdict.message}"
        return replace(verdict, kind=VerdictKind.IMPATIENT, retry_after_s=None, message=text)

    async def _write_down(self, request: ApiRequest, attempt: Attempt, verdict: Verdict, wall: float) -> None:
        outcome = Outcome(
            sent_at=wall,
            finished_at=self.judge.wall(),
            outcome=verdict.kind,
            error_class=verdict.error_class,
            http_status=verdict.http_status,
            message=verdict.message,
            in_doubt=verdict.in_doubt or (request.writes and verdict.kind is VerdictKind.REFUSED),
        )
        write = self._books.finish_attempt if request.writes else self._books.record_attempt
        await write(attempt, outcome)

    def _draw_conclusions(self, item: int, verdict: Verdict, sent_at: float) -> None:
        """Let one answer pause or stop everyone."""
        self._watch, stop = watch(self._watch, item, verdict)
        if stop is not None:
            self._brake.pull(stop)
        if verdict.error_class is ErrorClass.THROTTLED or verdict.kind is VerdictKind.BLOCKED:
            strikes, named_s = self._gate.strikes(sent_at), verdict.retry_after_s
            wait_s = backoff_s(self.judge.retry, strikes, self.judge.rng) if named_s is None else named_s
            self._gate.pause(wait_s, "Retry-After" if named_s is not None else "throttled")
        else:
            self._gate.passed(sent_at)
        if verdict.kind in ANSWERED:
            self.last_success_at = max(self.last_success_at, sent_at)
