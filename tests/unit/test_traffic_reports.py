"""What the files of figures hold: one row per address and moment, to the last digit, the same each time."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from decimal import Context, Decimal, localcontext
from pathlib import Path

import duckdb
import pytest
from anyio import run

from bulkip.errors import UsageError
from bulkip.model import JsonValue, Result, Status
from bulkip.policy import ReportSpec
from bulkip.reports import FORMATS
from bulkip.reports.extras import check_format, check_is_file
from bulkip.reports.parquet import TYPES
from bulkip.reports.rendering import render
from bulkip.reports.tidy import COLUMNS
from bulkip.store import RunReader, open_writer
from tests.storedruns import HEADER, SENT_AT, frozen, settle
from tests.trafficnight import (
    HUGE,
    JOB,
    SUMS,
    TINY,
    csv_sums,
    item_sums,
    jsonl_sums,
    night,
    parquet_sums,
    traffic_item,
)  # fmt: skip

RUN = HEADER.id
PERIOD = "2026-08-31T22:00:00Z,2026-09-01T22:00:00Z"


@pytest.fixture(autouse=True)
def _many_digits() -> Iterator[None]:
    """Add up without rounding: the usual precision is 28 digits."""
    with localcontext(Context(prec=60)):
        yield


def report(folder: Path, form: str) -> str:
    """Render a report of a run."""
    with RunReader(folder) as reader:
        return "".join(FORMATS[form](reader))


def written(folder: Path, form: str, path: Path) -> Path:
    """Write a report of a run into a file."""
    render(ReportSpec(form, str(path)), lambda: RunReader(folder))
    return path


def test_figures_stand_in_plan_order_and_by_time(tmp_path: Path) -> None:
    """Every row has the same columns; a total has no moment, no traffic has no amounts, a failure no row."""
    folder = night(tmp_path)

    assert report(folder, "traffic-csv").splitlines() == [
        "ip,timestamp,in_gb,out_gb,period_start,period_stop,summary,run",
        f"203.0.0.1,2026-08-31T22:00:00Z,{HUGE},0,{PERIOD},false,{RUN}",
        f"203.0.0.1,2026-09-01T01:00:00Z,0.10,{TINY},{PERIOD},false,{RUN}",
        f"203.0.0.1,2026-09-01T12:30:00Z,0.20,7.000,{PERIOD},false,{RUN}",
        f"203.0.0.2,,1.250,3,{PERIOD},true,{RUN}",
        f"203.0.0.3,,,,{PERIOD},false,{RUN}",
    ]


def test_json_lines_have_the_digits_of_the_server(tmp_path: Path) -> None:
    """Amounts are numbers, not text, and no digit is rounded."""
    lines = report(night(tmp_path), "traffic-jsonl").splitlines()

    assert f'"in_gb":{HUGE},"out_gb":0,' in lines[0]
    assert '"timestamp":null,"in_gb":1.250,"out_gb":3,' in lines[3]
    assert '"in_gb":null,"out_gb":null,' in lines[4]


def test_totals_of_all_files_are_equal_to_the_last_digit(tmp_path: Path) -> None:
    """Whatever file a reader takes, the sums are the same."""
    folder = night(tmp_path)

    sums = [
        parquet_sums(written(folder, "parquet", tmp_path / "n.parquet")),
        csv_sums(written(folder, "traffic-csv", tmp_path / "n.csv")),
        jsonl_sums(written(folder, "traffic-jsonl", tmp_path / "n.jsonl")),
        item_sums(written(folder, "jsonl", tmp_path / "rows.jsonl")),
    ]

    assert sums == [SUMS] * 4


@pytest.mark.parametrize("summary", [True, False])
def test_one_row_with_a_time_is_a_total_only_where_one_was_asked_for(
    tmp_path: Path, *, summary: bool
) -> None:
    """A server that stamps its total gives a total; one hour of an hourly read stays an hour."""
    one = traffic_item(1, summary=summary)
    frozen(tmp_path, [one])

    async def settled() -> None:
        async with open_writer(tmp_path) as writer:
            await writer.begin_start(SENT_AT)
            value: JsonValue = {"traffic": [{"timestamp": 1788213600, "in": Decimal(1), "out": Decimal(2)}]}
            await settle(writer, one, Result(Status.OK, value=value))

    run(settled)

    moment, flag = ("", "true") if summary else ("2026-08-31T22:00:00Z", "false")
    assert report(tmp_path, "traffic-csv").splitlines()[1] == f"203.0.0.1,{moment},1,2,{PERIOD},{flag},{RUN}"


def test_parquet_keeps_types_and_all_digits(tmp_path: Path) -> None:
    """Amounts are decimals of 26 places, times UTC; what a reader computes with is what the server wrote."""
    path = written(night(tmp_path), "parquet", tmp_path / "night.parquet")

    with duckdb.connect() as database:
        database.execute("CREATE TABLE night AS SELECT * FROM read_parquet(?)", [str(path)])
        columns = {name: kind for name, kind, *_ in database.execute("DESCRIBE night").fetchall()}
        rows = database.execute("SELECT ip, in_gb, strftime(timestamp, '%c'), summary FROM night").fetchall()
    assert columns == {name: kind.replace(" ", "") for name, kind in TYPES.items()}
    assert tuple(columns) == COLUMNS
    assert rows[0] == ("203.0.0.1", Decimal(HUGE), "2026-08-31 22:00:00", False)
    assert rows[3:] == [("203.0.0.2", Decimal("1.25"), None, True), ("203.0.0.3", None, None, False)]


def test_one_run_gives_the_same_bytes_each_time(tmp_path: Path) -> None:
    """A file that did not change is not copied anew by whoever mirrors it."""
    folder = night(tmp_path)

    first = written(folder, "parquet", tmp_path / "1.parquet").read_bytes()

    assert written(folder, "parquet", tmp_path / "2.parquet").read_bytes() == first


def test_parquet_goes_to_any_folder_and_is_private(tmp_path: Path) -> None:
    """Quotes and signs of patterns in a name are letters like others; nothing unfinished stays behind."""
    folder = night(tmp_path / "run")
    place = tmp_path / "it's [a-z] *?"
    place.mkdir()

    path = written(folder, "parquet", place / "n'.parquet")

    assert list(place.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o600


def test_parquet_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    """What was there stays there, whole, until the new file is."""
    path = tmp_path / "night.parquet"
    path.write_text("old")

    with pytest.raises(KeyError):
        written(night_without_period(tmp_path / "broken"), "parquet", path)

    assert path.read_text() == "old"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["broken", "night.parquet"]


def night_without_period(folder: Path) -> Path:
    """Store a read whose form no version of ours has written."""
    one = replace(traffic_item(1), form={"ip": "203.0.0.1"})
    frozen(folder, [one])

    async def settled() -> None:
        async with open_writer(folder) as writer:
            await writer.begin_start(SENT_AT)
            await settle(writer, one, Result(Status.OK, value={"in": 1, "out": 1}))

    run(settled)
    return folder


def metrics(folder: Path) -> dict[str, str]:
    """Return the samples of a run by name and labels."""
    lines = report(folder, "prometheus").splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


def test_metrics_are_labelled_with_the_job(tmp_path: Path) -> None:
    """A monitoring system gets times, counts and amounts of the run; no traffic has no sample."""
    samples = metrics(night(tmp_path))

    job = f'job="{JOB}"'
    assert all(job in name for name in samples)
    assert float(samples[f"bulkip_last_success_timestamp_seconds{{{job}}}"]) == SENT_AT + 9
    assert float(samples[f"bulkip_run_duration_seconds{{{job}}}"]) == 9
    assert samples[f'bulkip_items{{{job},status="ok"}}'] == "3.0"
    assert samples[f'bulkip_traffic_gb{{direction="out",ip="203.0.0.1",{job}}}'] == "7.0"
    assert samples[f'bulkip_traffic_total_gb{{direction="out",{job}}}'] == "10.0"
    assert not [name for name in samples if "203.0.0.3" in name]


def test_last_success_survives_a_night_that_failed(tmp_path: Path) -> None:
    """When the newest run failed, the metric says when the one before succeeded; a rehearsal never counts."""
    night(tmp_path / "1")
    night(tmp_path / "2", replace(HEADER, simulated=True))
    failed = night(tmp_path / "3", code=3)

    samples = metrics(failed)
    assert float(samples[f'bulkip_last_success_timestamp_seconds{{job="{JOB}"}}']) == SENT_AT + 9
    assert samples[f'bulkip_run_exit_code{{job="{JOB}"}}'] == "3.0"


def test_job_that_never_succeeded_says_nothing_of_success(tmp_path: Path) -> None:
    """There is no moment to tell, so there is no sample; rehearsals and other jobs prove nothing."""
    night(tmp_path / "1", replace(HEADER, simulated=True))
    failed = night(tmp_path / "2", code=6)

    assert "\nbulkip_last_success" not in report(failed, "prometheus")


@pytest.mark.parametrize(
    ("form", "package", "extra"),
    [("parquet", "duckdb", "parquet"), ("prometheus", "prometheus_client", "metrics")],
)
def test_missing_package_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, form: str, package: str, extra: str
) -> None:
    """Who lacks a package reads what to install, in one line."""
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(UsageError, match=rf"{package} is not installed; pip install 'bulkip\[{extra}\]'"):
        check_format(ReportSpec(form, "x"))


@pytest.mark.parametrize("path", ["-", "/dev/stdout", "/dev/null"])
def test_binary_report_needs_a_file(path: str) -> None:
    """A terminal or a pipe gets no Parquet."""
    with pytest.raises(UsageError, match="write parquet=PATH"):
        check_is_file(ReportSpec("parquet", path))
