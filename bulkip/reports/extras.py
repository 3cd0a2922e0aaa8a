"""Which reports need a package that is not always there, and which cannot be printed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from types import MappingProxyType

from bulkip.errors import StoreError, UsageError
from bulkip.policy import ReportSpec
from bulkip.reports.places import File, Stream, check_place

NEEDED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"parquet": ("duckdb", "parquet"), "prometheus": ("prometheus_client", "metrics")}
)
"""The package of a format, and the extra of bulkip that brings it."""
BINARY = frozenset({"parquet"})
"""Formats that fill a file; they cannot be lines on a terminal or in a pipe."""


def check_format(report: ReportSpec) -> None:
    """Raise UsageError when a report's package is not installed; nothing is imported for that."""
    package, extra = NEEDED.get(report.format, ("", ""))
    if package and find_spec(package) is None:
        raise UsageError(
            f"report {report.format}: the package {package} is not installed; pip install 'bulkip[{extra}]'"
        )


@contextmanager
def loading(form: str) -> Iterator[None]:
    """Translate that a format's package is there and cannot be loaded, as one built for another system."""
    try:
        yield
    except ImportError as error:
        package, extra = NEEDED[form]
        reason = " ".join(str(error).split())[:300]
        raise StoreError(
            f"the package {package} cannot be loaded ({reason}); "
            f"pip install --force-reinstall 'bulkip[{extra}]', then `bulkip report` writes it"
        ) from error


def check_is_file(report: ReportSpec) -> None:
    """Raise UsageError when a report that has to be a file has none."""
    if report.format in BINARY and not isinstance(place := check_place(report.path), File):
        name = "stdout" if place == Stream(1) else report.path
        raise UsageError(
            f"report {report.format}: it is a file of its own and cannot go to {name}; "
            f"write {report.format}=PATH"
        )
