"""Who is asked: name servers, the zones that they serve, and delegations to them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dns.name import Name

from bulkip.proof import Trouble

PORT = 53
MOST_NAMES = 16
"""So many name servers of a zone are asked; the root has 13."""
MOST_ADDRESSES = 4
NO_ROUTE = Trouble("no route to it from this machine")


@dataclass(frozen=True, slots=True)
class Server:
    """A name server at one address; `name` is the one in the zone's NS records, empty for a given server."""

    address: str
    port: int = PORT
    name: str = ""

    def __str__(self) -> str:
        if not self.name:
            return self.endpoint
        place = self.address if self.port == PORT else self.endpoint
        return f"{self.name} ({place})"

    @property
    def endpoint(self) -> str:
        """The address and port as a job file writes them."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def parse_server(text: str) -> Server:
    """Return the server of `address:port` or `[address]:port`; a bare address means port 53."""
    bare = text.removeprefix("[")
    if bare != text:
        address, _, port = bare.partition("]")
        return Server(address, int(port.removeprefix(":") or PORT))
    if text.count(":") > 1:
        return Server(text)
    address, _, port = text.partition(":")
    return Server(address, int(port or PORT))


@dataclass(frozen=True, slots=True)
class Cut:
    """A delegation as the zone above tells it: the names of the servers, and the addresses it knows."""

    apex: Name
    names: tuple[Name, ...]
    glue: Mapping[Name, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone and its servers; `homeless` are the names of servers that have no address.

    An orphan is served, but the zone above does not delegate it: the world does not see it.
    """

    apex: Name
    servers: tuple[Server, ...]
    homeless: tuple[Name, ...] = ()
    cut: Cut | None = None
    is_start: bool = False
    is_orphan: bool = False
