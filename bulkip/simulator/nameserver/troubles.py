"""What can go wrong with a DNS query on demand, and what is known of a query when that is decided."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class DnsTrouble(StrEnum):
    """What a name server does to a query, in the words of a fault file."""

    SERVFAIL = "servfail"
    REFUSE = "refuse"
    TIMEOUT = "timeout"  # says nothing
    TRUNCATE = "truncate"  # over UDP nothing but that TCP should be tried
    NXDOMAIN = "nxdomain"
    EMPTY = "empty"  # the name is there, the record is not
    WRONG = "wrong"  # other names, or other addresses
    LAME = "lame"  # answers without authority, and names the root's servers
    NO_EDNS = "no-edns"  # refuses queries with EDNS, as old servers do
    GARBAGE = "garbage"  # something that is no DNS
    LATE = "late"  # the right answer, after `delay`


@dataclass(frozen=True, slots=True)
class Asked:
    """A query: which server was asked for what, and which address it is about, where it is about one."""

    server: int
    transport: Literal["udp", "tcp"]
    name: str
    type: str
    ip: str | None
    edns: bool

    @property
    def action(self) -> str:
        """What such queries are counted as: the type at the server, `PTR@1`."""
        return f"{self.type}@{self.server}"

    @property
    def subject(self) -> str:
        """What they are counted for: the address, else the name."""
        return self.ip or self.name
