"""Which figures did a traffic run bring? One row per address and moment, all of one shape."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from bulkip.exactjson import exact_value
from bulkip.model import JsonValue, Status
from bulkip.store import COLLECTED_BY, RunReader, StoredRow

TRAFFIC = "get_traffic"


@dataclass(frozen=True, slots=True)
class TrafficRow:
    """The traffic of an address at a moment, or in its whole period when `timestamp` is None.

    The amounts are what the server wrote, in its GB; None where it saw no
    traffic, which is not the same as 0. All times are UTC. `run` is the run
    that asked for the figures.
    """

    ip: str
    timestamp: datetime | None
    in_gb: int | Decimal | None
    out_gb: int | Decimal | None
    period_start: datetime
    period_stop: datetime
    summary: bool
    run: str


COLUMNS = tuple(TrafficRow.__slots__)
"""The columns of every file of figures, in their order."""


def traffic_rows(reader: RunReader) -> Iterator[TrafficRow]:
    """Yield every figure that the reads of a run brought, in plan order, those of an address by time.

    An address without traffic has one row without amounts. What was not
    answered has no row here: the reports of items tell of it.
    """
    own = reader.header().id
    for row in reader.rows():
        if row["action"] == TRAFFIC and row["status"] == Status.OK and row["ip"] is not None:
            yield from _rows_of(row, own)


def run_of(row: StoredRow, own: str) -> str:
    """Return the run that asked for the figures of an item; `own` is the run whose item it is."""
    note = row["note"] or ""
    return note.removeprefix(COLLECTED_BY) if note.startswith(COLLECTED_BY) else own


def utc_text(moment: datetime) -> str:
    """Return a moment of a row, which is in UTC, as ISO 8601: `2026-09-01T00:00:00Z`."""
    return moment.isoformat().removesuffix("+00:00") + "Z"


def _rows_of(row: StoredRow, own: str) -> Iterator[TrafficRow]:
    form = json.loads(row["form"])
    start, stop = (datetime.fromtimestamp(int(form[name]), UTC) for name in ("period_start", "period_stop"))
    asked_for_total, run = form.get("summary") == "1", run_of(row, own)
    value = None if row["value"] is None else exact_value(row["value"])
    for timestamp, amounts, summary in _readings(value, asked_for_total=asked_for_total):
        inbound, outbound = _amount(amounts.get("in")), _amount(amounts.get("out"))
        yield TrafficRow(row["ip"], timestamp, inbound, outbound, start, stop, summary, run)


_Reading = tuple[datetime | None, Mapping[str, JsonValue], bool]


def _readings(value: JsonValue, *, asked_for_total: bool) -> Iterator[_Reading]:
    """Yield moment, amounts and whether they are a total; a total has no moment, but all of its period."""
    match value:
        case {"traffic": [dict(total)]} if asked_for_total:
            yield None, total, True
        case {"traffic": [*points]} if points:
            moments = [(_moment(point["timestamp"]), point) for point in points if isinstance(point, dict)]
            for moment, point in sorted(moments, key=lambda pair: pair[0]):
                yield moment, point, False
        case {"in": inbound, "out": outbound} if inbound is not None:
            yield None, {"in": inbound, "out": outbound}, True
        case _:
            yield None, {}, asked_for_total


def _moment(value: JsonValue) -> datetime:
    """Return a time that the server wrote, in UTC; a text without a zone is taken as UTC."""
    if isinstance(value, int):
        return datetime.fromtimestamp(value, UTC)
    moment = datetime.fromisoformat(str(value))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _amount(value: JsonValue) -> int | Decimal | None:
    return value if isinstance(value, int | Decimal) else None
