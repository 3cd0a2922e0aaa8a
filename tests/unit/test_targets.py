"""Targets as a stream: entries, exclusions and limits, with the mistakes among them."""

from pathlib import Path

import pytest

from bulkip.model import Place, Problem, Target
from bulkip.policy import Safety
from bulkip.sources import AddressSource, CsvSource, Source
from bulkip.targets import TargetReader

JOB = Place("job.yaml", 3, 5)


def entries(*texts: str) -> list[Source]:
    """Return plain entries of a job, one a line from line 1."""
    return [AddressSource(text, Place("job.yaml", number)) for number, text in enumerate(texts, start=1)]


def csv_source(folder: Path, content: bytes) -> CsvSource:
    """Return a CSV file with this content."""
    (folder / "a.csv").write_bytes(content)
    return CsvSource(folder / "a.csv", JOB)


def ips(*sources: Source, safety: Safety | None = None) -> list[str]:
    """Return the addresses of sources in which nothing is wrong."""
    found = list(TargetReader(sources, safety=safety or Safety()))
    assert [str(problem) for problem in found if isinstance(problem, Problem)] == []
    return [target.ip for target in found if isinstance(target, Target)]


def told(*sources: Source, safety: Safety | None = None) -> list[str]:
    """Return what is wrong with sources, as it is shown."""
    reader = TargetReader(sources, safety=safety or Safety())
    return [str(problem) for problem in reader if isinstance(problem, Problem)]


def test_entries_expand_in_their_order() -> None:
    """Addresses, networks and ranges expand where they stand."""
    sources = entries("203.0.113.7", "203.0.113.0/31", "203.0.113.5-203.0.113.6")

    assert ips(*sources) == ["203.0.113.7", "203.0.113.0", "203.0.113.1", "203.0.113.5", "203.0.113.6"]


def test_exclusion_applies_wherever_it_stands(tmp_path: Path) -> None:
    """An exclusion holds for entries before and after it, and for rows of files."""
    rows = csv_source(tmp_path, b"ip\n1.0.0.1\n1.0.0.10\n")
    sources = [*entries("1.0.0.0/30", "!1.0.0.1", "!1.0.0.3-1.0.0.9"), rows]

    assert ips(*sources) == ["1.0.0.0", "1.0.0.2", "1.0.0.10"]


def test_fields_go_with_every_address_of_a_network() -> None:
    """The further keys of an entry are the fields of each of its addresses."""
    source = AddressSource("1.0.0.0/31", JOB, "cidr", fields={"id": "4711"})

    targets = list(TargetReader([source], safety=Safety()))

    assert targets == [Target("1.0.0.0", {"id": "4711"}, JOB), Target("1.0.0.1", {"id": "4711"}, JOB)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(AddressSource("10.0.0.0/8", JOB), "`10.0.0.0/8` is 16,777,216 addresses", id="slash-8"),
        pytest.param(
            AddressSource("2001:db8::/64", JOB), "is 18,446,744,073,709,551,616 addresses", id="slash-64"
        ),
        pytest.param(AddressSource("0.0.0.0-255.255.255.255", JOB), "is 4,294,967,296 addresses", id="range"),
        pytest.param(AddressSource("203.0.113.9/28", JOB), "did you mean `203.0.113.0/28`?", id="host-bits"),
        pytest.param(AddressSource("!x", JOB), "`x` is not an IP address", id="wrong-exclusion"),
        pytest.param(
            AddressSource("1.0.0.0/30", JOB, "ip"), "write `cidr:` instead of `ip:`", id="network-as-ip"
        ),
        pytest.param(
            AddressSource("1.0.0.0", JOB, "cidr"), "is no network in prefix form", id="ip-as-network"
        ),
        pytest.param(
            AddressSource("!1.0.0.0", JOB, "ip"), "an exclusion has no fields", id="exclusion-fields"
        ),
        pytest.param(AddressSource("1.0.0.1-1.0.0.2", JOB, "ip"), "is not an IP address", id="range-as-ip"),
    ],
)
def test_wrong_entry_is_one_problem_at_its_place(source: Source, expected: str) -> None:
    """An entry that is wrong or too large is told at its place, before anything is expanded."""
    problems = told(source, safety=Safety(allow_ipv6=True))

    assert len(problems) == 1
    assert problems[0].startswith("job.yaml:3:5: ")
    assert expected in problems[0]


def test_max_targets_bounds_the_sum_of_what_is_expanded() -> None:
    """Networks and ranges count together; the one that goes beyond is told, a smaller one still fits."""
    sources = entries("1.0.0.0/30", "2.0.0.0/30", "3.0.0.1-3.0.0.2")

    problems = told(*sources, safety=Safety(max_targets=6))

    assert len(problems) == 1
    assert problems[0].startswith("job.yaml:2:1: `2.0.0.0/30` is 4 addresses")


def test_listed_addresses_do_not_count_against_max_targets() -> None:
    """Whoever lists addresses one by one means them."""
    assert len(ips(*entries("1.0.0.1", "1.0.0.2"), safety=Safety(max_targets=0))) == 2


def test_reading_again_gives_the_same() -> None:
    """A reader can be read again from the start, limits and tallies included."""
    reader = TargetReader(entries("1.0.0.0/30", "!1.0.0.1"), safety=Safety(max_targets=4))

    first, second = list(reader), list(reader)

    assert first == second
    assert [str(tally) for tally in reader.tallies] == [
        "job.yaml: 2 entries = 1 exclusion + 1 block (3 targets, 1 excluded)"
    ]


def test_every_row_is_accounted_for(tmp_path: Path) -> None:
    """The rows of a file are its targets, blanks, excluded and wrong ones."""
    source = csv_source(tmp_path, b"ip,a\n1.0.0.1,x\n\n,\n1.0.0.2,x\nbad,x\n1.0.0.3\n")
    reader = TargetReader([*entries("!1.0.0.2"), source], safety=Safety())

    list(reader)

    told = f"{source.path}: 7 lines = 1 target + 1 header + 1 excluded + 2 blank + 2 wrong"
    assert str(reader.tallies[1]) == told


def test_missing_file_is_told_where_the_job_names_it() -> None:
    """A file that is not there is a mistake of the job's entry."""
    assert told(CsvSource(Path("gone.csv"), JOB))[0].startswith(
        "job.yaml:3:5: file `gone.csv` does not exist"
    )


def test_folder_is_told_where_the_job_names_it() -> None:
    """A folder in place of a file is a mistake of the job's entry."""
    assert told(CsvSource(Path(), JOB)) == ["job.yaml:3:5: file `.` is a folder, not a file"]


def test_mistakes_of_all_sources_stand_together(tmp_path: Path) -> None:
    """A broken file does not hide the mistakes of the sources after it."""
    broken, gone = csv_source(tmp_path, b"\xff"), CsvSource(Path("gone.csv"), JOB)

    assert len(told(broken, *entries("x", "1.0.0.1"), gone)) == 3
