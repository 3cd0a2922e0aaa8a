"""Where are the name servers reached? UDP and TCP on the same port, at one or two loopback addresses."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import anyio
from anyio.abc import SocketAttribute, SocketStream, UDPSocket
from anyio.streams.stapled import MultiListener

from bulkip.errors import UsageError
from bulkip.simulator.loopback import endpoint_text

_TRIES = 20


@dataclass(frozen=True, slots=True)
class Bound:
    """The sockets of one server, and where it is reached, as ADDRESS:PORT."""

    endpoint: str
    udp: UDPSocket
    tcp: MultiListener[SocketStream]


async def bind(hosts: Sequence[str], port: int, stack: AsyncExitStack, tries: int = _TRIES) -> list[Bound]:
    """Bind one port for every host and both transports until the stack ends; port 0 takes a free one.

    Raises `UsageError` when that is not to be had.
    """
    async with AsyncExitStack() as trial:
        try:
            bound = await _bind_all(hosts, port, trial)
        except OSError as error:
            if port or tries == 1:
                raise _taken(hosts, port, error) from error
        else:
            stack.push_async_exit(trial.pop_all())
            return bound
    return await bind(hosts, port, stack, tries - 1)


async def _bind_all(hosts: Sequence[str], port: int, stack: AsyncExitStack) -> list[Bound]:
    """Bind all hosts to what the first one got."""
    bound: list[Bound] = []
    for host in hosts:
        udp = await anyio.create_udp_socket(local_host=host, local_port=port)
        stack.push_async_callback(anyio.aclose_forcefully, udp)
        port = udp.extra_attributes[SocketAttribute.local_port]()
        listeners = await anyio.create_tcp_listener(local_host=host, local_port=port)
        stack.push_async_callback(anyio.aclose_forcefully, listeners)
        bound.append(Bound(endpoint_text(host, port), udp, listeners))
    return bound


def _taken(hosts: Sequence[str], port: int, error: OSError) -> UsageError:
    where = " and ".join(endpoint_text(host, port) for host in hosts)
    return UsageError(f"{where}: cannot listen there: {error.strerror or error}; choose another --dns")
