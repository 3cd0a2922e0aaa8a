"""Items of several accounts: their keys, their place in the plan, and the part of the work that is theirs."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bulkip.errors import JobError, StoreError
from bulkip.keys import key_of
from bulkip.model import Item, Place, Problem, Step, Target
from bulkip.plan import Rules, items_of, items_without_ip
from bulkip.policy import ACCOUNTS
from bulkip.run.checkup import checkup
from bulkip.run.findings import Grade
from bulkip.steps import Clock
from bulkip.store import Part, RunReader, WorkLeft, freeze
from bulkip.store.laws import Law
from bulkip.store.schema import store_path
from tests.storedruns import HEADER, WRITING, item

NAMES = ("main", "second")
CLOCK = Clock(datetime(2026, 9, 10, 12, tzinfo=UTC), ZoneInfo("UTC"))


def rules(action: str) -> Rules:
    """Return the rules of one step that takes its parameters from the row."""
    step = Step(0, "1", action, {}, {}, Place("job.yaml", 9))
    return Rules.of([step], CLOCK, {})


def frozen(folder: Path, items: Sequence[Item | Problem]) -> Path:
    """Freeze the items of a run with two accounts."""
    header = replace(HEADER, settings={ACCOUNTS: [{"name": name} for name in NAMES]})
    freeze(folder, header, items, replace(WRITING, accounts=NAMES))
    return folder


def of_account(number: int, account: str) -> Item:
    """Return an item whose account is told by its key, as in a plan."""
    one = item(number)
    return replace(one, account=account, key=key_of(one.step, one.action, one.ip, one.form, account))


def torn(step: str, line: int, account: str) -> Item:
    """Return an item of one address from a line, for an account."""
    number = line * 10 + int(step)
    one = replace(
        of_account(1, account), number=number, chain=line * 10, step=step, source=f"rows.csv:{line}"
    )
    return replace(one, key=f"{step} {account}", action="update_ptr" if step == "1" else "get_ptr")


def test_key_knows_the_account_only_where_there_are_several() -> None:
    """Keys of jobs without accounts stay what they were; an account is a fifth part of the content."""
    content = ["1", "get_ip", "203.0.113.7", {"ip": "203.0.113.7"}]

    keys = [key_of("1", "get_ip", "203.0.113.7", {"ip": "203.0.113.7"}, account) for account in ("", "main")]

    wanted = [json.dumps(one, separators=(",", ":")) for one in (content, [*content, "main"])]
    assert keys == [sha256(one.encode()).hexdigest()[:32] for one in wanted]


@pytest.mark.parametrize("action", ["get_ip", "get_ptr"])
def test_item_is_of_the_account_of_its_target(action: str) -> None:
    """Whichever way an item is made, it bears the account, and so does its key."""
    target = Target("203.0.113.7", {"id": "4711"}, Place("rows.csv", 2), account="main")

    (made,) = items_of(rules(action), target, 1, 1)

    assert isinstance(made, Item)
    assert made.account == "main"
    assert made.key == key_of("1", action, made.ip, made.form, "main")


def test_step_without_an_address_runs_once_for_each_account() -> None:
    """An action without an address gives an item for every account, each a chain of its own."""
    made = items_without_ip(rules("get_client_ip"), NAMES)

    items = [one for one in made if isinstance(one, Item)]
    assert [(one.number, one.chain, one.account) for one in items] == [(1, 1, "main"), (2, 2, "second")]
    assert len({one.key for one in items}) == 2


def test_account_of_an_item_is_kept(tmp_path: Path) -> None:
    """An item that is read from the store is of the account that it was planned for."""
    plan = [of_account(1, "second"), of_account(2, "main")]

    with RunReader(frozen(tmp_path, plan)) as reader:
        found = [planned.item for planned in reader.items_planned()]

    assert found == plan


def test_address_of_two_accounts_is_told_once_with_both_lines(tmp_path: Path) -> None:
    """One address named for two accounts is an error naming both lines, however many steps there are."""
    plan = [torn(step, line, account) for line, account in ((2, "main"), (3, "second")) for step in "12"]

    with pytest.raises(JobError) as caught:
        frozen(tmp_path, plan)

    (problem,) = caught.value.problems
    text = "203.0.0.1 is named for account `second` here and for `main` at rows.csv:2; keep one"
    assert str(problem) == f"rows.csv:3:1: {text}"


def test_work_of_an_account_is_its_own(tmp_path: Path) -> None:
    """Whoever is at one account is given its items only, and counts no others."""
    folder = frozen(tmp_path, [of_account(number, NAMES[number % 2]) for number in range(1, 6)])

    with WorkLeft(folder, Part(account=2)) as reader:
        chains = reader.to_apply(0, 10)
        counts = (reader.items_left(), reader.reads_left())

    assert [one.item.number for chain in chains for one in chain] == [1, 3, 5]
    assert counts == (3, 3)


def test_calls_of_other_accounts_do_not_count(tmp_path: Path) -> None:
    """The rate of an account remembers its own calls, and those of the run that belong to no item."""
    folder = frozen(tmp_path, [of_account(1, "main"), of_account(2, "second")])
    call = "INSERT INTO attempt VALUES (?,1,1,'call',?,?,'success',NULL,200,NULL,NULL,NULL,0)"
    with closing(sqlite3.connect(store_path(folder))) as store, store:
        store.executemany(call, [(0, 10.0, 11.0), (1, 20.0, 21.0), (2, 30.0, 31.0), (3, 40.0, None)])
        store.execute("UPDATE attempt SET item = 2, number = 2 WHERE item = 3")

    with WorkLeft(folder, Part(account=1)) as main, WorkLeft(folder, Part(account=2)) as second:
        assert (main.sent_since(0), main.in_flight()) == ([10.0, 20.0], 0)
        assert (second.sent_since(0), second.in_flight()) == ([10.0, 30.0], 1)


@pytest.mark.parametrize("account", [pytest.param(2, id="another"), pytest.param(3, id="none-of-the-run")])
def test_changed_account_breaks_the_law_of_keys(tmp_path: Path, account: int) -> None:
    """An item whose account was changed in the store has no longer the key of what it is to do."""
    folder = frozen(tmp_path, [of_account(1, "main")])
    honest = [one.grade for one in checkup(folder).findings if one.subject == Law.L1]
    with closing(sqlite3.connect(store_path(folder))) as store, store:
        store.execute("UPDATE item SET account = ?", (account,))

    (found,) = [one for one in checkup(folder).findings if one.subject == Law.L1]

    assert (honest, found.grade) == ([Grade.OK], Grade.WRONG)
    assert "its key does not fit what it is to do" in found.text


def test_account_that_there_is_not_is_damage(tmp_path: Path) -> None:
    """A store that names an account beyond those of its run is told to be damaged."""
    folder = frozen(tmp_path, [of_account(1, "main")])
    with closing(sqlite3.connect(store_path(folder))) as store, store:
        store.execute("UPDATE item SET account = 3")

    with pytest.raises(StoreError, match=r"item.account is none of the run's"), RunReader(folder) as reader:
        [*reader.items_planned()]
