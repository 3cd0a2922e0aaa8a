"""Which fault, if any, a call meets: the first rule that fits."""

import ipaddress
from collections.abc import Iterable
from hashlib import blake2b

from bulkip.simulator.faults import Fault
from bulkip.simulator.scripts import WRITES
from bulkip.simulator.state import Sighting

_DIE = 2**64


class _Rule:
    """Owns how often a fault was applied."""

    def __init__(self, fault: Fault, number: int) -> None:
        self.fault = fault
        self._number = number
        self._block = fault.block()
        self._attempts = frozenset(fault.attempts)
        self._applied = 0

    def applies(self, action: str, ip: str | None, sighting: Sighting) -> bool:
        """Say whether the fault is meant for this call and not used up."""
        fault = self.fault
        return (
            fault.action in ("*", action)
            and (not fault.needs_a_write or action in WRITES)
            and (not self._attempts or sighting.attempt in self._attempts)
            and sighting.ordinal % fault.every == 0
            and (fault.times is None or self._applied < fault.times)
            and self._covers(ip)
            and (fault.probability >= 1 or self._falls(action, ip, sighting.attempt))
        )

    def _falls(self, action: str, ip: str | None, attempt: int) -> bool:
        """Throw the dice: always the same for a seed, a rule, an action, an address and an attempt.

        The order in which calls arrive has no say in it, so that a run with
        many calls in flight meets the same faults again.
        """
        thrown = f"{self.fault.seed}/{self._number}/{action}/{ip}/{attempt}".encode(errors="replace")
        return int.from_bytes(blake2b(thrown, digest_size=8).digest()) < self.fault.probability * _DIE

    def _covers(self, ip: str | None) -> bool:
        if self._block is None:
            return True
        if ip is None:
            return False
        try:
            address = ipaddress.ip_address(ip)
        except ValueError:
            return False
        return (
            address.version == self._block.version and self._block.first <= int(address) <= self._block.last
        )

    def take(self) -> Fault:
        """Count an application."""
        self._applied += 1
        return self.fault


class FaultBook:
    """Owns the rules, in the order in which they were given."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._rules = [_Rule(fault, number) for number, fault in enumerate(faults)]

    def add(self, fault: Fault) -> None:
        """Append a rule; those before it win."""
        self._rules.append(_Rule(fault, len(self._rules)))

    def take(self, action: str, ip: str | None, sighting: Sighting) -> Fault | None:
        """Return the fault a call meets, and count it as applied."""
        rule = next((rule for rule in self._rules if rule.applies(action, ip, sighting)), None)
        return rule.take() if rule else None
