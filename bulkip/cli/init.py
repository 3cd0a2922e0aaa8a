"""`bulkip init`: a first job, and what to do with it."""

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

import click

from bulkip.cli.options import EXISTING, Word, option
from bulkip.errors import UsageError
from bulkip.settings.jsonschema import job_schema

SCHEMA_FILE = "bulkip-job.schema.json"
EPILOG = """\b
Examples:
  bulkip init ptr
  bulkip init traffic --dir nightly
"""


@dataclass(frozen=True, slots=True)
class Starter:
    """A job to begin with: its files, what its user puts into them, and how it is run for real."""

    files: tuple[str, ...]
    yours: tuple[str, ...]
    rehearsal: str
    real: str

    @property
    def job(self) -> str:
        """The name of the job file."""
        return self.files[0]


_READS = "ask the provider, with its token in HOSTKEY_TOKEN; nothing is changed:"
STARTERS: Mapping[str, Starter] = MappingProxyType(
    {
        "ptr": Starter(
            ("ptr.yaml", "ptr.csv"),
            (
                "put your addresses into {csv}, one a line below the header",
                "  ip        the address",
                "  id        the number of the server it belongs to",
                "  location  the code of its location, such as NL",
                "  name      what stands before the zone; empty: the address, 203-0-113-12",
                "and your zone into {job}, in place of example.net",
            ),
            "--simulate --yes --rate 200/s",
            "do it, with the provider's token in HOSTKEY_TOKEN; it asks before the first write:",
        ),
        "traffic": Starter(
            ("traffic.yaml",),
            ("put your addresses into {job}, below `targets:`",),
            "--simulate --rate 200/s",
            _READS,
        ),
        "inventory": Starter(
            ("inventory.yaml",),
            ("put your networks and their servers' numbers into {job}, below `targets:`",),
            "--simulate --rate 200/s",
            _READS,
        ),
    }
)


@click.command(epilog=EPILOG)
@click.argument("kind", type=Word(tuple(STARTERS)))
@option("--dir", "folder", type=EXISTING, default=".", show_default=True, help="Where to write the files.")
def init(kind: str, folder: Path) -> int:
    """Write a commented job that runs as it is, and say what to do next. Nothing is overwritten."""
    starter = STARTERS[kind]
    places = [folder / name for name in starter.files]
    _refuse_to_overwrite(places)
    texts = [(files("bulkip") / "starters" / name).read_text("utf-8") for name in starter.files]
    schema = folder / SCHEMA_FILE
    written = [*zip(places, texts, strict=True)]
    if not os.path.lexists(schema):
        written.append((schema, json.dumps(job_schema(), indent=2, ensure_ascii=False) + "\n"))
    for place, text in written:
        _write(place, text)
    for line in _told(starter, [place for place, _ in written]):
        click.echo(line)
    return 0


def _refuse_to_overwrite(places: list[Path]) -> None:
    """Raise UsageError, before anything is written, when one of the files is there already."""
    taken = [str(place) for place in places if os.path.lexists(place)]
    if taken:
        verb = "exists" if len(taken) == 1 else "exist"
        raise UsageError(
            f"{', '.join(taken)}: {verb} already and nothing was written; move away what is there, "
            "or name another folder with --dir"
        )


def _write(place: Path, text: str) -> None:
    """Write a new file; raises UsageError when it cannot be, or when someone was faster."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{place}: cannot be written: {error.strerror}; name a folder with --dir") from error


def _told(starter: Starter, written: list[Path]) -> list[str]:
    """Return what the user is told: what there is now, what is his to fill in, and three commands."""
    job = written[0]
    name = _pasted(job)
    return [
        *(f"wrote {place}" for place in written),
        "",
        f"{job} runs as it is, with invented addresses. To make it yours:",
        *(f"  {line.format(job=job, csv=job.with_suffix('.csv'))}" for line in starter.yours),
        "",
        "Then, one after the other:",
        "  check it, without a network:",
        f"    bulkip validate {name}",
        "  rehearse it, on this machine alone:",
        f"    bulkip run {name} {starter.rehearsal}",
        f"  {starter.real}",
        f"    bulkip run {name}",
    ]


def _pasted(place: Path) -> str:
    """Return a path as a shell takes it, and as no command takes it for an option."""
    text = str(place)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)
