"""What is piped in: read once, and readable again and again."""

import io
import os
import pty
from pathlib import Path

import pytest

from bulkip.pipedinput import PipedInput
from bulkip.sources import SourceError


def test_pipe_can_be_read_again() -> None:
    """What came through a pipe is there from its start each time."""
    ours, theirs = os.pipe()
    with os.fdopen(theirs, "wb") as end:
        end.write(b"1.0.0.1\n")

    with os.fdopen(ours, "rb") as stream, PipedInput(stream) as piped:
        first, second = piped.rewound().read(), piped.rewound().read()

    assert first == second == b"1.0.0.1\n"


def test_nothing_is_read_before_somebody_asks() -> None:
    """A job without targets from stdin leaves stdin alone."""
    stream = io.BytesIO(b"y\n")

    with PipedInput(stream):
        pass

    assert stream.read() == b"y\n"


def test_terminal_is_refused() -> None:
    """Nobody types targets into a terminal: waiting for them would look like a hang."""
    ours, theirs = pty.openpty()

    with (
        os.fdopen(theirs, "rb", buffering=0) as terminal,
        io.BufferedReader(terminal) as stream,
        PipedInput(stream) as piped,
        pytest.raises(SourceError, match="stdin is a terminal; pipe the targets in"),
    ):
        piped.rewound()
    os.close(ours)


def test_closed_stdin_is_refused() -> None:
    """A process without stdin says so."""
    with PipedInput(None) as piped, pytest.raises(SourceError, match="stdin is closed"):
        piped.rewound()


def test_refusal_is_told_again(tmp_path: Path) -> None:
    """What could not be read once is not half-read the second time."""
    with (tmp_path / "f").open("wb") as unreadable, PipedInput(unreadable) as piped:
        for _ in range(2):
            with pytest.raises(SourceError, match="stdin cannot be kept"):
                piped.rewound()
