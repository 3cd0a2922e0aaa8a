"""Lists, pipes, earlier runs and free addresses as sources: exclusions, limits, filters and their books."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bulkip.addresses import parse_expression
from bulkip.model import Place, Problem, Status, Target
from bulkip.policy import Safety
from bulkip.selection import Selection, selection_of
from bulkip.sources import (
    AddressSource,
    CsvSource,
    Format,
    FreeIpsSource,
    JsonlSource,
    RunSource,
    Source,
    SourceError,
    StdinSource,
    TextSource,
)
from bulkip.targets import Doors, TargetReader

JOB = Place("job.yaml", 3, 5)
LAST = RunSource("last", (Status.FAILED,), "nightly", JOB)
FREE = FreeIpsSource({"id": "15"}, JOB)


pytestmark = pytest.mark.usefixtures("empty_folder")


def text(content: str) -> TextSource:
    """Return a text list with this content."""
    Path("a.txt").write_text(content, encoding="utf-8")
    return TextSource(Path("a.txt"), JOB)


def reader(
    *sources: Source, doors: Doors | None = None, selection: Selection | None = None, most: int = 65536
) -> TargetReader:
    """Return what reads these sources."""
    return TargetReader(sources, safety=Safety(max_targets=most), selection=selection, doors=doors)


def ips(found: TargetReader) -> list[str]:
    """Return the addresses of sources in which nothing is wrong."""
    targets = list(found)
    assert [str(one) for one in targets if isinstance(one, Problem)] == []
    return [one.ip for one in targets if isinstance(one, Target)]


def told(found: TargetReader) -> list[str]:
    """Return what is wrong, as it is shown."""
    return [str(one) for one in found if isinstance(one, Problem)]


def piped(content: bytes) -> Doors:
    """Return a way to a pipe with this content."""
    return Doors(open_stdin=lambda: io.BytesIO(content))


def asked(*addresses: str) -> Doors:
    """Return a way to an API with these free addresses."""
    return Doors(ask_free_ips=lambda _source: addresses)


def refusing(message: str) -> Callable[[FreeIpsSource], Sequence[str]]:
    """Return an API that refuses to tell free addresses."""

    def refuse(_source: FreeIpsSource) -> Sequence[str]:
        raise SourceError(message)

    return refuse


def test_text_list_expands_like_the_job_itself() -> None:
    """A text list holds addresses, networks and ranges, in their order."""
    found = reader(text("1.0.0.7\n1.0.0.0/31 # both\n\n1.0.0.5-1.0.0.6\n"))

    assert ips(found) == ["1.0.0.7", "1.0.0.0", "1.0.0.1", "1.0.0.5", "1.0.0.6"]


def test_exclusion_in_a_file_holds_for_the_whole_job() -> None:
    """An exclusion in a text list excludes from sources before and after it, like one in the job."""
    Path("a.csv").write_text("ip\n1.0.0.1\n1.0.0.9\n")
    network, rows = AddressSource("1.0.0.0/31", JOB), CsvSource(Path("a.csv"), JOB)

    assert ips(reader(network, text("!1.0.0.1\n"), rows)) == ["1.0.0.0", "1.0.0.9"]


def test_every_line_of_a_text_list_is_accounted_for() -> None:
    """Targets, blocks, exclusions, comments, blanks and mistakes add up to the lines."""
    found = reader(text("# head\n1.0.0.1\n1.0.0.2\n\n1.0.1.0/31\n!1.0.0.2\nbad\n"))

    list(found)

    assert str(found.tallies[0]) == (
        "a.txt: 7 lines = 1 target + 1 comment + 1 exclusion + 1 block (2 targets) "
        "+ 1 excluded + 1 blank + 1 wrong"
    )


def test_network_in_a_list_counts_against_max_targets() -> None:
    """What a list expands to is bounded like what the job expands to; its single lines are not counted."""
    problems = told(reader(text("1.0.0.1\n1.0.0.2\n1.0.0.0/29\n"), most=4))

    assert len(problems) == 1
    assert problems[0].startswith("a.txt:3:1: `1.0.0.0/29` is 8 addresses")


def test_wrong_line_of_a_text_list_is_told_at_its_place() -> None:
    """What is wrong with an expression is told with the line and column of the list."""
    assert told(reader(text("\n  1.0.0.9/28 # x\n"))) == [
        "a.txt:2:3: target `1.0.0.9/28` has host bits set; did you mean `1.0.0.0/28`?"
    ]


def test_jsonl_list_gives_rows() -> None:
    """A JSONL list gives targets with fields, each at its line."""
    Path("a.jsonl").write_text('\n{"ip": "1.0.0.1", "id": 5}\n')

    assert list(reader(JsonlSource(Path("a.jsonl"), JOB))) == [
        Target("1.0.0.1", {"id": "5"}, Place("a.jsonl", 2))
    ]


@pytest.mark.parametrize("source", [JsonlSource(Path("gone"), JOB), TextSource(Path("gone"), JOB)])
def test_missing_list_is_told_where_the_job_names_it(source: Source) -> None:
    """A list that is not there is a mistake of the job's entry."""
    assert told(reader(source))[0].startswith("job.yaml:3:5: file `gone` does not exist")


@pytest.mark.parametrize(
    ("form", "content"),
    [
        pytest.param(Format.CSV, b"ip;id\n1.0.0.1;5\n", id="csv"),
        pytest.param(Format.JSONL, b'{"ip": "1.0.0.1", "id": 5}\n', id="jsonl"),
    ],
)
def test_rows_can_be_piped_in(form: Format, content: bytes) -> None:
    """Rows from stdin are placed there."""
    (target,) = reader(StdinSource(form, JOB, ";"), doors=piped(content))

    assert isinstance(target, Target)
    assert (target.ip, target.fields, target.place.file) == ("1.0.0.1", {"id": "5"}, "<stdin>")


def test_exclusion_can_be_piped_in() -> None:
    """Stdin is read for exclusions first, like any text list."""
    network, stdin = AddressSource("1.0.0.0/31", JOB), StdinSource(Format.TEXT, JOB)

    assert ips(reader(network, stdin, doors=piped(b"!1.0.0.1\n1.0.0.5\n"))) == ["1.0.0.0", "1.0.0.5"]


def test_mistake_in_a_pipe_is_placed_there() -> None:
    """What is wrong with a piped line is told with its line."""
    assert told(reader(StdinSource(Format.TEXT, JOB), doors=piped(b"1.0.0.1\nbad\n"))) == [
        "<stdin>:2:1: `bad` is not an IP address"
    ]


def test_pipe_that_nobody_can_open_is_told() -> None:
    """Where stdin belongs to somebody else, a job that needs it is wrong."""
    assert told(reader(StdinSource(Format.CSV, JOB)))[0].startswith("job.yaml:3:5: stdin cannot be read here")


def test_free_addresses_become_targets() -> None:
    """What the API names as free is taken in its order, each once."""
    found = reader(FREE, doors=asked("1.0.0.2", "1.0.0.1", "1.0.0.2"))

    assert ips(found) == ["1.0.0.2", "1.0.0.1"]
    assert str(found.tallies[0]) == "free_ips (job.yaml:3): 2 addresses = 2 targets"


def test_free_addresses_are_asked_for_once() -> None:
    """Reading the targets again, or drawing a sample, does not ask the API again."""
    calls: list[FreeIpsSource] = []

    def ask(source: FreeIpsSource) -> Sequence[str]:
        calls.append(source)
        return ("1.0.0.1", "1.0.0.2")

    found = reader(FREE, doors=Doors(ask_free_ips=ask), selection=Selection(sample=1))
    first, second = list(found), list(found)

    assert first == second
    assert calls == [FREE]


def test_free_addresses_count_against_max_targets() -> None:
    """An answer with more addresses than allowed is refused as a whole."""
    problems = told(reader(FREE, doors=asked("1.0.0.1", "1.0.0.2"), most=1))

    assert len(problems) == 1
    assert problems[0].startswith("job.yaml:3:5: free_ips: the answer to `free_ips` is 2 addresses")


def test_refusal_to_tell_free_addresses_is_one_problem() -> None:
    """`illegal IP subnet` is told where the job asks."""
    assert told(reader(FREE, doors=Doors(ask_free_ips=refusing("illegal IP subnet; check `id`")))) == [
        "job.yaml:3:5: free_ips: illegal IP subnet; check `id`"
    ]


def test_answer_that_is_no_address_is_a_problem() -> None:
    """Whatever the API names is checked like an address of the job."""
    assert told(reader(FREE, doors=asked("1.0.0.1", "bad"))) == ["job.yaml:3:5: `bad` is not an IP address"]


def test_free_addresses_stay_open_where_nobody_may_ask() -> None:
    """Without a way to the API the source gives nothing, and says so in the books."""
    found = reader(FREE)

    assert ips(found) == []
    assert str(found.tallies[0]) == "free_ips (job.yaml:3): asked when the job runs"


def test_earlier_run_gives_rows() -> None:
    """What a run left comes with its fields, and exclusions hold for it too."""
    left = [Target("1.0.0.1", {"id": "5"}, JOB), Target("1.0.0.2", {}, JOB)]
    found = reader(AddressSource("!1.0.0.2", JOB), LAST, doors=Doors(left_behind=lambda _source: left))

    assert list(found) == left[:1]
    assert str(found.tallies[1]) == "run last (job.yaml:3): 2 addresses = 1 target + 1 excluded"


def test_earlier_run_that_is_not_there_is_a_problem() -> None:
    """A run that cannot be found is a mistake of the job's entry."""

    def nothing(_source: RunSource) -> Sequence[Target]:
        raise SourceError("no run `last`")

    assert told(reader(LAST, doors=Doors(left_behind=nothing))) == ["job.yaml:3:5: no run `last`"]


def test_filtered_addresses_are_accounted_for() -> None:
    """What a filter leaves out is counted, and an exclusion comes before it."""
    selection = selection_of([parse_expression("1.0.0.0/30")])
    found = reader(text("1.0.0.1\n1.0.0.9\n!1.0.0.2\n1.0.0.2\n"), selection=selection)

    assert ips(found) == ["1.0.0.1"]
    assert str(found.tallies[0]) == (
        "a.txt: 4 lines = 1 target + 1 exclusion + 1 excluded + 1 left out by a filter"
    )


def test_sample_is_drawn_from_what_is_selected() -> None:
    """A sample is drawn after exclusions and filters, and keeps the order and every row of an address."""
    selection = selection_of([parse_expression("1.0.0.0/24")], sample=3)
    rows = [f"{net}.{host}\n" for net in ("1.0.1", "1.0.0") for host in range(50)]
    found = reader(text("".join([*rows, *rows, "!1.0.0.0/28\n"])), selection=selection)

    chosen = ips(found)

    assert len(chosen) == 6
    assert chosen[:3] == chosen[3:] == sorted(chosen[:3], key=lambda ip: int(ip.split(".")[3]))
    assert all(ip.startswith("1.0.0.") and int(ip.split(".")[3]) > 15 for ip in chosen)


def test_mistakes_are_told_once_beside_a_sample() -> None:
    """Drawing a sample reads the lists before, and tells nothing twice."""
    assert len(told(reader(text("bad\n1.0.0.1\n"), selection=Selection(sample=1)))) == 1
