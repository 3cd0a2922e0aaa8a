"""What all tests share: one event loop library, a clock that jumps, and an alarm for a blocked loop."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import settings

from bulkip.cluster.setup import initialise
from tests.postgres import Postgres, postgres
from tests.shelves import Shelf
from tests.virtualtime import ON_VIRTUAL_TIME


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks of our own, and let no test fail because the machine is busy."""
    settings.register_profile("patient", deadline=None)
    settings.load_profile("patient")
    config.addinivalue_line("markers", "virtual_time: waits take no time (tests/virtualtime.py)")


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Run async tests on asyncio, which is what the program runs on; on virtual time where so marked."""
    return ON_VIRTUAL_TIME if request.node.get_closest_marker("virtual_time") else ("asyncio", {})


@pytest.fixture(autouse=True)
def loop_is_never_blocked() -> Iterator[None]:
    """Fail a test whose event loop waits for a file, a lock or a database inside our own code.

    The simulator keeps its books on its own loop on purpose: it is a witness,
    and a hop to a thread would reorder what it saw.
    """
    with blockbuster_ctx("bulkip", excluded_modules=["bulkip.simulator"]):
        yield


@pytest.fixture(scope="session", autouse=True)
def locks_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the locks of accounts out of the tester's home; processes that tests start inherit the place."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """Run a PostgreSQL for all tests that share it; whoever stops it takes one of its own."""
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def cluster_url(postgres_server: Postgres) -> str:
    """Return the URL of a database that is ready to keep runs, for tests that do not count them."""
    url = postgres_server.new_database()
    initialise(url, "--cluster")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    """Return where the runs of a test are kept: every such test is of both stores."""
    url = request.getfixturevalue("cluster_url") if request.param == "postgresql" else None
    return Shelf(tmp_path, url)


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder, so that paths are shown as the user writes them."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
