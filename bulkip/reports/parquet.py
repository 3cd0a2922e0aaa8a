"""The figures of a traffic run as Parquet, a file that every data tool reads; the door of duckdb."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Final

from bulkip.errors import StoreError
from bulkip.reports.extras import loading
from bulkip.reports.places import TEMPORARY
from bulkip.reports.tidy import COLUMNS
from bulkip.reports.tidy_lines import traffic_csv_lines
from bulkip.store import RunReader

AMOUNT, MOMENT = "DECIMAL(38, 26)", "TIMESTAMP"
TYPES: Final = MappingProxyType(
    {
        "ip": "VARCHAR",
        "timestamp": MOMENT,
        "in_gb": AMOUNT,
        "out_gb": AMOUNT,
        "period_start": MOMENT,
        "period_stop": MOMENT,
        "summary": "BOOLEAN",
        "run": "VARCHAR",
    }
)
"""What a column holds: amounts to the last digit, and times in UTC, without a zone beside them."""
SETTINGS: Final = MappingProxyType(
    {
        "threads": "1",  # two would decide anew each time in which order the rows stand
        "memory_limit": "256MB",
        "autoinstall_known_extensions": "false",  # nothing is fetched from anywhere
        "autoload_known_extensions": "false",
    }
)
PIECES: Final = f"buffer_size = {2**20}, max_line_size = {2**16}"
GROUPS: Final = f"ROW_GROUP_SIZE {30 * 2**11}"
"""How much is held at once; as duckdb would have it, a file of a million rows takes twice the memory."""
_GLOB = re.compile(r"[*?\[]")


def write_parquet(reader: RunReader, path: Path) -> None:
    """Write the figures of a run into a file that is there already, and is replaced.

    They go through a CSV file beside it, so that memory does not grow with
    their number. One run gives the same bytes each time. Raises StoreError.
    """
    with TemporaryDirectory(prefix=TEMPORARY, dir=path.parent) as folder:
        rows = Path(folder) / "rows.csv"
        with rows.open("w", encoding="utf-8", newline="") as file:
            file.writelines(traffic_csv_lines(reader))
        _convert(rows, path)


def _convert(rows: Path, path: Path) -> None:
    with loading("parquet"):
        import duckdb  # noqa: PLC0415 -- an extra, and slow to load

    settings: dict[str, Any] = {**SETTINGS, "temp_directory": str(rows.parent)}
    try:
        with duckdb.connect(":memory:", config=settings) as database:
            database.execute(_copy(rows, path))
    except duckdb.Error as error:
        text = " ".join(str(error).split())[:300]
        raise StoreError(f"duckdb could not write it: {text}") from error


def _copy(rows: Path, path: Path) -> str:
    """Return the statement that copies CSV rows into a Parquet file, whatever its folders are called."""
    types = ", ".join(f"{_text(name)}: {_text(TYPES[name])}" for name in COLUMNS)
    source = _text(_GLOB.sub(lambda sign: f"[{sign[0]}]", str(rows)))
    options = f"header = true, auto_detect = false, {PIECES}, columns = {{{types}}}"
    target = f"{_text(str(path))} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false, {GROUPS})"
    return f"COPY (SELECT * FROM read_csv({source}, {options})) TO {target}"  # noqa: S608 -- quoted above


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
