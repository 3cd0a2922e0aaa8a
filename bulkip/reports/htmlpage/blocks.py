"""What the page's scripts work with, as blocks of JSON: facts, rows, time stamps, calls."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from bulkip.model import ErrorClass, JsonValue, Purpose
from bulkip.reports.htmlpage.cells import COLUMNS, WORDS, cells, course_of
from bulkip.reports.htmlpage.embedded import embedded
from bulkip.reports.htmlpage.marks import MARKS
from bulkip.reports.htmlpage.overview import Overview, Told
from bulkip.reports.htmlpage.pace import EDGES_MS, Latency, rates_of, timelines
from bulkip.store import CallFigures, StoredRow
from bulkip.wire import VerdictKind

MOST_ROWS = 50_000
"""So many items have a row in the page; those that somebody should look at come first."""
MOST_CALLS = 50_000
_PURPOSES = {one.value: place for place, one in enumerate(Purpose)}
_OUTCOMES = {one.value: place for place, one in enumerate(VerdictKind)}
_CLASSES = {one.value: place for place, one in enumerate(ErrorClass)}

Places = dict[tuple[int, ...], int]


def facts_block(figures: CallFigures, overview: Overview, latency: Latency, explain: str) -> JsonValue:
    """Return what the scripts must know besides the rows; `explain` is the command for one address."""
    purposes: list[JsonValue] = [*_PURPOSES]
    outcomes: list[JsonValue] = [*_OUTCOMES]
    return {
        "columns": [*COLUMNS],
        **WORDS,
        "purpose": purposes,
        "outcome": outcomes,
        "marks": {status.value: [mark.sign, mark.tone] for status, mark in MARKS.items()},
        "explain": explain,
        "wanted": "expected" if figures.header().is_check else "wanted",
        "base": base_of(figures),
        "rates": [[text, per_s] for text, per_s in rates_of(figures.header().settings)],
        "timelines": timelines(figures),
        "latency": {"edges": [*EDGES_MS], "counts": [*latency.counts]},
        "course": overview.talkers.course_of_all(),
    }


def base_of(figures: CallFigures) -> int:
    """Return the Unix second from which the calls are counted."""
    start = figures.header().created_at
    return int(start)


def chosen(items: Iterable[Told], overview: Overview, most: int = MOST_ROWS) -> Iterator[Told]:
    """Yield the items that get a row: all, or when there are too many the first fine ones less."""
    fine_left = max(0, most - overview.not_fine)
    unfine_left = most - fine_left
    for told in items:
        if not fine_left and not unfine_left:
            return
        if told.is_fine and fine_left:
            fine_left -= 1
            yield told
        elif not told.is_fine and unfine_left:
            unfine_left -= 1
            yield told


def row_lines(items: Iterable[Told], overview: Overview, base: int, places: Places) -> Iterator[str]:
    """Yield the cells of the items as a JSON list; what is drawn of them adds its time stamps to `places`."""
    drawn = overview.talkers.drawn()
    yield from listed(
        cells(told, base, course_of(told.traffic, places) if told.traffic and told.number in drawn else None)
        for told in chosen(items, overview)
    )


def stamp_lines(places: Places) -> Iterator[str]:
    """Yield the lists of time stamps, once the rows are through."""
    yield from listed([*seconds] for seconds in places)


def call_lines(figures: CallFigures, base: int, most: int = MOST_CALLS) -> Iterator[str]:
    """Yield [item, calls] of each item; only of rough ones when the page cannot take all."""
    calls, _ = figures.pace()
    kept = _bounded(figures.calls_by_item(rough=calls > most), most)
    yield from listed(
        [item, [_call(one, base) for one in group]]
        for item, group in groupby(kept, key=lambda one: one["item"])
    )


def listed(values: Iterable[JsonValue]) -> Iterator[str]:
    """Yield values as the pieces of one JSON list."""
    before = "["
    for value in values:
        yield before + embedded(value)
        before = ",\n"
    yield "[]" if before == "[" else "]"


def _bounded(calls: Iterator[StoredRow], most: int) -> Iterator[StoredRow]:
    """Yield so many calls, and the rest of the item that is reached then."""
    for count, call in enumerate(calls):
        if count >= most and call["number"] == 1:
            return
        yield call


def _call(call: StoredRow, base: int) -> JsonValue:
    sent, ended = call["sent_at"], call["finished_at"]
    told: list[JsonValue] = [
        _PURPOSES.get(call["purpose"]),
        round((sent - base) * 1000),
        None if ended is None else round((ended - sent) * 1000),
        _OUTCOMES.get(call["outcome"]),
        _CLASSES.get(call["error_class"]),
        call["http_status"],
        call["message"],
    ]
    while told[-1] is None:
        told.pop()
    return told
