"""How the simulated provider is reached: a small HTTP server on loopback."""

import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl

import anyio
from aiohttp import web

from bulkip.errors import UsageError
from bulkip.simulator.delivery import deliver, drop
from bulkip.simulator.desk import Desk, Dropping
from bulkip.simulator.faults import Fault
from bulkip.simulator.loopback import endpoint_text, loopback
from bulkip.simulator.nameserver.beside import beside
from bulkip.simulator.nameserver.clocks import Clocks
from bulkip.simulator.pages import Call, Page, html_page
from bulkip.simulator.requestlog import RequestLog
from bulkip.simulator.seeds import INVENTED_SUBNETS, Seed, Subnet
from bulkip.simulator.settings import SimulatorSettings
from bulkip.simulator.state import SimulatorState
from bulkip.simulator.unreadable import unreadable_log

MAX_BODY = 2**20
_MAX_FIELDS = 100
_FORM_TYPE = "application/x-www-form-urlencoded"
_BACKLOG = 1024
_SHUTDOWN_S = 0.5


class Simulator:
    """Owns a simulated provider: its state, its log, and a server that lives as long as the block.

    The state is seeded when it is made, in the maker's thread, so that tests
    can look at it before the first call. `clock` decides when limits, tokens,
    lags and callbacks end; `wall` only says what time it is, in Unix seconds.
    """

    def __init__(
        self,
        seeds: Iterable[Seed | Subnet] = (),
        settings: SimulatorSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings or SimulatorSettings()
        self._host = loopback(self._settings.host)
        self._clocks = Clocks(clock, wall)
        self.state = SimulatorState(self._settings.state)
        self._beside = beside(self._settings)
        try:
            self.state.seed(self._beside.noting(seeds))
            self.state.seed(INVENTED_SUBNETS)
            self._desk = Desk(self._settings, self.state)
            self._beside.join(self._desk, self._clocks)
        except BaseException:
            self.close()
            raise
        self._connections: weakref.WeakKeyDictionary[object, int] = weakref.WeakKeyDictionary()
        self._connected = 0
        self.url = ""

    @property
    def log(self) -> RequestLog:
        """What the simulator saw."""
        return self._desk.log

    @property
    def dns(self) -> str:
        """Where its name server is reached, as ADDRESS:PORT; empty when it has none."""
        return next(iter(self._beside.endpoints), "")

    @property
    def secondary(self) -> str:
        """Where its second name server is reached; empty when it has none."""
        return next(iter(self._beside.endpoints[1:]), "")

    @property
    def token(self) -> str:
        """The token it accepts."""
        return self._settings.token

    def fault(self, fault: Fault) -> None:
        """Apply a fault from now on, after those that are there already."""
        self._desk.faults.add(fault)

    async def __aenter__(self) -> Self:
        self._stopping = anyio.Event()
        async with AsyncExitStack() as stack:
            stack.callback(self.close)
            await stack.enter_async_context(self._beside)
            await self._serve(stack)
            self._open = stack.pop_all()
        return self

    async def _serve(self, stack: AsyncExitStack) -> None:
        """Listen until the stack ends, and tell where."""
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", "/{script:.*}", self._receive)
        self._runner = web.AppRunner(
            app, access_log_class=unreadable_log(self._note_unreadable), shutdown_timeout=_SHUTDOWN_S
        )
        stack.push_async_callback(self._stop_serving)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._settings.port, backlog=_BACKLOG).start()
        except OSError as error:
            raise self._taken(error) from error
        port = self._runner.addresses[0][1]
        self.url = f"http://{endpoint_text(self._host, port)}/ip.php"

    async def _stop_serving(self) -> None:
        self._stopping.set()
        with anyio.CancelScope(shield=True):
            await self._runner.cleanup()

    def close(self) -> None:
        """Forget everything; only a simulator whose block was never entered needs it."""
        self.state.close()
        self._beside.close()

    def _taken(self, error: OSError) -> UsageError:
        where = f"{self._host}:{self._settings.port}"
        return UsageError(f"{where}: cannot listen there: {error.strerror or error}; choose another port")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.__aexit__(kind, error, trace)

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        early: Page | None = None
        form: dict[str, str] = {}
        try:
            form = await _read_form(request)
        except web.HTTPRequestEntityTooLarge:
            early = html_page(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        except ValueError:
            early = html_page(HTTPStatus.BAD_REQUEST)
        ruling = self._desk.settle(self._call(request, request.match_info["script"], form), early)
        if ruling.delay_s:
            with anyio.move_on_after(ruling.delay_s):
                await self._stopping.wait()
        if isinstance(ruling, Dropping):
            return drop(request, reset=ruling.reset)
        return await deliver(request, ruling.page, ruling.delivery, self._stopping)

    def _call(self, request: web.BaseRequest, script: str, form: Mapping[str, str]) -> Call:
        """Return a request as it arrived, which is now."""
        return Call(
            at=self._clocks.monotonic(),
            wall=self._clocks.wall(),
            method=request.method,
            script=script,
            form=form,
            client_ip=request.remote or "",
            connection=self._connection(request.transport),
        )

    def _note_unreadable(self, request: web.BaseRequest, status: int) -> None:
        """Log what was no HTTP, and was refused before anybody here saw it."""
        self._desk.settle(self._call(request, "", {}), html_page(status))

    def _connection(self, transport: object) -> int:
        """Return the number of a connection; 0 for one whose client left before its request was read."""
        if transport is None:
            return 0
        if transport not in self._connections:
            self._connected += 1
            self._connections[transport] = self._connected
        return self._connections[transport]


async def _read_form(request: web.Request) -> dict[str, str]:
    """Return the form fields; the last one counts of a name sent twice, as in PHP.

    The page's own examples send a form with GET, so it is read there too.
    """
    body = await request.read()
    text = body.decode(errors="replace") if request.content_type == _FORM_TYPE else ""
    query = request.query_string if request.method == "GET" else ""
    return {
        name: value
        for part in (query, text)
        for name, value in parse_qsl(part, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    }
