"""How much may go wrong before a command fails."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.exitcode import Ending, exit_code
from bulkip.model import Counts, Status
from bulkip.tolerance import FAILING, judged, parse_tolerance, tolerance_kept

counts = st.builds(Counts, st.dictionaries(st.sampled_from(Status), st.integers(0, 300)))
terms = st.tuples(st.sampled_from(sorted(FAILING)), st.sampled_from(["", ">3", ">1%", ">0.5%", ">100%"]))
tolerances = st.lists(terms, min_size=1, unique_by=lambda term: term[0]).map(
    lambda found: parse_tolerance(",".join(map("".join, found)))
)


def code(text: str | None, **by_status: int) -> int:
    """Return the exit code of a run with these counts under a tolerance."""
    found = Counts({Status(name): number for name, number in by_status.items()})
    tolerance = None if text is None else parse_tolerance(text)
    return exit_code(Ending(judged(found, tolerance), proof_required=True))


@pytest.mark.parametrize(
    ("text", "by_status", "expected"),
    [
        pytest.param(None, {"failed": 1, "changed": 999}, 3, id="default-tolerates-nothing"),
        pytest.param("failed", {"failed": 1, "changed": 999}, 3, id="listed-without-limit"),
        pytest.param("failed>1%", {"failed": 10, "changed": 990}, 0, id="one-percent-is-reached"),
        pytest.param("failed>1%", {"failed": 11, "changed": 989}, 3, id="one-percent-is-exceeded"),
        pytest.param("failed>3", {"failed": 3}, 0, id="count-is-reached"),
        pytest.param("failed>3", {"failed": 4}, 3, id="count-is-exceeded"),
        pytest.param("failed>1%", {"failed": 1, "ok": 59, "skipped": 940}, 3, id="skipped-do-not-count"),
        pytest.param("failed>0.1%", {"failed": 1, "ok": 999}, 0, id="tenth-of-a-percent-is-exact"),
        pytest.param("failed>1%,unknown", {"conflict": 5}, 0, id="not-listed"),
        pytest.param("failed>1%,unknown", {"unknown": 1, "ok": 9}, 9, id="another-one"),
        pytest.param("failed>50%,mismatch", {"mismatch": 1, "failed": 1, "match": 9}, 4, id="lesser-code"),
        pytest.param("unverified", {"unverified": 1}, 3, id="unverified"),
        pytest.param("failed>0%", {"failed": 1, "skipped": 5}, 3, id="nothing-but-failures"),
    ],
)
def test_tolerance_decides_about_the_code(text: str | None, by_status: dict[str, int], expected: int) -> None:
    """A listed status fails the command beyond its limit, one that is not listed never does."""
    assert code(text, **by_status) == expected


@given(counts, tolerances.map(str))
def test_tolerance_never_makes_it_worse(found: Counts, text: str) -> None:
    """With a tolerance the code is that without, one of a lesser failure, or 0."""
    strict = exit_code(Ending(found, proof_required=True))
    mild = exit_code(Ending(judged(found, parse_tolerance(text)), proof_required=True))

    graver_first = [9, 3, 4, 0]
    assert graver_first.index(mild) >= graver_first.index(strict)


@given(counts, tolerances.map(str))
def test_other_reasons_are_not_touched(found: Counts, text: str) -> None:
    """A halt, a safety stop, a refused account, a lock, a bug or a missed expectation is never tolerated."""
    mild = judged(found, parse_tolerance(text))

    endings = [
        (1, Ending(mild, internal=True)),
        (7, Ending(mild, access=True)),
        (8, Ending(mild, locked=True)),
        (5, Ending(mild, safety=True)),
        (6, Ending(mild, halted=True)),
    ]
    assert [exit_code(ending) for _, ending in endings] == [expected for expected, _ in endings]
    assert exit_code(Ending(mild, expectation_missed=True)) != 0


def test_what_is_tolerated_is_told() -> None:
    """Each tolerated status is named with its count and the term that allows it, if there is one."""
    found = Counts({Status.FAILED: 3, Status.CONFLICT: 2, Status.UNKNOWN: 1, Status.OK: 994})

    told = [
        (number, status.value, str(term))
        for number, status, term in parse_tolerance("failed>1%,unknown").tolerated(found)
    ]

    assert told == [(3, "failed", "failed>1%"), (2, "conflict", "None")]


def test_spaces_and_case_do_not_matter() -> None:
    """A list may be written as people write lists."""
    assert str(parse_tolerance(" Failed > 1% , unknown,MISMATCH>2")) == "failed>1%,unknown,mismatch>2"


@pytest.mark.parametrize(
    ("text", "way_out"),
    [
        pytest.param("", "write it like failed>1%", id="empty"),
        pytest.param("failed,", "write it like failed>1%", id="trailing-comma"),
        pytest.param("failed>=3", "write it like failed>1%", id="other-sign"),
        pytest.param("failed>-1", "write it like failed>1%", id="negative"),
        pytest.param("faild", "did you mean `failed`", id="typing-error"),
        pytest.param("mismatches>2", "did you mean `mismatch`", id="plural"),
        pytest.param("changed", "there are: failed, conflict", id="harmless-status"),
        pytest.param("failed>101%", "not a percentage from 0% to 100%", id="beyond-all"),
        pytest.param("failed>1.5", "neither a percentage", id="half-an-item"),
        pytest.param("failed,failed>3", "`failed` stands there twice", id="twice"),
    ],
)
def test_what_is_no_tolerance_is_refused(text: str, way_out: str) -> None:
    """A mistake is told with the way out."""
    with pytest.raises(ValueError, match=way_out):
        parse_tolerance(text)


@pytest.mark.parametrize("kept", [None, 5, ["failed"], "what?"])
def test_damaged_tolerance_is_none(kept: object) -> None:
    """A store may hold anything; what is no tolerance tolerates nothing."""
    assert tolerance_kept(kept) is None
