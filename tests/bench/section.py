"""What one part of the bench gives back: tables to print, figures to keep, and what budgets are judged by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Section:
    """The outcome of one part; `measured` holds figures by the key of their budget."""

    name: str
    tables: tuple[str, ...]
    figures: Mapping[str, Any]
    measured: Mapping[str, float] = field(default_factory=dict)
