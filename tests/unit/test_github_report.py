"""The report for GitHub: what stands in its annotations, and what no text can do to them."""

import re
from dataclasses import replace
from pathlib import Path

from bulkip.model import ErrorClass, Item, Place, Problem, Result, Status
from bulkip.reports import FORMATS
from bulkip.reports.github import command, problem_lines
from bulkip.store import RunReader
from tests.storedruns import frozen, item, settled

COMMAND = re.compile(r"::(error|warning|notice)( [a-z]+=[^\n:,]*(,[a-z]+=[^\n:,]*)*)?::[^\n]*\n")


def lines_of(folder: Path) -> list[str]:
    """Render the report of a run."""
    with RunReader(folder) as reader:
        return [*FORMATS["github"](reader)]


def failed(message: str, name: ErrorClass = ErrorClass.TIMEOUT) -> Result:
    """Return how an item failed."""
    return Result(Status.FAILED, name, message=message)


def test_mark_stands_on_the_first_line_with_the_count(tmp_path: Path) -> None:
    """Of many items with one error class, one annotation says how many, on the line of the first."""
    plan = [item(number) for number in range(1, 13)]
    frozen(tmp_path, plan)
    settled(tmp_path, *((one, failed("no answer")) for one in plan))

    error, notice = lines_of(tmp_path)

    title = "bulkip%3A failed%2C timeout%3A 12 items"
    assert error == f"::error file=rows.csv,line=2,title={title}::203.0.0.1: no answer (and 11 more)\n"
    assert notice == "::notice title=bulkip%3A ptr-migration::12 items: 12 failed\n"


def test_items_that_are_fine_have_no_mark(tmp_path: Path) -> None:
    """A run that went well is a notice and nothing else."""
    frozen(tmp_path, [item(1)])
    settled(tmp_path, (item(1), Result(Status.CHANGED, names=("a.example",))))

    assert [line.split()[0] for line in lines_of(tmp_path)] == ["::notice"]


def test_what_was_not_run_is_a_warning(tmp_path: Path) -> None:
    """What was left out is no error of its line."""
    frozen(tmp_path, [item(1)])

    assert lines_of(tmp_path)[0].startswith("::warning file=rows.csv,line=2,")


def test_there_are_never_more_marks_than_are_shown(tmp_path: Path) -> None:
    """Beyond ten kinds of error the last annotation names the rest."""
    plan = [item(number) for number in range(1, 16)]
    frozen(tmp_path, plan)
    settled(tmp_path, *((one, failed("x", name)) for one, name in zip(plan, ErrorClass, strict=False)))

    errors = [line for line in lines_of(tmp_path) if line.startswith("::error")]

    assert len(errors) == 10
    assert "6 items" in errors[-1]


def test_no_text_becomes_a_command(tmp_path: Path) -> None:
    """Line ends, percent signs, colons and commas of a file name or a message stay inside one command."""
    hostile = "x\n::error::y\r::stop-commands::z%0A::warning::"
    plan: list[Item] = [replace(item(1), source="a,b:c.csv:7:3")]
    frozen(tmp_path, plan)
    settled(tmp_path, (plan[0], failed(hostile)))

    lines = lines_of(tmp_path)

    assert all(COMMAND.fullmatch(line) for line in lines)
    assert "file=a%2Cb%3Ac.csv,line=7," in lines[0]
    assert "x%0A::error::y%0D::stop-commands::z%250A" in lines[0]


def test_problems_of_a_job_are_marked_where_they_are() -> None:
    """Each mistake of an input has its line and column; what is beyond the limit is counted."""
    problems = tuple(Problem(Place("job.yaml", line, 3), "wrong") for line in range(1, 51))

    marks = [*problem_lines(problems, 80)]

    assert marks[0] == "::error file=job.yaml,line=1,col=3,title=bulkip validate::wrong\n"
    assert len(marks) == 10
    assert marks[-1].endswith("::and 71 problems more\n")


def test_command_without_properties_is_that_of_the_toolkit() -> None:
    """A mask has no properties, and no blank where they would stand."""
    assert command("add-mask", "s3cret", {}) == "::add-mask::s3cret\n"
