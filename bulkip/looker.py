"""On which server is an address? Asked one by one, or read from an index where that costs fewer calls."""

from collections.abc import Iterator
from dataclasses import dataclass

from anyio import create_task_group, to_thread

from bulkip.actions.eq_list import LIST_REQUEST, NOT_LOOKED_UP, servers_in
from bulkip.actions.eq_show import addresses_in, show_request
from bulkip.inquiry import Inquiry
from bulkip.model import ErrorClass, Result, Status
from bulkip.retry import Found, found_in
from bulkip.scheduler import Turn
from bulkip.store import Beforehand, RunWriter, Sought, account_servers, held_addresses
from bulkip.worker import Worker

FEW = 2
"""For so few addresses no index is cheaper: a list of the servers and one of them are two calls."""


@dataclass(frozen=True, slots=True)
class Books:
    """What is known of the account, and where more of it is written down."""

    reader: Beforehand
    writer: RunWriter


class Looker:
    """Finds the servers of addresses.

    An index tells of addresses on exactly one server. Of those that it lacks
    the API is asked after all: a long list of addresses may have been cut short.
    """

    def __init__(self, worker: Worker, inquiry: Inquiry, books: Books) -> None:
        """Let the worker ask for single addresses, and the inquiry for what an index needs."""
        self._worker = worker
        self._inquiry = inquiry
        self._books = books
        self._has_index = False
        self._refusal: Result | None = None

    async def prepare(self, workers: int) -> None:
        """Build an index if it costs fewer calls; what an earlier start learned is not asked again."""
        left = await to_thread.run_sync(self._books.reader.lookups_left)
        if left <= FEW:
            return
        known, unseen = await to_thread.run_sync(self._books.reader.account)
        if not known:
            unseen = await self._listed()
            known = len(unseen)
        if known and left > len(unseen) + 1:
            self._has_index = await self._look_into(unseen, workers)

    async def _listed(self) -> tuple[str, ...]:
        """Return the servers of the account; a token that may not list them finds no address either."""
        result = await self._inquiry.answer(LIST_REQUEST)
        if result is None or result.status is not Status.OK:
            if result is not None and result.error_class is ErrorClass.PERMISSION:
                self._refusal = Result(
                    Status.FAILED,
                    ErrorClass.PERMISSION,
                    error_code=result.error_code,
                    message=result.message,
                    http_status=result.http_status,
                    note=NOT_LOOKED_UP,
                )
            return ()
        servers = servers_in(result.value)
        for statement in account_servers(self._books.reader.place, servers):
            await self._books.writer.keep(statement)
        return servers

    async def _look_into(self, servers: tuple[str, ...], workers: int) -> bool:
        """Ask every server for its addresses, and say whether all have answered."""
        left = iter(servers)
        async with create_task_group() as group:
            for _ in range(workers):
                group.start_soon(self._look_into_each, left)
        await self._books.writer.flush()
        _, unseen = await to_thread.run_sync(self._books.reader.account)
        return not unseen

    async def _look_into_each(self, left: Iterator[str]) -> None:
        """Ask servers until there is none left; one that gives no answer makes the others useless."""
        for server in left:
            result = await self._inquiry.answer(show_request(server))
            if result is None or result.status is not Status.OK:
                for _ in left:
                    pass
                return
            for statement in held_addresses(self._books.reader.place, server, addresses_in(result.value)):
                await self._books.writer.keep(statement)

    async def enter(self, sought: Sought) -> Turn | None:
        """Return the turn that asks where an address is; None when that is known, or cannot be."""
        if self._refusal is not None:
            await self._worker.refuse(sought.chain, self._refusal)
            return None
        if not self._has_index or not sought.servers:
            return self._worker.enter_search(sought.chain)
        found = found_in(sought.servers)
        if isinstance(found, Found):
            await self._worker.keep_server(sought.chain[0].item, found.server)
        else:
            await self._worker.refuse(sought.chain, found.result)
        return None

    async def refuse_rivals(self) -> None:
        """End the writes that would give one server several main addresses; none of them is guessed."""
        await self._books.writer.flush()
        for planned, server in await to_thread.run_sync(self._books.reader.rival_mains):
            text = f"several addresses are to be the main one of server {server}, which was found; keep one"
            await self._worker.refuse((planned,), Result(Status.FAILED, ErrorClass.INVALID, message=text))
