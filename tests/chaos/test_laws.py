"""The laws judge: each finds what is planted, and an honest run breaks none."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.laws import Evidence, Kind, moved, unfinished, violations
from tests.chaos.spellings import secrets_below, spellings

IP, WANTED = "203.0.113.7", "new.example.net"
OTHER, OLD = "203.0.113.8", "old.example.net"
DONE_AT = "2026-09-01T03:15:01.000Z"
LATER = "2026-09-01T03:15:02.000+00:00"


def row(**fields: Any) -> dict[str, Any]:
    """Return the report row of an address that was changed in one attempt."""
    known = {
        "key": "k",
        "ip": IP,
        "status": "changed",
        "attempts": 1,
        "finished_at": DONE_AT,
        "message": None,
    }
    return known | fields


def write(**fields: Any) -> dict[str, Any]:
    """Return the log entry of a write that was carried out."""
    return {
        "method": "POST", "action": "update_ptr", "ip": IP, "effect": True, "form": {"ptr": WANTED},
        "wall": "2026-09-01T03:15:00.500+00:00",
    } | fields  # fmt: skip


def attempt(**fields: Any) -> dict[str, Any]:
    """Return a recorded write that was answered."""
    return {
        "item": 1, "start": 1, "purpose": "call", "ip": IP, "action": "update_ptr", "http_status": 200,
        "wanted": f'["{WANTED}"]', "seen": f'["{OLD}"]',
    } | fields  # fmt: skip


HONEST = Evidence(
    plan={IP: WANTED},
    rows=[row()],
    attempts=[attempt()],
    seen=[write()],
    state={IP: (WANTED,)},
    summary={"by_status": {"changed": 1}, "total": 1},
    replaced=[(IP, (OLD,))],
)


def test_honest_run_breaks_no_law() -> None:
    """A write that was recorded, carried out, and told as it was, is in order."""
    assert violations(HONEST) == []
    assert unfinished(HONEST) == []


@pytest.mark.parametrize(
    ("kind", "planted"),
    [
        pytest.param(Kind.LOST, {"rows": []}, id="row-missing"),
        pytest.param(Kind.LOST, {"rows": [row(), row()]}, id="row-twice"),
        pytest.param(Kind.OUTSIDE, {"rows": [row(), row(ip=OTHER)]}, id="row-from-nowhere"),
        pytest.param(Kind.UNACCOUNTED, {"attempts": []}, id="write-not-recorded"),
        pytest.param(Kind.UNACCOUNTED, {"seen": []}, id="answer-without-a-call"),
        pytest.param(
            Kind.UNACCOUNTED, {"attempts": [attempt(wanted='["else.example.net"]')]}, id="other-value"
        ),
        pytest.param(Kind.FALSE_SUCCESS, {"state": {IP: ("old.example.net",)}}, id="changed-is-not-there"),
        pytest.param(
            Kind.FALSE_SUCCESS,
            {"rows": [row(status="unchanged", attempts=0)], "state": {IP: ()}, "seen": [], "attempts": []},
            id="unchanged-is-not-there",
        ),
        pytest.param(Kind.FALSE_SUCCESS, {"seen": [write(effect=False)]}, id="changed-by-nobody"),
        pytest.param(Kind.FALSE_FAILURE, {"rows": [row(status="failed")]}, id="failed-is-there"),
        pytest.param(Kind.FALSE_FAILURE, {"rows": [row(status="unchanged")]}, id="unchanged-was-written"),
        pytest.param(Kind.FALSE_FAILURE, {"rows": [row(status="not_run")]}, id="not-run-was-written"),
        pytest.param(Kind.FALSE_FAILURE, {"rows": [row(status="conflict")]}, id="conflict-with-ourselves"),
        pytest.param(Kind.DOUBLED, {"seen": [write(), write()]}, id="written-twice"),
        pytest.param(Kind.DOUBLED, {"seen": [write(wall=LATER)]}, id="written-after-its-success"),
        pytest.param(Kind.OVERWRITTEN, {"replaced": [(IP, ("theirs.example.org",))]}, id="overwritten"),
        pytest.param(Kind.OUTSIDE, {"seen": [write(), write(ip=OTHER)]}, id="address-outside"),
        pytest.param(Kind.OUTSIDE, {"seen": [write(form={"ptr": "x.example.net"})]}, id="value-outside"),
        pytest.param(Kind.OUTSIDE, {"seen": [write(method="GET")]}, id="get"),
        pytest.param(Kind.EXCESS, {"attempts": [attempt(purpose="readback")] * 6}, id="too-many-readings"),
        pytest.param(Kind.BOOKS, {"summary": {"by_status": {"failed": 1}, "total": 1}}, id="summary"),
        pytest.param(Kind.BOOKS, {"rows": [row(attempts=2)]}, id="attempts-of-a-row"),
    ],
)
def test_broken_law_is_found(kind: Kind, planted: dict[str, Any]) -> None:
    """What is wrong with a run is found, and told as what it is."""
    found = violations(replace(HONEST, **planted))

    assert kind in {violation.kind for violation in found}


@pytest.mark.parametrize("status", ["not_run", "unknown"])
def test_item_without_an_end_is_lost(status: str) -> None:
    """A run that says it has finished may leave nothing open."""
    assert [found.kind for found in unfinished(replace(HONEST, rows=[row(status=status)]))] == [Kind.LOST]


def test_end_that_moves_is_found() -> None:
    """What was told once stays so, except that an open item may end."""
    ended, opened = row(key="a"), row(key="b", status="unknown")

    assert moved([ended, opened], [row(key="a"), row(key="b")]) == []
    assert [found.kind for found in moved([ended], [row(key="a", status="failed")])] == [Kind.MOVED]


@pytest.mark.parametrize("name", spellings("tok+3n/=&%"))
def test_secret_is_found_however_it_is_spelled(tmp_path: Path, name: str) -> None:
    """A file with a secret in it is named, whatever stands around it."""
    secret = "tok+3n/=&%abcdefgh"
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "run.db-wal").write_bytes(b"\0\xff" + spellings(secret)[name] + b"\n")

    assert any(
        name in found and found.startswith("a/run.db-wal") for found in secrets_below(tmp_path, secret)
    )
