"""Which token the calls go out with: fetched, renewed in time, and judged when an answer refuses it."""

from collections.abc import Iterator

from anyio import Lock, current_time, move_on_after, sleep

from bulkip.brake import Brake
from bulkip.client import Client
from bulkip.frozen import replace
from bulkip.logins import INFO_REQUEST, LOGOUT_REQUEST, login_request
from bulkip.model import ErrorClass, Purpose
from bulkip.outage import Breaker
from bulkip.purse import Purse
from bulkip.retry import backoff_s
from bulkip.stops import Stop, StopKind
from bulkip.store import Attempt
from bulkip.wire import ANSWERED, ApiRequest, Verdict, VerdictKind

CLIENT_IP_REQUEST = ApiRequest("get_client_ip", {})
LOGOUT_S = 5.0
PASSING = frozenset({VerdictKind.TRANSIENT, VerdictKind.THROTTLE, VerdictKind.BLOCKED, VerdictKind.UNKNOWN})


class Access:
    """Makes calls with a token that is alive, and tells a dead one from a forbidden address (api.md §3)."""

    def __init__(
        self, client: Client, purse: Purse, brake: Brake, start: int, numbers: Iterator[int]
    ) -> None:
        """Call through this client; the run's own calls have these numbers under item 0."""
        self._client = client
        self._purse = purse
        self._brake = brake
        self._start = start
        self._numbers = numbers
        self._one_at_a_time = Lock()
        self._has_info = True

    @property
    def breaker(self) -> Breaker:
        """The breaker that all calls share."""
        return self._client.breaker

    @property
    def under_way(self) -> int:
        """How many calls are on the wire now."""
        return self._client.under_way

    async def call(
        self, request: ApiRequest, attempt: Attempt, *, again: bool, within_s: float | None = None
    ) -> Verdict | None:
        """Make a call and return its verdict; None when the run stopped before it was sent.

        A refused token is renewed once for an item, in one login however many
        wait for it; `again` says that the item was refused before. A token that
        is proved alive makes the refusal the item's own failure.
        """
        if self._purse.stale:
            await self._renewed(self._purse.generation)
        generation = self._purse.generation
        verdict = await self._client.call(request, attempt, within_s=within_s)
        if verdict is None or verdict.kind in ANSWERED:
            return verdict
        if verdict.kind is VerdictKind.AUTH:
            return await self._judged(verdict, generation, again=again, writes=request.writes)
        if verdict.kind is VerdictKind.IMPATIENT:
            await self._ask_for_patience(current_time())
        return verdict

    async def knock(self) -> None:
        """Ask whether the server is there at all, whatever it says."""
        await self._ask(CLIENT_IP_REQUEST, Purpose.PROBE, knock=True)

    async def log_out(self) -> None:
        """Give back the tokens that were made here; what cannot be given back expires by itself."""
        with move_on_after(LOGOUT_S):
            for token in self._purse.made:
                request = replace(LOGOUT_REQUEST, form={"token": token}, needs_token=False)
                await self._ask(request, Purpose.LOGOUT)

    async def _judged(self, verdict: Verdict, generation: int, *, again: bool, writes: bool) -> Verdict:
        refused_at = current_time()
        async with self._one_at_a_time:
            if self._brake.stop is not None or self._purse.generation != generation:
                return verdict  # the item is asked again, with the new token if there is one
            if self._purse.key and not again:
                await self._log_in()
                return verdict
            alive = self._client.last_success_at > refused_at or await self._is_alive()
            if alive is False:
                await self._replace_dead(verdict)
        return _forbidden(verdict, writes=writes) if alive else verdict

    async def _ask_for_patience(self, refused_at: float) -> None:
        """Ask whether everyone is throttled beyond the limit; if so the run stops."""
        async with self._one_at_a_time:
            if self._brake.stop is not None or self._client.last_success_at > refused_at:
                return
            answer = await self._ask(CLIENT_IP_REQUEST, Purpose.PROBE)
            if answer is not None and answer.kind is VerdictKind.IMPATIENT:
                self._brake.pull(Stop(StopKind.HALT, str(answer.message), ErrorClass.THROTTLED))

    async def _renewed(self, generation: int) -> None:
        async with self._one_at_a_time:
            if self._purse.generation == generation and self._brake.stop is None:
                await self._log_in()

    async def _replace_dead(self, verdict: Verdict) -> None:
        if self._purse.key:
            await self._log_in()
        else:
            self._stop(f"the token is refused: {verdict.message}; set a valid one", ErrorClass.AUTH)

    async def _is_alive(self) -> bool | None:
        """Ask whether the token is still taken; None when nobody says."""
        answer = await self._ask(INFO_REQUEST, Purpose.PROBE) if self._has_info else None
        if (
            self._has_info
            and answer is not None
            and answer.kind not in {VerdictKind.SUCCESS, VerdictKind.AUTH}
        ):
            self._has_info = answer.kind in PASSING and answer.readable
            answer = None
        answer = answer or await self._ask(CLIENT_IP_REQUEST, Purpose.PROBE)
        match answer:
            case Verdict(kind=VerdictKind.SUCCESS):
                return True
            case Verdict(kind=VerdictKind.AUTH):
                return False
            case _:
                return None

    async def _log_in(self) -> None:
        """Exchange the key for a token; the run stops when that cannot be done."""
        judge, answers = self._client.judge, list[Verdict]()
        while self._brake.stop is None:
            answer = await self._ask(login_request(self._purse.key), Purpose.LOGIN)
            if answer is None or self._take(answer):
                return
            if answer.kind not in PASSING:
                self._stop(f"the API key is refused: {answer.message}; set a valid one", ErrorClass.AUTH)
                return
            answers.append(answer)
            if sum(self._counts(one) for one in answers) >= judge.retry.attempts:
                text = f"no token could be had: {answer.message}"
                self._brake.pull(Stop(StopKind.HALT, text, answer.error_class or ErrorClass.SERVER))
                return
            with self._brake.waiting():
                await sleep(max(backoff_s(judge.retry, len(answers), judge.rng), answer.retry_after_s or 0))

    def _counts(self, answer: Verdict) -> bool:
        """Say whether a login was tried in vain; one that was lost while the server was away was not."""
        over = answer.streak != self.breaker.circuit.streak and answer.streak not in self.breaker.outages
        return answer.streak is None or over

    def _take(self, answer: Verdict) -> bool:
        match answer:
            case Verdict(kind=VerdictKind.SUCCESS, value={"token": str(token), "token_expire": expires_at}):
                self._purse.take(token, float(expires_at) if isinstance(expires_at, float) else None)
                return True
            case _:
                return False

    def own_attempt(self, purpose: Purpose) -> Attempt:
        """Return the next attempt that is the run's own, no item's."""
        return Attempt(0, next(self._numbers), self._start, purpose)

    async def _ask(self, request: ApiRequest, purpose: Purpose, *, knock: bool = False) -> Verdict | None:
        return await self._client.call(request, self.own_attempt(purpose), knock=knock)

    def _stop(self, text: str, error_class: ErrorClass) -> None:
        self._brake.pull(Stop(StopKind.ACCESS, text, error_class))


def _forbidden(verdict: Verdict, *, writes: bool) -> Verdict:
    """Return a refusal as the item's own; a write that was not refused in the API's words is in doubt."""
    text = f"{verdict.message} (the token itself is accepted: is it this account's address?)"
    own = replace(verdict, kind=VerdictKind.PERMANENT, error_class=ErrorClass.PERMISSION, message=text)
    return replace(own, in_doubt=writes and not verdict.readable)
