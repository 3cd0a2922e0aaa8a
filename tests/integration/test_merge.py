"""The runs of shards become one run: which belong together, and what the merged one says."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bulkip.errors import JobError, Locked, UsageError
from bulkip.lock import Holder, take
from bulkip.model import Rate, Status
from bulkip.policy import Api
from bulkip.reports import FORMATS
from bulkip.reports.rows import Row, report_rows
from bulkip.reports.summary import summary
from bulkip.run.again import find_resumable
from bulkip.run.checkup import checkup
from bulkip.run.endpoints import endpoint_of
from bulkip.run.findings import code_of
from bulkip.run.merging import merge
from bulkip.run.options import Overrides, RunOptions
from bulkip.run.planning import now_utc, overridden, prepare
from bulkip.run.seams import sent_before
from bulkip.selection import Filters
from bulkip.settings import frozen_settings, load_job, narrowed, thawed_job
from bulkip.shards import Shard
from bulkip.store import RunReader
from tests.called import called
from tests.shardsite import (
    HEAD,
    JOB,
    ROWS,
    STARTED_AT,
    address,
    carried,
    changed,
    planned,
    shards_of,
    table,
    write_job,
)

TABLES = (
    "SELECT * FROM item",
    "SELECT * FROM target",
    "SELECT * FROM heading",
    "SELECT item, generation, status, value, empty, note FROM result",
    "SELECT item, number, purpose FROM attempt WHERE item <> 0",
)
LAST_CODE = "SELECT exit_code FROM start ORDER BY number DESC LIMIT 1"
MOMENTS = ("started_at", "finished_at")
AS_CHECK = """
UPDATE run SET value = json_set(value, '$.check', json('{"allow_empty": false}')) WHERE name = 'settings'
"""
OVER_EARLIER = "UPDATE run SET value = json_set(value, '$.periods_until_s', 900) WHERE name = 'settings'"
Spoil = Callable[[Path], list[Path]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a job of twelve addresses with three actions, one of them without an address."""
    write_job(tmp_path)
    return tmp_path


def keys(run_dir: Path) -> list[tuple[int, int, str]]:
    """Return the keys of the items of a run with their numbers, in plan order."""
    return table(run_dir, "SELECT number, chain, key FROM item ORDER BY number")


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_shards_are_the_whole_plan(folder: Path, count: int) -> None:
    """All shards together have every item of the plan once, under its number there."""
    parts = [keys(planned(folder, Shard(number, count))) for number in range(1, count + 1)]

    assert sorted(one for part in parts for one in part) == keys(planned(folder, None))


def test_items_of_an_address_stay_together(folder: Path) -> None:
    """All that happens to an address is of one shard, because its actions run in order."""
    asked = "SELECT DISTINCT ip FROM item"

    parts = [table(planned(folder, Shard(number, 3)), asked) for number in (1, 2, 3)]

    assert sum(map(len, parts)) == ROWS + 1  # the item without an address is of the first


def test_shards_divide_what_the_filters_leave(folder: Path) -> None:
    """A sample is drawn of the whole job, and its addresses are divided."""
    sample = Filters(selection=replace(Filters().selection, sample=6))
    loaded, options = load_job(folder / "job.yaml"), RunOptions(run_dir=folder / "runs")
    whole = prepare(narrowed(loaded, sample), options, now_utc()).run_dir

    parts = [
        keys(prepare(narrowed(loaded, replace(sample, shard=Shard(number, 2))), options, now_utc()).run_dir)
        for number in (1, 2)
    ]

    assert sorted(one for part in parts for one in part) == keys(whole)


def test_mistake_anywhere_stops_every_shard(folder: Path) -> None:
    """A job with a mistake is refused by all of its shards, whoever has the row; nothing is sent."""
    write_job(folder, JOB.replace("id: 4711", "id: \"{{ row.note if row.note == 'n5' else 4711 }}\""))

    for number in (1, 2, 3):
        with pytest.raises(JobError, match=r"rows\.csv:7"):
            planned(folder, Shard(number, 3))


def test_merged_run_is_the_whole_run(folder: Path) -> None:
    """Merged in any order, the shards have the rows that the whole run has, one for one."""
    whole = carried(planned(folder, None))
    one, two, three = shards_of(folder, 3)

    merged = merge([three, one, two], folder / "merged").folder

    def told(run_dir: Path) -> list[Row]:
        with RunReader(run_dir) as reader:
            return [row | dict.fromkeys(MOMENTS) for row in report_rows(reader)]

    assert told(merged) == told(whole)
    for sql in TABLES:
        assert table(merged, sql) == table(whole, sql)


@pytest.mark.parametrize("sql", ["SELECT * FROM sought", "SELECT * FROM moved", "SELECT * FROM target"])
def test_what_belongs_to_an_item_goes_with_it(folder: Path, sql: str) -> None:
    """A server to look up, and the row that an item was taken from, are those of the shard that has it."""
    job = write_job(folder, JOB.replace("id: 4711", "id: lookup"))
    with (job.parent / "rows.csv").open("a") as rows:
        rows.write(f"{address(3)},again\n")  # its first row was left out by `when`
    whole = planned(folder, None)
    parts = [planned(folder, Shard(number, 3)) for number in (1, 2, 3)]

    merged = merge(parts, folder / "merged").folder

    assert table(merged, sql) == table(whole, sql) != []


def test_every_row_of_every_shard_is_there(folder: Path) -> None:
    """Calls, calls without an item and starts add up, and each call names the start that it had."""
    parts = shards_of(folder, 3)

    merged = merge(parts, folder / "merged").folder

    counted = "SELECT COUNT(*) FROM attempt"
    assert table(merged, counted)[0][0] == sum(table(part, counted)[0][0] for part in parts)
    assert table(merged, "SELECT number, start FROM attempt WHERE item = 0") == [(1, 1), (2, 2), (3, 3)]
    assert table(merged, "SELECT COUNT(*) FROM start") == [(4,)]  # and the merge


def test_each_start_keeps_what_it_was_allowed(folder: Path) -> None:
    """How many attempts a start allowed goes with its number, so that doctor counts by it."""
    parts = shards_of(folder, 2)
    allowed = "SELECT value FROM run WHERE name LIKE 'attempts in start %' ORDER BY name"

    merged = merge(parts, folder / "merged").folder

    assert table(merged, allowed) == [one for part in parts for one in table(part, allowed)]
    assert len(set(table(merged, allowed))) == 2  # they differ, so a mix-up would show


def test_merged_run_keeps_the_laws(folder: Path) -> None:
    """What doctor recounts balances."""
    merged = merge(shards_of(folder, 3), folder / "merged").folder

    assert [one.text for one in checkup(merged).findings if code_of([one])] == []


def test_waits_of_all_shards_add_up(folder: Path) -> None:
    """The pauses are told with their sums."""
    with RunReader(merge(shards_of(folder, 3), folder / "merged").folder) as reader:
        assert summary(reader)["waits"] == [{"reason": "throttled", "times": 3, "seconds": 6.0}]


@pytest.mark.parametrize("form", FORMATS)
def test_every_report_can_be_made(folder: Path, form: str) -> None:
    """A merged run is rendered like any other."""
    merge(shards_of(folder, 2), folder / "merged")

    assert called("report", "last", "-f", form, "--run-dir", "merged", cwd=folder).code == 0


@pytest.mark.parametrize(
    "command", [("show", "last"), ("explain", "last", address(4)), ("doctor", "last"), ("runs",)]
)
def test_every_look_can_be_taken(folder: Path, command: tuple[str, ...]) -> None:
    """A merged run is looked at like any other."""
    merge(shards_of(folder, 2), folder / "merged")

    ended = called(*command, "--run-dir", "merged", cwd=folder)

    assert (ended.code, ended.err) == (0, "")


def test_code_is_that_of_all_items(folder: Path) -> None:
    """One failed item of one shard fails the merged run."""
    parts = [planned(folder, Shard(number, 3)) for number in (1, 2, 3)]
    done = [carried(part, bad=[(address(5), Status.FAILED)]) for part in parts]

    assert merge(done, folder / "merged").exit_code == 3


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        pytest.param((0, 6), 6, id="halted"),
        pytest.param((5, 6), 5, id="safety-stop"),
        pytest.param((7, 5), 7, id="access"),
        pytest.param((7, 143), 143, id="signal"),
        pytest.param((130, 1), 1, id="bug"),
        pytest.param((3, 9), 0, id="items-decide-themselves"),
    ],
)
def test_gravest_end_of_a_shard_is_that_of_all(folder: Path, codes: tuple[int, int], code: int) -> None:
    """What stopped a shard stopped the whole; what became of items is counted anew."""
    parts = [carried(planned(folder, Shard(number, 2)), code=own) for number, own in enumerate(codes, 1)]

    merged = merge(parts, folder / "merged")

    assert (merged.exit_code, table(merged.folder, LAST_CODE)) == (code, [(code,)])


def test_check_of_nothing_fails_merged_too(folder: Path) -> None:
    """Shards of a check may be empty, but not all of them."""
    write_job(folder, HEAD + "  - {action: update_ptr, when: 'false'}\n")
    parts = [planned(folder, Shard(number, 2)) for number in (1, 2)]
    for part in parts:
        changed(part, AS_CHECK)

    assert merge([carried(part) for part in parts], folder / "merged").exit_code == 4


def test_merged_run_is_as_old_as_its_oldest_shard(folder: Path) -> None:
    """The first moment counts: starts lie after it, and periods that went on then went on."""
    parts = [planned(folder, Shard(number, 2)) for number in (1, 2)]
    changed(parts[1], "UPDATE run SET value = '1000.5' WHERE name = 'created_at'")
    changed(
        parts[1], "UPDATE run SET value = json_set(value, '$.periods_until_s', 900) WHERE name = 'settings'"
    )

    header = merge(parts, folder / "merged").header

    assert (header.created_at, header.settings["periods_until_s"]) == (1000.5, 900)


@pytest.mark.parametrize(
    ("fail_on", "code"),
    [
        pytest.param(["failed>20%"] * 3, 0, id="few-enough-of-all"),
        pytest.param(["failed>1%"] * 3, 3, id="too-many-of-all"),
        pytest.param(["failed>20%", "failed>20%", None], 3, id="not-agreed-on"),
    ],
)
def test_tolerance_is_of_all_shards_together(folder: Path, fail_on: list[str | None], code: int) -> None:
    """A percentage that each shard was given counts over all of them; where they differ, none holds."""
    parts = [planned(folder, Shard(number, 3)) for number in (1, 2, 3)]
    bad = [(address(5), Status.FAILED)]
    done = [carried(part, bad=bad, fail_on=text) for part, text in zip(parts, fail_on, strict=True)]

    merged = merge(done, folder / "merged")

    assert merged.exit_code == code
    assert code_of(checkup(merged.folder).findings) == 0


def test_page_tells_what_was_tolerated_and_which_shards_there_are(folder: Path) -> None:
    """Neither the page nor the summary calls a tolerated failure a success, or a part the whole."""
    own = next(ip for ip in map(address, (0, 1, 2, 4, 5)) if Shard(1, 2).owns(ip))
    done = carried(planned(folder, Shard(1, 2)), bad=[(own, Status.FAILED)], fail_on="failed>50%")
    merged = merge([done], folder / "merged").folder

    with RunReader(done) as part, RunReader(merged) as parts:
        page, summed, whole = "".join(FORMATS["html"](part)), summary(part), "".join(FORMATS["html"](parts))

    assert "tolerated: 2 failed (failed&gt;50%)" in page
    assert summed["tolerated"] == ["2 failed (failed>50%)"]
    assert "2 shards, without 2/2" in whole


def test_missing_shard_is_told_everywhere(folder: Path) -> None:
    """A shard that is not there leaves the merged run without its end: 6, and who is missing."""
    shards_of(folder, 3)
    one, _two, three = sorted((folder / "runs-of-shards" / "runs").iterdir(), key=shard_number)

    ended = called("merge", str(one), str(three), "-o", "merged", cwd=folder)

    told = json.loads(called("report", "last", "-f", "json", "--run-dir", "merged", cwd=folder).out)
    assert ended.code == told["exit_code"] == 6
    assert "warning: shard 2/3 is missing" in ended.err
    assert told["merged"]["missing"] == ["2/3"]
    assert told["reason"] == "missing: shard 2/3"


def shard_number(run_dir: Path) -> str:
    """Return which shard a run is."""
    with RunReader(run_dir) as reader:
        return str(reader.header().settings["shard"])


def test_shard_that_was_cut_short_is_told(folder: Path) -> None:
    """A shard that was killed or never started gives 6, and the command that finishes it."""
    one, two = carried(planned(folder, Shard(1, 2))), planned(folder, Shard(2, 2))

    ended = called("merge", str(one), str(two), "-o", "merged", "-q", cwd=folder)

    assert ended.code == 6
    assert f"warning: shard 2/2 did not come to its end; bulkip resume {two.name}" in ended.err


def mixed(folder: Path) -> list[Path]:
    """Return a shard of two and one of three."""
    return [planned(folder, Shard(1, 2)), planned(folder, Shard(2, 3))]


def twice(folder: Path) -> list[Path]:
    """Return one shard in two runs."""
    return [planned(folder, Shard(1, 2)), planned(folder, Shard(1, 2))]


def whole(folder: Path) -> list[Path]:
    """Return a run that is no shard."""
    return [planned(folder, Shard(1, 2)), planned(folder, None)]


def edited(folder: Path) -> list[Path]:
    """Return shards of a job that was edited between them."""
    first = planned(folder, Shard(1, 2))
    write_job(folder, JOB + "# edited\n")
    return [first, planned(folder, Shard(2, 2))]


def regrown(folder: Path) -> list[Path]:
    """Return shards of a job whose list was edited between them."""
    first = planned(folder, Shard(1, 2))
    write_job(folder, rows=ROWS + 1)
    return [first, planned(folder, Shard(2, 2))]


def rehearsed(folder: Path) -> list[Path]:
    """Return a real shard and a simulated one."""
    return [planned(folder, Shard(1, 2)), planned(folder, Shard(2, 2), simulate=True)]


def merged_before(folder: Path) -> list[Path]:
    """Return a run that was merged already."""
    return [merge([planned(folder, Shard(1, 1))], folder / "before").folder]


def smuggled(folder: Path) -> list[Path]:
    """Return shards one of which holds an address of the other."""
    parts = [planned(folder, Shard(number, 2)) for number in (1, 2)]
    ((ip,),) = table(parts[1], "SELECT MIN(ip) FROM item")
    changed(parts[0], "UPDATE item SET ip = ? WHERE number = (SELECT MAX(number) FROM item)", ip)
    return parts


def overlapping(folder: Path) -> list[Path]:
    """Return shards one of which has a number of the other."""
    parts = [planned(folder, Shard(number, 2)) for number in (1, 2)]
    ((number,),) = table(parts[1], "SELECT MIN(number) FROM item")
    changed(parts[0], "UPDATE item SET number = ? WHERE number = (SELECT MAX(number) FROM item)", number)
    return parts


def short(folder: Path) -> list[Path]:
    """Return shards one of which lost an item."""
    parts = [planned(folder, Shard(number, 2)) for number in (1, 2)]
    changed(parts[0], "DELETE FROM item WHERE number = (SELECT MAX(number) FROM item)")
    return parts


def undone(folder: Path) -> list[Path]:
    """Return a shard of a job and one of its undo."""
    parts = [planned(folder, Shard(number, 2)) for number in (1, 2)]
    changed(parts[1], "UPDATE run SET value = ? WHERE name = 'job_name'", '"undo of move"')
    return parts


def checked(folder: Path) -> list[Path]:
    """Return a shard of a job and one of its check."""
    parts = [planned(folder, Shard(number, 2)) for number in (1, 2)]
    changed(parts[1], AS_CHECK)
    return parts


def nothing(folder: Path) -> list[Path]:
    """Return a folder that holds no run."""
    return [folder / "elsewhere"]


@pytest.mark.parametrize(
    ("spoil", "way_out"),
    [
        pytest.param(mixed, "its number of shards is 3, that of .* is 2; merge", id="counts"),
        pytest.param(twice, "both are shard 1/2; name the one that counts", id="twice"),
        pytest.param(whole, "of a whole job, not of a shard", id="whole"),
        pytest.param(edited, "the digest of its job file is", id="edited-job"),
        pytest.param(regrown, "the digest of the whole plan is", id="edited-list"),
        pytest.param(rehearsed, "`simulated` is true, that of .* is false", id="simulated"),
        pytest.param(undone, "its job is undo of move, that of", id="undo"),
        pytest.param(checked, "`check` is true, that of .* is false", id="check"),
        pytest.param(merged_before, "merged already; name the runs of its shards", id="merged"),
        pytest.param(smuggled, "1 of its items are not of shard 1/2", id="stranger"),
        pytest.param(overlapping, "of shard 2/2 overlaps with another shard", id="overlap"),
        pytest.param(short, "the shards hold 24 items, the plan has 25", id="lost"),
        pytest.param(nothing, "here is no run; name the folder of a run", id="nothing"),
    ],
)
def test_what_does_not_belong_together_is_refused(folder: Path, spoil: Spoil, way_out: str) -> None:
    """Runs that are not the shards of one plan are refused with the way out, and no run is left."""
    parts = spoil(folder)

    with pytest.raises(UsageError, match=way_out):
        merge(parts, folder / "merged")

    assert not [*(folder / "merged").rglob("run.*")]


@pytest.mark.parametrize("out", ["run", "root", "file"])
def test_merged_run_replaces_nothing(folder: Path, out: str) -> None:
    """The target is a new folder: a run, a folder with runs or a file is refused and stays as it is."""
    part = carried(planned(folder, Shard(1, 1)))
    place = {"run": part, "root": part.parent.parent, "file": folder / "rows.csv"}[out]

    with pytest.raises(UsageError, match="name a new folder with -o"):
        merge([part], place)


def test_shard_that_is_going_on_is_waited_for(folder: Path) -> None:
    """What still changes is not merged."""
    part = planned(folder, Shard(1, 1))

    with (
        take(part / "run.lock", Holder("run", "move", 1, "here", 0.0)) or pytest.fail("nobody else has it"),
        pytest.raises(Locked, match="this run is going on"),
    ):
        merge([part], folder / "merged")


def test_newest_run_below_a_folder_counts(folder: Path) -> None:
    """A --run-dir stands for its newest run that executed."""
    executed = carried(planned(folder, Shard(1, 1)))
    planned(folder, Shard(1, 1))

    merged = merge([folder / "runs-of-shards"], folder / "merged")

    assert merged.header.settings["merged"] == {"of": 1, "runs": [executed.name], "missing": []}


@pytest.mark.parametrize("command", ["resume", "retry"])
def test_merged_run_cannot_go_on(folder: Path, command: str) -> None:
    """Its shards go on, not it."""
    merged = merge([planned(folder, Shard(1, 1))], folder / "merged").folder

    ended = called(command, merged.name, "--run-dir", "merged", cwd=folder)

    assert ended.code == 2
    assert "resume or retry its shards where they are, then merge them again" in ended.err


def test_merged_run_is_never_the_last_to_resume(folder: Path) -> None:
    """`resume last` passes a merged run over, whatever is left of it."""
    merge([planned(folder, Shard(1, 1))], folder / "merged")

    with pytest.raises(UsageError, match=r"no run in .* has anything left to do"):
        find_resumable(folder / "merged", "last")


@pytest.mark.parametrize(
    ("before", "own", "counts"),
    [
        pytest.param(Shard(1, 2), Shard(2, 2), False, id="another-shard"),
        pytest.param(Shard(2, 2), Shard(2, 2), True, id="this-shard"),
        pytest.param(None, Shard(2, 2), True, id="the-whole-job"),
    ],
)
def test_calls_of_other_shards_do_not_count(
    folder: Path, before: Shard | None, own: Shard, *, counts: bool
) -> None:
    """A run begins with what its own share has sent just now; another shard has a share of its own."""
    earlier = carried(planned(folder, before))
    os.utime(earlier / "run.db", (STARTED_AT + 1, STARTED_AT + 1))
    loaded = narrowed(load_job(folder / "job.yaml"), Filters(shard=own))
    prepared = prepare(loaded, RunOptions(run_dir=folder / "runs-of-shards"), now_utc())

    found = sent_before(prepared, STARTED_AT + 1)

    assert bool(found) == counts


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param(Shard(1, 1), None, True, id="the-only-shard-is-the-whole"),
        pytest.param(Shard(1, 2), None, False, id="shard-and-whole"),
        pytest.param(Shard(1, 2), Shard(2, 2), False, id="two-shards"),
        pytest.param(Shard(1, 2), Shard(1, 3), False, id="other-division"),
    ],
)
def test_shard_has_a_lock_of_its_own(one: Shard | None, other: Shard | None, *, same: bool) -> None:
    """Shards of an account exclude only themselves."""
    token = {"HOSTKEY_TOKEN": "simulated"}

    names = [endpoint_of(Api(), token, pytest.fail, shard)[1].lock_name for shard in (one, other)]

    assert (names[0] == names[1]) == same


def test_run_knows_its_shard(folder: Path) -> None:
    """What a run keeps says which shard it is and what it may send, and so it goes on as such."""
    loaded = narrowed(load_job(folder / "job.yaml"), Filters(shard=Shard(2, 5)))
    assert loaded.job is not None

    job = thawed_job("move", "job.yaml", "d", frozen_settings(loaded.job))

    assert (job.shard, job.limits.rate, job.limits.concurrency) == (Shard(2, 5), (Rate(1, 1.0),), 1)
    faster = overridden(job, Overrides(rate=(Rate(50, 1.0),), concurrency=20))
    assert (faster.limits.rate, faster.limits.concurrency) == ((Rate(10, 1.0),), 4)
