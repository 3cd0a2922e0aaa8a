"""Whatever somebody wrote into a run store: the doctor says what is wrong, or that it cannot be read."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from shutil import copytree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.errors import StoreError
from bulkip.run.checkup import checkup
from bulkip.store.schema import store_path
from tests.chaos.length import patient
from tests.chaos.mutations import examples
from tests.honestrun import asked, honest_run

ID = "20260901T031500-abc123"
VALUES = st.sampled_from([
    *[None, 0, -1, 7, 2**62, 1.5, 1e308, float("-inf"), b"", b"\xff\x00"],
    *["", "x", "1", "null", "[]", "{}", "[1]", '"x"', "\x1b[2J", "é", "[" * 3000, '{"ptr": 1}'],
    *['{"attempts": "x"}', "success", "changed", "call"],
])  # fmt: skip
CHANGES = st.lists(st.tuples(st.integers(0, 10_000), VALUES, st.integers(0, 9)), min_size=1, max_size=3)
HITS = st.lists(
    st.tuples(st.integers(100, 10**6), st.binary(min_size=1, max_size=40)), min_size=1, max_size=4
)

pytestmark = patient


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one honest run for all examples."""
    return honest_run(tmp_path_factory.mktemp("honest") / "runs" / ID)


def columns(folder: Path) -> list[tuple[str, str]]:
    """Return every column of every table of a store."""
    question = (
        "SELECT t.name, c.name FROM sqlite_master AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table'"
    )
    return [(str(table), str(column)) for table, column in asked(folder, question)]


def spoil(folder: Path, spot: int, value: object, row: int) -> None:
    """Put a value into a column, in one row or, for row 9, in all; what the schema forbids is left out."""
    known = columns(folder)
    table, column = known[spot % len(known)]
    which = "" if row == 9 else f" WHERE rowid_or_key({row})"
    with closing(sqlite3.connect(store_path(folder), isolation_level=None)) as store:
        counter = iter(range(10_000))
        store.create_function("rowid_or_key", 1, lambda wanted: next(counter) % 9 == wanted)
        with suppress(sqlite3.IntegrityError, sqlite3.OperationalError):
            store.execute(f"UPDATE {table} SET {column} = ?{which}", (value,))  # noqa: S608 - our own names


def copy(honest: Path, folder: Path) -> Path:
    """Return a fresh copy of the honest run."""
    number = len(list(folder.iterdir()))
    return Path(copytree(honest, folder / str(number) / ID))


@given(CHANGES)
@examples(60, 1_500)
def test_any_value_in_a_store_is_told(
    honest: Path, tmp_path: Path, changes: list[tuple[int, object, int]]
) -> None:
    """A store with foreign values is recounted to its end, or refused as a store."""
    folder = copy(honest, tmp_path)
    for spot, value, row in changes:
        spoil(folder, spot, value, row)

    with suppress(StoreError):
        assert checkup(folder).findings


@given(HITS)
@examples(40, 1_500)
def test_any_damage_of_a_store_is_told(honest: Path, tmp_path: Path, hits: list[tuple[int, bytes]]) -> None:
    """A store whose bytes were overwritten is recounted as far as it goes, or refused as a store."""
    folder = copy(honest, tmp_path)
    content = bytearray(store_path(folder).read_bytes())
    for spot, thrown in hits:
        at = 100 + spot % (len(content) - 100)
        content[at : at + len(thrown)] = thrown
    store_path(folder).write_bytes(content)

    with suppress(StoreError):
        assert checkup(folder).findings
