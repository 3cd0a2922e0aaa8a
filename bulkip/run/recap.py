"""What went wrong in a run, in few lines: each error class with its count, one example and a hint."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from bulkip.model import ErrorClass, Status
from bulkip.run.ending import Conclusion
from bulkip.stops import StopKind
from bulkip.store import RunReader

HINTS: Mapping[str, str] = MappingProxyType(
    {
        ErrorClass.AUTH: "check the token and its rights",
        ErrorClass.PERMISSION: "is this an account key or the key of another server?",
        ErrorClass.INVALID: "check id and address of these rows",
        ErrorClass.NOT_FOUND: "check the address and the server id",
        ErrorClass.THROTTLED: "run again with a lower --rate",
        ErrorClass.SERVER: "the provider had trouble; run again later",
        ErrorClass.CONNECT: "is the API reachable from here?",
        ErrorClass.TIMEOUT: "the API was slow; run again later or raise --timeout",
        ErrorClass.NETWORK: "connections broke; run again later",
        ErrorClass.TLS: "check `api.url`",
        ErrorClass.DNS: "the API's host name does not resolve from here",
        ErrorClass.PROTOCOL: "something between here and the API changes its answers; check `api.url`",
        ErrorClass.UNKNOWN_ANSWER: "the API gave an answer that its documentation does not have",
    }
)


def next_steps(conclusion: Conclusion) -> Iterator[str]:
    """Yield what to do after a run that did not end as wished."""
    counts, stop = conclusion.counts, conclusion.stop
    if counts.of(Status.UNKNOWN):
        yield "look at the rows with status unknown: each of these writes may have happened"
    if conclusion.safety is not None:
        return
    if stop is not None and stop.kind is StopKind.ACCESS:
        yield "mend what is told above, then run the same command again"
    elif counts.of(Status.NOT_RUN, Status.FAILED, Status.UNKNOWN):
        yield "run the same command again: what is already as wanted is left alone"


def trouble_lines(reader: RunReader) -> Iterator[str]:
    """Yield a line per error class, the most frequent first."""
    for name, times, ip, message in reader.troubles():
        where = f"{ip}: " if ip else ""
        hint = f" -- {HINTS[name]}" if name in HINTS else ""
        yield f"{name:<7} {times:,}, e.g. {where}{message}{hint}"
