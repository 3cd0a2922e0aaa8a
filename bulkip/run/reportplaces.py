"""Where do the reports of a run go, once its plan is made, and what becomes of the files that are there?"""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import anyio

from bulkip.errors import UsageError
from bulkip.inputfile import unwritable_name
from bulkip.periodlabels import period_label
from bulkip.periods import Period
from bulkip.policy import OnExists, ReportSpec
from bulkip.reportpaths import PathFacts, check_path, is_template, names_in, path_of
from bulkip.reports.extras import check_format, check_is_file
from bulkip.reports.output import STDOUT, check_places
from bulkip.reports.places import File, place_of
from bulkip.run.options import RunOptions
from bulkip.run.planning import Prepared
from bulkip.settings import Job
from bulkip.store import Home, PlanPeriods, open_writer
from bulkip.templates import PeriodFields, TemplateError

OWN_FILES = "own_files"
"""The fact by which a run knows the report files that were not there before it: its own to replace."""


def check_reports(
    reports: Iterable[ReportSpec], job: Job, options: RunOptions, home: Home | None = None
) -> None:
    """Raise UsageError when a report has no place, or would replace what the job reads.

    A path that is a template is looked at as far as that can be done before
    there is a plan. `home` is that of a run which goes on.
    """
    reports = tuple(reports)
    fixed = [report for report in reports if not is_template(report.path)]
    for report in reports:
        check_format(report)
    check_paths(replace(job, reports=reports))
    _check_fixed(fixed)
    _refuse_inputs(fixed, job, options)
    own = _own_files(home) if home else frozenset[str]()
    for report in fixed:
        _refuse_existing(report, own)


def check_paths(job: Job) -> None:
    """Raise UsageError when a report's path is a template that asks for a variable which is not there."""
    for report in job.reports:
        if is_template(report.path):
            with _named(report):
                check_path(report.path, job.vars)


def place_reports(
    reports: tuple[ReportSpec, ...], home: Home, *, afresh: bool = False
) -> tuple[ReportSpec, ...]:
    """Return the reports of a run with the paths they go to, whose folders are there.

    A report that skips an existing file and finds one keeps `on_exists: skip`
    and is not to be written; files that the run made itself count only `afresh`.
    Where nothing is to be read there is no period, and no report that names one.
    Raises UsageError when a path makes no place, names a period and the run
    has several, or a file must not be there.
    """
    reports = _with_period(reports, home)
    for report in reports:
        check_format(report)
    found = tuple(_rendered(report, home) for report in reports)
    for before, report in zip(reports, found, strict=True):
        if is_template(before.path):
            _make_folder(report.path)
    _check_fixed(found)
    own = frozenset[str]() if afresh else _own_files(home)
    return tuple(_settled(report, own) for report in found)


def placed(
    reports: tuple[ReportSpec, ...], prepared: Prepared, job: Job, options: RunOptions
) -> tuple[ReportSpec, ...]:
    """Place the reports of a run that begins; where they have no place, nothing of the run is left.

    The run remembers which files are its own, so that it may replace them when
    it is resumed.
    """
    try:
        found = place_reports(reports, prepared.run_dir)
        _refuse_inputs(found, job, options)
    except UsageError:
        shutil.rmtree(prepared.run_dir, ignore_errors=True)
        raise
    careful = [place for place in map(_careful, _with_period(reports, prepared.run_dir), found) if place]
    if careful:
        anyio.run(_remember, prepared.run_dir, careful)
    return found


def _with_period(reports: tuple[ReportSpec, ...], home: Home) -> tuple[ReportSpec, ...]:
    """Return the reports without those that name the period of a run that has none because it is idle."""
    if not any(is_template(report.path) for report in reports):
        return reports
    with PlanPeriods(home) as reader:
        if reader.first(1) or not reader.has_idle_reads():
            return reports
    return tuple(one for one in reports if not (is_template(one.path) and "period" in _names_in(one)))


def _names_in(report: ReportSpec) -> frozenset[str]:
    with _named(report):
        return names_in(report.path)


async def _remember(home: Home, files: list[str]) -> None:
    async with open_writer(home) as writer:
        await writer.remember(OWN_FILES, files)


def _careful(wanted: ReportSpec, report: ReportSpec) -> str | None:
    """Return the file of a report that respects older ones and found none."""
    if wanted.on_exists is OnExists.REPLACE or report.on_exists is OnExists.SKIP:
        return None
    return _file_of(report)


def _settled(report: ReportSpec, own: frozenset[str]) -> ReportSpec:
    """Return what is to be done with a report: written, or skipped for the file that is there."""
    _refuse_existing(report, own)
    skips = report.on_exists is OnExists.SKIP and _stands(report, own)
    return replace(report, on_exists=OnExists.SKIP if skips else OnExists.REPLACE)


def _refuse_existing(report: ReportSpec, own: frozenset[str]) -> None:
    if report.on_exists is OnExists.ERROR and _stands(report, own):
        raise UsageError(
            f"{report.path}: the file exists, and the {report.format} report must not replace it; remove it, "
            "name another path, or say on_exists: replace or skip"
        )


def _stands(report: ReportSpec, own: frozenset[str]) -> bool:
    """Say whether there is a file of somebody else."""
    file = _file_of(report)
    return file is not None and file not in own and Path(file).exists()


def _file_of(report: ReportSpec) -> str | None:
    place = place_of(report.path)
    return str(place.path) if isinstance(place, File) else None


def _own_files(home: Home) -> frozenset[str]:
    with PlanPeriods(home) as reader:
        files = reader.remembered(OWN_FILES)
    return frozenset(map(str, files)) if isinstance(files, list) else frozenset()


def _rendered(report: ReportSpec, home: Home) -> ReportSpec:
    if not is_template(report.path):
        return report
    with _named(report):
        return replace(report, path=path_of(report.path, _facts_of(report, home)))


def _facts_of(report: ReportSpec, home: Home) -> PathFacts:
    with PlanPeriods(home) as reader:
        header, spans = reader.header(), reader.first(2)
    zone = ZoneInfo(str(header.settings.get("timezone", "UTC")))
    variables = header.settings.get("vars")
    variables = variables if isinstance(variables, dict) else {}
    period = _only(spans, zone) if "period" in names_in(report.path) else None
    texts = {name: str(text) for name, text in variables.items()}
    return PathFacts(header.job_name, header.id, texts, period)


def _only(spans: list[tuple[int, int]], zone: ZoneInfo) -> PeriodFields:
    """Return the one period of a run; raises TemplateError when there is none, or another one."""
    periods = [Period(period_label(start, stop, zone), start, stop) for start, stop in spans]
    if not periods:
        raise TemplateError("names `period`, but nothing in the plan reads traffic")
    if len(periods) > 1:
        raise TemplateError(
            f"names `period`, but the plan has several: {periods[0].label} and {periods[1].label}; "
            "give each a job of its own"
        )
    return PeriodFields.of(periods[0], zone)


def _make_folder(path: str) -> None:
    """Make the folder of a report, as the user would have made it."""
    folder = Path(path).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{path}: the folder {folder} cannot be made: {error.strerror}; name another path"
        ) from error


def _check_names(paths: Iterable[Path | str]) -> None:
    for path in paths:
        if wrong := unwritable_name(path):
            raise UsageError(f"{path}: {wrong}")


def _check_fixed(reports: Iterable[ReportSpec]) -> None:
    reports = tuple(reports)
    _check_names(report.path for report in reports)
    check_places(report.path for report in reports)
    for report in reports:
        check_is_file(report)


def _refuse_inputs(reports: Iterable[ReportSpec], job: Job, options: RunOptions) -> None:
    """Raise UsageError when a report would replace what the job reads."""
    read = [job.path, options.faults, *(getattr(source, "path", None) for source in job.sources)]
    paths = [Path(path) for path in read if path is not None]
    _check_names(paths)
    inputs = {path.resolve() for path in paths}
    for report in reports:
        if report.path != STDOUT and Path(report.path).resolve() in inputs:
            raise UsageError(f"{report.path}: the job reads this file; give the report another path")


@contextmanager
def _named(report: ReportSpec) -> Iterator[None]:
    """Tell of a template by the report whose path it is."""
    try:
        yield
    except TemplateError as wrong:
        raise UsageError(f"report {report.format}={report.path}: {wrong}") from wrong
