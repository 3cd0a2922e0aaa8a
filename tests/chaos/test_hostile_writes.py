"""Every kind of misbehaviour towards a write that was carried out, or was not: the report says which."""

from pathlib import Path

import pytest

from tests.chaos.hostilecases import Way, kinds_for, play_all
from tests.chaos.hostilelaws import OF_READBACKS, OF_WRITES, broken
from tests.chaos.hostileserver import Claim
from tests.chaos.length import long_only, patient

FOR_EVER = None

pytestmark = patient


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(Way(1, applied=True), id="applied-once"),
        pytest.param(Way(1, applied=False), id="not-applied-once"),
        pytest.param(Way(FOR_EVER, applied=True), id="applied-for-ever", marks=long_only),
        pytest.param(Way(FOR_EVER, applied=False), id="not-applied-for-ever", marks=long_only),
    ],
)
def test_write_survives_every_kind_of_misbehaviour(tmp_path: Path, way: Way) -> None:
    """Of one write for each kind, the row says what the account holds; no success is claimed that is none."""
    kinds = [kind for kind in kinds_for("update_ptr") if way.applied or kind.claim is not Claim.SUCCESS]

    scene = play_all(tmp_path, "update_ptr", kinds, way)

    assert broken(scene, OF_WRITES) == {}


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(Way(1, applied=True, readbacks=True), id="applied-once", marks=long_only),
        pytest.param(Way(FOR_EVER, applied=True, readbacks=True), id="applied-for-ever", marks=long_only),
        pytest.param(Way(FOR_EVER, applied=False, readbacks=True), id="not-applied-for-ever"),
    ],
)
def test_lost_write_survives_every_kind_of_misbehaviour_of_its_readback(tmp_path: Path, way: Way) -> None:
    """A write that was reset, and whose read-back meets every kind, is told as it is, or as unknown."""
    scene = play_all(tmp_path, "update_ptr", kinds_for("get_ptr"), way)

    assert broken(scene, OF_READBACKS) == {}
