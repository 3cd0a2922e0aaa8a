"""Which lock guards an account? One name for one account, however its URL is written."""

import hashlib
import posixpath
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

DEFAULT_PORTS: Mapping[str, int] = MappingProxyType({"https": 443, "http": 80})
ROUNDS = 100_000  # some 40 ms for us, once; the same for everyone who tries a word
LENGTH = 16


def lock_name(url: str, secret: str, shard: str = "") -> str:
    """Return how the lock of an account, or of one shard of its work, is called.

    PBKDF2 (RFC 8018) salted with URL and shard: whoever may list the names of
    locks pays dearly for each guess at a weak secret, and for each URL anew.
    """
    salt = f"{same_url(url)}\n{shard}".encode()
    return hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, ROUNDS, LENGTH).hex()


def same_url(url: str) -> str:
    """Return a URL in the form that it shares with all others that lead to the same place (RFC 3986, §6).

    It is no URL to call: where in doubt, two are taken for one.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").removesuffix(".")
    with suppress(ValueError):  # of a name
        host = ip_address(host).compressed
    port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    path = posixpath.normpath("/" + unquote(parts.path).lstrip("/"))
    return f"{parts.scheme}://{host}:{port}{path}"
