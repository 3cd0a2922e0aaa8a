"""A report's path may be a template: of the period, the job, the run and variables, and of nothing else."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bulkip.periodlabels import period_label
from bulkip.periods import Period, resolve
from bulkip.reportpaths import PathFacts, check_path, names_in, path_of
from bulkip.templates import PeriodFields, TemplateError

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NOW = datetime(2026, 9, 2, 3, 15, tzinfo=UTC)


def facts(period: str = "2026-09-01", **variables: str) -> PathFacts:
    """Return what the path of a run's report can name."""
    found = resolve(period, now=NOW, zone=AMSTERDAM)
    label = period_label(found.start, found.stop, AMSTERDAM)
    fields = PeriodFields.of(Period(label, found.start, found.stop), AMSTERDAM)
    return PathFacts("night", "20260902T011500-abc123", variables, fields)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        pytest.param(
            "traffic/{{ period.start | date('%Y/%m/%d') }}.parquet", "traffic/2026/09/01.parquet", id="date"
        ),
        pytest.param("{{ period.label }}.csv", "2026-09-01.csv", id="label"),
        pytest.param("{{ job.name }}/{{ run.id }}.csv", "night/20260902T011500-abc123.csv", id="job-and-run"),
        pytest.param("{{ vars.site }}.csv", "ams.csv", id="vars"),
        pytest.param("{{ period.stop | date('%d') }}.csv", "02.csv", id="in-the-zone-of-the-job"),
    ],
)
def test_template_makes_a_path(template: str, path: str) -> None:
    """Moments are those of the job's zone, and a day is called by its date."""
    assert path_of(template, facts(site="ams")) == path


@pytest.mark.parametrize(
    ("template", "message"),
    [
        pytest.param("{{ row.id }}.csv", "'row' is not defined here", id="row"),
        pytest.param("{{ period.begin }}.csv", "has no field 'begin'", id="field"),
        pytest.param("{{ period.start | dat('%d') }}", "No filter named 'dat'", id="filter"),
        pytest.param("{{ period.start", "unexpected", id="syntax"),
    ],
)
def test_wrong_template_is_found_without_a_plan(template: str, message: str) -> None:
    """What no run could make a path of is told when the job is read."""
    with pytest.raises(TemplateError, match=message):
        names_in(template)


def test_unknown_variable_is_found_without_a_plan() -> None:
    """A variable is known once the command line is."""
    with pytest.raises(TemplateError, match="did you mean 'site'"):
        check_path("{{ vars.sit }}.csv", {"site": "ams"})


@pytest.mark.parametrize("site", ["a\0b", "a\nb", "a\tb", "a\x1bb", "a\u202eb", "", "-"], ids=ascii)
def test_path_that_lies_or_names_nothing_is_refused(site: str) -> None:
    """A path has no character that hides, and is a path."""
    with pytest.raises(TemplateError, match=r"names no file|lies to its reader"):
        path_of("{{ vars.site }}", facts(site=site))


@pytest.mark.parametrize("value", ["{{ period.label | date('%d') }}", "{{ period.start_s | date('%d') }}"])
def test_only_moments_have_dates(value: str) -> None:
    """A text that looks like a date is not taken for one."""
    with pytest.raises(TemplateError, match="takes a moment"):
        path_of(value, facts())


def test_pattern_of_a_date_is_bounded() -> None:
    """A width of a million would fill the memory."""
    with pytest.raises(TemplateError, match="width"):
        path_of("{{ period.start | date('%1000000d') }}", facts())


@pytest.mark.parametrize(
    ("period", "label"),
    [
        ("2026-09-01", "2026-09-01"),
        ("2026-03-29", "2026-03-29"),  # has 23 hours
        ("2026-10-25", "2026-10-25"),  # has 25
        ("2026-09", "2026-09"),
        ("2026-12", "2026-12"),
        ("2026-02", "2026-02"),
        ("2026-W37", "2026-W37"),
        ("2026-W01", "2026-W01"),
        ("2026-09-01..2026-09-03", "2026-09-01..2026-09-03"),
        ("2026-09-02..2026-10-01", "2026-09-02..2026-10-01"),
        ("2026-09-01T10:00..2026-09-01T12:00", "2026-09-01T100000+0200..2026-09-01T120000+0200"),
    ],
)
def test_period_is_called_by_its_dates(period: str, label: str) -> None:
    """The name says which days it holds, however they were asked for."""
    found = resolve(period, now=NOW, zone=AMSTERDAM)

    assert period_label(found.start, found.stop, AMSTERDAM) == label
