"""What a worker says of a database that goes away, and of queues that it cannot serve."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from bulkip.errors import StoreError
from bulkip.policy import Api, SecretRef, SecretSource
from bulkip.queues import AccountQueue, queues_told
from bulkip.run import hands, serving
from bulkip.run.hands import Hands
from bulkip.run.options import HandsOptions
from bulkip.run.serving import Serving

URL = "postgresql://x/y"


class Queue:
    """A queue with nothing in it, whose database can be away."""

    def __init__(self) -> None:
        self.away = False

    async def ask(self) -> None:
        """Answer, or not."""
        if self.away:
            raise StoreError("the database is away")

    register = beat = unregister = reap = ask

    async def take(self, queues: Any) -> None:
        """Find nothing; without queues nobody is asked."""
        if queues:
            await self.ask()


def test_worker_without_queues_tells_an_outage_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody hears that the database answers before it does."""
    monkeypatch.setattr(hands, "BEAT_S", 0.06)
    monkeypatch.setattr(hands, "LOOK_S", 0.05)
    monkeypatch.setattr(hands, "IDLE_S", 0.01)
    said: list[str] = []
    queue: Any = Queue()

    def runs_under_way(_url: str) -> list[Any]:
        if queue.away:
            raise StoreError("the database is away")
        return []

    monkeypatch.setattr(serving, "runs_under_way", runs_under_way)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(Hands(URL, HandsOptions(), said.append).work, queue)
            await anyio.sleep(0.1)
            queue.away = True
            await anyio.sleep(0.4)
            queue.away = False
            await anyio.sleep(0.2)
            group.cancel_scope.cancel()

    anyio.run(main)

    assert said == ["the database is away; waiting for it", "the database answers again"]


def test_queue_that_cannot_be_served_is_told_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every look meets it again, with all that is wrong with its secret; people hear of each once."""
    (tmp_path / "token").write_text("another-token\n")
    (tmp_path / "token").chmod(0o644)
    api = Api(url="http://127.0.0.1:9/", token=SecretRef(SecretSource.FILE, str(tmp_path / "token")))
    told = queues_told([AccountQueue("job", "0" * 64, api)])
    assert "another-token" not in json.dumps(told)

    class Run:
        accounts = told

    monkeypatch.setattr(serving, "runs_under_way", lambda _url: [Run()])
    warned: list[str] = []
    served = Serving(URL, (), {}, warned.append)
    for _ in range(3):
        served.look()

    assert served.queues == frozenset()
    assert len(warned) == 2
    assert "others can read this token" in warned[0]
    assert warned[1] == "queue job is not served here: the secret that it names is another account's here"
