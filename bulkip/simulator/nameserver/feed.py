"""How does a real name server hear of PTR changes? By dynamic updates (RFC 2136), signed (RFC 8945)."""

import socket
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, islice
from types import TracebackType
from typing import Self

import anyio
from dns.asyncquery import tcp
from dns.exception import DNSException, Timeout
from dns.message import Message
from dns.name import Name, from_text
from dns.rcode import to_text as rcode_text
from dns.rdatatype import PTR
from dns.tsig import Key
from dns.update import UpdateMessage

from bulkip.simulator.loopback import loopback_endpoint
from bulkip.simulator.nameserver.clocks import Clocks
from bulkip.simulator.nameserver.feedzones import Place, place_of
from bulkip.simulator.nameserver.log import UpdateEntry
from bulkip.simulator.nameserver.propagation import Propagation
from bulkip.simulator.nameserver.settings import DnsUpdate
from bulkip.simulator.nameserver.zones import pointers_to
from bulkip.simulator.requestlog import RequestLog
from bulkip.simulator.state import Effect

_TTL_S = 60
_MOST_TOGETHER = 100
_PATIENCE_S = 5.0
_PAUSES_S = (0.2, 1.0, 0.0)
"""What is waited after each failed try; a server that never heard of a change is tried so many times."""

Named = tuple[str, tuple[str, ...]]
"""An address, and the names that its PTR shall have."""


@dataclass(frozen=True, slots=True)
class Change:
    """What an address is to be named, and where that is kept; None where no zone fits."""

    ip: str
    names: tuple[str, ...]
    place: Place | None


class Feed:
    """Owns the changes that a real server is still to be told, and tells it in their order.

    A change that it refuses, or cannot be reached for, is logged and left behind.
    """

    def __init__(self, update: DnsUpdate, clocks: Clocks, log: RequestLog, seeds: Iterable[Named]) -> None:
        self._host, self._port = loopback_endpoint(update.server, "dns_update")
        self._key = Key(update.key_name, update.key_secret, update.algorithm)
        self._zones = [from_text(zone) for zone in update.zones]
        self._propagation = Propagation(update.delay_s)
        self._clocks = clocks
        self._log = log
        self._seeds = seeds
        self._open = AsyncExitStack()

    def note(self, effect: Effect) -> None:
        """Tell of a change when its time has come; any thread may call this."""
        self._propagation.note(effect)
        with suppress(OSError):  # a full bell rings already; without one nobody listens any more
            self._bell.send(b".")

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            heard, self._bell = (stack.enter_context(end) for end in socket.socketpair())
            heard.settimeout(0)
            self._bell.settimeout(0)
            await self._tell(self._seeds)
            tasks = await stack.enter_async_context(anyio.create_task_group())
            stack.callback(tasks.cancel_scope.cancel)
            tasks.start_soon(self._tell_for_ever, heard)
            self._open = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.__aexit__(kind, error, trace)

    async def _tell_for_ever(self, heard: socket.socket) -> None:
        while True:
            due = self._propagation.arrive(self._clocks.monotonic())
            await self._tell((effect.ip, effect.after) for effect in due)
            if not due:
                await self._wait(heard)

    async def _wait(self, heard: socket.socket) -> None:
        """Wait for the next change that is due, or for a new one."""
        next_at = self._propagation.next_at()
        wait_s = None if next_at is None else max(0.0, next_at - self._clocks.monotonic())
        with anyio.move_on_after(wait_s):
            await anyio.wait_readable(heard)
            heard.recv(4096)

    async def _tell(self, named: Iterable[Named]) -> None:
        """Send changes in order, those of one zone that follow each other together."""
        changes = (Change(ip, names, place_of(ip, self._zones)) for ip, names in named)
        for zone, group in groupby(changes, key=lambda change: change.place and change.place.zone):
            for batch in _batches(group):
                result = "no zone of the feed has it" if zone is None else await self._send(zone, batch)
                for change in batch:
                    self._note_sent(change, result)

    async def _send(self, zone: Name, batch: list[Change]) -> str:
        """Send one update, and return its code or what kept it from having one."""
        trouble = ""
        for pause_s in _PAUSES_S:
            try:
                reply = await tcp(self._message(zone, batch), self._host, _PATIENCE_S, self._port)
            except (OSError, EOFError, Timeout) as error:
                trouble = f"{type(error).__name__}: {error}"
                await anyio.sleep(pause_s)
            except DNSException as error:
                return f"{type(error).__name__}: {error}"
            else:
                return rcode_text(reply.rcode())
        return trouble

    def _message(self, zone: Name, batch: list[Change]) -> Message:
        update = UpdateMessage(zone, keyring=self._key)
        for change in batch:
            if change.place is not None:
                update.delete(change.place.owner, PTR)
                for pointer in pointers_to(change.names):
                    update.add(change.place.owner, _TTL_S, pointer)
        return update

    def _note_sent(self, change: Change, result: str) -> None:
        place = change.place
        entry = UpdateEntry(
            seq=self._log.updated + 1,
            at=self._clocks.monotonic(),
            wall=datetime.fromtimestamp(self._clocks.wall(), UTC).isoformat(timespec="milliseconds"),
            ip=change.ip,
            zone=place.zone.to_text(omit_final_dot=True) if place else None,
            names=change.names,
            result=result,
        )
        self._log.add_update(entry)


def _batches(changes: Iterator[Change]) -> Iterator[list[Change]]:
    while batch := list(islice(changes, _MOST_TOGETHER)):
        yield batch
