"""What users would write instead: a script of twenty lines, and a tuned loop; neither stores anything."""

import asyncio
import sys
from urllib.parse import urlencode

import aiohttp
import uvloop

IN_FLIGHT = 32


def bodies(count: int) -> list[bytes]:
    """Return the encoded requests of so many addresses."""
    numbers = range(count)
    return [
        urlencode({"action": "get_ip", "token": "x", "ip": f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"}).encode()
        for n in numbers
    ]


async def naive(url: str, count: int) -> None:
    """Gather a call for each address."""
    async with aiohttp.ClientSession() as session:

        async def one(body: bytes) -> None:
            async with session.post(url, data=body) as answer:
                await answer.json(content_type=None)

        await asyncio.gather(*(one(body) for body in bodies(count)))


async def tuned(url: str, count: int) -> None:
    """Let fixed workers share one iterator, with everything prepared beforehand."""
    left = iter(bodies(count))
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:

        async def work() -> None:
            for body in left:
                async with session.post(url, data=body, allow_redirects=False) as answer:
                    await answer.read()

        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(work())


if __name__ == "__main__":
    kind, address, total = sys.argv[1:]
    if kind == "naive":
        asyncio.run(naive(address, int(total)))
    else:
        uvloop.run(tuned(address, int(total)))
