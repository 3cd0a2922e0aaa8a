"""What becomes of a call to a URL, a command or a message service that does not do as it should."""

import sys
import time

import anyio
import pytest

from bulkip.hookcommand import MOST_BYTES, run_command
from bulkip.notices import send
from bulkip.webhook import post
from tests.listener import listener

SECRET = "p4th-of-the-hook"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # apprise imports what Python drops
ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


def posted(url: str, timeout_s: float = 5.0) -> str | None:
    """Post to a URL and return what went wrong."""
    return anyio.run(post, url, b"{}", timeout_s)


def test_url_that_does_not_answer_costs_no_more_than_its_timeout() -> None:
    """A health check that hangs does not keep the run."""
    with listener(answers=False) as ear:
        problem = posted(f"{ear.url}/{SECRET}", 0.2)

    assert problem == "no answer within 0.2 s"


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(f"http://127.0.0.1:9/{SECRET}", id="refused"),
        pytest.param(f"https://127.0.0.1:9/{SECRET}", id="refused-tls"),
        pytest.param(f"http://127.0.0.1:99999/{SECRET}", id="no-port"),
    ],
)
def test_connection_that_fails_is_told_without_the_url(url: str) -> None:
    """The error of the library may show the URL, so its text is not used."""
    problem = posted(url)

    assert problem is not None
    assert problem.startswith("no connection (")
    assert SECRET not in problem


def test_message_service_that_hangs_costs_no_more_than_its_deadline() -> None:
    """A service that never answers is left behind, and the run goes on."""
    with listener(answers=False) as ear:
        problem = send(ear.url.replace("http:", "json:"), "title", "body", 0.3)

    assert problem == "no answer within 0.3 s"


def test_address_of_no_service_is_told() -> None:
    """What apprise does not know is told apart from a service that fails, and not shown."""
    problem = send(f"nothing-known://{SECRET}", "title", "body", 20)

    assert problem == "its address means no service that apprise knows"


def test_program_that_is_not_there_is_told() -> None:
    """A command that cannot be started says why."""
    end = run_command(("/nowhere/alert",), b"", ENVIRONMENT, 5)

    assert end.problem == "cannot be started: No such file or directory"


def test_text_is_given_to_a_command_that_does_not_read_it() -> None:
    """A command may ignore its stdin, however much there is."""
    end = run_command(("/bin/true",), b"x" * 10**6, ENVIRONMENT, 20)

    assert end.problem is None


def test_exit_code_of_a_command_is_told_with_what_it_said() -> None:
    """A command that fails is heard, stderr included."""
    end = run_command(("/bin/sh", "-c", "echo no; echo mail >&2; exit 3"), b"", ENVIRONMENT, 20)

    assert (end.problem, end.output) == ("ended with exit code 3", b"no\nmail\n")


def test_flood_of_a_command_is_taken_and_cut_off() -> None:
    """A command that says too much is neither blocked by a full pipe nor kept in memory."""
    end = run_command((sys.executable, "-c", "print('x' * 10**7)"), b"", ENVIRONMENT, 30)

    assert (end.problem, len(end.output)) == (None, MOST_BYTES)


def test_what_a_command_leaves_running_does_not_keep_the_run() -> None:
    """A command that puts something into the background has ended when it ends itself."""
    begun = time.monotonic()

    end = run_command(("/bin/sh", "-c", "sleep 20 & echo started"), b"", ENVIRONMENT, 30)

    assert (end.problem, end.output) == (None, b"started\n")
    assert time.monotonic() - begun < 10
