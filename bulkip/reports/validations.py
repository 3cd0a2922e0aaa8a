"""What is wrong with jobs and their files, for programs and pipelines."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from bulkip.model import JsonValue, Problem
from bulkip.reports.github import problem_lines
from bulkip.reports.sarif import sarif_of_problems

FORMATS = ("json", "github", "sarif")


@dataclass(frozen=True, slots=True)
class Validation:
    """What was found about one job: a text for eyes, the first problems, and how many there are in all."""

    job: str
    text: str
    problems: tuple[Problem, ...] = ()
    total: int = 0

    @property
    def is_valid(self) -> bool:
        """Whether nothing is wrong."""
        return self.total == 0


def validation_lines(form: str, found: Sequence[Validation]) -> Iterator[str]:
    """Yield what was found about all jobs in one of FORMATS."""
    problems, total = (
        tuple(chain.from_iterable(one.problems for one in found)),
        sum(one.total for one in found),
    )
    if form == "github":
        yield from problem_lines(problems, total)
    elif form == "sarif":
        yield from sarif_of_problems(problems, total)
    else:
        told: JsonValue = {"valid": all(one.is_valid for one in found), "jobs": [*map(_told, found)]}
        yield json.dumps(told, ensure_ascii=False, indent=2) + "\n"


def _told(one: Validation) -> JsonValue:
    return {
        "job": one.job,
        "valid": one.is_valid,
        "total": one.total,
        "problems": [*map(_problem, one.problems)],
    }


def _problem(one: Problem) -> JsonValue:
    place = one.place
    return {"file": place.file, "line": place.line, "column": place.column, "message": one.message}
