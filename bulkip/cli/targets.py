"""`bulkip targets`: for which addresses is a job?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from bulkip.actions.checks import LOOKUP
from bulkip.cli.filters import filter_options, filters_of
from bulkip.cli.options import EXISTING, run_dir_option
from bulkip.errors import SHOWN_PROBLEMS, JobError
from bulkip.model import Problem, Target
from bulkip.quantities import counted
from bulkip.run.planning import doors_of, piped_input, target_reader
from bulkip.settings import load_job, narrowed
from bulkip.shards import Shard
from bulkip.store.sightings import Sightings
from bulkip.targets import TargetReader

EPILOG = """\b
Examples:
  bulkip targets jobs/ptr-migration.yaml
  bulkip targets --count jobs/ptr-migration.yaml
  bulkip targets --duplicates jobs/ptr-migration.yaml
  bulkip targets jobs/ptr-migration.yaml --limit 198.51.100.0/24 --sample 5
  bulkip targets jobs/ptr-migration.yaml --count --shard 2/3
"""


@click.command(epilog=EPILOG)
@click.argument("job", type=EXISTING)
@click.option("--count", is_flag=True, help="Print how many there are, and nothing else.")
@click.option("--duplicates", is_flag=True, help="Print the addresses named twice, with both places.")
@filter_options
@run_dir_option
def targets(job: Path, run_dir: Path, *, count: bool, duplicates: bool, **given: Any) -> int:
    """Print the addresses that a job is for, one a line, in the order of the plan.

    What became of every line of its lists is told on stderr. Nothing is asked
    of the API: free addresses are found when the job runs.
    """
    filters = filters_of(given)
    loaded = narrowed(load_job(job), filters)
    with piped_input() as piped:
        reader = target_reader(loaded, doors_of(piped, run_dir))
        _refuse_wrong(loaded.problems, reader)
        by_step = any(step.params.get("id") == LOOKUP for step in loaded.steps)
        accounts = dict.fromkeys(loaded.accounts, 0)
        own = _counted(_owned(reader, filters.shard), accounts)
        seen, repeated, sought = _printed(own, every=not (count or duplicates), twice=duplicates)
    if count:
        click.echo(seen)
    _account(reader)
    named = f" of shard {filters.shard}" if filters.shard else ""
    named += "".join(f", {number:,} of account {account}" for account, number in accounts.items())
    named += f", {repeated:,} named more than once" if repeated else ""
    sought = seen if by_step else sought
    named += f", {counted(sought, 'server id')} to look up" if sought else ""
    click.echo(f"{seen:,} {'address' if seen == 1 else 'addresses'}{named}", err=True)
    return 0


def _refuse_wrong(known: tuple[Problem, ...], reader: TargetReader) -> None:
    """Raise JobError with every problem, the known ones too, before anything is printed."""
    problems, total = list(known), len(known)
    for one in reader:
        if isinstance(one, Problem):
            total += 1
            problems += [one] if len(problems) < SHOWN_PROBLEMS else []
    if total:
        _account(reader)
        raise JobError(problems, total)


def _owned(reader: TargetReader, shard: Shard | None) -> Iterator[Target | Problem]:
    """Yield the targets of a shard, and whatever is wrong."""
    return (one for one in reader if shard is None or isinstance(one, Problem) or shard.owns(one.ip))


def _counted(targets: Iterator[Target | Problem], accounts: dict[str, int]) -> Iterator[Target | Problem]:
    """Pass targets on, and count those of each account, repeated ones too."""
    for one in targets:
        if isinstance(one, Target) and accounts:
            accounts[one.account] += 1
        yield one


def _printed(reader: Iterator[Target | Problem], *, every: bool, twice: bool) -> tuple[int, int, int]:
    """Print what is asked for; return how many addresses there are, are named again, seek a server."""
    repeated = sought = 0
    with Sightings() as seen:
        for target in reader:
            if isinstance(target, Problem):
                raise JobError([target])  # a file changed while it was read
            place = str(target.place).rpartition(":")[0] if twice else ""
            first = seen.first(target.ip, place)
            if first is not None:
                repeated += 1
                if twice:
                    click.echo(f"{target.ip}  {first}  {place}")
                continue
            sought += target.fields.get("id") == LOOKUP
            if every:
                click.echo(target.ip)
    return seen.count, repeated, sought


def _account(reader: TargetReader) -> None:
    for tally in reader.tallies:
        click.echo(str(tally), err=True)
