"""What a parameter may look like: each check returns the text to send or raises `ValueError`."""

import ipaddress
import re
from datetime import UTC, datetime

from bulkip.actions.action import Rendered
from bulkip.hostnames import check_hostname

LOOKUP = "lookup"
"""Instead of a server's id: the API is asked on which server the address is."""
LONGEST_TEXT = 1000
SHOWN = 60

_ID = re.compile(r"[1-9][0-9]{0,9}")
_LOCATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_SECONDS = re.compile(r"0|[1-9][0-9]{0,9}")
_MILLISECONDS = re.compile(r"[1-9][0-9]{12}")
_WRITTEN_DATE = re.compile(r"((?:19|20)[0-9]{2})(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])")
_FLAGS = {"1": "1", "true": "1", "0": "0", "false": "0"}


def shown(value: object) -> str:
    """Return a value as an error message shows it: quoted, escaped and short."""
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)"


def one_text(value: Rendered) -> str:
    """Return a single text; a YAML list is refused."""
    if isinstance(value, str):
        return value
    raise ValueError(f"{shown(list(value))} is a list; give one value")


def server_id(value: Rendered) -> str:
    """Return the decimal number of a server, as its author wrote it, or `lookup`."""
    if isinstance(value, str) and (_ID.fullmatch(value) or value == LOOKUP):
        return value
    text = one_text(value)
    way_out = f"write 1 to 10 digits without leading zero, such as 4711, or `{LOOKUP}` to have it found"
    raise ValueError(f"{shown(text)} is no id; {way_out}")


def subnet_id(value: Rendered) -> str:
    """Return the decimal number of a subnet, as its author wrote it."""
    text = one_text(value)
    if _ID.fullmatch(text):
        return text
    raise ValueError(f"{shown(text)} is no id; write 1 to 10 digits without leading zero, such as 4711")


def location(value: Rendered) -> str:
    """Return a location code in upper case; which codes there are only the server knows."""
    text = one_text(value)
    if _LOCATION.fullmatch(text):
        return text.upper()
    raise ValueError(f"{shown(text)} is no location code; write letters, digits, - and _, such as NL")


def flag(value: Rendered) -> str:
    """Return 1 or 0 for 1, 0, true and false."""
    text = one_text(value)
    sent = _FLAGS.get(text.lower())
    if sent is None:
        raise ValueError(f"{shown(text)} is neither 1 nor 0; write 1 (or true) or 0 (or false)")
    return sent


def address(value: Rendered) -> str:
    """Return an address in canonical form; zone ids and IPv4-mapped IPv6 are refused."""
    text = one_text(value)
    if _IPV4.fullmatch(text):
        return text
    try:
        parsed = ipaddress.IPv6Address(text)
    except ValueError:
        raise ValueError(f"{shown(text)} is no address; write one such as 203.0.113.7") from None
    if parsed.scope_id is not None:
        raise ValueError(f"{shown(text)} has a zone id; write the address alone")
    if parsed.ipv4_mapped is not None:
        raise ValueError(f"{shown(text)} is an IPv4 address in IPv6; write {parsed.ipv4_mapped}")
    return str(parsed)


def single_line(value: Rendered) -> str:
    """Return free text without control, format or surrogate characters."""
    text = one_text(value)
    if not text.isprintable():
        raise ValueError(f"{shown(text)} has characters that do not print; write one plain line")
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"{shown(text)} is too long; write at most {LONGEST_TEXT} characters")
    return text


def unix_seconds(value: Rendered) -> str:
    """Return a point in time as Unix seconds; what looks like milliseconds or a date is refused."""
    text = one_text(value)
    if written := _WRITTEN_DATE.fullmatch(text):
        raise ValueError(
            f"{shown(text)} looks like the date {'-'.join(written.groups())}, "
            f"but as Unix seconds it is {_reading(int(text))}; use period: with dates, or write Unix seconds"
        )
    if _SECONDS.fullmatch(text):
        return text
    if _MILLISECONDS.fullmatch(text):
        seconds = int(text) // 1000
        raise ValueError(
            f"{shown(text)} looks like milliseconds ({_reading(seconds)}); write seconds: {seconds}"
        )
    raise ValueError(f"{shown(text)} is no time in Unix seconds; write digits, such as 1788220800")


def ptr_text(value: Rendered) -> str:
    """Return the PTR name to send; a YAML list of names becomes lines, an empty value stays empty."""
    if not isinstance(value, str):
        return "\n".join({name.lower(): name for name in map(check_hostname, value)}.values())
    if "\n" in value or "\r" in value:
        raise ValueError(
            f"{shown(value)} has several lines, which would make several records; "
            "write a YAML list of names if that is meant"
        )
    return check_hostname(value) if value else ""


def _reading(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
