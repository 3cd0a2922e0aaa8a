"""What a run leaves for its readers; every report is rendered from the run store."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from bulkip.reports.attempts import attempt_lines
from bulkip.reports.csv_rows import csv_lines
from bulkip.reports.failed_csv import failed_csv_lines
from bulkip.reports.htmlpage import html_lines
from bulkip.reports.jsonl import jsonl_lines
from bulkip.reports.summary import summary_lines
from bulkip.reports.text import text_lines
from bulkip.store import RunReader

Lines = Callable[[RunReader], Iterator[str]]

FORMATS: Mapping[str, Lines] = MappingProxyType(
    {
        "jsonl": jsonl_lines,
        "csv": csv_lines,
        "json": summary_lines,
        "text": text_lines,
        "failed-csv": failed_csv_lines,
        "attempts": attempt_lines,
        "html": html_lines,
    }
)
"""Every report format by its name on the command line; each yields the lines of the report, ends included."""

__all__ = ["FORMATS", "Lines"]
