"""Where do the names lead that a plan would give? Each new one is resolved once, before any write."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from anyio import Event, move_on_after

from bulkip.events import Event as Told
from bulkip.events import ItemSettled, NameTraced
from bulkip.hostnames import ptr_names
from bulkip.model import ErrorClass, Result, Status
from bulkip.proof import Finding, Lead, Leading, Trouble, judge_forward, worst_lead
from bulkip.scheduler import Parked
from bulkip.store import PlannedItem, RunWriter, found_lead, no_more_leads

MOST_KNOWN = 10_000
"""So many names are remembered, in case that more addresses are to get them."""
GIVEN_UP = Finding("the DNS", Trouble("not asked, because no name server answered before"))
NOT_WRITTEN = "not written (`safety.forward: require`)"


class Guides(Protocol):
    """Whoever asks the DNS for the addresses of names."""

    async def addresses(self, name: str, version: int) -> tuple[Finding, ...]:
        """Return which addresses of IP version 4 or 6 each server shows for a name."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one name may take, and after how many in a row without an answer nobody is asked any more."""

    name_s: float
    in_a_row: int


HURRIED = Patience(2.0, 8)
"""A warning is worth little time."""
THOROUGH = Patience(15.0, 64)
"""Without an answer there is no write."""


class Tracer:
    """Resolves the new names of writes; one object serves all that are looked at at once.

    What does not lead back is noted, and not written where that is `required`;
    there a name that nobody could resolve counts as one that does not.
    """

    def __init__(
        self, guides: Guides, store: RunWriter, wall: Callable[[], float], account: int = 0, *, required: bool
    ) -> None:
        """Ask the guides, and keep what they say in the store; `wall` gives Unix seconds.

        The writes are those of the account with this number, 0 in a job without several.
        """
        self._account = account
        self._guides = guides
        self._store = store
        self._wall = wall
        self._required = required
        self._patience = THOROUGH if required else HURRIED
        self._in_a_row = 0
        self._known: dict[tuple[str, int], tuple[Finding, ...]] = {}
        self._asked: dict[tuple[str, int], Event] = {}
        self.tell: Callable[[Told], None] = lambda _event: None

    @property
    def has_given_up(self) -> bool:
        """Whether too many names in a row were left without an answer."""
        return self._in_a_row >= self._patience.in_a_row

    @property
    def is_over(self) -> bool:
        """Whether the rest need not even be looked at."""
        return self.has_given_up and not self._required

    async def finish(self) -> None:
        """Note of all that was left out that nobody knows where it leads."""
        if self.is_over:
            reason = judge_forward("it", "", [GIVEN_UP]).reason
            await self._store.keep(no_more_leads(reason, self._account))

    async def step(self, planned: PlannedItem) -> Parked[PlannedItem] | None:
        """Find out where the new names of one write lead, and keep it."""
        item, ip = planned.item, planned.item.ip or ""
        lead = worst_lead([await self._lead(name, ip) for name in new_names(planned)])
        refused = self._required and lead.leading is not Leading.HERE
        await self._store.keep(
            found_lead(item, lead), None if refused else lambda: self.tell(NameTraced(item))
        )
        if refused:
            result = Result(Status.FAILED, ErrorClass.DNS, message=lead.reason, note=NOT_WRITTEN)
            settled = ItemSettled(item, result)
            await self._store.settle(
                item, planned.generation, result, self._wall(), lambda: self.tell(settled)
            )
        return None

    async def _lead(self, name: str, ip: str) -> Lead:
        return judge_forward(name, ip, await self._said(name, 6 if ":" in ip else 4))

    async def _said(self, name: str, version: int) -> tuple[Finding, ...]:
        """Return what is said about a name; whoever comes second waits for the one who asks."""
        key = (name.lower(), version)
        while (asked := self._asked.get(key)) is not None:
            await asked.wait()
        if (known := self._known.get(key)) is not None:
            return known
        asked = self._asked[key] = Event()
        try:
            return self._remembered(key, await self._heard(name, version))
        finally:
            del self._asked[key]
            asked.set()

    def _remembered(self, key: tuple[str, int], said: tuple[Finding, ...]) -> tuple[Finding, ...]:
        if len(self._known) >= MOST_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[key] = said
        return said

    async def _heard(self, name: str, version: int) -> tuple[Finding, ...]:
        """Ask, unless too many were asked in vain, and not for longer than a name may take."""
        if self.has_given_up:
            return (GIVEN_UP,)
        limit_s = self._patience.name_s
        said: tuple[Finding, ...] = (Finding("the DNS", Trouble(f"no answer within {limit_s:g} s")),)
        with move_on_after(limit_s):
            said = await self._guides.addresses(name, version)
        self._in_a_row = 0 if _is_answered(said) else self._in_a_row + 1
        return said


def new_names(planned: PlannedItem) -> tuple[str, ...]:
    """Return the names that a write adds to those that the address has."""
    there = {name.lower().removesuffix(".") for name in (planned.before.names if planned.before else ())}
    return tuple(name for name in ptr_names(planned.item.form.get("ptr", "")) if name.lower() not in there)


def _is_answered(said: Iterable[Finding]) -> bool:
    return any(one.heard for one in said)
