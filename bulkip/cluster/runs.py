"""Which runs does a cluster keep, and how does a plan get there?"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql as words

from bulkip.cluster.database import PostgresDatabase, search_path
from bulkip.cluster.dialect import indexes, tables, translated
from bulkip.cluster.server import place_of, reason_of, settings_of, shown_url
from bulkip.errors import StoreError, UsageError
from bulkip.store.harvest import plan_digest
from bulkip.store.home import NEWEST, RemoteRun
from bulkip.store.moving import Pages, tables_of
from bulkip.store.schema import RunHeader
from bulkip.store.statements import REMEMBER

PREFIX: Final = "run_"
"""What the schema of a run is called, before its id."""
SHARDS: Final = """
CREATE TABLE shard (
  number bigint PRIMARY KEY, round bigint NOT NULL, account bigint NOT NULL, queue text NOT NULL,
  first bigint NOT NULL, last bigint NOT NULL, token bigint NOT NULL DEFAULT 0, holder text,
  seen_at timestamptz, ended_at timestamptz, tally text NOT NULL DEFAULT '{}',
  ended bigint NOT NULL DEFAULT 0, failed bigint NOT NULL DEFAULT 0, spent bigint NOT NULL DEFAULT 0
);
CREATE INDEX shard_round ON shard (round)
"""
"""Which items belong together, who is at them, and how far they have come.

`token` counts who took them; `tally` is all that was counted, of which the last columns are what limits need.
"""
DROP_TICKETS: Final = "DELETE FROM bulkip.procrastinate_jobs WHERE args ->> 'run' = %s"
LEASE_S: Final = 10
"""So long after its last word a worker counts as dead; what it was at goes to others."""
REST: Final = """
UPDATE bulkip.runs SET under_way = FALSE
WHERE id = %s AND NOT EXISTS (SELECT 1 FROM shard WHERE ended_at IS NULL)
"""
HOLDERS: Final = """
SELECT DISTINCT holder FROM shard WHERE ended_at IS NULL AND holder IS NOT NULL
AND seen_at >= clock_timestamp() - %s * interval '1 second' ORDER BY holder
"""
WORKERS: Final = """
SELECT COUNT(*) FROM bulkip.procrastinate_workers WHERE last_heartbeat >= now() - %s * interval '1 second'
"""
FENCE: Final = """
UPDATE shard SET token = token + 1, ended_at = clock_timestamp(), holder = NULL WHERE ended_at IS NULL
"""
REGISTER: Final = "INSERT INTO bulkip.runs VALUES (%s, %s, %s, %s, %s, %s, %s, %s, FALSE)"
LIST_UNDER_WAY: Final = "SELECT * FROM bulkip.runs WHERE under_way"
LIST: Final = "SELECT * FROM bulkip.runs ORDER BY created_at DESC, id DESC"


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A run that a cluster keeps; `created_at` is in Unix seconds, `accounts` is JSON."""

    id: str
    job: str
    digest: str
    simulated: bool
    created_at: float
    items: int
    plan: str
    accounts: str
    under_way: bool


@contextmanager
def connected(url: str, run_id: str | None = None) -> Iterator[psycopg.Connection[Any]]:
    """Give a connection for a few questions, about the tables of a run if one is named.

    Raises StoreError when the server refuses or goes away.
    """
    try:
        with psycopg.connect(settings_of(url, bounded=False), autocommit=True) as connection:
            if run_id is not None:
                connection.execute(search_path(schema_of(run_id)))
            yield connection
    except psycopg.Error as error:
        raise StoreError(f"{place_of(url)}: {reason_of(error)}") from error


def schema_of(run_id: str) -> str:
    """Return the name of the schema that holds the tables of a run."""
    return f"{PREFIX}{run_id}"


def remote_run(url: str, run_id: str, hurried: Callable[[], bool] = lambda: False) -> RemoteRun:
    """Return where a run is, with the way to it; the URL with its login shows nowhere."""
    return RemoteRun(run_id, shown_url(url), partial(PostgresDatabase, url, schema_of(run_id), hurried))


def kept_runs(url: str) -> list[KeptRun]:
    """Return the runs of a cluster, the newest first; raises StoreError."""
    with connected(url) as connection:
        return [KeptRun(*row) for row in connection.execute(LIST)]


def runs_under_way(url: str) -> list[KeptRun]:
    """Return the runs that workers should look at; raises StoreError."""
    with connected(url) as connection:
        return [KeptRun(*row) for row in connection.execute(LIST_UNDER_WAY)]


def is_kept(url: str, run_id: str) -> bool:
    """Say whether a cluster keeps a run; raises StoreError."""
    with connected(url) as connection:
        return connection.execute("SELECT 1 FROM bulkip.runs WHERE id = %s", (run_id,)).fetchone() is not None


def upload(url: str, folder: Path, header: RunHeader, accounts: str) -> RemoteRun:
    """Bring a frozen plan from its folder into the cluster, whole or not at all; raises StoreError."""
    with connected(url) as connection, connection.transaction():
        schema = words.Identifier(schema_of(header.id))
        connection.execute(words.SQL("CREATE SCHEMA {}").format(schema))
        connection.execute(search_path(schema_of(header.id)))
        for statement in (*tables().split(";"), *SHARDS.split(";")):
            connection.execute(statement.encode())
        copied = {name: _copy(connection, name, pages) for name, pages in tables_of(folder)}
        for statement in indexes().split(";"):
            connection.execute(statement.encode())
        for name in copied:
            connection.execute(words.SQL("ANALYZE {}").format(words.Identifier(name)))
        about = (header.id, header.job_name, header.job_digest, header.simulated, header.created_at)
        connection.execute(REGISTER, (*about, copied["item"], plan_digest(folder), accounts))
    return remote_run(url, header.id)


def _copy(connection: psycopg.Connection[Any], table: str, pages: Pages) -> int:
    """Copy a table, and return how many rows it has."""
    count = 0
    command = words.SQL("COPY {} FROM STDIN").format(words.Identifier(table))
    with connection.cursor() as cursor, cursor.copy(command) as copy:
        for page in pages:
            for row in page:
                copy.write_row(row)
            count += len(page)
    return count


def drop(url: str, run_id: str) -> None:
    """Remove a run and all that was known of it; raises StoreError."""
    with connected(url) as connection, connection.transaction():
        connection.execute(
            words.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(words.Identifier(schema_of(run_id)))
        )
        connection.execute("DELETE FROM bulkip.runs WHERE id = %s", (run_id,))
        connection.execute(DROP_TICKETS, (run_id,))


def rest(url: str, run_id: str) -> None:
    """Let workers pass a run over, unless somebody deals out its shards; raises StoreError."""
    with connected(url, run_id) as connection:
        connection.execute(REST, (run_id,))


def fence(url: str, run_id: str) -> None:
    """Take every shard of a run away from whoever is at it: what they still write is refused."""
    with connected(url, run_id) as connection:
        connection.execute(FENCE)


def keep(url: str, run_id: str, fact: str, text: str) -> None:
    """Let a run keep a fact, as JSON; its workers hear within a second why nobody is to go on."""
    with connected(url, run_id) as connection:
        connection.execute(translated(REMEMBER), (fact, text))


def holders(url: str, run_id: str) -> tuple[str, ...]:
    """Return who is at the shards of a run; a worker that is silent is at none."""
    with connected(url, run_id) as connection:
        rows = connection.execute(HOLDERS, (LEASE_S,)).fetchall()
    return tuple(name for (name,) in rows)


def live_workers(url: str) -> int:
    """Count the workers of a cluster that were heard of lately."""
    with connected(url) as connection:
        row = connection.execute(WORKERS, (LEASE_S,)).fetchone()
    return int(row[0]) if row else 0


def found_run(url: str, name: str) -> RemoteRun:
    """Return the run of an id, a unique prefix, `last` or `last~N`; raises UsageError, StoreError."""
    runs = kept_runs(url)
    if match := NEWEST.fullmatch(name):
        real = [run for run in runs if not run.simulated] or runs
        place = int(match[1] or 0)
        found = [run.id for run in real[place : place + 1]]
    else:
        found = [run.id for run in runs if run.id.startswith(name)]
    if len(found) != 1:
        what = f"`{name}` begins {len(found)} runs" if found else f"there is no run `{name}`"
        raise UsageError(f"{place_of(url)}: {what}; `bulkip cluster status` lists them")
    return remote_run(url, found[0])
