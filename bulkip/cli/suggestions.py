"""Which words fit where a user presses Tab: actions and runs. The shell itself knows the files."""

import os
from pathlib import Path

import click

from bulkip.policy import DEFAULT_RUN_DIR

NEWEST = "last"


def actions(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the actions that begin with what is typed."""
    from bulkip.actions import ACTIONS  # noqa: PLC0415 -- wanted here only

    return [name for name in ACTIONS if name.startswith(incomplete)]


def runs(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return `last` and the ids of the kept runs that begin with what is typed, the newest first."""
    chosen = ctx.params.get("run_dir") or os.environ.get("BULKIP_RUN_DIR") or DEFAULT_RUN_DIR
    names = [NEWEST, *sorted(_kept(Path(chosen) / "runs"), reverse=True)]
    return [name for name in names if name.startswith(incomplete)]


def _kept(folder: Path) -> list[str]:
    """Return the names of the runs in a folder; one that cannot be read holds none that could be offered."""
    try:
        return [entry.name for entry in os.scandir(folder) if entry.is_dir()]
    except OSError:
        return []
