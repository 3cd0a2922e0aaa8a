"""As of when a job is planned: what its periods become, and which of them are refused."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bulkip.errors import JobError, UsageError
from bulkip.run.options import Reckoning, RunOptions
from bulkip.run.planning import Prepared, check_job, prepare
from bulkip.settings import LoadedJob, load_job
from bulkip.store import RunReader

NOW = datetime(2026, 9, 11, 1, 15, tzinfo=UTC)  # 03:15 in Amsterdam
DAY_S = 86_400
TODAY = Reckoning()


def job(
    folder: Path, action: str, targets: str = "[203.0.113.7]", zone: str = "Europe/Amsterdam"
) -> LoadedJob:
    """Load a job of one action that asks for traffic."""
    path = folder / "job.yaml"
    path.write_text(
        f"version: 1\ntimezone: {zone}\ntargets: {targets}\nactions: [{{action: get_traffic, {action}}}]\n"
    )
    return load_job(path)


def planned(loaded: LoadedJob, folder: Path, now: datetime = NOW, reckoning: Reckoning = TODAY) -> Prepared:
    """Freeze the plan of a job, made at a moment."""
    options = RunOptions(folder / ".bulkip", reckoning=reckoning)
    return prepare(loaded, options, now)


def span(prepared: Prepared) -> tuple[int, int]:
    """Return both ends of the period that the first item asks for, and that its key stands for."""
    with RunReader(prepared.run_dir) as reader:
        form = next(reader.items_planned()).item.form
    return int(form["period_start"]), int(form["period_stop"])


def at(text: str) -> int:
    """Return an instant in Unix seconds."""
    return int(datetime.fromisoformat(text).timestamp())


@pytest.mark.parametrize(
    ("now", "first"),
    [
        pytest.param("2026-09-10T23:59:59+02:00", "2026-09-09T00:00+02:00", id="before_midnight"),
        pytest.param("2026-09-11T00:00:01+02:00", "2026-09-10T00:00+02:00", id="after_midnight"),
        pytest.param("2026-10-26T00:00:01+01:00", "2026-10-25T00:00+02:00", id="after_25_hours"),
        pytest.param("2026-03-30T00:00:01+02:00", "2026-03-29T00:00+01:00", id="after_23_hours"),
    ],
)
def test_start_around_midnight_pulls_the_day_before_it(tmp_path: Path, now: str, first: str) -> None:
    """A second before midnight `yesterday` is one day, a second after it the next."""
    prepared = planned(job(tmp_path, "period: yesterday"), tmp_path, datetime.fromisoformat(now))

    assert span(prepared)[0] == at(first)
    assert [(one.label, one.start, one.stop) for one in prepared.periods] == [("yesterday", *span(prepared))]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        pytest.param("Europe/Amsterdam", "2026-03-30", 23, id="amsterdam_spring"),
        pytest.param("Europe/Amsterdam", "2025-10-27", 25, id="amsterdam_autumn"),
        pytest.param("America/New_York", "2026-03-09", 23, id="new_york_spring"),
        pytest.param("America/New_York", "2025-11-03", 25, id="new_york_autumn"),
    ],
)
def test_as_of_makes_any_night_repeatable(tmp_path: Path, zone: str, day: str, hours: int) -> None:
    """A plan as of a day asks for the same as one that was made then, clock changes included."""
    loaded = job(tmp_path, "period: yesterday", zone=zone)

    start, stop = span(planned(loaded, tmp_path, reckoning=Reckoning(as_of=day)))
    then = span(planned(loaded, tmp_path, datetime.fromtimestamp(stop + 60, UTC)))

    assert (start, stop) == then
    assert stop - start == hours * 3600


@pytest.mark.parametrize(
    ("action", "place"),
    [
        pytest.param("period: today", "job.yaml:4:41: get_traffic (step 1): period", id="word"),
        pytest.param("period: 2026-09-01..2026-09-11", "job.yaml:4:41", id="range"),
        pytest.param(
            f"with: {{period_start: {at('2026-09-01T00Z')}, period_stop: {at('2026-09-12T00Z')}}}",
            "job.yaml:4:79: get_traffic (step 1): period_stop",
            id="explicit",
        ),
    ],
)
def test_period_that_goes_on_is_refused(tmp_path: Path, action: str, place: str) -> None:
    """What is not over when it is planned is no final figure: one problem, and the way out."""
    with pytest.raises(JobError) as refused:
        planned(job(tmp_path, action, "[203.0.113.0/29]"), tmp_path)

    (problem,) = refused.value.problems
    assert place in str(problem)
    assert "is not over at 2026-09-11 03:15" in problem.message
    assert "--partial" in problem.message
    assert list((tmp_path / ".bulkip").glob("runs/*")) == []


def test_period_of_a_row_that_goes_on_is_told_at_the_row(tmp_path: Path) -> None:
    """A row that names such a period is told with its place, and the other rows are not."""
    (tmp_path / "rows.csv").write_text("ip,period\n203.0.113.7,yesterday\n203.0.113.8,today\n")
    loaded = job(tmp_path, "with: {summary: 1}", "[{csv: rows.csv}]")

    with pytest.raises(JobError) as refused:
        check_job(loaded, NOW)

    (problem,) = refused.value.problems
    assert problem.place.line == 3
    assert "get_traffic (step 1) for 203.0.113.8: period: it ends" in problem.message


def test_as_of_a_moment_that_was_counts_for_what_is_over(tmp_path: Path) -> None:
    """As of a night in the past, what came after it is not over, whatever the time is."""
    with pytest.raises(JobError, match="is not over at 2026-09-05 03:15"):
        planned(job(tmp_path, "period: 2026-09-05"), tmp_path, reckoning=Reckoning(as_of="2026-09-05T03:15"))


def test_as_of_the_future_makes_nothing_over(tmp_path: Path) -> None:
    """As of tomorrow, today is still not over."""
    with pytest.raises(JobError, match="is not over at 2026-09-11 03:15"):
        planned(job(tmp_path, "period: yesterday"), tmp_path, reckoning=Reckoning(as_of="2026-09-12"))


def test_period_that_ends_now_is_over(tmp_path: Path) -> None:
    """A period is half-open: at its stop it is over."""
    midnight = datetime.fromisoformat("2026-09-11T00:00:00+02:00")

    assert planned(job(tmp_path, "period: yesterday"), tmp_path, midnight).items == 1


def test_partial_takes_what_there_is_so_far(tmp_path: Path) -> None:
    """Asked for by name, a period that goes on is planned whole."""
    start, stop = span(planned(job(tmp_path, "period: today"), tmp_path, reckoning=Reckoning(partial=True)))

    assert stop - start == DAY_S


def test_as_of_that_is_no_moment_is_refused(tmp_path: Path) -> None:
    """Milliseconds are told with their reading."""
    with pytest.raises(UsageError, match="--as-of: '1788220800000' looks like milliseconds"):
        planned(job(tmp_path, "period: yesterday"), tmp_path, reckoning=Reckoning(as_of="1788220800000"))
