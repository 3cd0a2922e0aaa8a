"""Which targets a text file lists: an address, a network, a range or an exclusion a line."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import BinaryIO

from bulkip.addresses import canonical_ip
from bulkip.characters import quoted
from bulkip.linefile import lines_of
from bulkip.makers import maker_of
from bulkip.model import Place, Problem, Target
from bulkip.owners import FIELD
from bulkip.sources import AddressSource
from bulkip.tally import Idle

_target = maker_of(Target)
_place = maker_of(Place)

NO_FIELDS: Mapping[str, str] = MappingProxyType({})


def text_targets(
    content: BinaryIO, file: str, account: str = "", *, allow_ipv6: bool
) -> Iterator[Target | AddressSource | Problem | Idle]:
    """Yield one thing for each line: a target, an expression to expand, a problem, or that it names nothing.

    What follows a `#` is a comment. All lines are for the account, where there
    are several. Raises `Broken` when the file is no text.
    """
    for number, line in lines_of(content, file):
        place = _place(file, number)
        yield line if isinstance(line, Problem) else _line(line, place, account, allow_ipv6=allow_ipv6)


def _line(
    line: str, place: Place, account: str, *, allow_ipv6: bool
) -> Target | AddressSource | Problem | Idle:
    head, comment, _ = line.partition("#")
    text = head.strip()
    if not text:
        return Idle.COMMENT if comment else Idle.BLANK
    try:
        return _target(
            canonical_ip(text, allow_ipv6=allow_ipv6), fields_of(account), place, None, (), account
        )
    except ValueError:
        pass  # no single address, or a wrong one: whoever reads the expression says so
    exact = Place(place.file, place.line, len(head) - len(head.lstrip()) + 1)
    if "," in text or ";" in text or len(text.split("-")[0].split()) > 1:
        return Problem(
            exact, f"{quoted(text)} is more than one address; a line holds one, columns are for CSV"
        )
    return AddressSource(text, exact, account=account)


def fields_of(account: str) -> Mapping[str, str]:
    """Return the fields of a target that has none of its own: its account, where there are several."""
    return {FIELD: account} if account else NO_FIELDS
