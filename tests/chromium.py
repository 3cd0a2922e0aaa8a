"""A real browser for tests: headless Chromium, driven over its DevTools protocol, cut off from every network.

Debian's package chromium has it; without it these tests skip.
"""

import shutil
import subprocess
import tempfile
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import pytest
from anyio import fail_after

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NEEDS_CHROMIUM = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed (`make system-deps` installs it)"
)
PATIENCE_S: Final = 30.0
LISTENING: Final = "DevTools listening on ws://"
OPTIONS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--hide-scrollbars",
    "--metrics-recording-only",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-port=0",
    "about:blank",
)


@dataclass(frozen=True, slots=True)
class Look:
    """How a page is looked at."""

    width: int = 1280
    height: int = 900
    dark: bool = False
    scripts: bool = True


@dataclass(slots=True)
class Tab:
    """An open page: what it is asked, and what it told without being asked."""

    socket: aiohttp.ClientWebSocketResponse
    told: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0

    async def ask(self, method: str, **parameters: object) -> dict[str, Any]:
        """Ask the browser, and return its answer."""
        self.asked += 1
        await self.socket.send_json({"id": self.asked, "method": method, "params": parameters})
        with fail_after(PATIENCE_S):
            while (answer := await self.socket.receive_json()).get("id") != self.asked:
                self.told.append(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    async def wait_for(self, event: str) -> None:
        """Wait until the page has told an event."""
        with fail_after(PATIENCE_S):
            while not self.events(event):
                self.told.append(await self.socket.receive_json())

    async def value(self, expression: str) -> Any:
        """Return the value of an expression in the page, once it is settled."""
        answer = await self.ask(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def becomes(self, expression: str) -> None:
        """Wait until an expression is true in the page; the page looks at each frame that it draws."""
        loop = f"const look = () => ({expression}) ? done(true) : requestAnimationFrame(look); look()"
        await self.value(f"new Promise((done) => {{ {loop} }})")

    async def picture(self) -> bytes:
        """Return what is seen of the page as a PNG."""
        answer = await self.ask("Page.captureScreenshot", format="png")
        return b64decode(answer["data"])

    def events(self, method: str) -> list[Mapping[str, Any]]:
        """Return what the page told of one kind."""
        return [event["params"] for event in self.told if event.get("method") == method]

    def complaints(self) -> list[str]:
        """Return every error and warning: of scripts, of the console, of the security policy."""
        thrown = [str(one["exceptionDetails"]) for one in self.events("Runtime.exceptionThrown")]
        logged = [str(one["entry"]) for one in self.events("Log.entryAdded")]
        return thrown + logged + [str(one) for one in self.events("Runtime.consoleAPICalled")]

    def requests(self) -> list[str]:
        """Return the URL of everything that the page asked for, itself included."""
        return [str(one["request"]["url"]) for one in self.events("Network.requestWillBeSent")]


@dataclass(frozen=True, slots=True)
class Browser:
    """A running browser, by the address of its DevTools."""

    address: str

    @asynccontextmanager
    async def page(self, url: str, look: Look | None = None) -> AsyncIterator[Tab]:
        """Show a page in a tab of its own until the block ends."""
        look = look or Look()
        async with aiohttp.ClientSession() as session:
            async with session.put(f"http://{self.address}/json/new?about:blank") as answer:
                made = await answer.json(content_type=None)
            async with session.ws_connect(made["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                tab = Tab(socket)
                await _shown(tab, url, look)
                yield tab
                await tab.ask("Page.close")


async def _shown(tab: Tab, url: str, look: Look) -> None:
    for domain in ("Runtime", "Log", "Network", "Page"):
        await tab.ask(f"{domain}.enable")
    scheme = {"name": "prefers-color-scheme", "value": "dark" if look.dark else "light"}
    await tab.ask("Emulation.setEmulatedMedia", features=[scheme])
    await tab.ask(
        "Emulation.setDeviceMetricsOverride",
        width=look.width,
        height=look.height,
        deviceScaleFactor=1,
        mobile=False,
    )
    await tab.ask("Emulation.setScriptExecutionDisabled", value=not look.scripts)
    await tab.ask("Page.navigate", url=url)
    await tab.wait_for("Page.loadEventFired")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser with a profile of its own until the block ends."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(prefix="bulkip-chromium-", ignore_cleanup_errors=True) as profile:
        command = [CHROMIUM, f"--user-data-dir={profile}", *OPTIONS]
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stderr is not None
                line = next(line for line in process.stderr if LISTENING in line)
                yield Browser(line.split(LISTENING)[1].split("/")[0])
            finally:
                process.kill()
