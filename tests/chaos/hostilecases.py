"""A run with one address for each kind of misbehaviour, and what is true about it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bulkip.wire import VerdictKind
from tests.chaos.artifacts import blemishes, in_one_piece
from tests.chaos.hostilebodies import body_kinds
from tests.chaos.hostilerun import PATIENT, TOKEN, Ended, run_against
from tests.chaos.hostileserver import Claim, Fault, HostileServer, Kind, serving
from tests.chaos.hostilestatuses import status_kinds
from tests.chaos.hostilewire import wire_kinds
from tests.chaos.spellings import secrets_below

GOOD = "10.0.0.1"
"""An address that is answered honestly, and first: so the server is known to be the API."""
PURPOSES = {"get_ptr": ("before", "readback"), "update_ptr": ("call",)}
MOST_MIB = 150


@dataclass(frozen=True, slots=True)
class Case:
    """What happened to one address: its kind, the names it had, was to get, and has, and its row."""

    kind: Kind
    ip: str
    before: str
    wanted: str
    now: str
    ended: Ended = field(repr=False)

    @property
    def row(self) -> dict[str, Any]:
        """What is reported about it."""
        return self.ended.rows[self.ip]

    @property
    def status(self) -> str:
        """How its item ended."""
        return str(self.row["status"])

    @property
    def is_changed(self) -> bool:
        """Whether the server did what was wanted."""
        return self.now == self.wanted

    @property
    def is_disturbed(self) -> bool:
        """Whether a call was lost beside what its kind did: on a connection that was just closing."""
        calls = [one for one in self.ended.attempts if (one["ip"], one["purpose"]) == (self.ip, "call")]
        return self.kind.claim is not Claim.NOTHING and any(one["http_status"] is None for one in calls)

    @property
    def is_dark(self) -> bool:
        """Whether nobody could know: no look at the account followed, or a write may still be under way.

        It may after a time-out, and when the server accepted it to finish it later.
        """
        own = [one for one in self.ended.attempts if one["ip"] == self.ip]
        last = max(own, key=lambda one: int(one["number"]))
        seen = (last["purpose"], last["outcome"]) == ("readback", VerdictKind.SUCCESS)
        late = self.row["error_class"] == "timeout" and self.row["http_status"] is None
        accepted = any(one["outcome"] == VerdictKind.PENDING for one in own)
        return late or accepted or not seen

    def __str__(self) -> str:
        row = self.row
        return f"{self.kind.name}: {self.status} ({row['error_class']}: {row['message']}; {row['note']})"


@dataclass(frozen=True, slots=True)
class Way:
    """How often the server misbehaves, whether it does what it was asked all the same, and in which job.

    With `readbacks` every write is reset, and it is the look at what it did that meets the kind.
    """

    times: int | None = 1
    applied: bool = False
    readbacks: bool = False
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: PATIENT)

    def faults(self, action: str, ip: str, kind: Kind) -> dict[tuple[str, str], Fault]:
        """Return what happens to the calls about one address."""
        if not self.readbacks:
            return {(action, ip): Fault(kind, self.applied, self.times)}
        reset = next(one for one in wire_kinds() if one.name == "reset-before-the-answer")
        looked_at = Fault(kind, times=self.times, honest=1)  # the value before is read without trouble
        return {(action, ip): Fault(reset, self.applied, times=1), ("get_ptr", ip): looked_at}


@dataclass(frozen=True, slots=True)
class Scene:
    """A run against every kind: its cases, what the server saw, what a trap saw, and its folder."""

    cases: list[Case] = field(repr=False)
    ended: Ended = field(repr=False)
    server: HostileServer = field(repr=False)
    trap: HostileServer = field(repr=False)
    folder: Path
    way: Way = field(repr=False)

    def unrecorded(self) -> list[str]:
        """Return the addresses about which more was sent than was written down."""
        seen = Counter((one.action, one.ip) for one in self.server.log if one.action in PURPOSES)
        sole = len({action for action, _ip in seen}) == 1
        return [
            ip
            for (action, ip), count in seen.items()
            if count > sum(self.ended.sent(each, ip) for each in (("call",) if sole else PURPOSES[action]))
        ]

    def imbalances(self) -> Iterator[str]:
        """Yield where the books do not add up."""
        rows = self.ended.rows.values()
        if len(rows) != len(self.cases) + 1:
            yield f"{len(rows)} rows"
        if sum(row["attempts"] for row in rows) != self.ended.sent("call"):
            yield f"{self.ended.sent('call')} attempts"
        if any(one["outcome"] is None for one in self.ended.attempts):
            yield "an attempt without an end"

    def leaks(self) -> list[str]:
        """Return where the token stands, in any spelling, or in pieces that a reader would join."""
        whole = TOKEN.encode().lower()
        joined = [name for name, text in self.ended.artifacts.items() if whole in in_one_piece(text).lower()]
        return [*secrets_below(self.folder, TOKEN), *joined]

    def blemishes(self) -> list[str]:
        """Return what in its files could attack a reader."""
        return [*blemishes(self.ended.artifacts)]


def kinds_for(action: str) -> list[Kind]:
    """Return every kind that makes sense for an action."""
    return [kind for kind in (*wire_kinds(), *status_kinds(), *body_kinds()) if action in kind.actions]


def play_all(
    folder: Path,
    action: str,
    kinds: list[Kind],
    way: Way,
) -> Scene:
    """Run an action over an address for each kind, misbehaving towards it in a way."""
    ips = [f"10.0.{number // 200 + 1}.{number % 200 + 1}" for number in range(len(kinds))]
    names = {ip: f"old-{ip.replace('.', '-')}.example.org" for ip in (GOOD, *ips)}
    wanted = {ip: f"new-{ip.replace('.', '-')}.example.net" for ip in names}
    pairs = [*zip(ips, kinds, strict=True)]
    faults = {key: fault for ip, kind in pairs for key, fault in way.faults(action, ip, kind).items()}
    trap = HostileServer({})
    with serving(trap):
        server = HostileServer(dict(names), faults, trap=trap.url.removesuffix("/ip.php"))
        with serving(server):
            ended = run_against(server.url, folder, action, wanted.items(), way.settings)
    cases = [Case(kind, ip, names[ip], wanted[ip], server.names[ip], ended) for ip, kind in pairs]
    return Scene(cases, ended, server, trap, folder, way)
