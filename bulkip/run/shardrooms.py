"""What the shards of an account share within one process, kept as long as there are any."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from anyio import (
    TASK_STATUS_IGNORED,
    CancelScope,
    Lock,
    create_task_group,
    current_time,
    move_on_after,
    sleep,
)
from anyio.abc import TaskGroup, TaskStatus

from bulkip.brake import Brake
from bulkip.run.engine import Endpoint, Room, transport_to
from bulkip.run.pacing import pacer_of
from bulkip.settings import Job
from bulkip.stops import Stop

IDLE_S = 30.0
"""So long a room is kept that nobody uses: the next shard of the same account is often near."""
LOOK_S = 1.0
LEAVING_S = 10.0
Leave = Callable[[], Awaitable[None]]
Key = tuple[str, int, str]
"""A run, the round of its shards, and an account: the pace is that of the settings which hold there."""


@dataclass(slots=True)
class _Kept:
    room: Room
    brake: Brake
    users: int = 0
    left_at: float = 0.0
    stops: list[Callable[[Stop], None]] = field(default_factory=list)


class ShardRooms:
    """Owns the rooms of a worker; they live in its task group."""

    def __init__(self, group: TaskGroup, shards: int) -> None:
        """Keep rooms for so many shards at a time in this group."""
        self._group = group
        self._shards = shards
        self._kept: dict[Key, _Kept] = {}
        self._opening = Lock()

    @asynccontextmanager
    async def room(
        self, key: Key, endpoint: Endpoint, job: Job, stop: Callable[[Stop], None], leave: Leave
    ) -> AsyncIterator[Room]:
        """Give the room of an account; `stop` hears when nothing can be sent from it any more.

        `leave` is what is to be done when nobody needs the room any more.
        """
        async with self._opening:
            kept = self._kept.get(key)
            if kept is None:
                kept = self._kept[key] = await self._group.start(self._keep, key, endpoint, job, leave)
        kept.users += 1
        kept.stops.append(stop)
        try:
            if kept.brake.stop is not None:
                stop(kept.brake.stop)
            yield kept.room
        finally:
            kept.stops.remove(stop)
            kept.users -= 1
            kept.left_at = current_time()

    async def _keep(
        self,
        key: Key,
        endpoint: Endpoint,
        job: Job,
        leave: Leave,
        *,
        task_status: TaskStatus[_Kept] = TASK_STATUS_IGNORED,
    ) -> None:
        """Hold wire and pace open until nobody has used them for a while, or nothing can be sent any more."""
        kept: _Kept | None = None

        def stop_all(stop: Stop) -> None:
            """Stop the shards of a room from which nothing can be sent; the next one gets another."""
            self._forget(key, kept)
            for one in [*kept.stops] if kept is not None else []:
                one(stop)

        brake = Brake(stop_all)
        transport = transport_to(endpoint, job, writes=True, sharing=self._shards)
        try:
            async with transport as wire, create_task_group() as pacing:
                pacer = pacer_of(job, endpoint.shared, (), lambda _event: None, brake)
                pacing.start_soon(pacer.run)
                kept = _Kept(Room(endpoint, wire, pacer), brake, left_at=current_time())
                task_status.started(kept)
                while kept.users or (brake.stop is None and current_time() - kept.left_at < IDLE_S):
                    await sleep(LOOK_S)
                self._forget(key, kept)  # before anything of it is closed: nobody enters it any more
                pacing.cancel_scope.cancel()
        finally:
            self._forget(key, kept)
            if endpoint.purse.made and not any(one.room.endpoint is endpoint for one in self._kept.values()):
                with CancelScope(shield=True), move_on_after(LEAVING_S):
                    await leave()
                endpoint.purse.forget()

    def _forget(self, key: Key, kept: _Kept | None) -> None:
        """Let the next shard have a room of its own, if it would get this one."""
        if kept is not None and self._kept.get(key) is kept:
            del self._kept[key]
