"""`bulkip merge`: join the runs of shards into one."""

from collections.abc import Iterator
from pathlib import Path

import click

from bulkip.cli.options import EXISTING, option
from bulkip.reports.commands import command
from bulkip.reports.summary import summary
from bulkip.reports.text import outcome
from bulkip.run.merging import Merged
from bulkip.run.merging import merge as join
from bulkip.store import RunReader

EPILOG = """\b
Examples:
  bulkip merge shard-1 shard-2 shard-3 -o merged
  bulkip merge .bulkip/runs/20260901T0315* -o merged
  bulkip report last -f csv=ptr.csv --run-dir merged
  bulkip doctor last --run-dir merged
\b
Exit codes: those of `bulkip run`, for all shards together; 6 when a shard is missing or did not
come to its end.
"""


@click.command(epilog=EPILOG)
@click.argument("shards", metavar="RUN_DIR...", type=EXISTING, nargs=-1, required=True)
@option("-o", "--out", type=EXISTING, required=True, twin=False, metavar="RUN_DIR",
        help="Keep the merged run below this folder, which holds no run yet.")  # fmt: skip
@option("-q", "--quiet", is_flag=True, help="Only errors and warnings.")
def merge(shards: tuple[Path, ...], out: Path, *, quiet: bool) -> int:
    """Join the runs of `--shard 1/N` to `N/N` into one run that every report can be made of.

    Each RUN_DIR is the folder of a run, or the --run-dir of a shard, of which
    the newest run counts. The shards stay as they are. A merged run cannot be
    resumed: resume its shards, and merge again.
    """
    merged = join(shards, out)
    for warning in _warnings(merged):
        click.echo(f"warning: {warning}", err=True)
    if not quiet:
        for line in _lines(merged):
            click.echo(line, err=True)
    return merged.exit_code


def _warnings(merged: Merged) -> Iterator[str]:
    """Yield why the run is not what all shards would have come to."""
    for shard in merged.missing:
        yield f"shard {shard} is missing: its items are in no report; run it, and merge again"
    for run in merged.open:
        again = command("resume", run.part.folder)
        yield f"shard {run.shard} did not come to its end; {again}, then merge again"


def _lines(merged: Merged) -> Iterator[str]:
    with RunReader(merged.folder) as reader:
        yield f"{merged.header.job_name}, merged: {outcome(summary(reader))}"
    yield f"  run      {merged.folder}"
    yield f"  rows     {command('report', merged.folder, '-f', 'text')}"
    yield f"  exit     {merged.exit_code}"
