"""Is an address called as the job says? How an item of a check ends, by what was found."""

from collections.abc import Iterable

from bulkip.characters import quoted
from bulkip.hostnames import ptr_names, same_names
from bulkip.model import ErrorClass, Result, Status
from bulkip.proof import Proof

MOST_TOLD = 5
"""So many names of one address are told in a sentence."""
CHECKED = "update_ptr"


def compared(wanted: Iterable[str], found: Iterable[str], *, besides: str = "") -> Result:
    """Return the result of an address whose names were read; `besides` explains what they do not say."""
    wanted, found = tuple(wanted), tuple(found)
    if same_names(wanted, found) and not besides:
        return Result(Status.MATCH)
    text = f"expected {_told(wanted)}, found {_told(found)}"
    return Result(Status.MISMATCH, message="; ".join(filter(None, (text, besides))))


def proved(wanted: Iterable[str], proof: Proof) -> Result:
    """Return the result of an address that name servers were asked about; nobody's answer is a failure."""
    if not proof.decided:
        return Result(Status.FAILED, ErrorClass.DNS, message=proof.reason)
    if proof.holds:
        return Result(Status.MATCH)
    found = found_names(proof)
    agreed = len({frozenset(names) for names in _by_server(proof)}) == 1
    plain = agreed and not same_names(wanted := tuple(wanted), found)
    return compared(wanted, found, besides="" if plain else proof.reason)


def found_names(proof: Proof) -> tuple[str, ...]:
    """Return every name that some server shows for the address, each once."""
    return ptr_names("\n".join(name for names in _by_server(proof) for name in names))


def left_out(action: str) -> Result:
    """Return the result of an item that a check has no opinion on."""
    return Result(Status.SKIPPED, note=f"only {CHECKED} can be checked; {action} was not called")


def _by_server(proof: Proof) -> list[list[str]]:
    """Return the names that each server shows for the address; one that could not be heard has no list."""
    shown = (finding.get("names") for finding in proof.findings)
    return [[str(name) for name in names] for names in shown if isinstance(names, list)]


def _told(names: tuple[str, ...]) -> str:
    told = [quoted(name) for name in names[:MOST_TOLD]]
    more = [f"{len(names) - MOST_TOLD} more"] if len(names) > MOST_TOLD else []
    return ", ".join([*told, *more]) or "no PTR"
