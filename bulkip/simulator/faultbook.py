"""Which fault, if any, a call or a DNS query meets: the first rule that fits."""

import ipaddress
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from bulkip.addresses import Block
from bulkip.simulator.faults import Fault
from bulkip.simulator.nameserver.faultchecks import fits
from bulkip.simulator.nameserver.troubles import Asked
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

    def meets_call(self, action: str, ip: str | None, sighting: Sighting) -> bool:
        """Say whether the fault is meant for this call and not used up."""
        return (
            self.fault.dns is None
            and self.fault.action in ("*", action)
            and (not self.fault.needs_a_write or action in WRITES)
            and self._covers([ip])
            and self._applies(action, ip, sighting)
        )

    def meets_query(self, asked: Asked, leads_to: Sequence[str], sighting: Sighting) -> bool:
        """Say whether the fault is meant for this query and not used up."""
        return (
            fits(self.fault, asked)
            and self._covers([asked.ip, *leads_to])
            and self._applies(asked.action, asked.subject, sighting)
        )

    def _applies(self, action: str, subject: str | None, sighting: Sighting) -> bool:
        """Say whether it is this one's turn, and the fault is not used up."""
        fault = self.fault
        return (
            (not self._attempts or sighting.attempt in self._attempts)
            and sighting.ordinal % fault.every == 0
            and (fault.times is None or self._applied < fault.times)
            and (fault.probability >= 1 or self._falls(action, subject, sighting.attempt))
        )

    def _falls(self, action: str, subject: str | None, attempt: int) -> bool:
        """Throw the dice: always the same for a seed, a rule, an action, an address and an attempt.

        The order in which calls arrive has no say in it, so that a run with
        many calls in flight meets the same faults again.
        """
        thrown = f"{self.fault.seed}/{self._number}/{action}/{subject}/{attempt}".encode(errors="replace")
        return int.from_bytes(blake2b(thrown, digest_size=8).digest()) < self.fault.probability * _DIE

    def _covers(self, ips: Iterable[str | None]) -> bool:
        block = self._block
        return block is None or any(_holds(block, ip) for ip in ips if ip is not None)

    def take(self) -> Fault:
        """Count an application."""
        self._applied += 1
        return self.fault


def _holds(block: Block, ip: str) -> bool:
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    return address.version == block.version and block.first <= int(address) <= block.last


class FaultBook:
    """Owns the rules, in the order in which they were given."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._rules = [_Rule(fault, number) for number, fault in enumerate(faults)]

    def add(self, fault: Fault) -> None:
        """Append a rule; those before it win."""
        self._rules.append(_Rule(fault, len(self._rules)))

    def take(self, action: str, ip: str | None, sighting: Sighting) -> Fault | None:
        """Return the fault a call meets, and count it as applied."""
        rule = next((rule for rule in self._rules if rule.meets_call(action, ip, sighting)), None)
        return rule.take() if rule else None

    def take_query(self, asked: Asked, leads_to: Sequence[str], sighting: Sighting) -> Fault | None:
        """Return the fault a query meets, and count it; `leads_to` are the addresses in its right answer."""
        rule = next((rule for rule in self._rules if rule.meets_query(asked, leads_to, sighting)), None)
        return rule.take() if rule else None
