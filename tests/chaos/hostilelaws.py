"""What holds after a run against every kind of misbehaviour; each rule yields what breaks it."""

from collections.abc import Callable, Iterator, Mapping

from tests.chaos.hostilecases import MOST_MIB, Case, Scene
from tests.chaos.hostileserver import ROWS, Claim

NETWORK = {"network": "10.0.0.0", "netmask": "255.0.0.0", "gateway": "10.0.0.1"}

MOST_DISTURBED = 20
"""One case in so many, at the most."""

Rule = Callable[[Scene], Iterator[str]]


def broken(scene: Scene, rules: Mapping[str, Rule]) -> dict[str, list[str]]:
    """Return which rules do not hold, and for what."""
    found = {name: [*rule(scene)] for name, rule in rules.items()}
    return {name: breaches for name, breaches in found.items() if breaches}


def _claiming(scene: Scene, claim: Claim) -> Iterator[Case]:
    return (case for case in scene.cases if case.kind.claim is claim and not case.is_disturbed)


def _nobody_else_is_called(scene: Scene) -> Iterator[str]:
    """No redirect is followed, wherever it leads."""
    yield from (str(seen) for seen in scene.trap.log)


def _books_balance(scene: Scene) -> Iterator[str]:
    """There is a row for each item, the attempts add up, and every call on the wire is written down."""
    yield from scene.imbalances()
    yield from scene.unrecorded()


def _memory_stays_small(scene: Scene) -> Iterator[str]:
    """Bombs, floods and endless answers are cut off long before they fill the memory."""
    if scene.ended.peak_mib >= MOST_MIB:
        yield f"{scene.ended.peak_mib:.0f} MiB"


def _few_are_disturbed(scene: Scene) -> Iterator[str]:
    """Hardly a call meets a connection that is just closing; those few say nothing about their kind."""
    disturbed = [str(case) for case in scene.cases if case.is_disturbed]
    if len(disturbed) * MOST_DISTURBED > len(scene.cases):
        yield from disturbed


ALWAYS: Mapping[str, Rule] = {
    "nobody else is called": _nobody_else_is_called,
    "books balance": _books_balance,
    "token stands nowhere, however it is spelt": lambda scene: iter(scene.leaks()),
    "no artifact attacks its reader": lambda scene: iter(scene.blemishes()),
    "memory stays small": _memory_stays_small,
}


def _is_honest(case: Case) -> bool:
    """Say whether the answer in a row is what an honest server gives."""
    network = {**NETWORK, "broadcast": "10.255.255.255"}
    return case.row["data"] in ({"ptr": case.before}, {"traffic": ROWS}, network)


def _nothing_untrue_is_reported(scene: Scene) -> Iterator[str]:
    """A read that is `ok` carries what the account holds; any other has failed and carries nothing."""
    for case in scene.cases:
        is_true = case.status == "failed" and case.row["data"] is None
        if not (_is_honest(case) if case.status == "ok" else is_true):
            yield str(case)


def _lost_read_is_repeated(scene: Scene) -> Iterator[str]:
    """What proves nothing is asked again, and is answered as soon as the server recovers."""
    for case in _claiming(scene, Claim.NOTHING):
        if case.status != ("failed" if scene.way.times is None else "ok"):
            yield str(case)


def _odd_answer_is_read(scene: Scene) -> Iterator[str]:
    """Odd headers, encodings and spellings around a proper answer do no harm and cost no further call."""
    for case in _claiming(scene, Claim.SUCCESS):
        if (case.status, case.row["attempts"]) != ("ok", 1):
            yield str(case)


def _denied_read_has_failed(scene: Scene) -> Iterator[str]:
    """Who denies in words or by a status is not asked again."""
    for case in _claiming(scene, Claim.DENIAL):
        if (case.status, case.row["attempts"]) != ("failed", 1):
            yield str(case)


OF_READS: Mapping[str, Rule] = {
    **ALWAYS,
    "few are disturbed": _few_are_disturbed,
    "nothing untrue is reported": _nothing_untrue_is_reported,
    "a lost read is repeated": _lost_read_is_repeated,
    "an odd answer is read": _odd_answer_is_read,
    "a denied read has failed": _denied_read_has_failed,
}


def _no_change_is_invented(scene: Scene) -> Iterator[str]:
    """`changed` means that the account holds the value now."""
    yield from (str(case) for case in scene.cases if case.status == "changed" and not case.is_changed)


def _no_change_is_denied(scene: Scene) -> Iterator[str]:
    """Where the account holds the value now, the row says so, unless the server refused in plain words."""
    for case in scene.cases:
        if case.is_changed and case.status != "changed" and case.kind.claim is not Claim.REFUSAL:
            yield str(case)


def _unknown_is_what_nobody_can_know(scene: Scene) -> Iterator[str]:
    """An item without its change has failed; it is unknown only in the dark."""
    for case in scene.cases:
        if (
            not case.is_changed
            and case.status != "failed"
            and not (case.status == "unknown" and case.is_dark)
        ):
            yield str(case)


def _what_is_seen_is_told(scene: Scene) -> Iterator[str]:
    """Where the look at a write succeeded, the row says what it showed; else the write is unknown."""
    for case in scene.cases:
        truth = "changed" if case.is_changed else "failed"
        if case.status not in ({truth, "unknown"} if case.is_dark else {truth}):
            yield str(case)


def _plain_refusal_is_believed(scene: Scene) -> Iterator[str]:
    """What the server refuses in words of its own is not read back."""
    for case in _claiming(scene, Claim.REFUSAL):
        if scene.ended.sent("readback", case.ip):
            yield str(case)


def _denied_write_is_looked_after(scene: Scene) -> Iterator[str]:
    """A denial, a redirect, a page with a 404: one write, never a second, and a look at what it did."""
    for case in _claiming(scene, Claim.DENIAL):
        if scene.ended.sent("call", case.ip) != 1 or not scene.ended.sent("readback", case.ip):
            yield str(case)


def _proper_success_is_believed(scene: Scene) -> Iterator[str]:
    """A proper answer in an odd shape needs neither another write nor a look."""
    for case in _claiming(scene, Claim.SUCCESS):
        if (scene.ended.sent("call", case.ip), scene.ended.sent("readback", case.ip)) != (1, 0):
            yield str(case)


OF_WRITES: Mapping[str, Rule] = {
    **ALWAYS,
    "few are disturbed": _few_are_disturbed,
    "no change is invented": _no_change_is_invented,
    "no change is denied": _no_change_is_denied,
    "unknown is what nobody can know": _unknown_is_what_nobody_can_know,
    "a plain refusal is believed": _plain_refusal_is_believed,
    "a denied write is looked after": _denied_write_is_looked_after,
    "a proper success is believed": _proper_success_is_believed,
}

OF_READBACKS: Mapping[str, Rule] = {
    **ALWAYS,
    "no change is invented": _no_change_is_invented,
    "what is seen is told": _what_is_seen_is_told,
}
