"""What a run leaves for its readers; every report is rendered from the run store."""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from bulkip.store import RunReader

Lines = Callable[[RunReader], Iterator[str]]
Filling = Callable[[RunReader, Path], None]


def _lines(module: str, name: str) -> Lines:
    """Return a renderer whose module is imported when it is called: nobody pays for what he does not ask."""

    def lines(reader: RunReader) -> Iterator[str]:
        rendered: Iterator[str] = getattr(import_module(f"{__name__}.{module}"), name)(reader)
        return rendered

    return lines


def _filling(module: str, name: str) -> Filling:
    def fill(reader: RunReader, path: Path) -> None:
        getattr(import_module(f"{__name__}.{module}"), name)(reader, path)

    return fill


FORMATS: Mapping[str, Lines] = MappingProxyType(
    {
        "jsonl": _lines("jsonl", "jsonl_lines"),
        "csv": _lines("csv_rows", "csv_lines"),
        "json": _lines("summary", "summary_lines"),
        "text": _lines("text", "text_lines"),
        "failed-csv": _lines("failed_csv", "failed_csv_lines"),
        "attempts": _lines("attempts", "attempt_lines"),
        "traffic-csv": _lines("tidy_lines", "traffic_csv_lines"),
        "traffic-jsonl": _lines("tidy_lines", "traffic_jsonl_lines"),
        "prometheus": _lines("prometheus", "prometheus_lines"),
        "html": _lines("htmlpage", "html_lines"),
        "github": _lines("github", "github_lines"),
        "md": _lines("markdown", "markdown_lines"),
        "junit": _lines("junit", "junit_lines"),
        "sarif": _lines("sarif", "sarif_lines"),
        "tap": _lines("tap", "tap_lines"),
    }
)
"""Every report of text by its name on the command line; each yields its lines, ends included."""
FILES: Mapping[str, Filling] = MappingProxyType({"parquet": _filling("parquet", "write_parquet")})
"""Every report that is no text by its name; each fills a file that is there already."""

__all__ = ["FILES", "FORMATS", "Filling", "Lines"]
