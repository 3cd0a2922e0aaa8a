"""How the simulated provider's DNS behaves, where it listens, and which real server it feeds."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from bulkip.errors import UsageError
from bulkip.hostnames import check_hostname
from bulkip.simulator.loopback import loopback, loopback_endpoint
from bulkip.simulator.seeds import canonical_ip

ALGORITHMS = ("hmac-sha256", "hmac-sha224", "hmac-sha384", "hmac-sha512", "hmac-sha1")
LONGEST_S = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsSettings:
    """What can be chosen about the name servers; raises `UsageError` for what makes no sense.

    Port 0 takes a free one. DNS shows a changed PTR `propagation_s` after the
    API. With `secondary_lag_s` a second server stands on the next loopback
    address and the same port, and shows it so much later again. `forward`
    says which addresses a name leads to, none for a name that does not
    resolve; a name that it leaves out leads to every address that has or had
    it as a PTR, or is seeded with it.
    """

    host: str = "127.0.0.1"
    port: int = 0
    propagation_s: float = 0.0
    secondary_lag_s: float | None = None
    forward: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what could not be served."""
        loopback(self.host, "--dns")
        _check_wait("--propagation", self.propagation_s)
        if self.secondary_lag_s is not None:
            _check_wait("--secondary-lag", self.secondary_lag_s)
            if ip_address(self.hosts[0]).version != ip_address("127.0.0.1").version:
                raise UsageError(f"--secondary-lag: there is one address like {self.host}; use 127.0.0.1")
        for name, addresses in self.forward.items():
            _check_forward(name, addresses)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The addresses of the servers, the primary one first."""
        primary = loopback(self.host, "--dns")
        if self.secondary_lag_s is None:
            return (primary,)
        following = ip_address(primary) + 1
        return primary, str(following if following.is_loopback else ip_address("127.0.0.1"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsUpdate:
    """A real server on this machine that is told of every PTR change (RFC 2136), signed with a TSIG key.

    A change goes to the zone of `zones` with the longest suffix of its name;
    one like `0-15.113.0.203.in-addr.arpa` (RFC 2317) holds the addresses
    that it names. Without `zones` it is that of the /24, or /64. Each change
    is sent `delay_s` after it was made. `seeds` sends what is there at the
    start too. `key_secret` is base64.
    """

    server: str
    key_name: str
    key_secret: str = field(repr=False)
    algorithm: str = "hmac-sha256"
    zones: tuple[str, ...] = ()
    delay_s: float = 0.0
    seeds: bool = False

    def __post_init__(self) -> None:
        """Refuse a server elsewhere, and a key that cannot be one."""
        loopback_endpoint(self.server, "dns_update")
        _check_wait("dns_update", self.delay_s)
        if self.algorithm not in ALGORITHMS:
            raise UsageError(f"dns_update `{self.algorithm}`: no such algorithm; {', '.join(ALGORITHMS)} are")
        try:
            base64.b64decode(self.key_secret, validate=True)
        except (ValueError, binascii.Error) as error:
            raise UsageError(f"dns_update: the secret of `{self.key_name}` is no base64 ({error})") from error


def _check_wait(option: str, seconds: float) -> None:
    if not 0 <= seconds <= LONGEST_S:
        raise UsageError(f"{option} {seconds:g}s: is out of range; from 0s to 24h")


def _check_forward(name: str, addresses: tuple[str, ...]) -> None:
    try:
        check_hostname(name)
    except ValueError as error:
        raise UsageError(f"--forward: {error}") from error
    for address in addresses:
        if canonical_ip(address) is None:
            raise UsageError(f"--forward {name}: `{address}` is no address; write it like 203.0.113.7")
