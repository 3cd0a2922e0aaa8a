"""How is the PostgreSQL of a cluster reached, and what does it mean when that fails?"""

import logging
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bulkip.errors import Halt, UsageError

CONNECT_S = 5
STATEMENT_MS = 5000
"""So long a statement may take where others wait for it, the wait for their locks included."""
SCHEMES: Final = ("postgresql://", "postgres://")
SECRET: Final = frozenset({"password", "passfile", "sslpassword", "sslkey"})
SHOWN: Final = ("host", "dbname")
BOUNDED: Final = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
"""The last one, because a process that is stopped while a row is its own must not stop all others."""
REFUSED: Final = ("for connection option", "invalid sslmode", "FATAL:")
PASSING: Final = (
    "starting up", "shutting down", "recovery mode", "too many clients", "too many connections",
    "connection slots", "not yet accepting", "not accepting connections", "terminating connection",
)  # fmt: skip
"""How libpq words what the user must mend, and which refusals of a server pass by; it gives no code then."""

logging.getLogger("psycopg").setLevel(logging.CRITICAL)  # a lost connection is told by an error of ours, too


def refuse_unreadable(url: str, option: str) -> None:
    """Raise UsageError for what may be read otherwise than meant: parts of a password would be shown."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        given = None
    shown = "".join(str(given.get(name) or "") for name in SHOWN) if given else ""
    ports = str(given.get("port") or "0").split(",") if given else []
    if not ports or not url.startswith(SCHEMES) or "@" in shown or not all(map(str.isdigit, ports)):
        raise UsageError(
            f"{option}: this is no URL of a PostgreSQL; write it like postgresql://user@host:5432/database, "
            "and percent-encode what is special in a password"
        ) from None


def settings_of(url: str, *, bounded: bool = True) -> str:
    """Return a URL with our time limits where it has none of its own; raises psycopg.ProgrammingError.

    What is not `bounded` may take as long as the server lets it.
    """
    given = conninfo_to_dict(url)
    own: dict[str, Any] = {
        "connect_timeout": CONNECT_S,
        "tcp_user_timeout": STATEMENT_MS,
        "application_name": "bulkip",
    }
    if bounded:
        own["options"] = " ".join(f"-c {name}={STATEMENT_MS}" for name in BOUNDED)
    return make_conninfo("", **(own | given))


def place_of(url: str) -> str:
    """Return where a URL leads, without the login; the URL is one that `refuse_unreadable` took."""
    given = conninfo_to_dict(url)
    port = f":{given['port']}" if given.get("port") else ""
    return f"postgresql://{given.get('host') or ''}{port}/{given.get('dbname') or ''}"


def shown_url(url: str) -> str:
    """Return a URL as it may be printed and pasted: without what is secret in it."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    query = [(name, value) for name, value in parse_qsl(parts.query) if name not in SECRET]
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}{at}{host}", query=urlencode(query)))


def refusal(error: psycopg.Error, option: str, url: str) -> UsageError | Halt:
    """Return what it means that a server could not be used at the very beginning."""
    text = f"{option} {place_of(url)}: {reason_of(error)}"
    if is_wrong(error):
        return UsageError(f"{text}; check its name, its login and its rights")
    return Halt(f"{text}; nothing was sent, because nobody knows what others send")


def is_wrong(error: psycopg.Error) -> bool:
    """Say whether waiting would not help: no URL, a refused login or name, a missing right."""
    if isinstance(error, psycopg.ProgrammingError):
        return True
    text = str(error)
    return any(word in text for word in REFUSED) and not any(word in text for word in PASSING)


def reason_of(error: psycopg.Error) -> str:
    """Return what the server or the system says, in one line; of a URL that was read well, no password."""
    return " ".join(str(error).split()) or type(error).__name__
