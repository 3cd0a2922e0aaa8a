"""The options that say as of when periods count; `validate` has them, too, which must start fast."""

from collections.abc import Mapping
from typing import Any

from bulkip.cli.options import F, option
from bulkip.run.options import Reckoning

RECKONING = (
    option("--as-of", metavar="TIME", help="Reckon periods as if it were then: a date, an instant."),
    option("--partial", is_flag=True, help="Take periods that are not over; never counts as collected."),
)


def reckoning_options(function: F) -> F:
    """Declare the options that say as of when periods count."""
    for declare in reversed(RECKONING):
        function = declare(function)
    return function


def reckoning_of(given: Mapping[str, Any]) -> Reckoning:
    """Return as of when periods count, by the options of `reckoning_options`."""
    return Reckoning(
        as_of=given.get("as_of"), partial=given.get("partial", False), refresh=given.get("refresh", False)
    )
