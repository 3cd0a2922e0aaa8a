"""Nights of traffic as cron would start them: each address is asked once, whatever happens on the way."""

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bulkip.simulator import Fault
from bulkip.store.collected import FILE_NAME
from tests.nightsite import ADDRESSES, TOKEN, NightSite, data_of, night_site, rows_of
from tests.program import Ended


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the token that the provider takes."""
    monkeypatch.setenv("HOSTKEY_TOKEN", TOKEN)


@pytest.fixture
def site(empty_folder: Path) -> Iterator[NightSite]:
    """Serve 32 addresses without faults, to who stands in the folder of the job."""
    with night_site(empty_folder) as site:
        yield site


def successes(site: NightSite) -> Counter[tuple[str, str]]:
    """Count the answers that came through, by address and first second."""
    good = [call for call in site.seen() if not call["fault"]]
    return Counter((call["ip"], call["form"]["period_start"]) for call in good)


def test_three_nights_and_a_backfill_ask_each_question_once(empty_folder: Path) -> None:
    """Nights with faults, the same again, and a backfill over them: one success per address and day."""
    broken = Fault(action="get_traffic", attempts=(1, 2), probability=0.05, status=500)
    lost = Fault(action="get_traffic", attempts=(1, 2), probability=0.05, reset="after")
    with night_site(empty_folder, broken, lost) as site:
        nights = [f"2026-09-0{day}" for day in (2, 3, 4)]

        first = [site.run("--as-of", night, "--format", "jsonl") for night in nights]
        before = len(site.seen())
        again = site.run("--as-of", nights[0], "--format", "jsonl")
        quiet = len(site.seen())
        backfill = site.run("--backfill", "2026-08-31..2026-09-04", "--format", "jsonl")

    assert [one.code for one in (*first, again, backfill)] == [0] * 5, first[0].err
    assert quiet == before
    assert "nothing to do: 32 items collected by run" in again.err
    assert len(site.asked()) == 5 * ADDRESSES
    assert any(call["fault"] for call in site.seen())
    assert set(successes(site).values()) == {1}
    whole = data_of(backfill.out)
    for night in first:
        assert data_of(night.out).items() <= whole.items()
    assert len(whole) == 5 * ADDRESSES


def test_same_night_three_times_gives_the_same_file(site: NightSite) -> None:
    """The file of a night is not touched by the second and third run, and is written where it is missing."""
    ended, report = [], site.folder / "night.jsonl"
    for _time in range(3):
        ended.append(site.run("--report", "jsonl=night.jsonl"))
        ended.append(Ended(ended[-1].code, report.read_text(), str(report.stat().st_mtime_ns)))
    report.unlink()
    missing = site.run("--report", "jsonl=night.jsonl")

    assert len({(one.code, one.out, one.err) for one in ended[1::2]}) == 1
    assert set(site.asked().values()) == {1}
    assert missing.code == 0
    assert data_of(report.read_text()) == data_of(ended[1].out)


def test_file_of_another_night_is_written_anew(site: NightSite) -> None:
    """A night that was collected is written again where its file holds another night by now."""
    site.run("--as-of", "2026-09-02", "--report", "jsonl=night.jsonl")
    site.run("--as-of", "2026-09-03", "--report", "jsonl=night.jsonl")

    again = site.run("--as-of", "2026-09-02", "--report", "jsonl=night.jsonl")

    rows = rows_of((site.folder / "night.jsonl").read_text())
    assert {row["params"]["period_start"] for row in rows} == {"1788213600"}
    assert "nothing to do" in again.err


def test_half_finished_night_is_completed(site: NightSite) -> None:
    """Only the missing addresses are asked, and the file is written with all of them."""
    half = site.run("--limit", "203.0.113.0/28", "--report", "csv=half.csv")
    shutil.rmtree(site.runs()[0])

    whole = site.run("--report", "jsonl=night.jsonl")

    rows = rows_of((site.folder / "night.jsonl").read_text())
    assert (half.code, whole.code) == (0, 0)
    assert "16 items collected by run" in whole.err
    assert set(site.asked().values()) == {1}
    assert [row["attempts"] for row in rows] == [0] * 16 + [1] * 16
    assert {row["status"] for row in rows} == {"ok"}
    assert site.bulkip("doctor", "last").code == 0
    assert "collected by run" in site.bulkip("explain", "last", "203.0.113.5").out


def test_refresh_asks_all_again(site: NightSite) -> None:
    """With --refresh every address is asked, and what is remembered is what came then."""
    site.run()
    (first,) = site.runs()

    refreshed = site.run("--refresh")
    (second,) = {*site.runs()} - {first}
    after = site.run()

    assert "collected" not in refreshed.err
    assert set(site.asked().values()) == {2}
    assert f"collected by run {second.name}" in after.err


def test_partial_night_is_marked_and_never_remembered(site: NightSite) -> None:
    """What is pulled of a day that goes on says so in row, summary and recap, and is asked again."""
    site.job("today")

    refused = site.run()
    first = site.run("--partial", "--format", "jsonl")
    second = site.run("--partial", "--format", "json")

    assert (refused.code, refused.out) == (2, "")
    assert "job.yaml:7:41: get_traffic (step 1): period: it ends" in refused.err
    assert {row["note"] for row in rows_of(first.out)} == {
        "partial: the period was not over when it was asked for"
    }
    assert "partial  32 items" in first.err
    assert json.loads(second.out)["partial"] == ADDRESSES
    assert set(site.asked().values()) == {2}
    with closing(sqlite3.connect(site.folder / ".bulkip" / FILE_NAME)) as ledger:
        assert ledger.execute("SELECT COUNT(*) FROM reading").fetchone() == (0,)


def test_rehearsal_neither_reads_nor_fills_what_was_collected(site: NightSite) -> None:
    """A simulated night obeys the same rules for periods, and proves nothing about the real one."""
    site.run("--limit", "203.0.113.0/28")

    rehearsed = site.run("--simulate")
    real = site.run()

    assert "collected" not in rehearsed.err
    assert "SIMULATED" in rehearsed.err
    assert "16 items collected by run" in real.err
    assert site.bulkip("run", "job.yaml", "--simulate", "--as-of", "2099-01-01").code == 2


def test_resume_remembers_too(site: NightSite) -> None:
    """What a resume collects is not asked again by the next run."""
    site.run("--max-duration", "300ms", "--rate", "20/s")
    resumed = site.bulkip("resume", "last", "-q", "--max-duration", "1m")
    before = len(site.seen())

    again = site.run()

    assert resumed.code == 0
    assert "nothing to do: 32 items" in again.err
    assert len(site.seen()) == before


def test_damaged_memory_is_told_before_anything_is_sent(site: NightSite) -> None:
    """What cannot be read is told in one line with the way out; no run is left, and --refresh is none."""
    (site.folder / ".bulkip").mkdir()
    (site.folder / ".bulkip" / FILE_NAME).write_text("ip,in,out\n" * 1000)

    ended = site.run()

    assert ended.code == 6
    assert ended.err.strip().splitlines()[-1].startswith(f".bulkip/{FILE_NAME}: what was collected before")
    assert (site.seen(), site.runs()) == ([], [])


def test_backfill_that_halts_says_what_is_left(site: NightSite) -> None:
    """A night that halts is the last one; the same command goes on with what is missing."""
    range_ = ("--backfill", "2026-09-01..2026-09-03", "--format", "jsonl")

    halted = site.run(*range_, "--max-duration", "900ms", "--rate", "25/s")
    after = site.run(*range_)

    assert halted.code == 6
    assert "backfill stopped; left: 2026-09-01 .. 2026-09-03 (3 runs)" in halted.err
    assert "the same command goes on" in halted.err
    assert after.code == 0
    assert set(site.asked().values()) == {1}
    assert len(data_of(after.out)) == 3 * ADDRESSES


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param(
            ["2026-09-01..2026-09-02", "--report", "csv=all.csv"],
            "all.csv: the run for 2026-09-02 of --backfill would write this report over",
            id="one_file",
        ),
        pytest.param(
            ["2026-09-01..2026-09-02", "--report", "csv={{ period.start | date('%Y-%m') }}.csv"],
            "the run for 2026-09-02 of --backfill would write this report over",
            id="one_file_a_month",
        ),
        pytest.param(["2026-09-01..2027-09-02"], "is not over at", id="not_over"),
        pytest.param(["2026-09-02..2026-09-01"], "which is empty or reversed", id="reversed"),
        pytest.param(["2026-09-01T05:00..2026-09-02"], "are no whole days", id="no_days"),
        pytest.param(["september"], "--backfill: period 'september' is not understood", id="no_period"),
        pytest.param(["today", "--expect-plan", "0" * 64], "--expect-plan is about one plan", id="one_plan"),
    ],
)
def test_backfill_that_cannot_be_is_refused(site: NightSite, options: list[str], reason: str) -> None:
    """A range that is none, or whose runs would overwrite each other, is told before anything is sent."""
    ended = site.run("--backfill", *options)

    assert (ended.code, site.seen()) == (2, [])
    assert reason in " ".join(ended.err.split())


def test_backfill_of_another_action_is_refused(site: NightSite) -> None:
    """A job that does the same in every run is none for a backfill, and is named with its place."""
    (site.folder / "job.yaml").write_text(
        f'version: 1\napi: {{url: "{site.url}"}}\ntargets: [203.0.113.7]\nactions: [{{action: get_ip}}]\n'
    )

    ended = site.run("--backfill", "2026-09-01")

    assert ended.code == 2
    assert ended.err.startswith("job.yaml:4:11: --backfill is for jobs of get_traffic with `period`")


def test_backfill_of_two_periods_is_refused(site: NightSite) -> None:
    """Steps that differ in their period alone would pull the same day twice, and double its figures."""
    (site.folder / "job.yaml").write_text(
        f'version: 1\napi: {{url: "{site.url}"}}\ntargets: [203.0.113.7]\nactions:\n'
        "  - {action: get_traffic, name: day, period: yesterday}\n"
        "  - {action: get_traffic, name: week, period: last-7-days}\n"
    )

    ended = site.run("--backfill", "2026-09-01")

    assert (ended.code, site.seen()) == (2, [])
    assert "--backfill gives step week the period of step day" in " ".join(ended.err.split())


def test_file_with_a_failed_row_is_written_anew(empty_folder: Path) -> None:
    """A file that lacks an address is not left as it is when another run collected that address since."""
    with night_site(empty_folder, Fault(action="get_traffic", ip="203.0.113.5", times=1, status=404)) as site:
        failed = site.run("--report", "jsonl=night.jsonl")
        site.run()
        again = site.run("--report", "jsonl=night.jsonl")

    assert failed.code == 3
    assert "nothing to do" in again.err
    rows = rows_of((empty_folder / "night.jsonl").read_text())
    assert {row["status"] for row in rows} == {"ok"}


def test_reviewed_plan_holds_after_a_part_was_collected(site: NightSite) -> None:
    """What was collected meanwhile does not change what a plan means."""
    plan = json.loads(site.bulkip("plan", "job.yaml", "--format", "json").out)
    site.run("--limit", "203.0.113.0/28")

    ended = site.run("--expect-plan", plan["digest"])

    assert ended.code == 0, ended.err
    assert set(site.asked().values()) == {1}


def test_damaged_run_does_not_stop_the_next_night(site: NightSite) -> None:
    """An earlier run whose store cannot be read has nothing to give, and harms nobody."""
    broken = site.folder / ".bulkip" / "runs" / "20260901T031500-abc123"
    broken.mkdir(parents=True)
    (broken / "run.db").write_bytes(b"no database" * 1000)

    ended = site.run()

    assert ended.code == 0, ended.err
    assert sum(site.asked().values()) == ADDRESSES


def test_backfill_into_today_is_marked_and_a_catch_up_is_final(site: NightSite) -> None:
    """With --partial a range may reach into today and says so; `last-7-days` is over by itself."""
    ended = site.run("--backfill", "month-to-date", "--partial", "--by", "month", "--format", "jsonl")
    catch_up = site.run("--backfill", "last-7-days", "--format", "jsonl", "--limit", "203.0.113.0/31")

    assert (ended.code, catch_up.code) == (0, 0)
    assert [bool(row["note"]) for row in rows_of(ended.out)] == [True] * ADDRESSES
    assert [row["note"] for row in rows_of(catch_up.out)] == [None] * 7 * 2


def test_file_that_is_left_is_named(site: NightSite) -> None:
    """The recap of a night that asks nothing says which file stays as it is; a missing one is written."""
    site.run("--report", "jsonl=night.jsonl")

    again = site.run("--report", "jsonl=night.jsonl", "--report", "csv=night.csv")

    assert "night.jsonl (jsonl), which was there already and stays as it is" in again.err
    assert "night.csv (csv)\n" in again.err


def test_file_of_somebody_else_is_not_taken_for_a_night(site: NightSite) -> None:
    """A file that was skipped is not remembered as written: without the wish to skip it is replaced."""
    place = site.folder / "night.jsonl"
    place.write_text("mine\n")
    site.run("--report", "jsonl=night.jsonl", "--on-exists", "skip")
    kept = place.read_text()

    site.run("--report", "jsonl=night.jsonl")

    assert kept == "mine\n"
    assert len(rows_of(place.read_text())) == ADDRESSES


def test_file_with_a_tolerated_gap_is_written_again(empty_folder: Path) -> None:
    """A file that lacks an address does not hold the night, though its run was allowed to fail for it."""
    denied = Fault(action="get_traffic", ip="203.0.113.7", attempts=(1,), json={"code": -1, "message": "no"})
    with night_site(empty_folder, denied) as site:
        tolerant = site.run("--report", "jsonl=night.jsonl", "--fail-on", "failed>50%")
        site.run()  # brings the rest home
        site.run("--report", "jsonl=night.jsonl")

    rows = rows_of((empty_folder / "night.jsonl").read_text())
    assert (tolerant.code, Counter(row["status"] for row in rows)) == (0, Counter(ok=ADDRESSES))
