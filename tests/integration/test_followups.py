"""Writes that are accepted first and finished later: asked for by their key until they are done."""

from itertools import pairwise
from pathlib import Path

import pytest

from bulkip.simulator import Fault, Finish
from tests.integration.test_worker import MAIN, NEW, OLD, WRITE, settle

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]
BACKGROUND = Fault(action="update_ptr", callback=Finish(checks=3))


async def test_write_in_the_background_is_asked_for_until_it_is_done(tmp_path: Path) -> None:
    """After its last "not yet" the write is changed, and it was sent once."""
    ended = await settle(tmp_path, WRITE, BACKGROUND)

    assert ended.shown == {"status": "changed", "before": OLD, "after": NEW, "attempts": 1}
    assert len(ended.run.calls("lookup")) == 4
    assert [entry.script for entry in ended.seen[-4:]] == ["eq_callback.php"] * 4


async def test_questions_come_ever_later(tmp_path: Path) -> None:
    """The first question goes after a second; the waits double."""
    ended = await settle(tmp_path, WRITE, BACKGROUND)

    asked = [entry.at for entry in ended.seen[-5:]]
    assert [later - before for before, later in pairwise(asked)] == pytest.approx([1, 2, 4, 8], abs=0.1)


async def test_ok_that_is_still_pending_is_no_end(tmp_path: Path) -> None:
    """An answer that says OK and names the scope `pending` is a "not yet" like others."""
    not_yet = Fault(action="check", times=2, json={"result": "OK", "scope": "pending"})

    ended = await settle(tmp_path, WRITE, Fault(action="update_ptr", callback=Finish(checks=0)), not_yet)

    assert ended.run.tally() == {"changed": 1}
    assert len(ended.run.calls("lookup")) == 3


async def test_main_address_in_the_background_is_changed(tmp_path: Path) -> None:
    """A write that no read shows is settled by its key all the same."""
    ended = await settle(tmp_path, MAIN, Fault(action="set_main", callback=Finish(after_s=30)))

    assert ended.run.tally() == {"changed": 1}


async def test_write_that_is_never_finished_is_unknown(tmp_path: Path) -> None:
    """When the time of its item is up, a write in the background is unknown, and not sent again."""
    ended = await settle(tmp_path, WRITE, Fault(action="update_ptr", callback=Finish(after_s=9000)))

    assert ended.shown == {"status": "unknown", "before": OLD, "after": None, "attempts": 1}
    assert ended.run.rows[0]["error_class"] == "deadline"


async def test_key_that_the_server_forgot_leads_to_a_read_back(tmp_path: Path) -> None:
    """Where the key is not known any more, what the write left is read."""
    forgotten = Fault(action="check", json={"code": -1, "message": "callback key not found"})

    ended = await settle(tmp_path, WRITE, Fault(action="update_ptr", callback=Finish(checks=0)), forgotten)

    assert ended.shown["attempts"] == 1
    assert ended.run.calls("readback") != []


async def test_accepted_write_that_is_never_seen_is_unknown(tmp_path: Path) -> None:
    """A write that the server accepted and nobody can follow is no failure: it may still come."""
    forgotten = Fault(action="check", json={"code": -1, "message": "callback key not found"})

    ended = await settle(
        tmp_path, WRITE, Fault(action="update_ptr", callback=Finish(after_s=9000)), forgotten
    )

    assert ended.shown == {"status": "unknown", "before": OLD, "after": None, "attempts": 1}


async def test_questions_end_even_without_a_deadline(tmp_path: Path) -> None:
    """An item that has all the time in the world is not asked for ever."""
    job = WRITE + "timeouts: {item: none}\n"

    ended = await settle(tmp_path, job, Fault(action="update_ptr", callback=Finish(after_s=86_000)))

    assert ended.run.tally() == {"unknown": 1}
    assert len(ended.run.calls("lookup")) == 200


async def test_trouble_while_asking_changes_nothing(tmp_path: Path) -> None:
    """A question that is lost or answered with an error is asked again."""
    trouble = Fault(action="check", times=3, status=500)

    ended = await settle(tmp_path, WRITE, BACKGROUND, trouble)

    assert ended.run.tally() == {"changed": 1}
