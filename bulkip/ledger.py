"""Where the slots of an account are kept for all processes that share its rate: a table in PostgreSQL.

The door of psycopg, which comes with the extra `cluster`.
"""

import logging
from dataclasses import astuple
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bulkip.errors import Halt, UsageError
from bulkip.leases import Ask, Lease, Standing, leased
from bulkip.sharedpacer import LedgerError

CONNECT_S = 5
STATEMENT_MS = 5000
"""So long a statement may take, the wait for other processes' leases included."""
SCHEMES: Final = ("postgresql://", "postgres://")
SHOWN: Final = ("host", "dbname")
BOUNDED: Final = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
"""The last one, because a process that is stopped while the row is its own must not stop all others."""
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
REFUSED: Final = ("for connection option", "invalid sslmode", "FATAL:")
PASSING: Final = ("starting up", "shutting down", "recovery mode", "too many clients", "connection slots")
"""How libpq words what the user must mend, and which refusals of a server pass by; it gives no code then."""

logging.getLogger("psycopg").setLevel(logging.CRITICAL)  # a lost connection is told by a LedgerError, too


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
            raise LedgerError(f"{place_of(self._url)}: {_reason(error)}") from error
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
    _refuse_unreadable(url)
    try:
        with psycopg.connect(settings_of(url), autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (MAKING,))
            if connection.execute("SELECT to_regclass('bulkip.standing')").fetchone() == (None,):
                connection.execute(TABLE)
    except psycopg.Error as error:
        text = f"--limiter {place_of(url)}: {_reason(error)}"
        if _is_wrong(error):
            raise UsageError(f"{text}; check its name, its login and its rights") from error
        raise Halt(f"{text}; nothing was sent, because nobody knows what others send") from error


def _refuse_unreadable(url: str) -> None:
    """Raise UsageError for what may be read otherwise than meant: parts of a password would be shown."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        given = None
    shown = "".join(str(given.get(name) or "") for name in SHOWN) if given else ""
    ports = str(given.get("port") or "0").split(",") if given else []
    if not ports or not url.startswith(SCHEMES) or "@" in shown or not all(map(str.isdigit, ports)):
        raise UsageError(
            "--limiter: this is no URL of a PostgreSQL; write it like postgresql://user@host:5432/database, "
            "and percent-encode what is special in a password"
        ) from None


def settings_of(url: str) -> str:
    """Return a URL with our time limits where it has none of its own; raises psycopg.ProgrammingError."""
    given = conninfo_to_dict(url)
    own: dict[str, Any] = {
        "connect_timeout": CONNECT_S,
        "tcp_user_timeout": STATEMENT_MS,
        "application_name": "bulkip",
        "options": " ".join(f"-c {name}={STATEMENT_MS}" for name in BOUNDED),
    }
    return make_conninfo("", **(own | given))


def place_of(url: str) -> str:
    """Return where a URL leads, without the login; the URL is one that `make_table` took."""
    given = conninfo_to_dict(url)
    port = f":{given['port']}" if given.get("port") else ""
    return f"postgresql://{given.get('host') or ''}{port}/{given.get('dbname') or ''}"


def _is_wrong(error: psycopg.Error) -> bool:
    """Say whether waiting would not help: no URL, a refused login or name, a missing right."""
    if isinstance(error, psycopg.ProgrammingError):
        return True
    text = str(error)
    return any(word in text for word in REFUSED) and not any(word in text for word in PASSING)


def _reason(error: psycopg.Error) -> str:
    """Return what the server or the system says, in one line; of a URL that was read well, no password."""
    return " ".join(str(error).split()) or type(error).__name__
