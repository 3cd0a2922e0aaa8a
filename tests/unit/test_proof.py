"""When do the answers of name servers prove a PTR record, and how long between two looks?"""

import pytest

from bulkip.policy import VerifyMode
from bulkip.proof import (
    MOST_SHOWN,
    Absent,
    Finding,
    Found,
    Leading,
    Proof,
    Trouble,
    judge_forward,
    next_poll_s,
    prove_api,
    prove_dns,
    prove_fcrdns,
)

IP = "203.0.113.7"
MAIL = "mail.example.net"
SILENT = Trouble("no answer within 3 s, asked 2 times")
PROVED, DISPROVED, UNDECIDED = "proved", "disproved", "undecided"


def outcome_of(proof: Proof) -> str:
    """Return what a proof comes to."""
    if not proof.decided:
        assert not proof.holds
        return UNDECIDED
    return PROVED if proof.holds else DISPROVED


def findings(*shown: Found | Absent | Trouble) -> list[Finding]:
    """Return what ns1, ns2 and so on said."""
    return [Finding(f"ns{number}", one) for number, one in enumerate(shown, start=1)]


@pytest.mark.parametrize(
    ("wanted", "shown", "outcome"),
    [
        pytest.param([MAIL], [Found((MAIL,))], PROVED, id="shown"),
        pytest.param(["Mail.Example.NET."], [Found((MAIL,))], PROVED, id="case-and-final-dot"),
        pytest.param([MAIL, "b.example"], [Found(("b.example", MAIL))], PROVED, id="set-in-any-order"),
        pytest.param([MAIL], [Found((MAIL, "old.example"))], DISPROVED, id="one-too-many"),
        pytest.param([MAIL, "b.example"], [Found((MAIL,))], DISPROVED, id="one-missing"),
        pytest.param([MAIL], [Found((MAIL,), more=1)], DISPROVED, id="more-than-were-kept"),
        pytest.param([MAIL], [Found((MAIL,)), Found(("old.example",))], DISPROVED, id="servers-disagree"),
        pytest.param([MAIL], [Found((MAIL,)), Absent()], DISPROVED, id="not-on-every-server"),
        pytest.param([MAIL], [Found((MAIL,)), SILENT], PROVED, id="silent-server-is-no-objection"),
        pytest.param([MAIL], [SILENT, SILENT], UNDECIDED, id="all-silent"),
        pytest.param([MAIL], [], UNDECIDED, id="nobody-asked"),
        pytest.param([], [Absent(), Absent()], PROVED, id="cleared-everywhere"),
        pytest.param([], [Absent(), Found((MAIL,))], DISPROVED, id="not-cleared-everywhere"),
        pytest.param([], [SILENT], UNDECIDED, id="cleared-or-not-nobody-says"),
    ],
)
def test_dns_proves_what_all_answering_servers_show(
    wanted: list[str], shown: list[Found | Absent | Trouble], outcome: str
) -> None:
    """Every server that answers must show exactly the wanted names; when none answers, nothing is decided."""
    proof = prove_dns(wanted, findings(*shown))

    assert (proof.mode, outcome_of(proof)) == (VerifyMode.DNS, outcome)


@pytest.mark.parametrize(
    ("shown", "outcome"),
    [pytest.param(["MAIL.example.net."], PROVED, id="same"), pytest.param([], DISPROVED, id="none")],
)
def test_api_proves_what_it_shows(shown: list[str], outcome: str) -> None:
    """The API's own answer is compared as names, too."""
    proof = prove_api([MAIL], shown)

    assert (proof.mode, outcome_of(proof)) == (VerifyMode.API, outcome)


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        pytest.param([Found((MAIL,))], f"1 server shows `{MAIL}`", id="one"),
        pytest.param(
            [Found((MAIL,)), Found((MAIL,)), SILENT],
            f"all 2 servers that answered show `{MAIL}`; but ns3: {SILENT.reason}",
            id="one-of-three-silent",
        ),
        pytest.param(
            [Found((MAIL,)), Absent("the zone `113.0.203.in-addr.arpa` has none")],
            f"ns2 shows no name (the zone `113.0.203.in-addr.arpa` has none); wanted `{MAIL}`",
            id="lagging",
        ),
        pytest.param(
            [Found((f"{number}.example",)) for number in range(5)],
            f"ns1 shows `0.example`; ns2 shows `1.example`; ns3 shows `2.example`; 2 more; wanted `{MAIL}`",
            id="many",
        ),
        pytest.param([SILENT], f"no server answered: ns1: {SILENT.reason}", id="silent"),
    ],
)
def test_reason_names_who_says_what(shown: list[Found | Absent | Trouble], reason: str) -> None:
    """A person reads which server shows what, what was wanted, and who could not be heard."""
    assert prove_dns([MAIL], findings(*shown)).reason == reason


def test_findings_are_values_for_reports() -> None:
    """A report lists each server with its names, or with its trouble."""
    shown = findings(Found((MAIL,)), Absent("the zone `x` has none"), SILENT)

    values = prove_dns([MAIL], shown).findings

    assert list(values) == [
        {"server": "ns1", "names": [MAIL]},
        {"server": "ns2", "names": [], "note": "the zone `x` has none"},
        {"server": "ns3", "trouble": SILENT.reason},
    ]


@pytest.mark.parametrize(
    ("names", "more", "left"),
    [
        pytest.param(MOST_SHOWN, 0, None, id="all"),
        pytest.param(MOST_SHOWN + 1, 0, 1, id="one-too-many"),
        pytest.param(1000, 234, 1234 - MOST_SHOWN, id="more-than-were-kept"),
    ],
)
def test_report_of_many_names_is_bounded(names: int, more: int, left: int | None) -> None:
    """A thousand names of one address are counted, not listed."""
    shown = Found(tuple(f"{number}.example" for number in range(names)), more)

    (value,) = prove_dns([MAIL], findings(shown)).findings

    listed = value["names"]
    assert isinstance(listed, list)
    assert (len(listed), value.get("more")) == (MOST_SHOWN, left)


@pytest.mark.parametrize(
    ("shown", "leading", "reason"),
    [
        pytest.param([Found((IP,))], Leading.HERE, f"`{MAIL}` leads back to {IP}", id="here"),
        pytest.param(
            [Found((IP, "192.0.2.1"))], Leading.HERE, f"`{MAIL}` leads back to {IP}", id="among-others"
        ),
        pytest.param([Found((IP,)), SILENT], Leading.HERE, f"`{MAIL}` leads back to {IP}", id="one-silent"),
        pytest.param(
            [Found(("192.0.2.1",))],
            Leading.ELSEWHERE,
            f"`{MAIL}` leads to 192.0.2.1 instead of {IP}",
            id="elsewhere",
        ),
        pytest.param(
            [Found((IP,)), Absent()],
            Leading.ELSEWHERE,
            f"`{MAIL}` does not lead back to {IP} on ns2",
            id="lagging",
        ),
        pytest.param([Absent()], Leading.NOWHERE, f"`{MAIL}` leads nowhere", id="nowhere"),
        pytest.param(
            [SILENT],
            Leading.UNKNOWN,
            f"where `{MAIL}` leads is not known (ns1: {SILENT.reason})",
            id="silent",
        ),
        pytest.param(
            [], Leading.UNKNOWN, f"where `{MAIL}` leads is not known (nobody was asked)", id="unasked"
        ),
    ],
)
def test_name_leads_back_when_every_answer_has_the_address(
    shown: list[Found | Absent | Trouble], leading: Leading, reason: str
) -> None:
    """A mail server may ask any of the servers, so all that answer must give the address."""
    judged = judge_forward(MAIL, IP, findings(*shown))

    assert (judged.leading, judged.reason) == (leading, reason)


@pytest.mark.parametrize(
    ("forwards", "outcome"),
    [
        pytest.param({MAIL: Found((IP,)), "b.example": Absent()}, PROVED, id="one-of-two"),
        pytest.param({MAIL: Found((IP,)), "b.example": SILENT}, PROVED, id="one-is-enough"),
        pytest.param({MAIL: Absent(), "b.example": Found(("192.0.2.1",))}, DISPROVED, id="none"),
        pytest.param({MAIL: Absent(), "b.example": SILENT}, UNDECIDED, id="the-other-might"),
        pytest.param({}, UNDECIDED, id="unasked"),
    ],
)
def test_fcrdns_needs_one_name_that_leads_back(
    forwards: dict[str, Found | Absent | Trouble], outcome: str
) -> None:
    """Mail servers are content when one name of the address leads back to it."""
    names = [MAIL, "b.example"]
    said = {name: findings(shown) for name, shown in forwards.items()}

    proof = prove_fcrdns(names, findings(Found(tuple(names))), IP, said)

    assert (proof.mode, outcome_of(proof)) == (VerifyMode.FCRDNS, outcome)


def test_fcrdns_needs_the_names_first() -> None:
    """A name that leads back is no proof while the address is called otherwise."""
    proof = prove_fcrdns([MAIL], findings(Absent()), IP, {MAIL: findings(Found((IP,)))})

    assert not proof.holds


def test_cleared_address_has_no_way_back_to_prove() -> None:
    """No name is what was wanted, and no name is there."""
    assert prove_fcrdns([], findings(Absent()), IP, {}).holds


def test_fcrdns_tells_which_names_do_not_lead_back() -> None:
    """The names that lead astray are named even when another one holds."""
    names = [MAIL, "b.example"]
    said = {MAIL: findings(Found((IP,))), "b.example": findings(Absent())}

    proof = prove_fcrdns(names, findings(Found(tuple(names))), IP, said)

    assert proof.reason.endswith("; `b.example` leads nowhere")


def test_fcrdns_reports_both_directions() -> None:
    """The findings hold the names of the address, then the addresses of each name."""
    proof = prove_fcrdns(
        [MAIL], findings(Found((MAIL,))), IP, {MAIL: findings(Found((IP,)), SILENT, Absent())}
    )

    assert list(proof.findings) == [
        {"server": "ns1", "names": [MAIL]},
        {"server": "ns1", "name": MAIL, "addresses": [IP]},
        {"server": "ns2", "name": MAIL, "trouble": SILENT.reason},
        {"server": "ns3", "name": MAIL, "addresses": []},
    ]


def test_waits_between_looks_double_up_to_a_quarter_of_a_minute() -> None:
    """A change that is slow to arrive is looked for less and less often, but never seldom."""
    waits = [next_poll_s(tries) for tries in (0, 1, 2, 3, 4, 5, 6, 10_000)]

    assert waits == [1, 1, 2, 4, 8, 15, 15, 15]
