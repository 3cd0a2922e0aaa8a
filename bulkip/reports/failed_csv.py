"""The report that is the next job's input: the user's own rows of what failed, each with its reason."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from bulkip.characters import FORBIDDEN
from bulkip.csvfile import column_names
from bulkip.model import JsonValue
from bulkip.owners import FIELD
from bulkip.reports.csv_rows import defused
from bulkip.reports.rows import Row, report_row
from bulkip.store import TO_DO_AGAIN, RunHistory, RunReader, StoredRow, own_cells
from bulkip.store.history import FAILED

ERROR_COLUMNS = ("error_class", "error_code", "error_message", "attempts")
COMMA = ","
CRLF = "\r\n"  # csv quotes only those line ends that are its own, so it must know of both


@dataclass(frozen=True, slots=True)
class Layout:
    """The user's columns of a report, by the names that loading gives them and as they were written."""

    written: Mapping[str, str]
    delimiter: str

    @classmethod
    def of(
        cls, headings: Iterable[tuple[str | None, tuple[str, ...]]], own: tuple[str, ...] = ()
    ) -> "Layout":
        """Unite headings in the order of first sight; columns of our `own` follow where none has them.

        `ip` leads where no heading has it. The delimiter is that of the CSV
        lists when they agree on one, else a comma. Columns of an earlier
        report of this kind are left out, because they are made anew.
        """
        written: dict[str, str] = {}
        delimiters: set[str] = set()
        for delimiter, names in headings:
            delimiters |= {delimiter} if delimiter is not None else set()
            for name, as_written in zip(column_names([*names]), names, strict=True):
                written.setdefault(name, as_written)
        for name in own:
            written.setdefault(name, name)
        if "ip" not in written:
            written = {"ip": "ip", **written}
        kept = {name: text for name, text in written.items() if name not in ERROR_COLUMNS}
        return cls(kept, delimiters.pop() if len(delimiters) == 1 else COMMA)


class _Echo:
    """Returns what a CSV writer writes, instead of keeping it."""

    def write(self, text: str) -> str:
        return text


def failed_csv_lines(reader: RunReader) -> Iterator[str]:
    """Yield a header and each of the user's rows that has something left to do, in the order of the plan.

    A row stands here once when an item it gave ended as failed, conflict,
    unknown or not_run; the gravest of them gives the reason. What was skipped
    because an earlier action of its address failed is covered by that action's
    row, and has one of its own only when it came from another row. An item
    without an address came from no row and has none here.
    """
    with RunHistory(reader.home, TO_DO_AGAIN) as history:
        accounts = history.accounts
        layout = Layout.of(history.headings(), (FIELD,) if len(accounts) > 1 else ())
        writer = csv.writer(_Echo(), delimiter=layout.delimiter, lineterminator=CRLF)
        yield _line(writer.writerow([*layout.written.values(), *ERROR_COLUMNS]))
        start = history.last_start()
        for _, items in groupby(history.rows(), key=lambda stored: stored["target"]):
            gravest = min(items, key=_gravity)
            cells, row = own_cells(gravest), report_row(gravest, start)
            if len(accounts) > 1 and not cells.get(FIELD, "").strip():  # the entry of its list named it
                cells[FIELD] = accounts[gravest["account"]]
            yield _line(writer.writerow([*(cells.get(name, "") for name in layout.written), *_reason(row)]))


def _gravity(stored: StoredRow) -> int:
    status = stored["status"]
    return next((place for place, one in enumerate(FAILED) if one == status), len(FAILED))


def _reason(row: Row) -> list[str]:
    texts = (row["error_class"], row["error_code"], row["message"] or row["note"])
    return [*(_from_outside(text) for text in texts), str(row["attempts"])]


def _from_outside(text: JsonValue) -> str:
    """Return a text that no spreadsheet calculates and that loading the file again accepts."""
    return "" if text is None else defused(FORBIDDEN.sub("?", str(text)))


def _line(text: str) -> str:
    return text.removesuffix(CRLF) + "\n"
