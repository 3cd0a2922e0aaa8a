"""What a template can ask of an address: the forms that names are made of."""

import ipaddress
from functools import cached_property
from typing import SupportsIndex, TypeAlias

Number: TypeAlias = int
"""`Address.int` hides the built-in name from the annotations below it."""


class Address(str):
    """A canonical address as templates see it: the text itself, and its forms as fields.

    IPv6 forms are exploded: the compressed form gives labels that begin or
    end with a hyphen.
    """

    __slots__ = ("__dict__",)

    @cached_property
    def exploded(self) -> str:
        """All digits written out; for IPv4 the address itself."""
        return ipaddress.IPv6Address(self).exploded if ":" in self else str(self)

    @property
    def dashed(self) -> str:
        """The exploded form with hyphens: 203-0-113-7."""
        return self.exploded.replace(":", "-") if ":" in self else self.replace(".", "-")

    @property
    def reversed(self) -> str:
        """The octets (IPv6: the nibbles) from last to first, with dots: 7.113.0.203."""
        if ":" in self:
            return ".".join(reversed(self.hex))
        return ".".join(reversed(self.split(".")))

    @property
    def arpa(self) -> str:
        """The name in the reverse zone: 7.113.0.203.in-addr.arpa."""
        return f"{self.reversed}.{'ip6' if ':' in self else 'in-addr'}.arpa"

    @property
    def hex(self) -> str:
        """The number in 8 (IPv6: 32) lower-case hexadecimal digits."""
        return f"{self.int:032x}" if ":" in self else f"{self.int:08x}"

    @cached_property
    def int(self) -> int:
        """The address as a number."""
        return int(ipaddress.ip_address(self))

    @property
    def o1(self) -> Number:
        """The first octet as a number; IPv6 has none."""
        return self._octet(0)

    @property
    def o2(self) -> Number:
        """The second octet as a number; IPv6 has none."""
        return self._octet(1)

    @property
    def o3(self) -> Number:
        """The third octet as a number; IPv6 has none."""
        return self._octet(2)

    @property
    def o4(self) -> Number:
        """The last octet as a number; IPv6 has none."""
        return self._octet(3)

    def _octet(self, index: SupportsIndex) -> Number:
        if ":" in self:
            raise AttributeError(f"{self} is IPv6 and has no octets; use dashed, hex or exploded")
        return Number(self.split(".")[index])
