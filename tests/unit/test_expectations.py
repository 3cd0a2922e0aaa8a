"""How an item of a check ends, by what was found."""

import pytest

from bulkip.expectations import compared, found_names, left_out, proved
from bulkip.model import ErrorClass, Result, Status
from bulkip.proof import Absent, Finding, Found, Shown, Trouble, prove_dns, prove_fcrdns

IP, NAME, OLD = "203.0.113.7", "mail.example.net", "old.example.org"
SILENT = Trouble("no answer")
MATCH = Result(Status.MATCH)


def by_dns(*shown: Shown, wanted: tuple[str, ...] = (NAME,)) -> Result:
    """Return the result of a check by DNS where the servers show these, one each."""
    findings = [Finding(f"ns{number}", one) for number, one in enumerate(shown, start=1)]
    return proved(wanted, prove_dns(wanted, findings))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param((NAME,), ("Mail.Example.Net.",), id="case-and-dot"),
        pytest.param(("a.b", "c.d"), ("c.d", "a.b"), id="order"),
        pytest.param((), (), id="none"),
    ],
)
def test_same_names_match(wanted: tuple[str, ...], found: tuple[str, ...]) -> None:
    """Names match as DNS names and as a set; no name matches no name."""
    assert compared(wanted, found) == MATCH


@pytest.mark.parametrize(
    ("wanted", "found", "text"),
    [
        pytest.param((NAME,), (OLD,), f"expected `{NAME}`, found `{OLD}`", id="another"),
        pytest.param((NAME,), (), f"expected `{NAME}`, found no PTR", id="none"),
        pytest.param((), (OLD,), f"expected no PTR, found `{OLD}`", id="not-cleared"),
        pytest.param((NAME,), (NAME, OLD), f"expected `{NAME}`, found `{NAME}`, `{OLD}`", id="one-more"),
        pytest.param(
            (NAME,),
            tuple(f"n{number}.b" for number in range(9)),
            f"expected `{NAME}`, found `n0.b`, `n1.b`, `n2.b`, `n3.b`, `n4.b`, 4 more",
            id="many",
        ),
    ],
)
def test_other_names_are_told(wanted: tuple[str, ...], found: tuple[str, ...], text: str) -> None:
    """A mismatch says what was expected and what was found, in bounds."""
    assert compared(wanted, found) == Result(Status.MISMATCH, message=text)


def test_servers_that_agree_are_not_listed() -> None:
    """Where all servers show the same, the message needs no more than that."""
    result = by_dns(Found((OLD,)), Found((OLD,)))

    assert result.message == f"expected `{NAME}`, found `{OLD}`"


def test_server_that_differs_is_named() -> None:
    """Where servers disagree, the message says which one shows something else."""
    result = by_dns(Found((NAME,)), Found((OLD,)))

    assert result.status is Status.MISMATCH
    assert result.message == f"expected `{NAME}`, found `{NAME}`, `{OLD}`; ns2 shows `{OLD}`; wanted `{NAME}`"


def test_servers_without_a_name() -> None:
    """A record that is not there is a mismatch, not a failure."""
    assert by_dns(Absent()) == Result(Status.MISMATCH, message=f"expected `{NAME}`, found no PTR")


def test_nobody_answers() -> None:
    """Where nobody answered nothing is disproved: the item failed, class dns."""
    result = by_dns(SILENT, SILENT)

    assert (result.status, result.error_class) == (Status.FAILED, ErrorClass.DNS)


def test_one_silent_server_is_no_mismatch() -> None:
    """A server that could not be heard does not speak against the others."""
    assert by_dns(Found((NAME,)), SILENT) == MATCH


def test_way_back_that_fails_is_told() -> None:
    """A right name that leads elsewhere is a mismatch, though the names are those expected."""
    there = [Finding("ns1", Found((NAME,)))]
    back = {NAME: [Finding("ns1", Found(("198.51.100.1",)))]}

    result = proved((NAME,), prove_fcrdns((NAME,), there, IP, back))

    assert result.status is Status.MISMATCH
    assert "leads to 198.51.100.1 instead of 203.0.113.7" in str(result.message)


def test_found_names_are_those_of_the_address() -> None:
    """What servers say about a name's addresses is no name of the address; each name counts once."""
    there = [Finding("ns1", Found((NAME, OLD))), Finding("ns2", Found((NAME,)))]
    back = {NAME: [Finding("ns1", Found((IP,)))]}

    assert found_names(prove_fcrdns((NAME,), there, IP, back)) == (NAME, OLD)
    assert found_names(prove_fcrdns((NAME,), there[1:], IP, back)) == (NAME,)


def test_what_a_check_leaves_out() -> None:
    """An action that a check has no opinion on is skipped, with the reason."""
    assert left_out("get_ip") == Result(
        Status.SKIPPED, note="only update_ptr can be checked; get_ip was not called"
    )
