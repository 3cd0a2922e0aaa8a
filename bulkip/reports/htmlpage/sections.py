"""What stands in the page without any script: heading, tiles, errors, proofs, traffic, the first rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from bulkip.model import JsonValue, Status
from bulkip.reports.htmlpage.blocks import MOST_CALLS, MOST_ROWS
from bulkip.reports.htmlpage.identity import commands_of, facts_of, kind_of, verdict_of
from bulkip.reports.htmlpage.marks import FINE, MARKS, Mark
from bulkip.reports.htmlpage.overview import Overview, Told
from bulkip.reports.htmlpage.pace import QUANTILES, Latency
from bulkip.reports.htmlpage.talkers import MOST_PERIODS, MOST_TALKERS, exact, kind_text, period_text
from bulkip.reports.text import told_of
from bulkip.store import CallFigures

FIRST_ROWS = 50
BAR, THINNEST = 1000.0, 6.0
WHOLE = 100
SHORT_MS, LONG_MS = 10, 10_000


@dataclass(frozen=True, slots=True)
class Tile:
    """The items at one status; `left` and `width` place them in the bar, in thousandths."""

    status: Status
    mark: Mark
    count: int
    share: str
    left: float
    width: float


def context(
    figures: CallFigures, overview: Overview, latency: Latency, first: list[Told]
) -> dict[str, object]:
    """Return everything that the template shows."""
    header = figures.header()
    calls, _ = figures.pace()
    return {
        "header": header,
        "kind": kind_of(header, overview),
        "verdict": verdict_of(figures, overview),
        "facts": [*facts_of(figures, header)],
        "commands": [*commands_of(figures, overview)],
        "overview": overview,
        "fine": sum(count for status, count in overview.statuses.items() if status in FINE),
        "tiles": tiles(overview),
        "troubles": overview.troubles_by_weight(),
        "quantiles": [(f"{share * WHOLE:.0f} %", span_text(ms)) for share, ms in
                      zip(QUANTILES, latency.quantiles_ms, strict=True)],
        "latency": latency,
        "calls": calls,
        "traffic": traffic(overview),
        "columns": [*columns(overview, is_check=header.is_check)],
        "first": [(told.row, MARKS[Status(str(told.row["status"]))], told_of(told.row)) for told in first],
        "notes": [*notes(overview, calls)],
    }  # fmt: skip


def first_of(items: Iterator[Told]) -> list[Told]:
    """Return the items that a reader without scripts sees."""
    return [*islice(items, FIRST_ROWS)]


def tiles(overview: Overview) -> list[Tile]:
    """Return a tile for each status that there is, with its place in the bar; none is too thin to be seen."""
    counts = [(status, overview.statuses[status]) for status in MARKS if overview.statuses[status]]
    widths = [max(THINNEST, BAR * count / overview.total) for _, count in counts]
    scale, left, made = BAR / (sum(widths) or BAR), 0.0, []
    for (status, count), width in zip(counts, widths, strict=True):
        share = share_text(count, overview.total)
        made.append(Tile(status, MARKS[status], count, share, round(left, 1), round(width * scale, 1)))
        left += width * scale
    return made


def share_text(count: int, total: int) -> str:
    """Return a share that is 0 % or 100 % only when it really is."""
    percent = WHOLE * count / total
    if count == total or percent == round(percent):
        return f"{percent:.0f} %"
    return f"{min(max(percent, 0.1), 99.9):.1f} %"


def columns(overview: Overview, *, is_check: bool) -> Iterator[tuple[str, str, str]]:
    """Yield the columns of the table of items: id, heading, and `number` where figures stand to the right."""
    yield "ip", "Address", ""
    if len(overview.actions) > 1:
        yield "action", "Action", ""
    yield "status", "Status", ""
    if overview.names:
        label = "Found → expected" if is_check else "Before → after"
        yield "names", f"{label}, or answer" if overview.answers else label, ""
    if overview.is_proved:
        yield "verified", "Verified", ""
    if overview.talkers.periods:
        yield "in", "In, GB", "number"
        yield "out", "Out, GB", "number"
    if overview.answers and not overview.names:
        yield "answer", "Answer", ""
    yield "message", "Message", ""
    yield "attempts", "Attempts", "number"
    yield "ms", "Took", "number"


def traffic(overview: Overview) -> JsonValue:
    """Return totals by period and the top talkers; None for a run without traffic."""
    talkers = overview.talkers
    if not talkers.periods:
        return None
    top = talkers.top()
    most = max((float(amount.both) for _, amount in top), default=0.0) or 1.0
    return {
        "periods": [
            {
                "period": period_text(key),
                "kind": kind_text(key),
                "items": totals.items,
                "silent": totals.silent,
                "in": exact(totals.amount.inbound),
                "out": exact(totals.amount.outbound),
                "both": exact(totals.amount.both),
            }
            for key, totals in sorted(talkers.periods.items())
        ],
        "talkers": [
            {
                "ip": ip,
                "in": exact(amount.inbound),
                "out": exact(amount.outbound),
                "both": exact(amount.both),
                "share": round(WHOLE * float(amount.both) / most, 1),
            }
            for ip, amount in top
        ],
        "addresses": len(talkers.by_address),
        "drawn": len(talkers.drawn()),
        "is_cut": len(talkers.periods) >= MOST_PERIODS or len(talkers.by_address) >= MOST_TALKERS,
    }


def notes(overview: Overview, calls: int) -> Iterator[str]:
    """Yield what this page leaves out, and where it is."""
    if overview.total > MOST_ROWS:
        yield (
            f"The table holds {MOST_ROWS:,} of {overview.total:,} items, those to look at first; "
            "the counts above are of all. Every row is in the csv and jsonl reports."
        )
    if calls > MOST_CALLS:
        yield (
            f"Of {calls:,} calls, the page holds those of items that did not go smoothly, "
            f"about {MOST_CALLS:,} at most; "
            "`bulkip explain RUN ADDRESS` shows every one, and so does the attempts report."
        )


def span_text(milliseconds: float) -> str:
    """Return a duration in the unit that suits it."""
    if milliseconds >= LONG_MS:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds:,.0f} ms" if milliseconds >= SHORT_MS else f"{milliseconds:.1f} ms"
