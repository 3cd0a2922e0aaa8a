"""When one answer stops the whole run, and as what it ends."""

from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import replace as dataclass_replace
from enum import StrEnum

from bulkip.frozen import Struct, replace
from bulkip.model import ErrorClass
from bulkip.wire import Verdict, VerdictKind

OPENING = 3
"""So many unreadable answers before any readable one mean that this is not the API (api.md §4)."""
BLOCKED = 3
"""So many different items answered by an edge with 403 mean that we are locked out (api.md §4)."""


class StopKind(StrEnum):
    """What ends a run before its end; each has its own exit code."""

    ACCESS = "access"
    HALT = "halt"
    SIGNAL = "signal"


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a run stops; `error_class` is that of the items it leaves behind.

    `lifting` are the options with which a resume gets past the limit that stopped it.
    What is `everywhere` stops all accounts of a run, whichever of them met it.
    """

    kind: StopKind
    reason: str
    error_class: ErrorClass
    signal: int | None = None
    lifting: tuple[str, ...] = ()
    everywhere: bool = False


GRAVEST_FIRST = (StopKind.SIGNAL, StopKind.ACCESS, StopKind.HALT)


def together(stops: Iterable[Stop]) -> Stop | None:
    """Return the gravest of several stops, with the reasons of all; None when there is none."""
    by_gravity = sorted(stops, key=lambda stop: GRAVEST_FIRST.index(stop.kind))
    if not by_gravity:
        return None
    return dataclass_replace(by_gravity[0], reason="; ".join(stop.reason for stop in by_gravity))


class Watch(Struct, frozen=True):
    """What the answers so far say about the server as a whole."""

    readable: bool = False
    unreadable: int = 0
    blocked: tuple[int, ...] = ()


def watch(seen: Watch, item: int, verdict: Verdict) -> tuple[Watch, Stop | None]:
    """Take one more answer into account, and return the stop it causes, if any."""
    match verdict.kind:
        case VerdictKind.AUTH_FATAL:
            text = f"the account is refused: {verdict.message}; check the token and its rights"
            return seen, Stop(StopKind.ACCESS, text, ErrorClass.AUTH)
        case VerdictKind.MISCONFIGURED:
            text = f"{verdict.message}; check `api.url`"
            return seen, Stop(StopKind.ACCESS, text, ErrorClass.TLS)
        case VerdictKind.BLOCKED:
            return _blocked(seen, item)
        case _ if verdict.readable and _news(seen):
            return replace(seen, readable=True, blocked=()), None
        case _ if not (verdict.readable or seen.readable) and _foreign(verdict):
            return _unreadable(seen, verdict)
    return seen, None


def _news(seen: Watch) -> bool:
    return not seen.readable or bool(seen.blocked)


def _foreign(verdict: Verdict) -> bool:
    """Tell whether something answered that does not look like this API, and not like an outage either."""
    answered = verdict.http_status is not None or verdict.error_class is ErrorClass.PROTOCOL
    return answered and verdict.kind in {VerdictKind.UNKNOWN, VerdictKind.PERMANENT}


def _unreadable(seen: Watch, verdict: Verdict) -> tuple[Watch, Stop | None]:
    seen = replace(seen, unreadable=seen.unreadable + 1)
    if seen.unreadable < OPENING:
        return seen, None
    text = f"the first {OPENING} answers are not this API's ({verdict.message}); check `api.url`"
    return seen, Stop(StopKind.ACCESS, text, ErrorClass.PROTOCOL)


def _blocked(seen: Watch, item: int) -> tuple[Watch, Stop | None]:
    if item in seen.blocked:
        return seen, None
    seen = replace(seen, blocked=(*seen.blocked, item))
    if len(seen.blocked) < BLOCKED:
        return seen, None
    text = f"{BLOCKED} different items in a row were answered with HTTP 403 and HTML: something blocks us"
    return seen, Stop(StopKind.HALT, f"{text}; ask the provider before going on", ErrorClass.PERMISSION)
