"""What may stand in a file that is made for readers, whatever the server wrote."""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping

FORMULA = re.compile(r"[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
TABLES = ("csv.out", "failed-csv.out")
LINES_OF_JSON = ("jsonl.out", "attempts.out")
TEXTS = (*TABLES, *LINES_OF_JSON, "json.out", "text.out", "stdout", "stderr")
SPLITTERS = re.compile(r"[\x00-\x20\x7f-\xa0\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufffd]+")
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories of what no reader sees, or sees as something else."""


def blemishes(artifacts: Mapping[str, bytes]) -> Iterator[str]:
    """Yield what stands in the files of a run that could attack or mislead their reader."""
    for name in TEXTS:
        text = artifacts[name].decode()  # strictly: what is no UTF-8 is a blemish that raises
        unseen = {char for char in {*text} - {"\n"} if unicodedata.category(char) in UNSEEN}
        yield from (f"{name}: {char!a}" for char in sorted(unseen))
        yield from (f"{name}: {word}" for word in ("Traceback", "Warning:") if word in text)
    for name in LINES_OF_JSON:
        for line in artifacts[name].splitlines():
            json.loads(line)
    json.loads(artifacts["json.out"])
    for name in TABLES:
        yield from (f"{name}: formula {cell!a}" for cell in _cells(artifacts[name]) if _calculates(cell))


def _cells(table: bytes) -> Iterator[str]:
    rows = [*csv.reader(io.StringIO(table.decode(), newline=""), strict=True)]
    assert {len(row) for row in rows} == {len(rows[0])}
    for row in rows:
        yield from row


def _calculates(cell: str) -> bool:
    return bool(FORMULA.match(cell)) and not NUMBER.fullmatch(cell)


def in_one_piece(text: bytes) -> bytes:
    """Return a text without all that a secret may be split by."""
    return SPLITTERS.sub("", text.decode("utf-8", "replace")).encode()
