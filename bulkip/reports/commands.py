"""Which commands a reader may paste: about a run, in the folder where the run was started."""

import shlex
from pathlib import Path

from bulkip.model import Counts, Status
from bulkip.policy import DEFAULT_RUN_DIR
from bulkip.store import Home, RemoteRun, RunReader

LIFTING = "lifting"
"""The fact that a run keeps about its end: the options without which a resume would meet the same limit."""


def command(verb: str, home: Home, *more: str) -> str:
    """Return a command about a run, ready to be pasted where the run was started."""
    return shlex.join(["bulkip", verb, home.name, *more, *_where(home)])


def _where(home: Home) -> list[str]:
    if isinstance(home, RemoteRun):
        return ["--cluster", home.place]
    base = home.parent.parent
    return [] if base == Path(DEFAULT_RUN_DIR) else ["--run-dir", str(base)]


def resume_command(reader: RunReader, counts: Counts) -> str | None:
    """Return how a run goes on; None when nothing is left that a resume could do, or only its shards can."""
    if reader.header().is_merged or not counts.of(Status.NOT_RUN, Status.UNKNOWN):
        return None
    return command("resume", reader.home, *lifting(reader))


def lifting(reader: RunReader) -> tuple[str, ...]:
    """Return the options that get a run past the limit that stopped it last."""
    kept = reader.remembered(LIFTING)
    return tuple(map(str, kept)) if isinstance(kept, list) else ()
