"""How long a server asks to wait: the header Retry-After, in seconds or as a date."""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from math import isfinite

LONGEST_WAIT_S = 30 * 86_400.0  # a Retry-After beyond this counts as this: longer than any job waits
_SECONDS = re.compile(r"\d{1,15}(?:\.\d{1,9})?", re.ASCII)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that Retry-After asks for, or None when it says nothing usable.

    A date counts from the answer's own Date where it has one, so that a wrong
    clock on either side does no harm; `now` is Unix time. RFC 9110, 10.2.3.
    """
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        wait_s = float(text)
    else:
        until = unix_time(text)
        since = unix_time(headers.get("date", "").strip())
        wait_s = -1.0 if until is None else until - (now if since is None else since)
    return min(wait_s, LONGEST_WAIT_S) if isfinite(wait_s) and wait_s >= 0 else None


def unix_time(text: str) -> float | None:
    """Return the moment that an HTTP date means, in Unix seconds; None when it is none."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return moment.timestamp()
    except (ValueError, OverflowError):
        return None
