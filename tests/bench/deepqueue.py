"""How long the queue takes for one shard when many wait, through bulkip's own door to it.

Usage: python deepqueue.py URL DEPTH FILE. The database is one that `bulkip
cluster init` made ready. FILE gets a JSON object: milliseconds by step.
"""

import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio

from bulkip.cluster.queue import ShardQueue, Ticket, open_queue

T = TypeVar("T")
QUEUE, RUN = "bench@000000000000", "20260901T031500-bench0"
TAKEN = 200
"""So many shards are taken and acknowledged, one after the other."""


async def timed(work: Callable[[], Awaitable[T]], into: list[float]) -> T:
    """Do something, note how many milliseconds it took, and return what came of it."""
    began = time.perf_counter()
    result = await work()
    into.append((time.perf_counter() - began) * 1e3)
    return result


async def measure(url: str, depth: int) -> dict[str, float]:
    """Let so many shards wait, and take some of them."""
    spent: dict[str, list[float]] = {"defer": [], "missing": [], "take": [], "acknowledge": []}
    shards = range(1, depth + 1)
    async with open_queue(url) as queue:
        await queue.register()
        await timed(partial(queue.defer, QUEUE, RUN, shards), spent["defer"])
        await timed(partial(queue.missing, QUEUE, RUN, shards), spent["missing"])
        for _ in range(TAKEN):
            ticket = await timed(partial(_taken, queue), spent["take"])
            await timed(partial(queue.acknowledge, ticket), spent["acknowledge"])
    medians = {f"{step}_ms": statistics.median(taken) for step, taken in spent.items()}
    return medians | {"depth": depth, "defer_ms": spent["defer"][0] / depth}


async def _taken(queue: ShardQueue) -> Ticket:
    ticket = await queue.take([QUEUE])
    assert ticket is not None, "the queue is empty"
    return ticket


if __name__ == "__main__":
    _, where, wanted, file = sys.argv
    found = anyio.run(measure, where, int(wanted), backend_options={"use_uvloop": True})
    Path(file).write_text(json.dumps(found), encoding="utf-8")
