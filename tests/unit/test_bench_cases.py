"""What the bench asks bulkip to do, and how it sums up what came of it."""

import json
import sqlite3
from array import array
from contextlib import closing
from pathlib import Path

import pytest

from bulkip.settings import load_job
from tests.bench.arrivals import NEW, REFUSED, Log, Window
from tests.bench.cases import Case, phases
from tests.bench.contest import Round, budget_figures
from tests.bench.fidelity import Outcome
from tests.bench.fidelity import budget_figures as rate_figures
from tests.bench.jobs import READ, WRITE, address, lines_in, write_job, write_rows
from tests.bench.processes import Spent
from tests.bench.scaling import leave
from tests.bench.workers import Crewed, crew_table

EVERY_CASE = [case for phase in phases(quick=False) for case in phase]


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{case.title}, {case.places}") for case in EVERY_CASE]
)
def test_job_of_every_case_is_valid(case: Case, tmp_path: Path) -> None:
    """Each case of the bench makes a job file that bulkip takes."""
    write_rows(tmp_path / "rows.csv", 3)
    job = write_job(
        tmp_path / "job.yaml", "http://127.0.0.1:9/ip.php", case.action, case.limits(), **case.more()
    )

    loaded = load_job(job)

    assert list(loaded.problems) == []


def test_quick_bench_is_a_tenth() -> None:
    """To try the bench itself, every case makes a tenth of its calls."""
    whole, quick = ([len(phase) for phase in phases(quick=quickly)] for quickly in (False, True))

    assert whole == quick
    assert phases(quick=True)[-1][0].calls == phases(quick=False)[-1][0].calls // 10


def test_rows_are_counted_and_differ(tmp_path: Path) -> None:
    """A CSV of so many rows has as many different addresses, and a header."""
    rows = write_rows(tmp_path / "rows.csv", 700)

    assert lines_in(rows) == 701
    assert len({address(number) for number in range(70_000)}) == 70_000


def rounds(*seconds: float) -> list[Round]:
    """Return rounds of a hundred items that took so long, half of it CPU."""
    return [Round(100, 100, Spent(10.0, 10.0 + taken, taken / 2, 50.0, 0)) for taken in seconds]


def test_budgets_are_judged_by_the_ratio_within_a_round() -> None:
    """A round in which everything took twice as long changes no ratio."""
    taken = {
        "naive": rounds(4.0, 8.0),
        "tuned": rounds(1.0, 2.0),
        "get_ptr": rounds(3.0, 6.0),
        "get_ptr_frozen": rounds(2.0, 4.0),
        "update_ptr_frozen": rounds(4.0, 8.0),
    }

    figures = budget_figures(taken)

    assert figures == {
        "naive": 2.0,
        "tuned": 0.5,
        "naive_write": 1.0,
        "tuned_write": 0.25,
        "cpu": 2.0,
        "cpu_whole": 3.0,
        "cpu_write": 4.0,
    }


def outcome(case: Case, times: list[float], *, refused: int = 0) -> Outcome:
    """Return what a server saw: calls at these times, the last of them refused."""
    kinds = [NEW] * (len(times) - refused) + [REFUSED] * refused
    return Outcome(case, Log(array("d", times), array("B", kinds)), 0)


def test_rate_budgets_take_the_worst_case_of_bulkip() -> None:
    """One bad case misses the budget, and the naive limiter beside it never does."""
    two = (Window(2),)
    good = outcome(Case(two, 1, 4, action=READ), [0.0, 0.5, 1.0, 1.5])
    burst = outcome(Case(two, 1, 4, action=READ, strict=True), [0.0, 0.1, 0.2, 2.0], refused=1)
    naive = outcome(Case(two, 1, 4, action=READ, naive=True), [0.0, 0.0, 0.0, 0.0])

    figures = rate_figures([good, burst, naive])

    assert figures == {"window": 1.5, "reached": pytest.approx(1.0), "refused": 1}


def test_run_is_left_with_its_last_items(tmp_path: Path) -> None:
    """A finished store is cut back to what a run that was stopped near its end would hold."""
    store, ten = tmp_path / "run.db", [(number,) for number in range(1, 11)]
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.executescript(
            "CREATE TABLE item(number); CREATE TABLE attempt(item); CREATE TABLE result(item)"
        )
        connection.executemany("INSERT INTO item VALUES (?)", ten)
        connection.executemany("INSERT INTO attempt VALUES (?)", ten)
        connection.executemany("INSERT INTO result VALUES (?)", ten)

    left = leave(store, 3)

    with closing(sqlite3.connect(store)) as connection:
        tried = connection.execute("SELECT MAX(item), COUNT(*) FROM attempt").fetchone()
        ended = connection.execute("SELECT MAX(item), COUNT(*) FROM result").fetchone()
    assert (left, tried, ended) == (3, (7, 7), (7, 7))


def test_job_is_json_that_yaml_takes(tmp_path: Path) -> None:
    """Names in the bench are templates, and are looked up nowhere."""
    job = json.loads(write_job(tmp_path / "job.yaml", "http://127.0.0.1:9/", WRITE).read_text())

    assert job["actions"][0]["with"]["ptr"] == "{{ ip.dashed }}.{{ vars.zone }}"
    assert job["safety"] == {"forward": "off"}


def test_shard_costs_what_a_cluster_takes_more() -> None:
    """The cost of a shard is that of 500 items beyond the engine alone, with the same server."""
    alone = Crewed(0, 0.0, 1000, calling_s=0.5, wall_s=1.0, own_cpu_s=0.3, database_cpu_s=0.0)
    crewed = Crewed(2, 0.0, 1000, calling_s=0.5, wall_s=2.0, own_cpu_s=0.4, database_cpu_s=0.1)
    far = Crewed(1, 0.025, 1000, calling_s=5.0, wall_s=6.0, own_cpu_s=0.5, database_cpu_s=0.3)

    rows = crew_table([alone, crewed, far]).splitlines()[-3:]

    assert [row.split("in flight")[1].split() for row in rows] == [
        ["1,998", "300", "300", "0.50"],
        ["1,998", "500", "400", "100", "100", "1.50"],
        ["200", "800", "500", "300", "1.00"],
    ]
