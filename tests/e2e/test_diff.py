"""What `bulkip diff` tells of two runs, for eyes and for programs."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bulkip.model import ErrorClass, Item, JsonValue, Result, Status
from tests.called import called
from tests.program import Ended
from tests.storedruns import HEADER, frozen, settled

EARLY, LATE = "20260901T031500-aaaaaa", "20260902T031500-bbbbbb"


def traffic(number: int) -> Item:
    """Return the traffic item of an address."""
    ip = f"203.0.113.{number}"
    return Item(number, number, f"t{number}", "1", "get_traffic", ip, {"ip": ip}, f"rows.csv:{number}")


def write(number: int) -> Item:
    """Return the PTR item of an address."""
    ip = f"203.0.113.{number}"
    form = {"ip": ip, "id": "4711", "ptr": "x.example.net"}
    return Item(number, number, f"p{number}", "1", "update_ptr", ip, form, f"rows.csv:{number}")


def amount(*pairs: tuple[float, float]) -> Result:
    """Return an answer with these rows of in and out."""
    rows: list[JsonValue] = [{"timestamp": str(n), "in": a, "out": b} for n, (a, b) in enumerate(pairs)]
    return Result(Status.OK, value={"traffic": rows})


def named(name: str, status: Status = Status.CHANGED) -> Result:
    """Return what a write left."""
    return Result(status, names=(name,) if name else ())


NOTHING = Result(Status.OK, value={"in": None, "out": None}, empty=True)
FAILED = Result(Status.FAILED, ErrorClass.TIMEOUT, message="no answer")


def keep(folder: Path, run_id: str, pairs: Sequence[tuple[Item, Result]], **header: Any) -> None:
    """Keep a run that ended so."""
    place = folder / ".bulkip" / "runs" / run_id
    created = HEADER.created_at + (run_id == LATE)
    head = replace(HEADER, id=run_id, created_at=created, **header)
    frozen(place, [item for item, _ in pairs], head)
    settled(place, *pairs)


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two nights that differ in every way."""
    folder = tmp_path_factory.mktemp("nights")
    before = [
        amount((0.1, 0.2), (1.05, 0)),
        amount((100, 0)),
        NOTHING,
        amount((1, 1)),
        FAILED,
        amount((2, 2)),
    ]
    after = [amount((0.3, 0.1), (9, 0.3)), amount((111, 0)), amount((0, 0.5)), FAILED, NOTHING]
    keep(folder, EARLY, [(traffic(number), one) for number, one in enumerate(before, 1)])
    keep(
        folder,
        LATE,
        [*((traffic(number), one) for number, one in enumerate(after, 1)), (traffic(9), NOTHING)],
    )
    return folder


def asked(folder: Path, *options: str) -> Ended:
    """Compare the two runs."""
    ended = called("diff", EARLY[:12], LATE[:12], *options, cwd=folder)
    assert ended.code == 0, ended.err
    return ended


def rows(folder: Path) -> list[dict[str, Any]]:
    """Return the differences as programs read them."""
    return [json.loads(line) for line in asked(folder, "--format", "jsonl").out.splitlines()]


def of_kind(folder: Path, kind: str) -> list[tuple[str, str | None, str | None]]:
    """Return address, before and after of the differences of one kind."""
    return [(row["ip"], row["before"], row["after"]) for row in rows(folder) if row["kind"] == kind]


def test_traffic_is_the_exact_sum_of_both_ways_and_all_rows(nights: Path) -> None:
    """What moved is told to the last digit, with no rest of binary arithmetic."""
    found = {row["ip"]: row for row in rows(nights) if row["kind"] == "traffic"}

    assert (found["203.0.113.1"]["before"], found["203.0.113.1"]["after"]) == ("1.35", "9.7")
    assert (found["203.0.113.1"]["change"], found["203.0.113.1"]["percent"]) == ("+8.35", "618.5")


def test_no_traffic_is_not_zero(nights: Path) -> None:
    """An address of which the server knew nothing says so, and has no percentage."""
    moved = next(row for row in rows(nights) if row["kind"] == "traffic" and row["ip"] == "203.0.113.3")

    assert (moved["before"], moved["after"], moved["percent"]) == ("no traffic", "0.5", None)


def test_movers_are_ranked_by_amount_and_by_percentage(nights: Path) -> None:
    """The largest change comes first in one list, the largest for its size in the other."""
    told = json.loads(asked(nights, "--format", "json", "--top", "1").out)

    assert [row["ip"] for row in told["traffic"]["by_amount"]] == ["203.0.113.2"]
    assert [row["ip"] for row in told["traffic"]["by_percent"]] == ["203.0.113.3"]
    assert (told["traffic"]["moved"], told["traffic"]["addresses"]) == (3, 3)


def test_address_without_an_answer_is_newly_failed_and_no_mover(nights: Path) -> None:
    """Where one run has no figure there is nothing to compare, and the failure is told."""
    assert of_kind(nights, "newly_failed") == [("203.0.113.4", "ok", "failed")]
    assert of_kind(nights, "newly_fixed") == [("203.0.113.5", "failed", "ok")]
    assert "203.0.113.4" not in {row["ip"] for row in rows(nights) if row["kind"] == "traffic"}


def test_address_of_one_run_only_is_told_with_its_figure(nights: Path) -> None:
    """What is new, or gone, does not count as moved."""
    assert of_kind(nights, "only_in_a") == [("203.0.113.6", "4", None)]
    assert of_kind(nights, "only_in_b") == [("203.0.113.9", None, "no traffic")]


def test_every_format_tells_the_same_differences(nights: Path) -> None:
    """CSV, JSONL and JSON hold the same rows; text names their number."""
    lines = rows(nights)
    table = list(csv.DictReader(io.StringIO(asked(nights, "--format", "csv").out)))
    whole = json.loads(asked(nights, "--format", "json").out)
    text = asked(nights).out

    assert [row["kind"] for row in table] == [row["kind"] for row in lines]
    assert whole["differences"] == [row for row in lines if row["kind"] != "traffic"]
    assert "newly failed: 1\n" in text
    assert "traffic: 101.35 GB -> 121.2 GB (+19.85 GB, +19.6 %); 3 of 3 addresses moved\n" in text


def test_names_compare_as_dns_names(tmp_path: Path) -> None:
    """Another case or a trailing dot is no change; another name and a record that is gone are."""
    before = [named("a.example.net"), named("b.example.net"), named("c.example.net")]
    after = [named("A.example.net."), named("b2.example.net"), named("")]
    keep(tmp_path, EARLY, [(write(number), one) for number, one in enumerate(before, 1)])
    keep(tmp_path, LATE, [(write(number), one) for number, one in enumerate(after, 1)])

    found = of_kind(tmp_path, "ptr")

    assert found == [
        ("203.0.113.2", "b.example.net", "b2.example.net"),
        ("203.0.113.3", "c.example.net", "no PTR"),
    ]


def test_runs_of_different_kinds_are_pointed_out(tmp_path: Path) -> None:
    """A difference that may come from comparing unlike runs is not passed over in silence."""
    keep(tmp_path, EARLY, [(write(1), named("a.example.net"))], simulated=True)
    keep(tmp_path, LATE, [(traffic(1), NOTHING)], job_name="other")

    ended = asked(tmp_path)

    assert "different jobs: ptr-migration and other" in ended.err
    assert "the first run was SIMULATED" in ended.err
    assert "only in the first run: 1" in ended.out
    assert "only in the second run: 1" in ended.out


def test_same_run_twice_has_no_difference(nights: Path) -> None:
    """A run does not differ from itself, and that is said."""
    ended = called("diff", EARLY, EARLY, cwd=nights)

    assert (ended.code, ended.out.splitlines()[-1]) == (0, "no difference")
    assert "both are run" in ended.err


def test_unknown_run_is_named(nights: Path) -> None:
    """A run that is not there is a usage error with a way out."""
    ended = called("diff", EARLY, "2031", cwd=nights)

    assert ended.code == 2
    assert "no run `2031`" in ended.err
