"""How the server of an address is found where a job says `id: lookup`."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bulkip.model import JsonValue
from bulkip.simulator import Fault, Seed, Simulator
from bulkip.store.schema import store_path
from tests.rehearsal import Carried, addresses, by_address, carry_out, provider

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

UPDATE = '{action: update_ptr, with: {id: lookup, ptr: "{{ ip.dashed }}.example.net"}}'
READ = "{action: get_ptr, with: {id: lookup}}"
MAIN = "{action: set_main, with: {id: lookup, main: 1}}"
LISTED: JsonValue = {"result": "OK", "servers": [4711, 815]}
NOBODYS: JsonValue = {"result": "OK", "servers": []}
DENIED: JsonValue = {"result": -2, "error": "Permission denied"}


def job(targets: str, *actions: str) -> str:
    """Return a job for these targets."""
    return f"targets: [{targets}]\nactions: [{', '.join(actions)}]\n"


def asked(api: Simulator, script: str, action: str) -> list[dict[str, str]]:
    """Return the forms of what a script was asked, in order, without the token."""
    entries = [one for one in api.log.entries() if (one.script, one.action) == (script, action)]
    return [
        {name: value for name, value in one.form.items() if name not in {"token", "action"}}
        for one in entries
    ]


def ids_sent(api: Simulator) -> set[str]:
    """Return every id that ip.php was sent."""
    return {one.form["id"] for one in api.log.entries() if one.script == "ip.php" and "id" in one.form}


async def carried(folder: Path, text: str, *faults: Fault, seeds: int = 4) -> tuple[Carried, Simulator]:
    """Carry a job out against a server with so many addresses on 4711, and one on 815."""
    account = [*addresses(seeds), Seed("198.51.100.1", 815, "US", "old.example.org")]
    async with provider(*account, faults=faults) as api:
        return await carry_out(folder, text, api), api


@pytest.mark.parametrize(
    ("action", "call"),
    [
        pytest.param(UPDATE, "update_ptr", id="update_ptr"),
        pytest.param(READ, "get_ptr", id="get_ptr"),
        pytest.param(MAIN, "set_main", id="set_main"),
    ],
)
async def test_address_is_sent_with_the_server_that_was_found(tmp_path: Path, action: str, call: str) -> None:
    """The id on the wire and in the row is the one that eq/list told, and `lookup` is never sent."""
    run, api = await carried(tmp_path, job("203.0.113.1", action))

    assert asked(api, "eq.php", "list") == [{"ip": "203.0.113.1"}]
    assert {form["id"] for form in asked(api, "ip.php", call)} == {"4711"}
    assert (run.rows[0]["params"]["id"], run.code) == ("4711", 0)
    assert ids_sent(api) == {"4711"}


async def test_row_may_ask_for_its_server(tmp_path: Path) -> None:
    """A row says `lookup` for itself; its neighbour keeps the id that it states."""
    targets = "{ip: 203.0.113.1, id: lookup}, {ip: 198.51.100.1, id: 815}"

    run, api = await carried(tmp_path, job(targets, "{action: get_ptr}"))

    assert [row["params"]["id"] for row in run.rows] == ["4711", "815"]
    assert len(asked(api, "eq.php", "list")) == 1


async def test_server_is_found_once_for_all_actions_of_an_address(tmp_path: Path) -> None:
    """Three actions on one address need one question."""
    run, api = await carried(tmp_path, job("203.0.113.1", UPDATE, READ, MAIN))

    assert run.statuses == ["changed", "ok", "changed"]
    assert len(asked(api, "eq.php", "list")) == 1


@pytest.mark.parametrize(
    ("answer", "error_class", "said"),
    [
        pytest.param(NOBODYS, "not_found", "on none of this account's servers", id="none"),
        pytest.param(LISTED, "invalid", "on several servers: 4711, 815", id="several"),
        pytest.param(DENIED, "permission", "Permission denied", id="forbidden"),
        pytest.param({"result": "OK", "servers": ["x"]}, "unknown_answer", "not the documented", id="no id"),
    ],
)
async def test_address_without_exactly_one_server_fails_in_the_plan(
    tmp_path: Path, answer: JsonValue, error_class: str, said: str
) -> None:
    """None, several, no right to ask, no readable answer: the address fails, and ip.php is not asked."""
    fault = Fault(action="list", ip="203.0.113.1", json=answer)

    run, api = await carried(tmp_path, job("203.0.113.1, 203.0.113.2", UPDATE, READ), fault)

    row, after = by_address(run)["203.0.113.2"], [row for row in run.rows if row["ip"] == "203.0.113.1"]
    assert (after[0]["status"], after[0]["error_class"]) == ("failed", error_class)
    assert said in after[0]["message"]
    assert "id: lookup" in after[0]["note"]
    assert (after[1]["status"], row["status"], run.code) == ("skipped", "ok", 3)
    assert all(form["ip"] != "203.0.113.1" for form in asked(api, "ip.php", "get_ptr"))


async def test_many_addresses_are_read_from_an_index(tmp_path: Path) -> None:
    """Where the account has fewer servers than the plan has addresses, every server is asked once."""
    run, api = await carried(tmp_path, job("203.0.113.0/28", READ), seeds=15)

    assert asked(api, "eq.php", "list") == [{}, {"ip": "203.0.113.0"}]  # the one that the index lacks
    assert sorted(form["id"] for form in asked(api, "eq.php", "show")) == ["4711", "815"]
    assert run.tally() == {"ok": 15, "failed": 1}


async def test_few_addresses_are_asked_for_one_by_one(tmp_path: Path) -> None:
    """Where an index would cost more calls than it saves, there is none."""
    run, api = await carried(tmp_path, job("203.0.113.1-203.0.113.3", READ))

    assert asked(api, "eq.php", "show") == []
    assert len(asked(api, "eq.php", "list")) == 1 + len(run.rows)


async def test_index_that_is_not_whole_is_not_used(tmp_path: Path) -> None:
    """A server that does not tell its addresses may have any of them, so each address is asked for."""
    held: JsonValue = {"result": "OK", "IP": [{"ip": f"203.0.113.{n}", "main_ip": 0} for n in range(1, 9)]}
    lost: JsonValue = {"code": -1, "message": "server not found"}
    faults = (Fault(action="show", json=held, times=1), Fault(action="show", json=lost))

    run, api = await carried(tmp_path, job("203.0.113.1-203.0.113.8", READ), *faults, seeds=8)

    assert len(asked(api, "eq.php", "list")) == 1 + len(run.rows)
    assert (run.tally(), ids_sent(api)) == ({"ok": 8}, {"4711"})


async def test_address_on_two_servers_of_the_index_fails(tmp_path: Path) -> None:
    """Two servers that both tell of an address are no reason to choose one."""
    shown: JsonValue = {"result": "OK", "IP": [{"ip": "203.0.113.1", "main_ip": 1}]}
    targets = "203.0.113.1-203.0.113.8"

    run, _ = await carried(tmp_path, job(targets, READ), Fault(action="show", json=shown), seeds=8)

    row = by_address(run)["203.0.113.1"]
    assert (row["status"], row["error_class"]) == ("failed", "invalid")
    assert run.tally() == {"ok": 7, "failed": 1}


async def test_token_that_may_not_list_servers_is_told_so_for_every_address(tmp_path: Path) -> None:
    """Refused once, eq.php is not asked again for each address; nothing is read or written."""
    run, api = await carried(
        tmp_path, job("203.0.113.0/28", UPDATE), Fault(action="list", json=DENIED), seeds=16
    )

    assert run.tally() == {"failed": 16}
    assert {(row["error_class"], row["message"]) for row in run.rows} == {("permission", "Permission denied")}
    assert (asked(api, "eq.php", "list"), ids_sent(api)) == ([{}], set())


async def test_dead_token_stops_the_search(tmp_path: Path) -> None:
    """A token that is refused everywhere stops the run with 7; no address has failed for it."""
    refused: JsonValue = {"code": -1, "message": "invalid token"}

    run, _ = await carried(tmp_path, job("203.0.113.0/28", UPDATE), Fault(json=refused), seeds=16)

    assert (run.code, run.tally()) == (7, {"not_run": 16})


async def test_server_that_is_away_for_a_while_costs_no_address(tmp_path: Path) -> None:
    """Lost questions wait for the server like all calls; in the end every address is found."""
    text = job("203.0.113.1-203.0.113.8", READ) + "breaker: {after: 4}\n"

    run, _ = await carried(tmp_path, text, Fault(reset="before", times=12), seeds=8)

    assert run.tally() == {"ok": 8}


async def test_search_is_retried_like_any_read(tmp_path: Path) -> None:
    """A server in trouble is asked again, and the attempts are in the books as lookups of their item."""
    run, api = await carried(tmp_path, job("203.0.113.1", UPDATE), Fault(action="list", status=503, times=2))

    assert (run.statuses, len(asked(api, "eq.php", "list"))) == (["changed"], 3)
    assert [one["ip"] for one in run.calls("lookup")] == ["203.0.113.1"] * 3
    assert run.rows[0]["attempts"] == 1


async def test_key_says_that_the_server_was_looked_up(tmp_path: Path) -> None:
    """The key is made of what the job says, so that it is the same wherever the address moves."""
    stated = job("203.0.113.1", "{action: get_ptr, with: {id: 4711}}")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    looked_up, _ = await carried(tmp_path / "a", job("203.0.113.1", READ))
    known, _ = await carried(tmp_path / "b", stated)

    assert looked_up.rows[0]["params"] == known.rows[0]["params"]
    assert looked_up.rows[0]["key"] != known.rows[0]["key"]


async def test_two_addresses_do_not_become_main_of_the_server_that_is_found(tmp_path: Path) -> None:
    """That two addresses are for one server shows only when it is found; neither is guessed."""
    run, api = await carried(tmp_path, job("203.0.113.1, 203.0.113.2, 198.51.100.1", MAIN))

    assert run.tally() == {"failed": 2, "changed": 1}
    assert [one.ip for one in api.log.entries() if one.effect] == ["198.51.100.1"]
    assert "server 4711" in by_address(run)["203.0.113.1"]["message"]


async def test_index_is_kept_with_the_run(tmp_path: Path) -> None:
    """What the servers told stands in the run store, for a start that goes on."""
    await carried(tmp_path, job("203.0.113.1-203.0.113.8", READ), seeds=8)

    (folder,) = (tmp_path / "runs" / "runs").iterdir()
    with closing(sqlite3.connect(store_path(folder))) as store:
        assert store.execute("SELECT id, shown FROM server ORDER BY id").fetchall() == [
            ("4711", 1),
            ("815", 1),
        ]
        assert store.execute("SELECT COUNT(*) FROM holding").fetchone() == (9,)
