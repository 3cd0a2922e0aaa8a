"""`bulkip targets`: for which addresses is a job?"""

from collections.abc import Iterator
from pathlib import Path

import click

from bulkip.cli.options import EXISTING
from bulkip.errors import JobError
from bulkip.model import Problem, Target
from bulkip.settings import load_job
from bulkip.targets import Tally, TargetReader

EPILOG = """\b
Examples:
  bulkip targets jobs/ptr-migration.yaml
  bulkip targets --count jobs/ptr-migration.yaml
  bulkip targets --duplicates jobs/ptr-migration.yaml
"""


@click.command(epilog=EPILOG)
@click.argument("job", type=EXISTING)
@click.option("--count", is_flag=True, help="Print how many there are, and nothing else.")
@click.option("--duplicates", is_flag=True, help="Print the addresses named twice, with both places.")
def targets(job: Path, *, count: bool, duplicates: bool) -> int:
    """Print the addresses that a job is for, one a line, in the order of the plan."""
    loaded = load_job(job)
    reader = TargetReader(loaded.sources, safety=loaded.safety)
    seen: dict[str, str] = {}
    repeated = 0
    for target in _sound(loaded.problems, reader):
        place = f"{target.place.file}:{target.place.line}"
        first = seen.setdefault(target.ip, place)
        if first is place:
            if not count and not duplicates:
                click.echo(target.ip)
            continue
        repeated += 1
        if duplicates:
            click.echo(f"{target.ip}  {first}  {place}")
    if count:
        click.echo(len(seen))
    _account(reader.tallies, len(seen), repeated)
    return 0


def _sound(known: tuple[Problem, ...], reader: TargetReader) -> Iterator[Target]:
    """Yield the targets; raise JobError with every problem, the known ones too, when there is one."""
    problems = list(known)
    for one in reader:
        if isinstance(one, Problem):
            problems.append(one)
        elif not problems:
            yield one
    if problems:
        raise JobError(problems)


def _account(tallies: tuple[Tally, ...], addresses: int, repeated: int) -> None:
    for tally in tallies:
        parts = [f"{tally.targets:,} targets"]
        parts += [f"{tally.blanks:,} blank"] if tally.blanks else []
        parts += [f"{tally.excluded:,} excluded"] if tally.excluded else []
        noun = "line" if tally.lines == 1 else "lines"
        click.echo(f"{tally.label}: {tally.lines:,} {noun} = {' + '.join(parts)}", err=True)
    twice = f", {repeated:,} named more than once" if repeated else ""
    click.echo(f"{addresses:,} addresses{twice}", err=True)
