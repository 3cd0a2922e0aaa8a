"""How a simulator behaves, and where it listens."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from bulkip.errors import UsageError
from bulkip.model import Rate
from bulkip.simulator.dialects import PLAIN, Dialect, conflict
from bulkip.simulator.faults import Fault
from bulkip.simulator.nameserver.settings import DnsSettings, DnsUpdate

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSettings:
    """What can be chosen about a simulator; raises `UsageError` for what makes no sense.

    Port 0 takes a free one. `log` gets every request as a line of JSON;
    `state` names the file that keeps the state, temporary without one.
    `token` lives until a fault or its owner's logout ends it; the tokens that
    logins with one of `keys` make live `token_life_s` at most, and `token_uses`
    calls to ip.php and eq.php. Without `dns` nobody answers DNS queries;
    `dns_update` feeds a real name server.
    """

    token: str = "simulated"  # noqa: S105 - public on purpose: it opens nothing but the simulator
    keys: tuple[str, ...] = ("simulated-key",)
    token_life_s: float = HOUR_S
    token_uses: int | None = None
    dialects: AbstractSet[Dialect] = PLAIN
    latency_s: float = 0.0
    limits: tuple[Rate, ...] = ()
    faults: tuple[Fault, ...] = ()
    host: str = "127.0.0.1"
    port: int = 0
    log: TextIO | None = None
    state: Path | None = None
    dns: DnsSettings | None = None
    dns_update: DnsUpdate | None = None

    def __post_init__(self) -> None:
        """Refuse what no client could get past."""
        if not self.token or not all(self.keys):
            raise UsageError("a token or key of the simulator is empty; write one, or leave the option out")
        if self.token_life_s <= 0:
            raise UsageError("--token-life 0s: such a token is dead when it arrives; 1s is the least of use")
        if self.token_uses is not None and self.token_uses < 1:
            raise UsageError(f"--token-uses {self.token_uses}: such a token is never alive; 1 is the least")
        if rivals := conflict(self.dialects):
            raise UsageError(f"--dialect: {rivals}")
