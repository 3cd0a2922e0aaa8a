"""A night of traffic on disk: addresses with awkward figures, and how the files of them are read."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import duckdb
from anyio import run

from bulkip.exactjson import exact_value
from bulkip.model import ErrorClass, Item, JsonValue, Result, Status
from bulkip.store import RunHeader, open_writer
from tests.storedruns import HEADER, SENT_AT, attempt, frozen, item, outcome, settle

START, STOP = 1_788_213_600, 1_788_300_000  # 2026-09-01 in Amsterdam
TINY = "0.00000000000000000000000001"
HUGE = "123456789012.12345678901234567890123456"
HOURS = exact_value(
    '{"traffic": ['
    f'{{"timestamp": "2026-09-01T03:00:00+02:00", "in": 0.10, "out": {TINY}}},'
    f'{{"timestamp": 1788213600, "in": {HUGE}, "out": 0}},'
    '{"timestamp": "2026-09-01 12:30:00", "in": 0.20, "out": 7.000}]}'
)
TOTAL = exact_value('{"in": 1.250, "out": 3}')
NONE: JsonValue = {"in": None, "out": None}
SUMS = {
    "in": Decimal("123456789013.67345678901234567890123456"),
    "out": Decimal("10.00000000000000000000000001"),
}
SIDES = ("in", "out")
JOB = "traffic-night"


def traffic_item(number: int, *, summary: bool = False, start: int = START) -> Item:
    """Return a read of the traffic of one address."""
    one = item(number)
    form = {"ip": str(one.ip), "period_start": str(start), "period_stop": str(start + STOP - START)}
    return replace(one, action="get_traffic", form={**form, "summary": str(int(summary)), "unbilled": "0"})


def night(folder: Path, header: RunHeader = HEADER, *, code: int = 0) -> Path:
    """Store a night in a folder: hours, a total, no traffic, and an address that failed."""
    plan = [traffic_item(1), traffic_item(2, summary=True), traffic_item(3), traffic_item(4)]
    frozen(folder, plan, replace(header, job_name=JOB))
    run(_carried_out, folder, plan, code)
    return folder


async def _carried_out(folder: Path, plan: list[Item], code: int) -> None:
    hourly, total, silent, lost = plan
    async with open_writer(folder) as writer:
        start = await writer.begin_start(SENT_AT)
        for one in plan:
            await writer.record_attempt(attempt(one.number), outcome())
        await settle(writer, hourly, Result(Status.OK, value=HOURS))
        await settle(writer, total, Result(Status.OK, value=TOTAL))
        await settle(writer, silent, Result(Status.OK, value=NONE, empty=True))
        await settle(writer, lost, Result(Status.FAILED, ErrorClass.SERVER))
        await writer.end_start(start, SENT_AT + 9, code, None)


def parquet_sums(path: Path) -> dict[str, Decimal]:
    """Return the totals of a Parquet file."""
    with duckdb.connect() as database:
        row = database.execute("SELECT SUM(in_gb), SUM(out_gb) FROM read_parquet(?)", [str(path)]).fetchone()
    assert row is not None
    return {"in": row[0], "out": row[1]}


def jsonl_sums(path: Path) -> dict[str, Decimal]:
    """Return the totals of figures as JSON lines."""
    rows = [json.loads(line, parse_float=Decimal) for line in path.read_text().splitlines()]
    return {side: sum((row[f"{side}_gb"] or Decimal(0) for row in rows), Decimal(0)) for side in SIDES}


def csv_sums(path: Path) -> dict[str, Decimal]:
    """Return the totals of figures as CSV."""
    rows = [line.split(",") for line in path.read_text().splitlines()[1:]]
    columns = zip(SIDES, (2, 3), strict=True)
    return {side: sum((Decimal(row[place] or 0) for row in rows), Decimal(0)) for side, place in columns}


def item_sums(path: Path) -> dict[str, Decimal]:
    """Return the totals of what the rows of items hold as data."""
    sums = {"in": Decimal(0), "out": Decimal(0)}
    for line in path.read_text().splitlines():
        value = json.loads(line, parse_float=Decimal)["data"] or {}
        for point in value.get("traffic", [value]):
            for side in sums:
                sums[side] += point.get(side) or 0
    return sums
