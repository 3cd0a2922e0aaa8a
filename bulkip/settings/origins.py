"""Which places a job may name: the API's URL, a secret's home, a resolver; a secret is never shown."""

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from bulkip.addresses import canonical_ip
from bulkip.characters import quoted
from bulkip.policy import SecretRef, SecretSource

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOST = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?")
_ENDPOINT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::([0-9]{1,5}))?")
_BRACKETED = re.compile(r"\[[^\[\]]*\](?::[0-9]*)?")
_MAX_PORT = 65535


def parse_secret(value: str) -> SecretRef:
    """Return where a secret is kept; a value that is no reference may be the secret and is not shown."""
    source, _, name = value.partition(":")
    if source == SecretSource.ENV and _NAME.fullmatch(name):
        return SecretRef(SecretSource.ENV, name)
    if source == SecretSource.FILE and name.strip():
        return SecretRef(SecretSource.FILE, name)
    raise ValueError("must be `env:NAME` or `file:PATH`; a secret itself does not belong in a job file")


def parse_url(url: str) -> str:
    """Return the base URL; one that may carry a secret is not shown."""
    if not re.fullmatch(r"[\x21-\x7e]+", url) or "\\" in url:
        raise ValueError("the URL must be plain ASCII without spaces or backslashes")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("the URL cannot be read; write it like https://host/ip.php") from None
    if "@" in parts.netloc:
        raise ValueError("the URL must not hold a user or password; use `api.token`")
    if "?" in url or "#" in url:
        raise ValueError("the URL must not hold a query or fragment; remove everything from `?` or `#` on")
    _check_origin(parts, url)
    if port == 0:
        raise ValueError(f"{quoted(url)} has port 0")
    return url


def _check_origin(parts: SplitResult, url: str) -> None:
    host = parts.hostname or ""
    if parts.scheme not in ("https", "http") or not host:
        raise ValueError(f"{quoted(url)} is not an https URL; write it like https://host/ip.php")
    if not (_is_bracketed(parts.netloc, host) if "[" in parts.netloc else _HOST.fullmatch(host)):
        raise ValueError(f"{quoted(url)} has no valid host name")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError(
            f"{quoted(url)} is not encrypted; plain http is for 127.0.0.1, ::1 and localhost only"
        )


def _is_bracketed(netloc: str, host: str) -> bool:
    """Say whether an address stands in brackets, and nothing behind them but a port."""
    return _is_ip(host) and _BRACKETED.fullmatch(netloc) is not None


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine, as far as its name tells."""
    if host == "localhost":
        return True
    return _is_ip(host) and ip_address(host).is_loopback


def _is_ip(host: str) -> bool:
    try:
        return bool(canonical_ip(host, allow_ipv6=True))
    except ValueError:
        return False


def parse_endpoint(value: str) -> str:
    """Return an address:port; without a port it is 53."""
    match = _ENDPOINT.fullmatch(value)
    host, port = (match[1] or match[2], int(match[3] or 53)) if match else ("", 0)
    if not _is_ip(host) or not 0 < port <= _MAX_PORT:
        raise ValueError(f"{quoted(value)} is not an address:port, like 192.0.2.53:53 or [2001:db8::53]:53")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
