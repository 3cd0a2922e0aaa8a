"""Has a write arrived? Items are looked at, through API or DNS, until they are proved or time is up."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from anyio import current_time

from bulkip.access import Access
from bulkip.actions import ACTIONS
from bulkip.allowance import Allowance
from bulkip.brake import Brake
from bulkip.events import Event, ItemProved
from bulkip.hostnames import ptr_names
from bulkip.model import Purpose
from bulkip.policy import Verify, VerifyMode
from bulkip.proof import Finding, Proof, Trouble, next_poll_s, prove_api, prove_dns
from bulkip.scheduler import Parked
from bulkip.store import Attempt, PlannedItem, RunWriter
from bulkip.wire import VerdictKind

DNS_AT_ONCE = 32
"""So many items are looked at in the DNS at once; that does not spend the rate of the API."""


class NameServers(Protocol):
    """Whoever asks the DNS."""

    async def proof(self, mode: VerifyMode, ip: str, wanted: Iterable[str]) -> Proof:
        """Look once whether the DNS shows an address as wanted."""
        ...


@dataclass(frozen=True, slots=True)
class Look:
    """An item that is to be proved, how often it was looked at, and until when; `until` is loop time."""

    planned: PlannedItem
    tries: int = 0
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Who can say whether a write has arrived; calls of the API count under this start."""

    access: Access
    resolver: NameServers
    start: int


class Verifier:
    """Carries looks forward; one object serves all that are made at once."""

    def __init__(
        self,
        witnesses: Witnesses,
        store: RunWriter,
        brake: Brake,
        allowance: Allowance,
        rules: Verify,
    ) -> None:
        """Ask the witnesses as the rules say, and keep proofs in the store."""
        self._witnesses = witnesses
        self.store = store
        self._brake = brake
        self._allowance = allowance
        self._rules = rules
        self.wall: Callable[[], float] = lambda: 0.0
        self.tell: Callable[[Event], None] = lambda _event: None

    async def step(self, look: Look) -> Parked[Look] | None:
        """Look once; the item is looked at again later unless it is proved or its time is up."""
        until = current_time() + self._rules.timeout_s if look.until is None else look.until
        look = replace(look, tries=look.tries + 1, until=until)
        proof = await self._proof(look)
        if proof is None:
            return None
        wait_s = next_poll_s(look.tries)
        if not proof.holds and current_time() + wait_s < until:
            return Parked(look, wait_s)
        await self.keep(look.planned, proof)
        return None

    async def keep(self, planned: PlannedItem, proof: Proof) -> None:
        """Write down what the last look showed."""

        def told() -> None:
            self.tell(ItemProved(planned.item, proof.holds))

        await self.store.record_proof(planned, proof, self.wall(), told)
        if not proof.holds and self._rules.required and (stop := self._allowance.fail_after_all()):
            self._brake.pull(stop)

    async def _proof(self, look: Look) -> Proof | None:
        """Return what one look shows; None when the run was stopped before it."""
        item = look.planned.item
        wanted = ptr_names(item.form.get("ptr", ""))
        if self._rules.mode is VerifyMode.API:
            return await self._api_proof(look, wanted)
        return await self._witnesses.resolver.proof(self._rules.mode, item.ip or "", wanted)

    async def _api_proof(self, look: Look, wanted: tuple[str, ...]) -> Proof | None:
        item, read_back = look.planned.item, ACTIONS[look.planned.item.action].read_back
        if read_back is None:
            return None
        number = look.planned.attempts + look.tries
        attempt = Attempt(item.number, number, self._witnesses.start, Purpose.VERIFY)
        verdict = await self._witnesses.access.call(read_back.request(item.form), attempt, again=False)
        if verdict is None:
            return None
        shown = read_back.shown(item.form, verdict.value) if verdict.kind is VerdictKind.SUCCESS else None
        if shown is None:
            return _undecided(wanted, verdict.message or verdict.kind)
        return prove_api(wanted, shown)


def _undecided(wanted: tuple[str, ...], why: str) -> Proof:
    """Return the proof of an API that did not answer."""
    return replace(prove_dns(wanted, [Finding("api", Trouble(why))]), mode=VerifyMode.API)
