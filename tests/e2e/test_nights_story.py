"""Nightly collection as an operator lives it: three nights, a month to catch up with, files that agree."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal, localcontext
from http import HTTPStatus
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bulkip.simulator import EmbeddedSimulator, Fault, Seed, Simulator, SimulatorSettings
from tests.program import Ended, bulkip
from tests.trafficnight import csv_sums, item_sums, jsonl_sums, parquet_sums

LONG = os.environ.get("BULKIP_CHAOS") == "1"
COUNT = 5_000 if LONG else 60
DAYS = 30 if LONG else 4
PATIENCE_S = 3_600 if LONG else 120
ZONE = ZoneInfo("Europe/Amsterdam")
FIRST = date(2026, 3, 27)  # the clocks change in the night to the 29th: a day of 23 hours
FORMS = ("parquet", "traffic-csv", "traffic-jsonl", "jsonl", "html")
JOB = """version: 1
name: nightly
timezone: Europe/Amsterdam
limits: {{rate: 2000/s, concurrency: 16}}
retry: {{base: 1ms}}
api: {{url: "{url}"}}
targets: [{{text: ips.txt}}]
actions: [{{action: get_traffic, period: yesterday}}]
reports:
"""
Sums = dict[str, Decimal]


def address(number: int) -> str:
    """Return one of the addresses, from 0."""
    return f"198.18.{number // 250}.{number % 250 + 1}"


@pytest.fixture
def api() -> Iterator[Simulator]:
    """Return a provider of which one call in twenty fails."""
    faults = (Fault(action="get_traffic", status=503, probability=0.05),)
    seeds = [Seed(address(number)) for number in range(COUNT)]
    with localcontext(Context(prec=60)), EmbeddedSimulator(seeds, SimulatorSettings(faults=faults)) as api:
        yield api


@pytest.mark.timeout(PATIENCE_S)
def test_three_nights_and_a_month_agree_to_the_last_digit(tmp_path: Path, api: Simulator) -> None:
    """Each file of each day adds up to what the provider holds, and no day is pulled twice."""
    lines = [f"  - {form}=traffic/{{{{ period.start | date('%Y/%m/%d') }}}}.{form}\n" for form in FORMS]
    (tmp_path / "job.yaml").write_text(JOB.format(url=api.url) + "".join(lines))
    (tmp_path / "ips.txt").write_text("".join(f"{address(number)}\n" for number in range(COUNT)))
    days = [FIRST + timedelta(days=one) for one in range(DAYS)]

    for day in days[:3]:  # cron, in the morning after
        assert done(tmp_path, "--as-of", f"{day + timedelta(days=1)}T03:15").code == 0
    nights = {path: path.read_bytes() for path in (tmp_path / "traffic").rglob("*.*")}
    caught_up = done(tmp_path, "--backfill", f"{days[0]}..{days[-1]}")

    assert caught_up.code == 0, caught_up.err
    assert {path: path.read_bytes() for path in nights} == nights
    assert [sums_of(tmp_path, day) for day in days] == [[held(api, day)] * len(FORMS) for day in days]
    answered = (one for one in api.log.entries("get_traffic") if one.status == HTTPStatus.OK)
    times = Counter((one.ip, one.form["period_start"]) for one in answered)
    assert set(times.values()) == {1}
    assert LONG or len(times) == COUNT * DAYS  # the log of a provider keeps its last 20,000 calls


def done(folder: Path, *options: str) -> Ended:
    """Run the job as cron does."""
    token = {"HOSTKEY_TOKEN": "simulated"}
    return bulkip("run", "job.yaml", "-q", *options, cwd=folder, env=token, patience_s=PATIENCE_S)


def sums_of(folder: Path, day: date) -> list[Sums]:
    """Return the totals of each file of a day."""
    place = folder / "traffic" / f"{day:%Y/%m/%d}"
    readers = (parquet_sums, csv_sums, jsonl_sums, item_sums, page_sums)
    return [read(Path(f"{place}.{form}")) for read, form in zip(readers, FORMS, strict=True)]


def page_sums(path: Path) -> Sums:
    """Return the totals that a page shows."""
    page = path.read_text()
    found = {
        side: re.findall(rf'class="[^"]*total-{side}[^"]*"[^>]*>\s*([0-9.,]+)', page)
        for side in ("in", "out")
    }
    return {side: Decimal(text.replace(",", "")) for side, (text,) in found.items()}


def held(api: Simulator, day: date) -> Sums:
    """Return what the provider holds of a day in Amsterdam."""
    start, stop = (
        int(datetime.combine(one, time(), ZONE).astimezone(UTC).timestamp())
        for one in (day, day + timedelta(days=1))
    )
    points = [point for n in range(COUNT) for point in api.state.traffic_of(address(n), start, stop)]
    inbound, outbound = sum(one.inbound for one in points), sum(one.outbound for one in points)
    return {"in": Decimal(inbound) / 100, "out": Decimal(outbound) / 100}
