"""What a server can make the program hold and compute, at the most."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bulkip.envelope import MOST_BRACKETS, MOST_COMMAS
from bulkip.wire import VerdictKind
from tests.answers import answer, judge
from tests.chaos.hostilecases import MOST_MIB, Way, kinds_for, play_all
from tests.chaos.hostilerun import PATIENT
from tests.chaos.hostileserver import ROWS

AT_ONCE, REPEATED = 16, 3
LONGEST_S = 1.0
YARDSTICK_S, TRIES = 0.030, 5
"""What a quiet machine takes for `yardstick`; a slower one, or one that is shared, takes longer for all."""
HEAVY = ("bomb", "endless", "mebibyte", "million", "packed", "20000-headers", "giant", "very-many")


def test_many_bombs_at_once_do_not_add_up(tmp_path: Path) -> None:
    """Sixteen calls that all meet something huge, thrice over, need no more memory than one run may."""
    kinds = [kind for kind in kinds_for("get_ptr") if any(word in kind.name for word in HEAVY)]
    settings = {**PATIENT, "limits": {**PATIENT["limits"], "concurrency": str(AT_ONCE)}}

    scene = play_all(tmp_path, "get_ptr", kinds * REPEATED, Way(settings=settings))

    assert scene.ended.peak_mib < MOST_MIB
    assert [*scene.imbalances()] == []


def _many(count: int, unit: Any) -> bytes:
    return json.dumps({"result": "OK", "x": [unit] * count}).encode()


LARGEST = [
    pytest.param("get_traffic", {"result": "OK", "traffic": ROWS * (MOST_BRACKETS - 2)}, id="traffic"),
    pytest.param("list_free_ip", {"result": "OK", "ip": ["10.0.0.1 NL"] * MOST_COMMAS}, id="free-addresses"),
    pytest.param("get_ptr", _many(MOST_BRACKETS - 2, {"a": 1}), id="objects"),
    pytest.param("get_ptr", _many(MOST_COMMAS, 1), id="numbers"),
    pytest.param("get_ptr", _many(MOST_COMMAS, 1.5), id="fractions"),
    pytest.param("get_ptr", _many(27_000, 10**298), id="long-numbers"),
    pytest.param("get_ptr", {"result": "OK", "x": {f"{n}": n for n in range(MOST_COMMAS)}}, id="keys"),
    pytest.param("get_ptr", {"result": "OK", "error": ["x y"] * MOST_COMMAS}, id="errors-beside-ok"),
    pytest.param("get_ptr", {"result": -1, "error": ["x y"] * MOST_COMMAS}, id="errors"),
    pytest.param("get_ptr", {"result": "OK", "message": "a\n" * 3_000_000}, id="names"),
    pytest.param("get_ptr", {"code": -1, "message": "\u200b" * 300_000}, id="invisible"),
    pytest.param("get_ptr", {"code": "1" * 7_000_000}, id="digits-as-text"),
    pytest.param("get_ptr", b'{"code": -1, "message": "%s"}' % (b"\\(" * 131_000), id="bad-escapes"),
    pytest.param("get_ptr", b'{"code": -1, "message": "%s"}' % (b"\\(" * 4_000_000), id="more-bad-escapes"),
    pytest.param("get_ptr", b" " * (8 * 2**20 - 2) + b"{}", id="blanks"),
    pytest.param("get_ptr", b"[" * 8 * 2**20, id="brackets"),
    pytest.param("get_ptr", b"<" * 8 * 2**20, id="no-json"),
]
"""The most laborious answers that are still read, and some that are not."""


@pytest.mark.parametrize(("action", "body"), LARGEST)
def test_no_answer_takes_long_to_judge(action: str, body: object) -> None:
    """Judging holds up all other calls, so the worst answer may take a moment, and no more."""
    reply = answer(body)

    shares = (taken_s(lambda: judge(action, reply)) / allowed_s() for _ in range(TRIES))

    assert any(share < 1 for share in shares)


def taken_s(work: Callable[[], object]) -> float:
    """Return the CPU seconds of a piece of work."""
    began = time.process_time()
    work()
    return time.process_time() - began


def allowed_s() -> float:
    """Return how long judging may take on this machine as it is just now."""
    return LONGEST_S * max(1.0, taken_s(yardstick) / YARDSTICK_S)


def yardstick() -> int:
    """Compute for a while."""
    found, number = {}, 0
    for step in range(200_000):
        number = (number * 31 + step) % 1_000_003
    for step in range(100_000):
        found[step % 1000] = (step, str(step))
    return number + len(found)


@pytest.mark.parametrize("unit", [{"a": 1}, [], 1], ids=["objects", "lists", "numbers"])
def test_crowd_is_not_even_parsed(unit: object) -> None:
    """A body with more values than any answer of this API has is unreadable, however well-formed it is."""
    verdict = judge("get_ptr", answer(_many(MOST_COMMAS + 1, unit)))

    assert verdict.kind is VerdictKind.UNKNOWN
    assert "too many values" in str(verdict.message)
