"""What a worker does all day: it takes shards whose secrets it has, and works on a few at a time."""

import os
import socket
from collections.abc import Awaitable, Callable

from anyio import CancelScope, Event, create_task_group, move_on_after, sleep, to_thread

from bulkip.cluster.queue import ShardQueue
from bulkip.errors import StoreError
from bulkip.run.options import HandsOptions
from bulkip.run.serving import Serving
from bulkip.run.shardrooms import ShardRooms
from bulkip.run.tickets import Tickets
from bulkip.stops import Stop
from bulkip.store.home import DatabaseError

BEAT_S, LOOK_S = 3.0, 2.0
"""How often a worker says that it is alive, and how often it looks for new queues and for dead workers."""
IDLE_S = 0.3
"""So long a worker waits before it asks an empty queue again."""
AWAY_S = 1.0
"""So long it waits before it asks a server again that did not answer."""
LAST_WORD_S = 5.0


class Hands:
    """Owns one worker of a cluster."""

    def __init__(self, url: str, options: HandsOptions, say: Callable[[str], None]) -> None:
        """Work for the cluster at this URL, with this process's secrets; `say` tells people of it."""
        self._options = options
        self._say = say
        self._serving = Serving(url, options.queues, os.environ, say)
        self._tickets = Tickets(url, f"{socket.gethostname()}:{os.getpid()}", self._serving, say)
        self._stopping = Event()
        self._is_away = False

    @property
    def done(self) -> int:
        """How many shards were done to their end."""
        return self._tickets.done

    def stop(self, stop: Stop) -> None:
        """Take nothing new, and give back what is not done; calls in flight get their grace."""
        self._stopping.set()
        self._tickets.stop(stop)

    def cut_off(self) -> None:
        """Cancel the calls in flight, too."""
        self._tickets.cut_off()

    async def work(self, queue: ShardQueue) -> None:
        """Work until told to stop, or until nothing is left when that is what is wanted."""
        await self._until_done(queue.register)
        await self._until_done(self._look)
        async with create_task_group() as group:
            rooms = ShardRooms(group, self._options.shards)
            group.start_soon(self._every, BEAT_S, queue.beat)
            group.start_soon(self._every, LOOK_S, self._look)
            group.start_soon(self._every, LOOK_S, queue.reap)
            async with create_task_group() as taking:
                for _ in range(self._options.shards):
                    taking.start_soon(self._take, queue, rooms)
            group.cancel_scope.cancel()
        with CancelScope(shield=True), move_on_after(LAST_WORD_S):
            await self._tried(queue.unregister)

    async def _take(self, queue: ShardQueue, rooms: ShardRooms) -> None:
        while not self._stopping.is_set():
            try:
                ticket = await queue.take(self._serving.queues)
                if ticket is not None:
                    await self._tickets.carry(queue, ticket, rooms)
                    continue
            except (StoreError, DatabaseError) as error:
                self._missed(error)
                await self._pause(AWAY_S)
                continue
            if self._options.drain and self._tickets.is_idle:
                return
            await self._pause(IDLE_S)

    async def _look(self) -> None:
        await to_thread.run_sync(self._serving.look)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        while True:
            await sleep(seconds)
            await self._tried(work)

    async def _until_done(self, work: Callable[[], Awaitable[object]]) -> None:
        while not self._stopping.is_set() and not await self._tried(work):
            await self._pause(AWAY_S)

    async def _tried(self, work: Callable[[], Awaitable[object]]) -> bool:
        """Do something that the server may not answer; what fails is done again another time."""
        try:
            await work()
        except StoreError as error:
            self._missed(error)
            return False
        self._heard()
        return True

    async def _pause(self, seconds: float) -> None:
        with move_on_after(seconds):
            await self._stopping.wait()

    def _missed(self, error: Exception) -> None:
        if not self._is_away:
            self._is_away = True
            self._say(f"{error}; waiting for it")

    def _heard(self) -> None:
        if self._is_away:
            self._is_away = False
            self._say("the database answers again")
