"""What a fault rule says, as plain values; `faultfile` explains each of them to its author."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bulkip.model import JsonValue
from bulkip.simulator.callbacks import Finish
from bulkip.simulator.nameserver.troubles import DnsTrouble
from bulkip.simulator.sessions import TokenEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultFields:
    """The calls that a fault applies to, what happens to them, and how the answer goes back."""

    action: str = "*"
    ip: str | None = None
    attempts: tuple[int, ...] = ()
    every: int = 1
    times: int | None = None
    probability: float = 1.0
    seed: int = 0
    delay_s: float = 0.0
    status: int | None = None
    retry_after_s: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = None
    body: str | None = None
    json: JsonValue = None
    redirect: int | None = None
    to: str | None = None
    bomb_mib: int | None = None
    reset: Literal["before", "after", "close"] | None = None
    hang_s: float | None = None
    token: TokenEnd | None = None
    callback: Finish | None = None
    effect: bool | None = None
    lag_s: float | None = None
    drip: int | None = None
    truncate: int | None = None
    clean: bool = False
    duplicate_keys: bool = False
    keep_alive: Literal["close"] | None = None
    propagation_s: float | None = None
    dns: DnsTrouble | None = None
    query_type: str | None = None
    query_name: str | None = None
    wrong_names: tuple[str, ...] = ()
    server: int | None = None

    @property
    def answers(self) -> bool:
        """Whether it sends an answer of its own."""
        own = (self.status, self.body, self.json, self.redirect, self.bomb_mib)
        return any(each is not None for each in own)

    @property
    def answers_rightly(self) -> bool:
        """Whether the right answer goes back, however late or mangled."""
        return not self.answers and self.reset is None and self.hang_s is None and self.token is None

    @property
    def carries_out(self) -> bool:
        """Whether a write is carried out although its answer is lost or wrong."""
        if self.effect is not None:
            return self.effect
        return self.reset == "after"

    @property
    def needs_a_write(self) -> bool:
        """Whether it says something about what a write leaves, so that reads are not meant."""
        return any(each is not None for each in (self.lag_s, self.callback, self.propagation_s))
