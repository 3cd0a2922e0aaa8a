"""What a run leaves for its readers; every report is rendered from the run store."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from bulkip.reports.attempts import attempt_lines
from bulkip.reports.csv_rows import csv_lines
from bulkip.reports.failed_csv import failed_csv_lines
from bulkip.reports.github import github_lines
from bulkip.reports.htmlpage import html_lines
from bulkip.reports.jsonl import jsonl_lines
from bulkip.reports.junit import junit_lines
from bulkip.reports.markdown import markdown_lines
from bulkip.reports.parquet import write_parquet
from bulkip.reports.prometheus import prometheus_lines
from bulkip.reports.sarif import sarif_lines
from bulkip.reports.summary import summary_lines
from bulkip.reports.tap import tap_lines
from bulkip.reports.text import text_lines
from bulkip.reports.tidy_lines import traffic_csv_lines, traffic_jsonl_lines
from bulkip.store import RunReader

Lines = Callable[[RunReader], Iterator[str]]
Filling = Callable[[RunReader, Path], None]

FORMATS: Mapping[str, Lines] = MappingProxyType(
    {
        "jsonl": jsonl_lines,
        "csv": csv_lines,
        "json": summary_lines,
        "text": text_lines,
        "failed-csv": failed_csv_lines,
        "attempts": attempt_lines,
        "traffic-csv": traffic_csv_lines,
        "traffic-jsonl": traffic_jsonl_lines,
        "prometheus": prometheus_lines,
        "html": html_lines,
        "github": github_lines,
        "md": markdown_lines,
        "junit": junit_lines,
        "sarif": sarif_lines,
        "tap": tap_lines,
    }
)
"""Every report of text by its name on the command line; each yields its lines, ends included."""
FILES: Mapping[str, Filling] = MappingProxyType({"parquet": write_parquet})
"""Every report that is no text by its name; each fills a file that is there already."""

__all__ = ["FILES", "FORMATS", "Filling", "Lines"]
