"""A night of traffic at a provider that stumbles, and the files it leaves."""

import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Context, Decimal, localcontext
from pathlib import Path

import pytest

from bulkip.simulator import EmbeddedSimulator, Fault, Seed, Simulator, SimulatorSettings
from tests.program import ROOT, Ended, bulkip
from tests.trafficnight import HUGE, START, STOP, csv_sums, item_sums, jsonl_sums, parquet_sums

ADDRESSES = [f"203.0.113.{host}" for host in range(60)]
AWKWARD = ADDRESSES[7]
DAY = "traffic/{{ period.start | date('%Y/%m/%d') }}"
FAULTS = (
    Fault(action="get_traffic", status=503, probability=0.05),
    Fault(
        action="get_traffic",
        ip=AWKWARD,
        body=f'{{"result":"OK","traffic":[{{"timestamp":{START},"in":{HUGE},"out":"0.10"}}]}}',
    ),
)
HEAD = """version: 1
name: night
timezone: Europe/Amsterdam
limits: {{rate: 1000/s, concurrency: 8}}
retry: {{base: 1ms}}
api: {{url: "{url}"}}
targets: [{targets}]
"""


@pytest.fixture(autouse=True)
def _many_digits() -> Iterator[None]:
    """Add up without rounding: the usual precision is 28 digits."""
    with localcontext(Context(prec=60)):
        yield


@pytest.fixture(scope="module")
def api() -> Iterator[Simulator]:
    """Return a provider of which one call in twenty fails, and one address has awkward figures."""
    with EmbeddedSimulator([Seed(ip) for ip in ADDRESSES], SimulatorSettings(faults=FAULTS)) as simulator:
        yield simulator


class Night:
    """The folder of an operator with a job for one night."""

    def __init__(self, folder: Path, api: Simulator) -> None:
        self.folder, self._api = folder, api

    def job(self, reports: str, *, period: str = "2026-09-01", targets: str = "203.0.113.0/28") -> None:
        """Write the job with these reports."""
        head = HEAD.format(url=self._api.url, targets=targets)
        actions = f"actions: [{{action: get_traffic, period: '{period}'}}]\n"
        (self.folder / "job.yaml").write_text(f"{head}{actions}reports:\n{reports}")

    def do(self, *arguments: str) -> Ended:
        """Run the program there."""
        return bulkip(*arguments, cwd=self.folder, env={"HOSTKEY_TOKEN": "simulated"})

    def calls(self) -> int:
        """Return how many calls the provider has seen."""
        return self._api.state.count("get_traffic")


@pytest.fixture
def night(tmp_path: Path, api: Simulator) -> Night:
    """Return a folder to work in."""
    return Night(tmp_path, api)


def test_totals_of_a_night_are_those_of_the_provider(night: Night, api: Simulator) -> None:
    """Parquet, CSV, JSON lines and the rows of items add up to what the provider holds, to the last digit."""
    reports = [f"{form}={DAY}.{form}" for form in ("parquet", "traffic-csv", "traffic-jsonl", "jsonl")]
    night.job("".join(f"  - {report}\n" for report in reports), targets="203.0.113.0-203.0.113.59")

    ended = night.do("run", "job.yaml")

    assert ended.code == 0, ended.err
    day = night.folder / "traffic/2026/09"
    points = [one for ip in ADDRESSES if ip != AWKWARD for one in api.state.traffic_of(ip, START, STOP)]
    held = {
        "in": Decimal(sum(one.inbound for one in points)) / 100 + Decimal(HUGE),
        "out": Decimal(sum(one.outbound for one in points)) / 100 + Decimal("0.10"),
    }
    assert parquet_sums(day / "01.parquet") == held
    assert csv_sums(day / "01.traffic-csv") == held
    assert jsonl_sums(day / "01.traffic-jsonl") == held
    assert item_sums(day / "01.jsonl") == held


def test_report_of_a_finished_run_goes_where_its_own_went(night: Night) -> None:
    """The path is rendered from the run store, so that it needs no job file and is the same again."""
    night.job("  - json=run.json\n")
    assert night.do("run", "job.yaml").code == 0
    (night.folder / "job.yaml").unlink()

    ended = night.do("report", "last", "-f", f"parquet={DAY}.parquet")

    assert ended.code == 0, ended.err
    assert (night.folder / "traffic/2026/09/01.parquet").stat().st_mode & 0o777 == 0o600


def test_file_that_must_not_be_there_stops_the_run(night: Night) -> None:
    """`on_exists: error` is found before anything is sent, a template or not; no run is left."""
    night.job('  - {format: traffic-csv, path: "{{ period.label }}.csv", on_exists: error}\n')
    (night.folder / "2026-09-01.csv").write_text("mine")
    before = night.calls()

    ended = night.do("run", "job.yaml")

    assert (ended.code, night.calls()) == (2, before)
    assert "2026-09-01.csv: the file exists" in ended.err
    assert (night.folder / "2026-09-01.csv").read_text() == "mine"
    assert [*(night.folder / ".bulkip/runs").iterdir()] == []


def test_file_that_stays_is_told_of(night: Night) -> None:
    """`on_exists: skip` leaves the file as it is, and the recap says so."""
    night.job("  - {format: traffic-csv, path: mine.csv, on_exists: skip}\n  - jsonl=rows.jsonl\n")
    (night.folder / "mine.csv").write_text("mine")

    ended = night.do("run", "job.yaml")

    assert ended.code == 0, ended.err
    assert "mine.csv (traffic-csv), which was there already and stays as it is" in ended.err
    assert (night.folder / "mine.csv").read_text() == "mine"
    assert (night.folder / "rows.jsonl").exists()


def test_command_line_decides_for_all_reports(night: Night) -> None:
    """`--on-exists` stands above what the job says."""
    night.job("  - {format: traffic-csv, path: mine.csv, on_exists: error}\n")
    (night.folder / "mine.csv").write_text("mine")

    ended = night.do("run", "job.yaml", "--on-exists", "replace")

    assert ended.code == 0, ended.err
    assert (night.folder / "mine.csv").read_text().startswith("ip,timestamp,")


def test_file_of_the_run_itself_is_replaced_when_it_goes_on(night: Night) -> None:
    """A run that is resumed may write again what it wrote before, whatever becomes of older files."""
    night.job("  - {format: jsonl, path: rows.jsonl, on_exists: error}\n")
    halted = night.do("run", "job.yaml", "--max-duration", "1ms")
    assert halted.code == 6, halted.err
    assert '"not_run"' in (night.folder / "rows.jsonl").read_text()

    ended = night.do("resume", "--max-duration", "1m")

    assert ended.code == 0, ended.err
    assert '"not_run"' not in (night.folder / "rows.jsonl").read_text()


@pytest.mark.parametrize(
    ("reports", "message"),
    [
        pytest.param("  - parquet\n", "cannot go to stdout; write parquet=PATH", id="stdout"),
        pytest.param(
            "  - jsonl={{ job.name }}.out\n  - csv=night.out\n", "goes there too; give each", id="same-place"
        ),
        pytest.param(
            "  - csv=job.yaml/{{ job.name }}.csv\n", "the folder job.yaml cannot be made", id="folder"
        ),
        pytest.param("  - csv=job.{{ 'yaml' }}\n", "the job reads this file", id="input"),
        pytest.param("  - csv={{ vars.site }}.csv\n", "has no field 'site'", id="variable"),
    ],
)
def test_report_without_a_place_stops_the_run(night: Night, reports: str, message: str) -> None:
    """What cannot be written in the end is told at the beginning, and nothing is sent."""
    night.job(reports)
    before = night.calls()

    ended = night.do("run", "job.yaml")

    assert (ended.code, night.calls()) == (2, before)
    assert message in ended.err


def test_two_periods_cannot_share_a_path(night: Night) -> None:
    """A job whose rows have periods of their own is told both, instead of one file with a wrong name."""
    night.job("  - csv={{ period.label }}.csv\n", period="{{ row.day }}", targets=(
        "{ip: 203.0.113.1, day: 2026-09-01}, {ip: 203.0.113.2, day: 2026-09-02}"
    ))  # fmt: skip

    ended = night.do("run", "job.yaml")

    assert ended.code == 2
    assert "the plan has several: 2026-09-01 and 2026-09-02" in ended.err


@pytest.mark.parametrize(
    ("report", "message"),
    [
        pytest.param("csv={{ period.start | dat('%d') }}.csv", "No filter named 'dat'", id="filter"),
        pytest.param("{format: csv, path: '{{ row.a }}'}", "'row' is not defined here", id="name"),
        pytest.param("{format: csv, pth: a.csv}", "unknown key `pth`; did you mean `path`?", id="key"),
        pytest.param("{format: csv, on_exists: keep}", "`keep` is not known here", id="word"),
        pytest.param("{path: a.csv}", "the key `format` is missing", id="format"),
    ],
)
def test_wrong_report_is_told_with_its_place(night: Night, report: str, message: str) -> None:
    """`bulkip validate` names line and column of a report that no run could write."""
    night.job(f"  - {report}\n")

    ended = night.do("validate", "job.yaml")

    assert ended.code == 2
    assert re.search(rf"^job\.yaml:10:\d+: .*{re.escape(message)}", ended.err, re.MULTILINE), ended.err


def test_plan_without_anything_to_read_needs_no_period(night: Night) -> None:
    """A part of a job that is empty ends with 0, and leaves no file that would be called after no day."""
    night.job(f"  - traffic-csv={DAY}.csv\n")

    ended = night.do("run", "job.yaml", "--limit", "198.51.100.7")

    assert ended.code == 0, ended.err
    assert not (night.folder / "traffic").exists()


def test_variable_that_is_not_there_is_found_by_validate(night: Night) -> None:
    """Whether a variable is there depends on the command line, so it is looked up for each call."""
    night.job("  - csv={{ vars.site }}.csv\n")

    assert night.do("validate", "job.yaml").code == 2
    assert night.do("validate", "job.yaml", "--var", "site=ams").code == 0


def test_package_that_is_missing_stops_the_run(night: Night) -> None:
    """Who lacks the package of a report learns it before the night, not after it."""
    night.job(f"  - parquet={DAY}.parquet\n")
    (night.folder / "sitecustomize.py").write_text("import sys\nsys.modules['duckdb'] = None\n")
    before = night.calls()
    way = {"HOSTKEY_TOKEN": "simulated", "PYTHONPATH": f"{night.folder}:{ROOT}"}

    ended = bulkip("run", "job.yaml", cwd=night.folder, env=way)

    assert (ended.code, night.calls()) == (2, before)
    assert "the package duckdb is not installed; pip install 'bulkip[parquet]'" in ended.err


def test_package_that_cannot_be_loaded_costs_its_report_alone(night: Night) -> None:
    """A broken installation is one report that is told of; the others are written, and the figures kept."""
    night.job(f"  - parquet={DAY}.parquet\n  - prometheus={DAY}.prom\n  - traffic-csv={DAY}.csv\n")
    for package in ("duckdb", "prometheus_client"):
        (night.folder / f"{package}.py").write_text("raise ImportError('GLIBC_2.38 not found')\n")
    way = {"HOSTKEY_TOKEN": "simulated", "PYTHONPATH": f"{night.folder}:{ROOT}"}

    ended = bulkip("run", "job.yaml", cwd=night.folder, env=way)

    assert ended.code == 6, ended.err
    assert "the package duckdb cannot be loaded (GLIBC_2.38 not found)" in ended.err
    assert [path.suffix for path in night.folder.glob("traffic/**/*.*")] == [".csv"]


def test_query_of_the_readme_runs_over_a_month(night: Night) -> None:
    """What a reader copies from the README gives the traffic of a month by address."""
    text = (ROOT / "README.md").read_text("utf-8")
    found = re.search(r"python3 - <<'END'\n(    import duckdb\n.*?)    END\n", text, re.DOTALL)
    assert found is not None
    for day in ("2026-09-01", "2026-09-02"):
        night.job(f"  - parquet={DAY}.parquet\n", period=day)
        assert night.do("run", "job.yaml").code == 0

    program = re.sub(r"^ {4}", "", found[1], flags=re.MULTILINE)
    done = subprocess.run(
        [sys.executable, "-"], input=program, cwd=night.folder, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "silent_days" in done.stdout
    assert done.stdout.count("203.0.113.") == 10
