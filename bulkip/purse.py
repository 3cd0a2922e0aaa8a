"""Which token a run has: a ready one, or those it gets for its API key."""

from collections.abc import Callable
from dataclasses import dataclass, field

from bulkip.redact import Redactor

EARLY_S = 120.0
"""A token is renewed so long before it expires (api.md §3), or after half its life when that is short."""


@dataclass(slots=True, repr=False)
class Purse:
    """Owns the tokens of a run, across its stages; `wall` gives Unix seconds.

    A ready token cannot be renewed. `generation` counts the tokens that came
    in, so that whoever was refused can tell whether somebody renewed meanwhile.
    """

    wall: Callable[[], float]
    token: str = ""
    key: str = ""
    generation: int = 0
    renew_at: float | None = None
    made: list[str] = field(default_factory=list)
    redactor: Redactor = field(init=False)

    def __post_init__(self) -> None:
        self._know_secrets()

    def __repr__(self) -> str:
        return f"Purse(generation={self.generation})"

    def _know_secrets(self) -> None:
        """Let the redactor know every secret that a text from outside could echo."""
        secrets = (self.key, self.token, *self.made)
        self.redactor = Redactor(tuple(dict.fromkeys(secret for secret in secrets if secret)))

    @property
    def stale(self) -> bool:
        """Whether a token has to be fetched before the next call."""
        if not self.key:
            return False
        return not self.token or (self.renew_at is not None and self.wall() >= self.renew_at)

    def take(self, token: str, expires_at: float | None) -> None:
        """Use a new token from now on; `expires_at` is in Unix seconds."""
        now = self.wall()
        self.token = token
        self.generation += 1
        self.made.append(token)
        self._know_secrets()
        life_s = None if expires_at is None else max(0.0, expires_at - now)
        self.renew_at = None if life_s is None else now + life_s - min(EARLY_S, life_s / 2)

    def forget(self) -> None:
        """Hold no token any more that was made here: those were given back, and the next call fetches one."""
        if self.key:
            self.token = ""
        self.made.clear()
