"""What was collected is remembered apart from the runs that collected it."""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import pytest
from anyio import run

from bulkip.errors import StoreError
from bulkip.keys import key_of
from bulkip.model import Item, Result, Status
from bulkip.store import RunHeader, RunReader, open_writer
from bulkip.store.collected import FILE_NAME, VERSION, Collected, Ledger
from bulkip.store.harvest import Harvest, Reading
from bulkip.store.questions import OVER
from tests.storedruns import HEADER, attempt, frozen, nothing, outcome

START, STOP = 1_788_220_800, 1_788_307_200
VALUE = '{"in": 1.10, "out": 0.85}'


def reading(number: int, value: str | None = VALUE, at: float = 1.0, summary: str = "1") -> Reading:
    """Return what was read of an address."""
    return Reading(
        (START, STOP, summary, "0", f"203.0.113.{number}"), value, empty=value is None, message=None, at=at
    )


def planned(number: int) -> Item:
    """Return an item that asks for the same."""
    ip = f"203.0.113.{number}"
    form = {"ip": ip, "period_start": str(START), "period_stop": str(STOP), "summary": "1", "unbilled": "0"}
    return Item(
        number, number, key_of("1", "get_traffic", ip, form), "1", "get_traffic", ip, form, "job.yaml:3"
    )


def settled(folder: Path, ledger: Ledger, header: RunHeader = HEADER, items: int = 3) -> Collected:
    """Freeze a plan of so many addresses and settle what was collected."""
    frozen(folder, (planned(number) for number in range(1, items + 1)), header)
    return ledger.settle(folder, header)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Open a ledger in a folder of its own."""
    with Ledger(tmp_path) as opened:
        yield opened


def test_collected_items_have_the_exact_answer(tmp_path: Path, ledger: Ledger) -> None:
    """An item that was collected has the answer to the last digit, empty or not; the others have none."""
    ledger.keep(HEADER, [reading(1), reading(3, value=None)])

    collected = settled(tmp_path / "run", ledger)

    with RunReader(tmp_path / "run") as reader:
        found = [(row["status"], row["value"], row["empty"], row["note"]) for row in reader.rows()]
    note = f"collected by run {HEADER.id}"
    assert found == [
        ("ok", VALUE.replace(" ", ""), 0, note),
        ("not_run", None, None, None),
        ("ok", None, 1, note),
    ]
    assert collected == Collected(2, (HEADER.id,), 1)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(replace(HEADER, url="https://invapi.hostkey.ru/ip.php"), id="url"),
        pytest.param(replace(HEADER, job_name="other"), id="job"),
    ],
)
def test_other_api_and_other_job_have_their_own(tmp_path: Path, ledger: Ledger, header: RunHeader) -> None:
    """What one job collected from one API says nothing about another."""
    ledger.keep(HEADER, [reading(1)])

    assert settled(tmp_path / "run", ledger, header).items == 0


def test_other_question_is_not_answered(tmp_path: Path, ledger: Ledger) -> None:
    """Rows by the hour do not answer who asks for a summary."""
    ledger.keep(HEADER, [reading(1, summary="0")])

    assert settled(tmp_path / "run", ledger).items == 0


@pytest.mark.parametrize("order", [(1.0, 2.0), (2.0, 1.0)], ids=["in_order", "later_first"])
def test_newest_reading_counts(tmp_path: Path, ledger: Ledger, order: tuple[float, float]) -> None:
    """Whichever run is taken over first, the reading that was made last is kept."""
    for at in order:
        ledger.keep(replace(HEADER, id=f"run-{at}"), [reading(1, at=at)])

    assert settled(tmp_path / "run", ledger).runs == ("run-2.0",)


def test_damaged_answer_is_asked_again(tmp_path: Path, ledger: Ledger) -> None:
    """An answer that is no JSON any more is as good as none."""
    ledger.keep(HEADER, [reading(1, value='{"in": 1')])

    assert settled(tmp_path / "run", ledger).items == 0


def test_file_is_for_its_owner_alone(tmp_path: Path, ledger: Ledger) -> None:
    """Neither the file nor its journal can be read by others."""
    ledger.keep(HEADER, [reading(1)])

    assert {stat.S_IMODE(one.stat().st_mode) for one in tmp_path.glob(f"{FILE_NAME}*")} == {0o600}


def spoil(path: Path, pragma: str) -> None:
    """Change a fact of a ledger."""
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA {pragma}")


@pytest.mark.parametrize(
    ("pragma", "reason"),
    [
        pytest.param(
            f"user_version={VERSION + 1}", f"version {VERSION + 1} is not .*; upgrade bulkip", id="newer"
        ),
        pytest.param("application_id=7", "this is not what bulkip collected; move it away", id="foreign"),
    ],
)
def test_file_of_somebody_else_is_refused(tmp_path: Path, pragma: str, reason: str) -> None:
    """A file of a newer bulkip or of another program is told by name, with the way out."""
    Ledger(tmp_path).__exit__(None, None, None)
    spoil(tmp_path / FILE_NAME, pragma)

    with pytest.raises(StoreError, match=f"{FILE_NAME}: {reason}"):
        Ledger(tmp_path)


def test_damaged_file_is_refused_in_one_line(tmp_path: Path) -> None:
    """What is no database is told by name, with the reason and the way out."""
    (tmp_path / FILE_NAME).write_bytes(b"ip,in,out\n" * 1000)

    with pytest.raises(StoreError) as refused:
        Ledger(tmp_path)

    assert str(refused.value) == (
        f"{tmp_path / FILE_NAME}: what was collected before cannot be used: file is not a database; "
        "check its permissions, or move it away, and what it remembers is asked again"
    )


def keep_many(folder: Path, job: str) -> None:
    """Keep a hundred readings of a job, each in a transaction of its own."""
    with Ledger(folder) as ledger:
        for number in range(100):
            ledger.keep(replace(HEADER, job_name=job), [reading(number)])


def test_two_processes_share_a_file(tmp_path: Path) -> None:
    """Two that begin a new file at once, and write to it, wait for each other and lose nothing."""
    processes = [get_context("spawn").Process(target=keep_many, args=(tmp_path, job)) for job in "ab"]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0, 0]
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db:
        assert db.execute("SELECT COUNT(*) FROM reading").fetchone() == (200,)


@dataclass(frozen=True)
class Night:
    """How a night went: until when periods were over, when the answer came, and where from."""

    over: int = STOP
    answered_at: float = STOP + 10.0
    simulated: bool = False
    asked: bool = True
    status: Status = Status.OK


def stored(folder: Path, night: Night) -> RunHeader:
    """Store a run of one address that went so."""
    header = replace(HEADER, simulated=night.simulated, settings={OVER: night.over})
    item = planned(1)
    frozen(folder, [item], header)

    async def write() -> None:
        async with open_writer(folder) as writer:
            await writer.begin_start(night.answered_at - 1)
            if night.asked:
                await writer.record_attempt(attempt(1), outcome(sent_at=night.answered_at - 0.25))
            await writer.settle(item, 0, Result(night.status, value={"in": 1}), night.answered_at, nothing)

    run(write)
    return header


@pytest.mark.parametrize(
    ("night", "final"),
    [
        pytest.param(Night(), 1, id="finished"),
        pytest.param(Night(over=STOP - 1), 0, id="partial_by_its_reckoning"),
        pytest.param(Night(answered_at=STOP - 1.0), 0, id="answered_too_early"),
        pytest.param(Night(simulated=True), 0, id="rehearsal"),
        pytest.param(Night(asked=False), 0, id="collected_by_an_earlier_run"),
        pytest.param(Night(status=Status.FAILED), 0, id="failed"),
    ],
)
def test_only_final_readings_are_harvested(tmp_path: Path, night: Night, final: int) -> None:
    """A reading is final when a real run made it, of a period that was over by every clock."""
    header = stored(tmp_path / "run", night)

    with Harvest(tmp_path / "run") as harvest:
        assert len([*harvest.readings(header)]) == final


@pytest.mark.parametrize(
    ("night", "partial"),
    [
        pytest.param(Night(), 0, id="finished"),
        pytest.param(Night(over=STOP - 1), 1, id="partial_by_its_reckoning"),
        pytest.param(Night(answered_at=STOP - 1.0), 1, id="answered_too_early"),
    ],
)
def test_readings_of_a_period_that_went_on_are_counted(tmp_path: Path, night: Night, partial: int) -> None:
    """What is not final is counted as partial, in the summary and in the row."""
    stored(tmp_path / "run", night)

    with RunReader(tmp_path / "run") as reader:
        (row,) = reader.rows()
        assert (reader.unfinished(), row["partial"]) == (partial, partial)
