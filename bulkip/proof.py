"""Does the DNS show what was written? The judgement of what name servers said, and when to ask them again."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from bulkip.characters import quoted
from bulkip.hostnames import same_names
from bulkip.model import JsonValue
from bulkip.policy import VerifyMode

FIRST_POLL_S = 1.0
LONGEST_POLL_S = 15.0
MOST_SHOWN = 20
"""So many names of one server are put into a report; the others are counted."""
_MOST_TOLD = 3


@dataclass(frozen=True, slots=True)
class Found:
    """The names that a server shows for an address, or the addresses of a name; `more` were left out."""

    names: tuple[str, ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Absent:
    """A server's word that there is no such record; `note` says which zone answered so."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a server could not be heard; this neither proves nor disproves anything."""

    reason: str


Shown: TypeAlias = Found | Absent | Trouble


@dataclass(frozen=True, slots=True)
class Finding:
    """What one server said."""

    server: str
    shown: Shown

    @property
    def names(self) -> tuple[str, ...]:
        """What the server shows; nothing when it shows nothing or could not be heard."""
        return self.shown.names if isinstance(self.shown, Found) else ()

    @property
    def heard(self) -> bool:
        """Whether the server gave an answer that counts."""
        return not isinstance(self.shown, Trouble)


class Leading(StrEnum):
    """Where a name leads, seen from the address that is to be called so."""

    HERE = "here"  # every server that answered gives this address
    ELSEWHERE = "elsewhere"  # other addresses, or not yet this one on every server
    NOWHERE = "nowhere"  # the name has no address of this kind
    UNKNOWN = "unknown"  # no server answered


@dataclass(frozen=True, slots=True)
class Lead:
    """Where a name leads, and the sentence that says so."""

    name: str
    leading: Leading
    reason: str


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether an address is called as wanted, and what each server said.

    `decided` is false when nobody answered whom it depends on: then `holds` is
    false as well, but nothing is disproved. `findings` go into reports as they are.
    """

    holds: bool
    decided: bool
    mode: VerifyMode
    findings: tuple[Mapping[str, JsonValue], ...]
    reason: str


def prove_api(wanted: Iterable[str], shown: Iterable[str]) -> Proof:
    """Judge what the API's get_ptr shows."""
    finding = Finding("api", Found(tuple(shown)))
    return _proof(VerifyMode.API, tuple(wanted), [finding])


def prove_dns(wanted: Iterable[str], findings: Sequence[Finding]) -> Proof:
    """Judge what the asked servers show: all that answered must show exactly the wanted names."""
    return _proof(VerifyMode.DNS, tuple(wanted), findings)


def prove_fcrdns(
    wanted: Iterable[str], findings: Sequence[Finding], ip: str, forwards: Mapping[str, Sequence[Finding]]
) -> Proof:
    """Judge both directions, as mail servers do: one name of the address must lead back to it.

    `forwards` holds what was said about each name's addresses. An address
    that is to have no name has no way back to prove.
    """
    names = tuple(wanted)
    there = _proof(VerifyMode.FCRDNS, names, findings)
    if not there.holds or not names:
        return there
    back = [judge_forward(name, ip, forwards.get(name, ())) for name in names]
    said = [value for name in names for value in _forward_values(name, forwards.get(name, ()))]
    astray = [one for one in back if one.leading is not Leading.HERE]
    holds = len(astray) < len(back)
    decided = holds or all(one.leading is not Leading.UNKNOWN for one in back)
    reason = "; ".join([there.reason, *_some([one.reason for one in astray or back])])
    values = (*there.findings, *said)
    return Proof(holds=holds, decided=decided, mode=VerifyMode.FCRDNS, findings=values, reason=reason)


def judge_forward(name: str, ip: str, findings: Sequence[Finding]) -> Lead:
    """Judge where a name leads; servers that disagree lead elsewhere, because a mail server may ask any."""
    heard = [one for one in findings if one.heard]
    shown = quoted(name)
    others = sorted({address for one in heard for address in one.names if address != ip})
    lacking = [one for one in heard if ip not in one.names]
    if not heard:
        why = "; ".join(_troubles(findings)) or "nobody was asked"
        return Lead(name, Leading.UNKNOWN, f"where {shown} leads is not known ({why})")
    if not lacking:
        return Lead(name, Leading.HERE, f"{shown} leads back to {ip}")
    if len(lacking) < len(heard):
        missing = ", ".join(_some([one.server for one in lacking]))
        return Lead(name, Leading.ELSEWHERE, f"{shown} does not lead back to {ip} on {missing}")
    if others:
        text = f"{shown} leads to {', '.join(_some(others))} instead of {ip}"
        return Lead(name, Leading.ELSEWHERE, text)
    return Lead(name, Leading.NOWHERE, f"{shown} leads nowhere")


_WORST_FIRST = (Leading.ELSEWHERE, Leading.NOWHERE, Leading.UNKNOWN, Leading.HERE)


def worst_lead(leads: Sequence[Lead]) -> Lead:
    """Return the leads of several names as one: as bad as the worst, with all that is not as it should be."""
    astray = [one for one in leads if one.leading is not Leading.HERE]
    leading = min((one.leading for one in leads), key=_WORST_FIRST.index, default=Leading.HERE)
    names = ", ".join(one.name for one in leads)
    return Lead(names, leading, "; ".join(_some([one.reason for one in astray])))


def next_poll_s(tries: int) -> float:
    """Return how long to wait after so many looks before the next one: 1 s, doubling up to 15 s."""
    return min(LONGEST_POLL_S, FIRST_POLL_S * 2.0 ** min(max(tries - 1, 0), 32))


def finding_value(finding: Finding) -> dict[str, JsonValue]:
    """Return a finding about an address as reports show it."""
    match finding.shown:
        case Trouble(reason):
            return {"server": finding.server, "trouble": reason}
        case Found(names, more):
            return {"server": finding.server, **_listed("names", names, more)}
        case Absent(note):
            said: dict[str, JsonValue] = {"note": note} if note else {}
            return {"server": finding.server, "names": [], **said}


def _proof(mode: VerifyMode, wanted: tuple[str, ...], findings: Sequence[Finding]) -> Proof:
    heard = [one for one in findings if one.heard]
    wrong = [one for one in heard if not _shows(one.shown, wanted)]
    values = tuple(finding_value(one) for one in findings)
    if not heard:
        told = f"no server answered: {'; '.join(_some(_troubles(findings))) or 'nobody was asked'}"
        return Proof(holds=False, decided=False, mode=mode, findings=values, reason=told)
    if wrong:
        saying = "; ".join(_some([f"{one.server} shows {_told(one)}" for one in wrong]))
        told = f"{saying}; wanted {_names(wanted)}"
        return Proof(holds=False, decided=True, mode=mode, findings=values, reason=told)
    silent = [f"but {one}" for one in _troubles(findings)]
    agreed = f"{_counted(len(heard))} {_names(wanted)}"
    told = "; ".join([agreed, *_some(silent)])
    return Proof(holds=True, decided=True, mode=mode, findings=values, reason=told)


def _shows(shown: Shown, wanted: tuple[str, ...]) -> bool:
    match shown:
        case Found(names, more):
            return more == 0 and same_names(names, wanted)
        case Absent():
            return not wanted
        case Trouble():
            return False


def _told(finding: Finding) -> str:
    if isinstance(finding.shown, Absent) and finding.shown.note:
        return f"no name ({finding.shown.note})"
    return _names(finding.names)


def _counted(servers: int) -> str:
    return "1 server shows" if servers == 1 else f"all {servers} servers that answered show"


def _names(names: Sequence[str]) -> str:
    return ", ".join(_some([quoted(name) for name in names])) or "no name"


def _some(texts: Sequence[str]) -> list[str]:
    """Return the first few texts, and how many more there are."""
    left = len(texts) - _MOST_TOLD
    return [*texts[:_MOST_TOLD], *([f"{left} more"] if left > 0 else [])]


def _troubles(findings: Sequence[Finding]) -> list[str]:
    return [f"{one.server}: {one.shown.reason}" for one in findings if isinstance(one.shown, Trouble)]


def _forward_values(name: str, findings: Sequence[Finding]) -> Iterable[dict[str, JsonValue]]:
    for one in findings:
        value: dict[str, JsonValue] = {"server": one.server, "name": name}
        match one.shown:
            case Trouble(reason):
                yield {**value, "trouble": reason}
            case Found(names, more):
                yield {**value, **_listed("addresses", names, more)}
            case Absent():
                yield {**value, "addresses": []}


def _listed(key: str, names: Sequence[str], more: int) -> dict[str, JsonValue]:
    left = len(names) - MOST_SHOWN + more if len(names) > MOST_SHOWN else more
    listed: dict[str, JsonValue] = {key: list(names[:MOST_SHOWN])}
    return {**listed, "more": left} if left else listed
