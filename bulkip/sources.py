"""What an entry of a job's `targets` names: addresses, a list of them, or someone who knows them.

In a job of several accounts `account` is the one that the entry names, empty
where it leaves that to its rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal, TypeAlias

from bulkip.model import Place, Status

LEFT_BEHIND = (Status.FAILED, Status.UNKNOWN, Status.NOT_RUN, Status.CONFLICT)
"""What a target of an earlier run is there for when the job names no status."""


class SourceError(Exception):
    """Raised by whoever is to give addresses, with why there are none and the way out."""


@dataclass(frozen=True, slots=True)
class AddressSource:
    """An address expression with the fields of its row, its text not yet judged.

    `form` says what the author called it; plain text may be an address, a
    network, a range or an exclusion.
    """

    text: str
    place: Place
    form: Literal["plain", "ip", "cidr", "range"] = "plain"
    usable: bool = False
    fields: Mapping[str, str] | None = None
    account: str = ""


@dataclass(frozen=True, slots=True)
class CsvSource:
    """A CSV file of targets; `place` is the entry of the job that names it."""

    path: Path
    place: Place
    delimiter: str = ","
    account: str = ""


@dataclass(frozen=True, slots=True)
class JsonlSource:
    """A file with one JSON object a line, each a target."""

    path: Path
    place: Place
    account: str = ""


@dataclass(frozen=True, slots=True)
class TextSource:
    """A file with one address expression a line."""

    path: Path
    place: Place
    account: str = ""


class Format(StrEnum):
    """In which form targets are piped in."""

    CSV = "csv"
    JSONL = "jsonl"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class StdinSource:
    """Targets that are piped in."""

    format: Format
    place: Place
    delimiter: str = ","
    account: str = ""


@dataclass(frozen=True, slots=True)
class RunSource:
    """What an earlier run left at some statuses; `last` is the newest run of the job with this name."""

    run: str
    statuses: tuple[Status, ...]
    job: str
    place: Place
    account: str = ""


@dataclass(frozen=True, slots=True)
class FreeIpsSource:
    """What `list_free_ip` answers when the plan is made; `form` is what it is asked, checked."""

    form: Mapping[str, str]
    place: Place
    account: str = ""


ListSource: TypeAlias = CsvSource | JsonlSource | TextSource | StdinSource
Source: TypeAlias = AddressSource | ListSource | RunSource | FreeIpsSource
