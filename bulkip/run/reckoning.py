"""As of when is a plan made? Relative periods count from that moment, and what ends later is not over."""

from datetime import datetime
from zoneinfo import ZoneInfo

from bulkip.errors import UsageError
from bulkip.periods import moment
from bulkip.run.options import Reckoning
from bulkip.steps import Clock


def clock_of(timezone: str, now: datetime, reckoning: Reckoning) -> Clock:
    """Return the clock that a plan is made by; raises UsageError for an `--as-of` that is no moment."""
    zone = ZoneInfo(timezone)
    since = _moment(reckoning, zone) or now
    return Clock(since, zone, None if reckoning.partial else over_s(timezone, now, reckoning))


def over_s(timezone: str, now: datetime, reckoning: Reckoning) -> int:
    """Return until when a period is over that may be remembered, in Unix seconds: never later than now."""
    since = _moment(reckoning, ZoneInfo(timezone)) or now
    return int(min(now, since).timestamp())


def _moment(reckoning: Reckoning, zone: ZoneInfo) -> datetime | None:
    if reckoning.as_of is None:
        return None
    try:
        return moment(reckoning.as_of, zone)
    except ValueError as wrong:
        raise UsageError(f"--as-of: {wrong}") from None
