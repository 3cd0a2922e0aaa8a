"""What an entry of a job's `targets` names: addresses, or a file that lists them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from bulkip.model import Place


@dataclass(frozen=True, slots=True)
class AddressSource:
    """An address expression of the job with the fields of its row, its text not yet judged.

    `form` says what the author called it; plain text may be an address, a
    network, a range or an exclusion.
    """

    text: str
    place: Place
    form: Literal["plain", "ip", "cidr"] = "plain"
    usable: bool = False
    fields: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class CsvSource:
    """A CSV file of targets; `place` is the entry of the job that names it."""

    path: Path
    place: Place
    delimiter: str = ","


Source: TypeAlias = AddressSource | CsvSource
