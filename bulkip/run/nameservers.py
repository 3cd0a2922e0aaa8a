"""Which name servers a run asks: those of the world, or those of its simulator."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol
from urllib.parse import urlsplit

from bulkip.policy import Forward, Verify
from bulkip.run.engine import Endpoint
from bulkip.settings import Job
from bulkip.settings.origins import is_loopback
from bulkip.tracer import Guides
from bulkip.verifier import NameServers


class Dns(NameServers, Guides, Protocol):
    """Whoever asks the DNS, about addresses and about names."""


def resolves_names(job: Job, endpoint: Endpoint, *, simulated: bool) -> bool:
    """Say whether the new names of a plan are to be resolved before they are written (`safety.forward`).

    Where that is only to warn, a rehearsal without a DNS of its own does not,
    nor does a job for an API on this machine that names no resolvers: the
    DNS of the world knows nothing of either.
    """
    if job.check is not None or job.safety.forward is not Forward.WARN:
        return job.check is None and job.safety.forward is Forward.REQUIRE
    if endpoint.dns or job.verify.resolvers:
        return True
    return not simulated and not is_loopback(urlsplit(endpoint.url).hostname or "")


@asynccontextmanager
async def name_servers(verify: Verify, endpoint: Endpoint) -> AsyncIterator[Dns]:
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
