"""What the simulated provider knows now, and what was done to it."""

import ipaddress
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from bulkip.simulator.schema import open_state
from bulkip.simulator.seeds import (
    HOUR_S,
    Seed,
    Subnet,
    TrafficPoint,
    canonical_ip,
    invented_network,
    invented_ptr,
    invented_server,
    invented_traffic,
)

_BATCH = 2000
_MOST_SERVERS, _MOST_ADDRESSES = 10_000, 4096  # that one answer tells
_COUNTED_CHARACTERS = 64  # of an action or address that no client of ours sends
_ADD_ADDRESS = """
INSERT INTO addresses VALUES (?, ?, ?, ?, 'assigned', NULL, ?, ?)
ON CONFLICT (ip) DO UPDATE SET
    server_id = coalesce(server_id, excluded.server_id), location = coalesce(location, excluded.location),
    ptr = iif(status = 'free', excluded.ptr, ptr), status = 'assigned',
    traffic_given = max(traffic_given, excluded.traffic_given)
"""
_CLAIM = """
UPDATE addresses SET server_id = ? WHERE ip = ? AND server_id IS NULL AND status = 'assigned'
"""
_ADD_SERVER = "INSERT OR IGNORE INTO servers VALUES (?, NULL, NULL)"
_SET_MAIN = "UPDATE servers SET main_ip = ? WHERE id = ?"
_SET_IPMI = "UPDATE servers SET ipmi_ip = ? WHERE id = ?"
_COUNT_CALL = """
INSERT INTO calls
VALUES (?, ?, (SELECT coalesce(max(ordinal), 0) + 1 FROM calls WHERE action = ?), 1, ?)
ON CONFLICT (action, ip) DO UPDATE SET seen = seen + 1, admitted = admitted + excluded.admitted
"""


@dataclass(frozen=True, slots=True)
class Effect:
    """A write that was carried out: PTR names for update_ptr, the main address for set_main."""

    at: float  # seconds on the simulator's monotonic clock
    action: str
    ip: str
    server_id: int
    before: tuple[str, ...]
    after: tuple[str, ...]
    propagation_s: float | None = None  # how much later DNS shows it, where a fault says so


@dataclass(frozen=True, slots=True)
class Sighting:
    """Which call of its action for its address this is, and which address of its action; both from 1."""

    attempt: int
    ordinal: int


class SimulatorState:
    """Owns the SQLite database of a simulation, temporary or in a file; any thread may call any method."""

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.RLock()
        self._db = open_state(path)
        self._watchers: list[Callable[[Effect], None]] = []

    def close(self) -> None:
        """Give the database back; a temporary one is gone then."""
        with self._lock:
            self._db.close()

    # What is there at the start

    def seed(self, seeds: Iterable[Seed | Subnet]) -> None:
        """Add addresses and subnets as they stream in.

        What is there already stays as it is; a second seed of an address only
        tells what the first one left open. Raises `ValueError` on what is no address.
        """
        stream = iter(seeds)
        while batch := list(islice(stream, _BATCH)):
            with self._transaction():
                self._add_addresses([seed for seed in batch if isinstance(seed, Seed)])
                for subnet in batch:
                    if isinstance(subnet, Subnet):
                        self._add_subnet(subnet)

    def _add_addresses(self, seeds: Sequence[Seed]) -> None:
        rows = [_address_row(seed) for seed in seeds]
        self._db.executemany(_ADD_ADDRESS, rows)
        self._db.executemany(
            "INSERT OR IGNORE INTO servers VALUES (?, ?, NULL)",
            ((row[1], row[0]) for row in rows if row[1] is not None),
        )
        self._db.executemany(
            "INSERT OR IGNORE INTO traffic VALUES (?, ?, ?, ?)",
            (
                (row[0], point.at, point.inbound, point.outbound)
                for row, seed in zip(rows, seeds, strict=True)
                for point in seed.traffic or ()
            ),
        )

    def _add_subnet(self, subnet: Subnet) -> None:
        network = ipaddress.ip_network(subnet.cidr)
        location = subnet.location.upper()
        row = (subnet.id, str(network), location)
        added = self._db.execute("INSERT OR IGNORE INTO subnets VALUES (?, ?, ?)", row)
        if not added.rowcount:
            return  # it is there already, perhaps as another network
        self._db.executemany(
            "INSERT OR IGNORE INTO addresses VALUES (?, NULL, ?, ?, 'free', ?, '', 0)",
            ((str(host), location, str(network), subnet.id) for host in islice(network.hosts(), 1, 4096)),
        )

    # What the scripts ask and do

    def belongs(self, ip: str, server_id: int) -> bool:
        """Say whether an address is on a server; one that is on none yet takes the first server that asks."""
        with self._transaction():
            self._claim(ip, server_id)
            return bool(self._rows("SELECT 1 FROM addresses WHERE ip = ? AND server_id = ?", ip, server_id))

    def _claim(self, ip: str, server_id: int) -> None:
        if self._db.execute(_CLAIM, (server_id, ip)).rowcount:
            self._db.execute(_ADD_SERVER, (server_id,))

    def server_of(self, ip: str) -> int | None:
        """Return the server an address is on; one that is on none yet is put on an invented one."""
        with self._transaction():
            self._claim(ip, invented_server(ip))
            found = self._rows("SELECT server_id FROM addresses WHERE ip = ?", ip)
        return found[0][0] if found else None

    def servers(self) -> list[int]:
        """Return the ids of the account's servers, the first 10,000 in order."""
        return [row[0] for row in self._rows("SELECT id FROM servers ORDER BY id LIMIT ?", _MOST_SERVERS)]

    def has_server(self, server_id: int) -> bool:
        """Say whether the account has a server with this id."""
        return bool(self._rows("SELECT 1 FROM servers WHERE id = ?", server_id))

    def addresses_of(self, server_id: int) -> list[tuple[str, str | None]]:
        """Return the addresses of a server with their locations, 4,096 at most, its main address first."""
        sql = "SELECT ip, location FROM addresses WHERE server_id = ? AND ip {} ? ORDER BY ip LIMIT ?"
        main = self.main_of(server_id) or ""
        first = self._rows(sql.format("="), server_id, main, 1)
        return first + self._rows(sql.format("<>"), server_id, main, _MOST_ADDRESSES - len(first))

    def network_of(self, ip: str) -> str | None:
        """Return the network an address stands in, as CIDR; None for an address of somebody else."""
        return self._text("SELECT network FROM addresses WHERE ip = ?", ip)

    def traffic_of(self, ip: str, start: int, stop: int) -> list[TrafficPoint]:
        """Return the hours that begin in [start, stop) and had traffic, oldest first."""
        known = self._rows("SELECT traffic_given FROM addresses WHERE ip = ?", ip)
        if not known:
            return []
        if known[0][0]:
            sql = "SELECT at, inbound, outbound FROM traffic WHERE ip = ? AND at >= ? AND at < ? ORDER BY at"
            return [TrafficPoint(*row) for row in self._rows(sql, ip, start, stop)]
        return list(invented_traffic(ip, range(-(-start // HOUR_S) * HOUR_S, stop, HOUR_S)))

    def subnets(self, location: str, subnet_id: int | None) -> list[int]:
        """Return the ids of the account's subnets at a location (all when empty), or the one with this id."""
        sql = "SELECT id FROM subnets WHERE ? IN ('', location) AND coalesce(?, id) = id ORDER BY id"
        return [row[0] for row in self._rows(sql, location.upper(), subnet_id)]

    def free_ips(self, subnet_id: int) -> list[tuple[str, str]]:
        """Return the free addresses of a subnet in order, each with its location."""
        sql = "SELECT ip, location FROM addresses WHERE subnet_id = ? AND status = 'free'"
        rows = [(str(ip), str(location)) for ip, location in self._rows(sql, subnet_id)]
        return sorted(rows, key=lambda row: int(ipaddress.ip_address(row[0])))

    def set_ptr(
        self, ip: str, server_id: int, names: tuple[str, ...], at: float, propagation_s: float | None = None
    ) -> Effect:
        """Replace the PTR records of an address, by none when there are no names."""
        with self._transaction():
            before = self.ptr_of(ip)
            self._db.execute("UPDATE addresses SET ptr = ? WHERE ip = ?", ("\n".join(names), ip))
            return self._note(Effect(at, "update_ptr", ip, server_id, before, names, propagation_s))

    def set_main(self, ip: str, server_id: int, at: float, *, ipmi: bool) -> Effect:
        """Make an address the main one of its server, or the one of its management interface."""
        with self._transaction():
            before = self.ipmi_of(server_id) if ipmi else self.main_of(server_id)
            self._db.execute(_SET_IPMI if ipmi else _SET_MAIN, (ip, server_id))
            return self._note(Effect(at, "set_main", ip, server_id, (before,) if before else (), (ip,)))

    def _note(self, effect: Effect) -> Effect:
        before, after = "\n".join(effect.before), "\n".join(effect.after)
        self._db.execute(
            "INSERT INTO effects (at, action, ip, server_id, before, after) VALUES (?, ?, ?, ?, ?, ?)",
            (effect.at, effect.action, effect.ip, effect.server_id, before, after),
        )
        for tell in self._watchers:
            tell(effect)
        return effect

    def watch(self, tell: Callable[[Effect], None]) -> None:
        """Tell of every write from now on, in order, before anybody can read what it changed."""
        with self._lock:
            self._watchers.append(tell)

    def sight(self, action: str, ip: str | None, *, admitted: bool) -> Sighting:
        """Count a call and return its place; a call that a limit refused is seen, but is no attempt."""
        key = (action[:_COUNTED_CHARACTERS], (ip or "")[:_COUNTED_CHARACTERS])
        with self._transaction():
            self._db.execute(_COUNT_CALL, (*key, key[0], admitted))
            found = self._rows("SELECT admitted, ordinal FROM calls WHERE action = ? AND ip = ?", *key)
        return Sighting(*found[0])

    # What a test asks

    def ptr_of(self, ip: str) -> tuple[str, ...]:
        """Return the PTR names of an address; none for an address the account does not have."""
        return _names(self._text("SELECT ptr FROM addresses WHERE ip = ?", canonical_ip(ip)))

    def ptrs(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield every address that has PTR names, with them."""
        with self._lock:
            for ip, text in self._db.execute("SELECT ip, ptr FROM addresses WHERE ptr <> ''"):
                yield ip, _names(text)

    def networks(self) -> list[str]:
        """Return the networks that the account's addresses stand in, as CIDR."""
        return [row[0] for row in self._rows("SELECT DISTINCT network FROM addresses")]

    def main_of(self, server_id: int) -> str | None:
        """Return the main IPv4 address of a server; at the start the first that was seeded for it."""
        return self._text("SELECT main_ip FROM servers WHERE id = ?", server_id)

    def ipmi_of(self, server_id: int) -> str | None:
        """Return the address of a server's management interface; None until set_main sets one."""
        return self._text("SELECT ipmi_ip FROM servers WHERE id = ?", server_id)

    def writes(self) -> list[Effect]:
        """Return every write that was carried out, in order, even when its answer was lost."""
        rows = self._rows("SELECT at, action, ip, server_id, before, after FROM effects ORDER BY number")
        return [
            Effect(at, action, ip, server_id, _names(before), _names(after))
            for at, action, ip, server_id, before, after in rows
        ]

    def count(self, action: str, ip: str | None = None) -> int:
        """Return how many calls of an action were seen, for one address or for all, refused ones included."""
        sql = "SELECT coalesce(sum(seen), 0) FROM calls WHERE action = ? AND ip = coalesce(?, ip)"
        return int(self._rows(sql, action, ip and (canonical_ip(ip) or ip))[0][0])

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def _text(self, sql: str, *values: object) -> str | None:
        rows = self._rows(sql, *values)
        return rows[0][0] if rows else None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def _address_row(seed: Seed) -> tuple[str, int | None, str | None, str, str, bool]:
    ip = canonical_ip(seed.ip)
    if ip is None:
        raise ValueError(f"`{seed.ip}` is no address")
    ptr = invented_ptr(ip) if seed.ptr is None else seed.ptr
    location = seed.location.upper() if seed.location else None
    return ip, seed.server_id, location, invented_network(ip), ptr, seed.traffic is not None


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(text.split("\n")) if text else ()
