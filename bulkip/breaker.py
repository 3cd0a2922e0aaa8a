"""When a server that no longer answers stops the calls, and which lost calls are not their items' fault.

The circuit breaker of design.md §5, as pure functions over frozen data. A call
is lost when no HTTP status line came back for it.
"""

from bulkip.frozen import Struct, replace

FIRST_PROBE_S = 1.0
LONGEST_PROBE_S = 30.0


class Circuit(Struct, frozen=True):
    """What the calls so far say about the way to the server.

    `streak` numbers the rows of lost calls, `lost` counts those of the present
    one. `down_since` is when it opened first since an item's call was
    answered: a server that answers probes and nothing else stays down.
    `outages` are the streaks that were the server's doing.
    """

    streak: int = 1
    lost: int = 0
    is_open: bool = False
    probes_lost: int = 0
    down_since: float | None = None
    outages: frozenset[int] = frozenset()

    @property
    def probe_after_s(self) -> float:
        """How long to wait before the next probe: a second, doubling with each that is lost."""
        return float(min(LONGEST_PROBE_S, FIRST_PROBE_S * 2 ** min(self.probes_lost, 32)))


def lost(circuit: Circuit, after: int, now: float, *, probe: bool) -> Circuit:
    """Return the circuit after a call without a status line; it opens after so many in a row.

    Those that opened it are the server's doing. Not so when only a probe was
    answered since it opened last: then the server lives, and it is these calls
    that hang, unless a probe is lost too.
    """
    if circuit.is_open:
        if not probe:
            return circuit
        return replace(_an_outage(circuit), probes_lost=circuit.probes_lost + 1)
    circuit = replace(circuit, lost=circuit.lost + 1)
    if circuit.lost < after:
        return circuit
    opened = replace(circuit, is_open=True, probes_lost=0)
    if circuit.down_since is not None:
        return opened
    return _an_outage(replace(opened, down_since=now))


def answered(circuit: Circuit, *, probe: bool) -> Circuit:
    """Return the circuit after a call with a status line, whatever the status."""
    down_since = circuit.down_since if probe else None
    if not circuit.lost and not circuit.is_open and down_since == circuit.down_since:
        return circuit
    return Circuit(streak=circuit.streak + 1, down_since=down_since, outages=circuit.outages)


def _an_outage(circuit: Circuit) -> Circuit:
    return replace(circuit, outages=circuit.outages | {circuit.streak})
