"""Every kind of misbehaviour towards a read: what is reported is true, or it is reported as failed."""

from pathlib import Path

import pytest

from tests.chaos.hostilecases import Way, kinds_for, play_all
from tests.chaos.hostilelaws import OF_READS, broken
from tests.chaos.length import long_only, patient

FOR_EVER = None
MOST_KINDS = 120

pytestmark = patient


@pytest.mark.parametrize(
    ("action", "times"),
    [
        pytest.param("get_ptr", 1, id="get_ptr-once"),
        pytest.param("get_ptr", FOR_EVER, id="get_ptr-for-ever", marks=long_only),
        pytest.param("get_traffic", FOR_EVER, id="get_traffic-for-ever"),
        pytest.param("get_ip", FOR_EVER, id="get_ip-for-ever"),
    ],
)
def test_read_survives_every_kind_of_misbehaviour(tmp_path: Path, action: str, times: int | None) -> None:
    """Of one read for each kind, each is answered truly or has failed, and the report harms nobody."""
    scene = play_all(tmp_path, action, kinds_for(action), Way(times))

    assert broken(scene, OF_READS) == {}


def test_there_are_many_kinds() -> None:
    """The suite plays far more kinds of misbehaviour than anybody meets, each under a name of its own."""
    names = [kind.name for kind in kinds_for("update_ptr")]

    assert len({*names}) == len(names) > MOST_KINDS
