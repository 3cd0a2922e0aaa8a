"""What `bulkip validate` and `bulkip targets` print: the addresses, the books of the lists, the mistakes."""

from pathlib import Path

import pytest

from bulkip.cli import exit_code_of
from tests.program import Ended

TEXT = "[{text: ips.txt}]"
BOOKS = "ips.txt: 1,000 lines = 990 targets + 8 comments + 2 blank"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in an empty folder, so that paths are shown as the user writes them."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def screen(capsys: pytest.CaptureFixture[str]) -> "Screen":
    """Run commands in this process."""
    return Screen(capsys)


class Screen:
    """Runs commands and keeps what each printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def bulkip(self, *arguments: str) -> Ended:
        """Run one command to its end."""
        code = exit_code_of(list(arguments))
        return Ended(code, *self._capsys.readouterr())


def job(targets: str) -> str:
    """Write a job with these targets, and return its name."""
    Path("job.yaml").write_text(
        f"version: 1\nvars: {{zone: NL}}\ntargets: {targets}\n"
        "actions:\n  - {action: get_ptr, tags: [look], with: {id: 4711, location: '{{ vars.zone }}'}}\n"
    )
    return "job.yaml"


def thousand_lines() -> str:
    """Return a text list of 1,000 lines: 990 targets, 8 comments and 2 blank."""
    lines = [f"10.0.{number // 256}.{number % 256}" for number in range(990)]
    return "\n".join(["# head", "", *lines, *["# more"] * 7, "", ""])


def test_targets_tells_what_became_of_every_line(screen: Screen) -> None:
    """The addresses stand on stdout, the books of the list on stderr."""
    Path("ips.txt").write_text(thousand_lines())

    ended = screen.bulkip("targets", job(TEXT))

    assert ended.code == 0
    assert len(ended.out.splitlines()) == 990
    assert ended.err == f"{BOOKS}\n990 addresses\n"


def test_validate_tells_what_was_no_target(screen: Screen) -> None:
    """The recap has the books of a list in which not every line is a target."""
    Path("ips.txt").write_text(thousand_lines())

    ended = screen.bulkip("validate", job(TEXT))

    assert (ended.code, ended.out) == (0, f"job.yaml: valid, 990 items, 0 writes; {BOOKS}\n")


def test_validate_has_no_books_where_all_lines_are_targets(screen: Screen) -> None:
    """A list of targets needs no explanation."""
    Path("ips.txt").write_text("1.0.0.1\n1.0.0.2\n")

    assert screen.bulkip("validate", job(TEXT)).out == "job.yaml: valid, 2 items, 0 writes\n"


def test_targets_prints_nothing_of_a_wrong_list(screen: Screen) -> None:
    """A list with mistakes gives its books and all of them, and no half of its addresses."""
    Path("ips.txt").write_text("1.0.0.1\nbad\n1.0.0.2\nworse\n")

    ended = screen.bulkip("targets", job(TEXT))

    assert (ended.code, ended.out) == (2, "")
    assert "ips.txt: 4 lines = 2 targets + 2 wrong" in ended.err
    assert "ips.txt:2:1: `bad`" in ended.err
    assert "2 problems; nothing was sent" in ended.err


def test_targets_shows_fifty_problems_and_the_total(screen: Screen) -> None:
    """A list that is wrong from end to end does not flood the screen."""
    Path("ips.txt").write_text("bad\n" * 80)

    ended = screen.bulkip("targets", job(TEXT))

    assert ended.err.count("`bad` is not an IP address") == 50
    assert "... and 30 more\n80 problems; nothing was sent" in ended.err


def test_targets_counts(screen: Screen) -> None:
    """--count prints how many different addresses there are, and nothing else."""
    Path("ips.txt").write_text("1.0.0.1\n1.0.0.2\n1.0.0.1\n")

    assert screen.bulkip("targets", job(TEXT), "--count").out == "2\n"


def test_targets_names_duplicates(screen: Screen) -> None:
    """--duplicates prints both places of an address that is named twice."""
    Path("ips.txt").write_text("1.0.0.1\n1.0.0.2\n1.0.0.1\n")

    ended = screen.bulkip("targets", job(TEXT), "--duplicates")

    assert ended.out == "1.0.0.1  ips.txt:1  ips.txt:3\n"
    assert ended.err.endswith("2 addresses, 1 named more than once\n")


def test_targets_shows_what_filters_leave(screen: Screen) -> None:
    """Filters can be tried before a run: the selected addresses, and how many are left out."""
    ended = screen.bulkip("targets", job("[10.0.0.0/29]"), "--limit", "10.0.0.0/30,!10.0.0.1")

    assert ended.out.split() == ["10.0.0.0", "10.0.0.2", "10.0.0.3"]
    assert "(3 targets, 5 left out by a filter)" in ended.err


@pytest.mark.parametrize(
    ("command", "printed"),
    [
        pytest.param("validate", "job.yaml: valid, nothing planned yet; ", id="validate"),
        pytest.param("targets", "", id="targets"),
    ],
)
def test_free_addresses_are_left_open_without_a_network(screen: Screen, command: str, printed: str) -> None:
    """Commands that may not use the network say that free addresses are asked for later."""
    ended = screen.bulkip(command, job("[{free_ips: {id: 15}}]"))

    assert ended.code == 0
    assert ended.out.startswith(printed)
    assert "free_ips (job.yaml:3): asked when the job runs\n" in ended.out + ended.err


def test_validate_of_nothing_is_nothing_to_do(screen: Screen) -> None:
    """Filters that leave nothing are no mistake."""
    ended = screen.bulkip("validate", job("[10.0.0.1]"), "--limit", "198.51.100.1")

    assert ended.code == 0
    assert ended.out.startswith("job.yaml: valid, nothing to do; ")


def test_variable_reaches_the_templates(screen: Screen) -> None:
    """A variable set on the command line is the one that templates see."""
    ended = screen.bulkip("validate", job("[10.0.0.1]"), "--var", "zone=not a code")

    assert ended.code == 2
    assert "'not a code' is no location code" in ended.err


@pytest.mark.parametrize("command", ["run", "validate", "targets"])
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["--tags", "lok"], "no tag `lok`; did you mean `look`?", id="tag"),
        pytest.param(["--var", "zon=x"], "no variable `zon`; did you mean `zone`?", id="variable"),
        pytest.param(["--limit", "@gone"], "file `gone` does not exist", id="limit-file"),
        pytest.param(["--sample", "none"], "not a valid integer", id="sample"),
    ],
)
def test_wrong_filter_is_one_clear_error(
    screen: Screen, command: str, arguments: list[str], told: str
) -> None:
    """A filter that cannot be meant ends with exit code 2 and the way out, and leaves nothing behind."""
    ended = screen.bulkip(command, job("[10.0.0.1]"), *arguments)

    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err
    assert [path.name for path in Path().iterdir()] == ["job.yaml"]
