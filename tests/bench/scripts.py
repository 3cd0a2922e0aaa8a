"""What users would write instead: a script of twenty lines, and a tuned loop; neither stores anything.

Usage: scripts.py naive|tuned|limited URL CSV [RATE]
"""

import asyncio
import csv
import sys
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import uvloop
from aiolimiter import AsyncLimiter

IN_FLIGHT = 32
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def rows_of(path: str) -> list[dict[str, str]]:
    """Return the rows of a CSV with a header."""
    with Path(path).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


async def naive(url: str, path: str) -> None:
    """Gather a call for each row."""
    async with aiohttp.ClientSession() as session:

        async def one(row: dict[str, str]) -> None:
            form = {"action": "get_ptr", "token": "x", "ip": row["ip"], "id": row["id"]}
            async with session.post(url, data=form) as response:
                await response.json(content_type=None)

        await asyncio.gather(*(one(row) for row in rows_of(path)))


async def tuned(url: str, path: str) -> None:
    """Let fixed workers share one iterator, with everything prepared beforehand."""
    left = iter([urlencode({"action": "get_ptr", "token": "x", **row}).encode() for row in rows_of(path)])
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=IN_FLIGHT),
        timeout=aiohttp.ClientTimeout(total=30),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=FORM,
    ) as session:

        async def work() -> None:
            for body in left:
                async with session.post(url, data=body, allow_redirects=False) as response:
                    await response.read()

        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(work())


async def limited(url: str, path: str, rate: float) -> None:
    """Gather a call for each row behind a limiter, as its own page shows it."""
    limiter = AsyncLimiter(rate, 1)
    async with aiohttp.ClientSession() as session:

        async def one(row: dict[str, str]) -> None:
            async with limiter, session.post(url, data={"action": "get_ptr", **row}) as response:
                await response.read()

        await asyncio.gather(*(one(row) for row in rows_of(path)))


def main(kind: str, url: str, path: str, rate: str = "0") -> None:
    """Run the script of this name."""
    match kind:
        case "naive":
            asyncio.run(naive(url, path))
        case "tuned":
            uvloop.run(tuned(url, path))
        case "limited":
            asyncio.run(limited(url, path, float(rate)))


if __name__ == "__main__":
    main(*sys.argv[1:])
