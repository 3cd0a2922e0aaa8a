"""What must be in a PostgreSQL before runs are kept there: our schema, and procrastinate's queue in it."""

import re
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psycopg
from procrastinate.schema import SchemaManager

from bulkip.cluster.dialect import FUNCTIONS
from bulkip.cluster.ledger import MAKING, TABLE
from bulkip.cluster.server import refusal, refuse_unreadable, settings_of
from bulkip.errors import UsageError
from bulkip.store.schema import VERSION

OLDEST: Final = 130000
"""The first PostgreSQL that says whether a transaction was committed."""
ABOUT: Final = """
CREATE TABLE IF NOT EXISTS bulkip.about (name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE IF NOT EXISTS bulkip.runs (
  id text PRIMARY KEY,
  job text NOT NULL,
  digest text NOT NULL,
  simulated boolean NOT NULL,
  created_at double precision NOT NULL,
  items bigint NOT NULL,
  plan text NOT NULL,
  accounts text NOT NULL,
  under_way boolean NOT NULL DEFAULT FALSE
)
"""
"""`accounts` tells whose secrets a worker needs, and where it may find them; no secret is in here.

`plan` is a digest of all items: a plan that has the same is the same run.
"""
KNOWN: Final = "SELECT name, value FROM bulkip.about"
KEEP: Final = """
INSERT INTO bulkip.about VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""
STORE, QUEUE = "store", "procrastinate"
"""What the table knows the versions of."""
_Connection = psycopg.Connection[Any]


def initialise(url: str, option: str) -> list[str]:
    """Make what is missing, bring the queue up to date, and return what was done.

    Raises UsageError or Halt when the server cannot be used.
    """
    refuse_unreadable(url, option)
    try:
        with psycopg.connect(settings_of(url, bounded=False), autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (MAKING,))
            return _initialise(connection, option)
    except psycopg.Error as error:
        raise refusal(error, option, url) from error


def ensure(url: str, option: str) -> None:
    """See that runs can be kept; an empty database is made ready, an old one is not changed.

    Raises UsageError or Halt when it cannot be used as it is.
    """
    refuse_unreadable(url, option)
    try:
        with psycopg.connect(settings_of(url), autocommit=True) as connection:
            known = _known(connection)
    except psycopg.Error as error:
        raise refusal(error, option, url) from error
    if known is None:
        initialise(url, option)
    elif known != _wanted():
        raise UsageError(f"{option}: the tables there are {_told(known)}; `bulkip cluster init` updates them")


def _initialise(connection: _Connection, option: str) -> list[str]:
    if connection.info.server_version < OLDEST:
        raise UsageError(f"{option}: this PostgreSQL is too old; version 13 or newer is needed")
    known = _known(connection)
    newer = [one for one, own in _wanted().items() if _numbers((known or {}).get(one, "")) > _numbers(own)]
    if newer:
        raise UsageError(f"{option}: a newer bulkip made the tables ({_told(known or {})}); upgrade this one")
    done = []
    with connection.transaction():
        connection.execute("CREATE SCHEMA IF NOT EXISTS bulkip")
        connection.execute("SET LOCAL search_path TO bulkip")
        for statements in (TABLE, ABOUT, FUNCTIONS):
            connection.execute(statements)
        done += _queue(connection, None if known is None else known.get(QUEUE))
        if known is not None and known.get(STORE) not in {None, str(VERSION)}:
            done.append(f"runs of store version {known[STORE]} stay, and cannot be read by this bulkip")
        for name, value in _wanted().items():
            connection.execute(KEEP, (name, value))
    return done if known is not None else ["made the schema bulkip", *done]


def _queue(connection: _Connection, known: str | None) -> list[str]:
    """Make procrastinate's tables, or apply its migrations since a version."""
    if known is None:
        connection.execute(SchemaManager.get_schema())
        return [f"made the queue of procrastinate {version(QUEUE)}"]
    steps = [one for one in _migrations() if _numbers(known) < _numbers(one.name) <= _numbers(version(QUEUE))]
    for step in steps:
        connection.execute(step.read_bytes())
    return [f"applied procrastinate's migration {step.stem}" for step in steps]


def _migrations() -> list[Path]:
    return sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))


def _numbers(text: str) -> tuple[int, ...]:
    """Return the three numbers of a version with which a text begins."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def _known(connection: _Connection) -> dict[str, str] | None:
    """Return the versions that are there; None when nothing is."""
    if connection.execute("SELECT to_regclass('bulkip.about')").fetchone() == (None,):
        return None
    return dict(connection.execute(KNOWN).fetchall())


def _wanted() -> dict[str, str]:
    return {STORE: str(VERSION), QUEUE: version(QUEUE)}


def _told(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(versions.items()))
