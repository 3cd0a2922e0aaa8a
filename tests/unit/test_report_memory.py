"""How much memory a report takes: a page of rows, however many there are."""

import sqlite3
import tracemalloc
from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest

from bulkip.model import Item
from bulkip.reports import FORMATS
from bulkip.store import RunReader
from tests.storedruns import SENT_AT, frozen, item

FEW, MANY = 1_500, 4_500
PAGES = 2 * 2**20
"""Bytes; so much more or less is pages and cycles that were not let go yet."""
BOUNDED = {"html"}
"""Formats that hold a number of rows with a bound of its own."""
RESULTS = """
INSERT INTO result SELECT number, generation, 'ok', NULL, NULL, NULL, 200,
  '{"traffic": [{"timestamp": ' || (1788000000 + number) || ', "in": 0.5, "out": 2}]}', 0, NULL, NULL, ?
FROM item
"""
CALLS = """
INSERT INTO attempt SELECT number, 1, 1, 'call', ?, ?, 'success', NULL, 200, NULL, NULL, NULL, 0 FROM item
"""


def reading(number: int) -> Item:
    """Return a question for the traffic of an address of its own."""
    ip = f"10.0.{number // 256}.{number % 256}"
    form = {"ip": ip, "period_start": "1788000000", "period_stop": "1788086400"}
    return replace(item(number), action="get_traffic", ip=ip, form=form)


def night(folder: Path, items: int) -> Path:
    """Return a run in which so many addresses were asked for their traffic."""
    frozen(folder, map(reading, range(1, items + 1)))
    store = sqlite3.connect(folder / "run.db")
    with store:
        store.execute(RESULTS, (SENT_AT,))
        store.execute(CALLS, (SENT_AT, SENT_AT + 1))
    store.close()
    return folder


def peak_of(run_dir: Path, form: str) -> int:
    """Return how many bytes are held at once while a report is rendered."""
    with RunReader(run_dir) as reader:
        next(iter(FORMATS[form](reader)))  # what is loaded once does not count
        tracemalloc.start()
        deque(FORMATS[form](reader), maxlen=0)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return peak


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a run of few addresses and one of many."""
    return night(tmp_path_factory.mktemp("few"), FEW), night(tmp_path_factory.mktemp("many"), MANY)


@pytest.mark.parametrize("form", sorted(FORMATS.keys() - BOUNDED))
def test_report_of_many_rows_needs_no_more_memory(nights: tuple[Path, Path], form: str) -> None:
    """Three times the addresses take about as much memory to report."""
    few, many = nights

    assert peak_of(many, form) < peak_of(few, form) + PAGES
