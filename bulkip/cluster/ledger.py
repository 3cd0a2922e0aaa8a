"""Where the slots of an account are kept for all processes that share its rate: a table in PostgreSQL."""

from dataclasses import astuple
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection

from bulkip.cluster.server import place_of, reason_of, refusal, refuse_unreadable, settings_of
from bulkip.leases import Ask, Lease, Standing, leased
from bulkip.sharedpacer import LedgerError

MAKING: Final = 0x62756C6B
"""The advisory lock under which the table is made: `IF NOT EXISTS` alone is not safe side by side."""
TABLE: Final = """
CREATE SCHEMA IF NOT EXISTS bulkip;
CREATE TABLE IF NOT EXISTS bulkip.standing (
  account text PRIMARY KEY,
  free_at double precision NOT NULL,
  held_until double precision NOT NULL,
  share double precision NOT NULL,
  share_at double precision NOT NULL,
  step_s double precision NOT NULL,
  step_at double precision NOT NULL
)
"""
NEW: Final = "INSERT INTO bulkip.standing VALUES (%s, 0, 0, 1, 0, 0, 0) ON CONFLICT DO NOTHING"
READ: Final = """
SELECT free_at, held_until, share, share_at, step_s, step_at FROM bulkip.standing
WHERE account = %s FOR UPDATE
"""
NOW: Final = "SELECT extract(epoch FROM clock_timestamp())::double precision"
"""Asked once the row is ours: what waits for a lock began before it."""
WRITE: Final = """
UPDATE bulkip.standing
SET free_at = %s, held_until = %s, share = %s, share_at = %s, step_s = %s, step_at = %s WHERE account = %s
"""


class PostgresLedger:
    """Owns the connection over which this process leases; a lost one is made anew."""

    def __init__(self, url: str, account: str) -> None:
        """Lease for an account, named by a digest that tells nothing of its secret."""
        self._url = url
        self._account = account
        self._connection: AsyncConnection[Any] | None = None

    async def lease(self, ask: Ask) -> Lease:
        """Lease slots; raises LedgerError when the server cannot be asked."""
        try:
            connection = self._connection or await self._connected()
            return await self._lease(connection, ask)
        except psycopg.Error as error:
            await self.close()
            raise LedgerError(f"{place_of(self._url)}: {reason_of(error)}") from error
        except BaseException:
            await self.close()  # whatever was cut off in it
            raise

    async def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _connected(self) -> AsyncConnection[Any]:
        self._connection = await AsyncConnection.connect(settings_of(self._url), prepare_threshold=None)
        return self._connection

    async def _lease(self, connection: AsyncConnection[Any], ask: Ask) -> Lease:
        """Lease in two trips to the server: one to hold the row and to ask for the time, one to write."""
        async with connection.pipeline(), connection.transaction():
            row, now = await self._read(connection)
            if row is None:
                await connection.execute(NEW, (self._account,))
                row, now = await self._read(connection)
            standing, lease = leased(Standing(*row or ()), ask, now)
            await connection.execute(WRITE, (*astuple(standing), self._account))
        return lease

    async def _read(self, connection: AsyncConnection[Any]) -> tuple[tuple[float, ...] | None, float]:
        """Return the row of the account, which is ours now, if there is one, and the time after that."""
        found = await connection.execute(READ, (self._account,))
        clock = await connection.execute(NOW)
        row, time = await found.fetchone(), await clock.fetchone()
        return row, float(time[0]) if time else 0.0


def make_table(url: str) -> None:
    """See that the server is there, takes us, and has the table; raises UsageError or Halt."""
    refuse_unreadable(url, "--limiter")
    try:
        with psycopg.connect(settings_of(url), autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (MAKING,))
            if connection.execute("SELECT to_regclass('bulkip.standing')").fetchone() == (None,):
                connection.execute(TABLE)
    except psycopg.Error as error:
        raise refusal(error, "--limiter", url) from error
