"""How a report of any format is written: as lines, or by filling a file."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from bulkip.policy import ReportSpec
from bulkip.reports import FILES, FORMATS
from bulkip.reports.output import write_file, write_report
from bulkip.store import RunReader

OpenRun = Callable[[], AbstractContextManager[RunReader]]
"""Opens the store that a report is rendered from."""


def render(report: ReportSpec, open_run: OpenRun) -> None:
    """Write a report of a run; what goes wrong is a StoreError that names its path."""
    if report.format not in FILES:
        write_report(report.path, _lines(report.format, open_run))
        return

    def fill(path: Path) -> None:
        with open_run() as reader:
            FILES[report.format](reader, path)

    write_file(report.path, fill)


def _lines(form: str, open_run: OpenRun) -> Iterator[str]:
    with open_run() as reader:
        yield from FORMATS[form](reader)
