"""What the shell offers where an action or a run can stand."""

from pathlib import Path

import click
import pytest

from bulkip.cli.suggestions import actions, runs

PARAMETER = click.Argument(["word"])


def context(**params: object) -> click.Context:
    """Return the context of a command that has got these options so far."""
    made = click.Context(click.Command("any"))
    made.params.update(params)
    return made


def test_actions_are_offered() -> None:
    """The actions that begin with what is typed are offered."""
    assert actions(context(), PARAMETER, "get_t") == ["get_traffic"]


@pytest.mark.parametrize("how", ["option", "variable", "default"])
def test_runs_are_offered_where_they_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """`last` and the runs are offered, the newest first, from the folder that the command would use."""
    kept = tmp_path / (".bulkip" if how == "default" else "kept")
    for name in ("20260901T000000-aaaaaa", "20260902T000000-bbbbbb"):
        (kept / "runs" / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    if how == "variable":
        monkeypatch.setenv("BULKIP_RUN_DIR", str(kept))

    offered = runs(context(**({"run_dir": kept} if how == "option" else {})), PARAMETER, "")

    assert offered == ["last", "20260902T000000-bbbbbb", "20260901T000000-aaaaaa"]


def test_run_is_completed_from_its_beginning(tmp_path: Path) -> None:
    """Only the runs that begin with what is typed are offered."""
    (tmp_path / "runs" / "20260901T000000-aaaaaa").mkdir(parents=True)

    assert runs(context(run_dir=tmp_path), PARAMETER, "2026") == ["20260901T000000-aaaaaa"]


def test_missing_folder_offers_no_run(tmp_path: Path) -> None:
    """Where no run was ever made there is nothing to offer but the word itself."""
    assert runs(context(run_dir=tmp_path / "gone"), PARAMETER, "") == ["last"]
