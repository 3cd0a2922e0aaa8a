"""Where the simulator may listen and send to: this machine only, because everybody knows its secrets."""

import re
from ipaddress import ip_address

from bulkip.errors import UsageError

_ENDPOINT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:]+)):([0-9]{1,5})")
_MOST_PORT = 65535


def loopback(host: str, option: str = "--host") -> str:
    """Return a loopback host as an address; raises `UsageError` for any other: everybody knows the token."""
    if host == "localhost":
        return "127.0.0.1"
    try:
        if ip_address(host).is_loopback:
            return host
    except ValueError:
        pass
    raise UsageError(f"{option} `{host}`: the simulator stays on loopback only; use 127.0.0.1 or ::1")


def loopback_endpoint(text: str, option: str) -> tuple[str, int]:
    """Return host and port of a loopback ADDRESS:PORT; raises `UsageError` for anything else."""
    match = _ENDPOINT.fullmatch(text)
    if match is None or int(match[3]) > _MOST_PORT:
        raise UsageError(f"{option} `{text}`: is no ADDRESS:PORT; write it like 127.0.0.1:5353")
    return loopback(match[1] or match[2], option), int(match[3])


def endpoint_text(host: str, port: int) -> str:
    """Return host and port as ADDRESS:PORT, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
