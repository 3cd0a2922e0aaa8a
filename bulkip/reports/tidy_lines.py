"""The figures of a traffic run as text: CSV for spreadsheets, JSON lines for programs."""

import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from bulkip.exactjson import digits_of
from bulkip.model import JsonValue
from bulkip.reports.tidy import COLUMNS, TrafficRow, traffic_rows, utc_text
from bulkip.store import RunReader


def traffic_csv_lines(reader: RunReader) -> Iterator[str]:
    """Yield a header and a line per figure; no cell is text from outside, so none needs a quote."""
    yield ",".join(COLUMNS) + "\n"
    for row in traffic_rows(reader):
        yield ",".join(_cell(value) for value in _fields(row).values()) + "\n"


def traffic_jsonl_lines(reader: RunReader) -> Iterator[str]:
    """Yield each figure as one line of JSON."""
    for row in traffic_rows(reader):
        cells = (f'"{name}":{_json(value)}' for name, value in _fields(row).items())
        yield "{" + ",".join(cells) + "}\n"


def _fields(row: TrafficRow) -> dict[str, JsonValue]:
    return {name: _shown(getattr(row, name)) for name in COLUMNS}


def _shown(value: str | datetime | Decimal | int | None) -> JsonValue:
    return utc_text(value) if isinstance(value, datetime) else value


def _json(value: JsonValue) -> str:
    return digits_of(value) if isinstance(value, Decimal) else json.dumps(value)


def _cell(value: JsonValue) -> str:
    match value:
        case None:
            return ""
        case Decimal():
            return digits_of(value)
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)
