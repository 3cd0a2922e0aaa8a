"""Who coordinates the runs of a job? One at a time: an advisory lock, which the server opens at a death."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import psycopg

from bulkip.cluster.server import place_of, reason_of, settings_of
from bulkip.errors import StoreError

CLAIM: Final = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"


@contextmanager
def claim(url: str, what: str) -> Iterator[Callable[[], bool]]:
    """Give what tries to claim something, and hold it until the block ends.

    A server that is restarted meanwhile forgets it; who claims it then takes
    over, which whoever had it before notices by the shards. Raises StoreError.
    """
    try:
        connection = psycopg.connect(settings_of(url, bounded=False), autocommit=True)
    except psycopg.Error as error:
        raise StoreError(f"{place_of(url)}: {reason_of(error)}") from error

    def is_ours() -> bool:
        try:
            row = connection.execute(CLAIM, (what,)).fetchone()
        except psycopg.Error as error:
            raise StoreError(f"{place_of(url)}: {reason_of(error)}") from error
        return bool(row and row[0])

    try:
        yield is_ours
    finally:
        with suppress(psycopg.Error):
            connection.close()
