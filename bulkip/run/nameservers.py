"""Which name servers a run asks: those of the world, or those of its simulator."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bulkip.policy import Verify
from bulkip.run.engine import Endpoint
from bulkip.verifier import NameServers


@asynccontextmanager
async def name_servers(verify: Verify, endpoint: Endpoint) -> AsyncIterator[NameServers]:
    """Open the way to the name servers that prove what is written at an endpoint.

    A rehearsal asks the simulator's own servers, whatever the job says: no
    others know what it wrote.
    """
    from bulkip.resolver import Resolver  # noqa: PLC0415 -- it takes a third of a second to load

    if endpoint.dns:
        given = (endpoint.dns,) if verify.resolvers else ()
        port = int(endpoint.dns.rpartition(":")[2])
        resolver = Resolver(given, start=(endpoint.dns,), port=port)
    else:
        resolver = Resolver(verify.resolvers)
    async with resolver as asking:
        yield asking
