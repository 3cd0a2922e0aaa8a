"""Shards of a small job on disk, planned and perhaps carried out, without calling anybody."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from anyio import run

from bulkip.model import Item, Purpose, Result, Status
from bulkip.run.ending import LastWord, Waits, close_books, code_of
from bulkip.run.options import RunOptions
from bulkip.run.planning import now_utc, prepare
from bulkip.selection import Filters
from bulkip.settings import load_job, narrowed
from bulkip.shards import Shard
from bulkip.store import Attempt, Outcome, RunReader, open_writer
from bulkip.store.recount import ALLOWED_IN
from bulkip.store.schema import store_path
from bulkip.tolerance import judged, tolerance_kept

ROWS = 12
STARTED_AT = 1_900_000_000.0
"""Some moment after the plan was made, in Unix seconds."""
HEAD = """
version: 1
name: move
api: {url: "http://127.0.0.1:1/ip.php"}
targets: [{csv: rows.csv}]
actions:
"""
JOB = f"""{HEAD}
  - {{action: get_client_ip, name: me}}
  - {{action: get_ip, name: look}}
  - {{action: get_ptr, name: name, with: {{id: 4711}}, when: "{{{{ row.note != 'n3' }}}}"}}
"""


def address(number: int) -> str:
    """Return one of the addresses, from 0."""
    return f"198.51.100.{number}"


def write_job(folder: Path, text: str = JOB, rows: int = ROWS) -> Path:
    """Write a job and its list; return the job's path."""
    lines = "".join(f"{address(number)},n{number}\n" for number in range(rows))
    (folder / "rows.csv").write_text(f"ip,note\n{lines}")
    (folder / "job.yaml").write_text(text)
    return folder / "job.yaml"


def planned(folder: Path, shard: Shard | None, *, simulate: bool = False) -> Path:
    """Freeze the plan of a shard of the job in a folder; return the folder of its run."""
    loaded = narrowed(load_job(folder / "job.yaml"), Filters(shard=shard))
    options = RunOptions(run_dir=folder / "runs-of-shards", simulate=simulate)
    return prepare(loaded, options, now_utc()).run_dir


def carried(
    run_dir: Path,
    *,
    bad: Sequence[tuple[str, Status]] = (),
    fail_on: str | None = None,
    code: int | None = None,
) -> Path:
    """Give every item of a run one call and a result, and close its books.

    `bad` names addresses with another status than ok, `code` another exit code than theirs.
    """
    with RunReader(run_dir) as reader:
        items = [one.item for one in reader.items_planned() if one.item.skip is None]
    run(_carry, run_dir, items, dict(bad))
    with RunReader(run_dir) as reader:
        due = code_of(judged(reader.counts(), tolerance_kept(fail_on)), None)
    word = LastWord(1, due if code is None else code, None, (), fail_on)
    run(close_books, run_dir, word, Waits({"throttled": (1, 2.0)}))
    return run_dir


async def _carry(run_dir: Path, items: Sequence[Item], bad: dict[str, Status]) -> None:
    async with open_writer(run_dir) as writer:
        start = await writer.begin_start(STARTED_AT)
        await writer.remember(f"{ALLOWED_IN} {start}", len(items))
        await writer.record_attempt(Attempt(0, 1, start, Purpose.LOGIN), answered())
        for item in items:
            await writer.record_attempt(Attempt(item.number, 1, start, Purpose.CALL), answered())
            await writer.settle(item, 0, outcome_of(item, bad), STARTED_AT + 2, lambda: None)


def answered() -> Outcome:
    """Return the outcome of a call that was answered well."""
    return Outcome(STARTED_AT + 0.5, STARTED_AT + 1, "success", None, 200, None, in_doubt=False)


def outcome_of(item: Item, bad: dict[str, Status]) -> Result:
    """Return what became of an item."""
    status = bad.get(item.ip or "")
    return Result(Status.OK, value={}) if status is None else Result(status, message="no")


def shards_of(folder: Path, count: int) -> list[Path]:
    """Carry all shards of the job in a folder out; return the folders of their runs."""
    return [carried(planned(folder, Shard(number, count))) for number in range(1, count + 1)]


def changed(run_dir: Path, sql: str, *values: object) -> None:
    """Do to a store what only a stranger does."""
    with closing(sqlite3.connect(store_path(run_dir))) as store, store:
        store.execute(sql, values)


def table(run_dir: Path, sql: str) -> list[tuple[Any, ...]]:
    """Ask a store."""
    with closing(sqlite3.connect(store_path(run_dir))) as store:
        return store.execute(sql).fetchall()
