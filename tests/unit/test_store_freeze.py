"""How a plan becomes a run store: whole or not at all."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from os import umask
from pathlib import Path
from stat import S_IMODE

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.errors import JobError, StoreError
from bulkip.model import Item, Place, Problem, Status
from bulkip.store import RunReader, check
from bulkip.store.freeze import BATCH
from tests.storedruns import HEADER, WRITING, frozen, item

BAD_ROW = Problem(Place("rows.csv", 7), "`x1` is no id")
SKIPPED = "when: {{ row.role != 'retired' }}"


@pytest.fixture
def strange_umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run a test under another umask."""
    before = umask(request.param)
    yield
    umask(before)


def planned(folder: Path) -> list[Item]:
    """Return the items of a frozen plan."""
    with RunReader(folder) as reader:
        return [item for item, _names in reader.items_known()]


def again(one: Item, number: int, line: int, **form: str) -> Item:
    """Return an item of the same address and step from a later row; other content has another key."""
    key = f"{one.key}{''.join(form.values())}"
    return replace(
        one, number=number, chain=number, source=f"rows.csv:{line}", form={**one.form, **form}, key=key
    )


def test_plan_is_frozen_as_it_streamed(tmp_path: Path) -> None:
    """What is read from the store is what was planned, item by item."""
    plan = [item(1), item(2), replace(item(3), ip=None, action="list_free_ip", form={"location": "NL"})]

    frozen(tmp_path, plan)

    assert planned(tmp_path) == plan


def test_header_is_kept(tmp_path: Path) -> None:
    """A run knows its job, its API and whether it is simulated."""
    header = replace(HEADER, simulated=True, settings={"limits": {"rate": ["5/s"]}})

    frozen(tmp_path, [item(1)], header)

    with RunReader(tmp_path) as reader:
        assert reader.header() == header


def test_writes_are_counted_without_those_left_out(tmp_path: Path) -> None:
    """The question before the first write names the writes that will be sent."""
    plan = [item(1), replace(item(2), action="get_ip"), replace(item(3), skip=SKIPPED)]

    found = frozen(tmp_path, plan)

    assert (found.items, found.writes, found.repeated) == (3, 1, 0)


def test_item_left_out_by_when_is_settled_at_once(tmp_path: Path) -> None:
    """A skipped item has its status and its reason before the run begins."""
    frozen(tmp_path, [item(1), replace(item(2), skip=SKIPPED)])

    with RunReader(tmp_path) as reader:
        found = [(row["status"], row["note"]) for row in reader.rows()]
    assert found == [(Status.NOT_RUN, None), (Status.SKIPPED, SKIPPED)]


def test_plan_with_a_problem_leaves_nothing(tmp_path: Path) -> None:
    """One bad row of many, and neither a store nor a folder is left of the run."""
    folder = tmp_path / "runs" / "20260901"

    with pytest.raises(JobError) as caught:
        frozen(folder, [item(1), BAD_ROW, item(2)])

    assert (caught.value.problems, folder.exists()) == ((BAD_ROW,), False)


@pytest.mark.parametrize("count", [pytest.param(1, id="one"), pytest.param(51, id="more-than-shown")])
def test_every_problem_is_counted(tmp_path: Path, count: int) -> None:
    """The first fifty problems are told, and the total of them all."""
    problems = [Problem(Place("rows.csv", line), "bad") for line in range(count)]

    with pytest.raises(JobError) as caught:
        frozen(tmp_path, problems)

    assert (caught.value.problems, caught.value.total) == (tuple(problems[:50]), count)


@pytest.mark.parametrize(
    "end", [pytest.param(KeyboardInterrupt(), id="ctrl-c"), pytest.param(MemoryError(), id="memory")]
)
@pytest.mark.parametrize("after", [pytest.param(0, id="at-once"), pytest.param(BATCH + 1, id="half-way")])
def test_plan_that_breaks_off_leaves_no_run(tmp_path: Path, end: BaseException, after: int) -> None:
    """Whatever ends the planning, there is no half of a run that could be resumed."""
    folder = tmp_path / "run"

    def stream() -> Iterator[Item]:
        yield from map(item, range(1, after + 1))
        raise end

    with pytest.raises(type(end)):
        frozen(folder, stream())

    assert not folder.exists()


def test_store_has_no_name_before_it_is_whole(tmp_path: Path) -> None:
    """A process that is killed while planning leaves no run store: its name appears at the end."""
    names: list[list[str]] = []

    def stream() -> Iterator[Item]:
        yield from map(item, range(1, BATCH + 2))
        names.append([path.name for path in tmp_path.iterdir()])

    frozen(tmp_path, stream())

    assert (names, [path.name for path in tmp_path.iterdir()]) == ([["run.partial"]], ["run.db"])


def test_remains_of_a_killed_plan_are_replaced(tmp_path: Path) -> None:
    """What a killed planning left in the folder does not stop the next one."""
    (tmp_path / "run.partial").write_bytes(b"half a store")

    frozen(tmp_path, [item(1)])

    assert planned(tmp_path) == [item(1)]


def test_run_is_never_planned_over(tmp_path: Path) -> None:
    """A folder that holds a run keeps it, whoever plans into it."""
    frozen(tmp_path, [item(1)])

    with pytest.raises(StoreError, match="already"):
        frozen(tmp_path, [item(2)])

    assert planned(tmp_path) == [item(1)]


@pytest.mark.parametrize(
    "strange_umask",
    [pytest.param(0o000, id="open"), pytest.param(0o022, id="usual"), pytest.param(0o177, id="strict")],
    indirect=True,
)
@pytest.mark.usefixtures("strange_umask")
def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    """Store and journal are 0600 whatever the umask, because plans name customers."""
    frozen(tmp_path, [item(1)])
    modes: list[int] = []

    connection = sqlite3.connect(tmp_path / "run.db")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE more (name)")
    modes += [S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()]
    connection.close()

    assert modes == [0o600] * 3


def test_folder_of_a_run_is_its_owners_alone(tmp_path: Path) -> None:
    """Nobody else may look into the folder of a run."""
    frozen(tmp_path / "runs" / "one", [item(1)])

    assert S_IMODE((tmp_path / "runs" / "one").stat().st_mode) == 0o700


def test_same_row_twice_is_one_item(tmp_path: Path) -> None:
    """A row that says the same again is counted and not carried out again."""
    found = frozen(tmp_path, [item(1), again(item(1), 2, line=9)])

    assert (found.items, found.repeated, planned(tmp_path)) == (1, 1, [item(1)])


def test_two_values_for_one_address_are_a_problem(tmp_path: Path) -> None:
    """Rows that contradict each other are told with both places and both values."""
    with pytest.raises(JobError) as caught:
        frozen(tmp_path, [item(1), again(item(1), 2, line=9, ptr="other.example.net")])

    (problem,) = caught.value.problems
    assert str(problem) == (
        "rows.csv:9:1: 203.0.0.1 has another value at rows.csv:2 (ptr `other.example.net` here, "
        "`host-1.example.net` there); keep one of the two rows"
    )


@pytest.mark.parametrize("apart", [pytest.param(0, id="one-batch"), pytest.param(BATCH, id="batches-apart")])
def test_row_that_counts_replaces_one_left_out(tmp_path: Path, apart: int) -> None:
    """When `when` leaves out one of two rows of an address, the other one is carried out."""
    left_out = replace(again(item(1), 1, line=2, ptr="old"), skip=SKIPPED)
    between = [item(number) for number in range(2, apart + 2)]

    frozen(tmp_path, [left_out, *between, replace(again(item(1), apart + 2, line=9))])

    assert planned(tmp_path)[0].skip is None


def test_row_that_is_left_out_replaces_nothing(tmp_path: Path) -> None:
    """A row that `when` leaves out does not undo one that counts."""
    left_out = replace(again(item(1), 2, line=9, ptr="old"), skip=SKIPPED)

    frozen(tmp_path, [item(1), left_out])

    assert planned(tmp_path) == [item(1)]


def test_replaced_item_keeps_its_place_among_the_steps(tmp_path: Path) -> None:
    """The steps of an address run in order, even when its rows took turns in leaving some out."""
    first = replace(again(item(1), 1, line=2, ptr="old"), skip=SKIPPED)
    second = replace(item(1), number=2, step="2", action="get_ip")
    late = again(item(1), 3, line=9)

    frozen(tmp_path, [first, second, late, replace(second, number=4, chain=3)])

    assert [(one.number, one.chain, one.step) for one in planned(tmp_path)] == [(1, 1, "1"), (2, 1, "2")]


def test_two_steps_may_not_write_one_address(tmp_path: Path) -> None:
    """Two actions that set the PTR of one address contradict each other, whatever they set."""
    with pytest.raises(JobError) as caught:
        frozen(tmp_path, [item(1), replace(item(1), number=2, step="2", key="other")])

    assert "203.0.0.1 gets update_ptr from two actions (`1` and `2`)" in str(caught.value)


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(replace(item(1), number=2, step="2", action="get_ptr"), id="one-reads"),
        pytest.param(replace(item(1), number=2, step="2", action="set_main"), id="other-action"),
        pytest.param(replace(item(1), number=2, step="2", skip=SKIPPED), id="one-left-out"),
        pytest.param(replace(item(2), step="2"), id="other-address"),
    ],
)
def test_steps_that_do_not_meet_are_fine(tmp_path: Path, second: Item) -> None:
    """Several actions of one address are the usual thing; only two same writes are refused."""
    assert frozen(tmp_path, [item(1), second]).items == 2


@given(st.lists(st.integers(1, 6), max_size=12))
def test_no_address_is_planned_twice(addresses: list[int]) -> None:
    """However often an address is named, the plan has one item of it, and the rest is counted."""
    stream = [again(item(one), number, line=number) for number, one in enumerate(addresses, 1)]

    found = check(stream, WRITING)

    assert (found.items, found.repeated) == (len(set(addresses)), len(addresses) - len(set(addresses)))


def test_check_finds_what_freezing_finds() -> None:
    """`bulkip validate` goes the same way as a run, and keeps nothing."""
    with pytest.raises(JobError) as caught:
        check([item(1), BAD_ROW, again(item(1), 2, line=9, ptr="other")], WRITING)

    assert caught.value.total == 2


def test_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A run directory that is a file gives one clear message and no traceback."""
    (tmp_path / "taken").write_text("")

    with pytest.raises(StoreError, match=r"taken.*check the disk and its permissions"):
        frozen(tmp_path / "taken" / "run", [item(1)])
