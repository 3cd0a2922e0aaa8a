"""Which free addresses a plan may count on when the real API is not asked."""

from collections.abc import Sequence

from bulkip.addresses import parse_expression
from bulkip.sources import FreeIpsSource, SourceError

INVENTED = "192.0.2.{first}/28"
"""Where a rehearsal's free addresses lie: RFC 5737, above what rehearsed subnets use first."""


def rehearsed_free_ips(source: FreeIpsSource) -> Sequence[str]:
    """Return the addresses that a rehearsal pretends are free; another entry of the job gets others."""
    block = INVENTED.format(first=128 + 16 * (source.place.line % 8))
    return tuple(parse_expression(block, usable=True).block.addresses())


def nobody_to_ask(source: FreeIpsSource) -> Sequence[str]:
    """Raise SourceError: a plan that is to be carried out must not leave its targets open."""
    wanted = ", ".join(f"{name} {value}" for name, value in source.form.items()) or "any"
    message = f"nobody can be asked for free addresses ({wanted}) here; list the addresses in a file"
    raise SourceError(message)
