"""What is told about a stage, as lines of plain words that need no colour and no drawing."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from datetime import tzinfo
from itertools import chain
from types import MappingProxyType

from bulkip.events import RateSet, Stopping
from bulkip.progress.figures import lasted, moment, percent, rate_text, roughly, short, span, speed
from bulkip.progress.tracker import Parked, Pause, Standing
from bulkip.quantities import counted

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "looking_up": "looking up server ids",
        "reading": "reading current values",
        "tracing": "resolving new names",
    }
)
IN_PARKED: Mapping[str, str] = MappingProxyType({"back-off": "in back-off", "settle": "in settle time"})
STOPPING = "stopping: {reason}; waiting for the calls in flight"
ONE_STOPS = "account {account} stops: {reason}; what it has left is not run"
QUIET_S = 2.0
"""A stage that has moved within so many seconds is not told to wait for single items."""
SILENT_S = 5.0
BAR_MOST, BAR_LEAST = 24, 8
GAP = "  "


def title(stage: str) -> str:
    """Return what a stage is called."""
    return TITLES.get(stage, stage)


def stopping(event: Stopping) -> str:
    """Return the line that tells that the run stops, or one of its accounts."""
    if event.account:
        return ONE_STOPS.format(account=event.account, reason=event.reason)
    return STOPPING.format(reason=event.reason)


def beginning(stage: str, total: int) -> str:
    """Return the line that opens a stage."""
    return f"{title(stage)}: {counted(total, 'item')}"


def ending(standing: Standing) -> str:
    """Return the line that closes a stage: how far it came, how long it took, how it went."""
    done = f"{standing.done:,} of {standing.total:,} in {lasted(standing.lasted_s)}"
    parts = [f"{title(standing.stage)}: {done}, {speed(standing.average_per_s, standing.rates)}"]
    return "; ".join([*parts, *_statuses_told(standing)])


def log_line(standing: Standing, wall: float, zone: tzinfo | None) -> str:
    """Return everything about a stage in one line."""
    head = f"{title(standing.stage)}: {standing.done:,} of {standing.total:,}"
    first = ", ".join([f"{head} ({percent(standing.done, standing.total)})", *_pace(standing)])
    why = waiting_for(standing, wall, zone)
    return "; ".join([first, *_statuses_told(standing), *([why] if why else [])])


def screen_lines(standing: Standing, wall: float, zone: tzinfo | None, width: int) -> list[str]:
    """Return a stage as lines of at most this width: how far, how it goes, and why it waits."""
    share = percent(standing.done, standing.total)
    done = f"{short(standing.done)} of {short(standing.total)}"
    facts = [done, share, *_pace(standing)]
    head = title(standing.stage)
    bar = _bar(standing, width - len(GAP.join([head, *facts])) - len(GAP))
    lines = packed([head, *bar, *facts], GAP, width)
    lines += packed([f"{short(count)} {status}" for status, count in standing.statuses], ", ", width)
    why = waiting_for(standing, wall, zone)
    return [*lines, *wrapped(why, width)] if why else lines


def waiting_for(standing: Standing, wall: float, zone: tzinfo | None) -> str | None:
    """Return why it waits and until when; None while it goes on."""
    if standing.stopping is not None:
        return STOPPING.format(reason=standing.stopping)
    if pauses := (standing.pause,) if standing.pause is not None else standing.pauses:
        return "; ".join(_pause_told(pause, wall, zone) for pause in pauses)
    if standing.done >= standing.total or standing.quiet_s < QUIET_S:
        return None
    if standing.parked is not None:
        return _parked_told(standing.parked)
    if not _silent(standing):
        return None
    windows = len(standing.rates) or 1
    cause = "an answer" if windows == 1 else "an answer or for the rate"
    return f"waiting for {cause}; the last news came {span(standing.quiet_s)} ago"


def _pause_told(pause: Pause, wall: float, zone: tzinfo | None) -> str:
    resumes = moment(wall + pause.left_s, wall, zone)
    who = f"account {pause.account} " if pause.account else ""
    return f"{who}paused {span(pause.left_s)}: {pause.reason}, resumes {resumes}"


def _silent(standing: Standing) -> bool:
    """Tell whether nothing has moved for longer than the pace of a single window explains."""
    turn_s = max((rate.period_s / rate.calls for rate in standing.rates), default=0.0)
    return standing.pause is None and standing.parked is None and standing.quiet_s >= SILENT_S + turn_s


def _parked_told(parked: Parked) -> str:
    count = sum(parked.by_reason.values())
    told = [f"{number:,} {IN_PARKED.get(reason, reason)}" for reason, number in parked.by_reason.items()]
    each = told[0].removeprefix(f"{count:,} ") if len(told) == 1 else f"({', '.join(told)})"
    return f"waiting for {counted(count, 'item')} {each}; the next goes on in {span(parked.next_s)}"


def _pace(standing: Standing) -> Iterator[str]:
    """Yield the rate now against its limit, and how long the rest takes.

    A pause has no rate, and nobody knows when a silent server will answer.
    """
    if standing.pause is None:
        now, own = speed(standing.rate_per_s, standing.rates), standing.limits
        limits = [_limit_told(standing.limit)] if standing.limit else []
        limits += [f"{one.account} {_limit_told(one)}" for one in own]
        yield f"{now} of {', '.join(limits)}" if limits else now
    if standing.left_s is not None and not _silent(standing):
        yield f"{roughly(standing.left_s)} left"


def _limit_told(limit: RateSet) -> str:
    whole = " and ".join(map(rate_text, limit.rates))
    if limit.adapted_per_s is None:
        return whole
    return f"{speed(limit.adapted_per_s, limit.rates)} (slowed down from {whole})"


def _statuses_told(standing: Standing) -> list[str]:
    told = ", ".join(f"{count:,} {status}" for status, count in standing.statuses)
    return [told] if told else []


def _bar(standing: Standing, room: int) -> list[str]:
    """Return a bar if there is room for one."""
    inside = min(room, BAR_MOST) - 2
    if inside + 2 < BAR_LEAST:
        return []
    filled = min(inside, inside * standing.done // standing.total) if standing.total else inside
    return [f"[{'#' * filled}{'.' * (inside - filled)}]"]


def packed(parts: Iterable[str], separator: str, width: int) -> list[str]:
    """Return parts on as few lines as they need; a line breaks between two of them where it can."""
    lines: list[str] = []
    for piece in chain.from_iterable(wrapped(part, width) for part in parts):
        longer = f"{lines[-1]}{separator}{piece}" if lines else piece
        if lines and len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(piece)
    return lines


def wrapped(text: str, width: int | None, hang: int = 0) -> list[str]:
    """Return a text in lines that break between words; without a width in one."""
    if width is None:
        return [text]
    return textwrap.wrap(
        text,
        max(width, hang + 20),
        subsequent_indent=" " * hang,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
