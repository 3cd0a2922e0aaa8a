"""The books of an input: every line is counted once and told in one sentence."""

import pytest

from bulkip.tally import ADDRESSES, ENTRIES, Fate, Idle, Tally


def test_books_of_a_long_list_are_one_sentence() -> None:
    """Comments and blanks are named beside the targets, and the parts add up to the lines."""
    tally = Tally("ips.txt", lines=1000, comments=8, blanks=2, listed=Fate(targets=990))

    assert str(tally) == "ips.txt: 1,000 lines = 990 targets + 8 comments + 2 blank"


def test_block_tells_what_became_of_its_addresses() -> None:
    """A network is one line, however many addresses it has."""
    tally = Tally("job.yaml", ENTRIES, lines=1, blocks=1, expanded=Fate(13, excluded=2, left_out=1))

    assert str(tally) == "job.yaml: 1 entry = 1 block (13 targets, 2 excluded, 1 left out by a filter)"


def test_lost_addresses_are_told_with_their_reason() -> None:
    """What an exclusion or a filter took out stands beside what is wrong."""
    tally = Tally("a.csv", lines=7, headers=1, wrong=1, listed=Fate(targets=2, excluded=2, left_out=1))

    told = "a.csv: 7 lines = 2 targets + 1 header + 2 excluded + 1 left out by a filter + 1 wrong"
    assert str(tally) == told


def test_empty_list_is_told_as_such() -> None:
    """A list without lines has no targets, and says so."""
    assert str(Tally("ips.txt")) == "ips.txt: 0 lines = 0 targets"


def test_source_that_is_asked_later_says_so() -> None:
    """Where nobody was asked yet there is nothing to count."""
    assert str(Tally("free_ips (j:3)", ADDRESSES, unasked=True)) == "free_ips (j:3): asked when the job runs"


@pytest.mark.parametrize(
    ("tally", "plain"),
    [
        pytest.param(Tally("a", lines=3, headers=1, listed=Fate(2)), True, id="rows"),
        pytest.param(Tally("a", lines=1, blocks=1, expanded=Fate(16)), True, id="whole-network"),
        pytest.param(Tally("a", lines=1, blocks=1, expanded=Fate(15, excluded=1)), False, id="hole"),
        pytest.param(Tally("a", lines=2, blanks=1, listed=Fate(1)), False, id="blank"),
        pytest.param(Tally("a", lines=2, comments=1, listed=Fate(1)), False, id="comment"),
        pytest.param(Tally("a", lines=2, listed=Fate(1, left_out=1)), False, id="left-out"),
        pytest.param(Tally("a", unasked=True), False, id="unasked"),
    ],
)
def test_only_what_needs_explaining_is_not_plain(tally: Tally, *, plain: bool) -> None:
    """Books are plain when every line became targets and nothing was taken out."""
    assert tally.plain is plain


def test_idle_lines_are_counted_by_kind() -> None:
    """Headers, blanks and comments have a count each."""
    tally = Tally("a")

    for idle in (Idle.HEADER, Idle.BLANK, Idle.COMMENT, Idle.COMMENT):
        tally.skip(idle)

    assert (tally.headers, tally.blanks, tally.comments) == (1, 1, 2)
