"""How a report reaches its place: whole or not at all."""

import io
import os
import sys
from collections.abc import Iterator
from errno import ENOSPC
from pathlib import Path
from stat import S_IMODE
from types import SimpleNamespace

import pytest

from bulkip.errors import StoreError, UsageError
from bulkip.reports.output import write_report

LINES = ("one\n", "zwei: ü\n")
TEXT = "one\nzwei: ü\n"


@pytest.mark.parametrize("mode", [pytest.param(None, id="new"), pytest.param(0o644, id="replaced")])
def test_file_is_whole_and_its_owners_alone(tmp_path: Path, mode: int | None) -> None:
    """A report is UTF-8, mode 0600 whatever was there, and leaves nothing beside it."""
    place = tmp_path / "out.csv"
    if mode is not None:
        place.write_text("before")
        place.chmod(mode)

    write_report(str(place), LINES)

    found = [(one.name, one.read_text("utf-8"), S_IMODE(one.stat().st_mode)) for one in tmp_path.iterdir()]
    assert found == [("out.csv", TEXT, 0o600)]


def test_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    """While a report is being written, its readers see the one before."""
    place = tmp_path / "out.csv"
    place.write_text("before")
    seen: list[str] = []

    def lines() -> Iterator[str]:
        yield "x" * 100_000
        seen.append(place.read_text())

    write_report(str(place), lines())

    assert seen == ["before"]


def test_report_that_breaks_off_leaves_what_was_there(tmp_path: Path) -> None:
    """A report that cannot be finished neither replaces the old one nor litters."""
    place = tmp_path / "out.csv"
    place.write_text("before")

    def lines() -> Iterator[str]:
        yield "half"
        raise StoreError("run.db: run store: damaged")

    with pytest.raises(StoreError):
        write_report(str(place), lines())

    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("out.csv", "before")]


def test_place_that_vanished_is_told(tmp_path: Path) -> None:
    """A folder that was removed during the run is an error with the path, not a bug."""
    place = tmp_path / "gone" / "out.csv"

    with pytest.raises(StoreError) as caught:
        write_report(str(place), LINES)

    assert str(caught.value).startswith(f"{place}: the report could not be written: ")


def test_dash_is_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    """`-` writes the report and nothing else to stdout."""
    write_report("-", LINES)

    assert capsys.readouterr() == (TEXT, "")


def test_stdout_is_utf_8_whatever_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job called `zwölf` gets its report in a cron job without a locale, too."""
    received = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(received, "ascii"))

    write_report("-", LINES)

    assert received.getvalue() == TEXT.encode()


def test_reader_of_stdout_may_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """`bulkip run ... --format jsonl | head` ends as the run did, not with an error of its own."""
    reading, writing = os.pipe()
    os.close(reading)

    with os.fdopen(writing, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        write_report("-", ["x" * 100_000])


class FullDisk(io.RawIOBase):
    """A file on a disk without room."""

    def writable(self) -> bool:
        """Look like any file."""
        return True

    def write(self, _bytes: object, /) -> int:
        """Fail as a full disk does."""
        raise OSError(ENOSPC, "No space left on device")


def test_stdout_on_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that is redirected to a full disk is not taken for written."""
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=FullDisk(), flush=bool))

    with pytest.raises(StoreError, match="stdout: the report could not be written: No space left"):
        write_report("-", LINES)


def test_closed_stdout_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that has nowhere to show what was asked for says so."""
    monkeypatch.setattr(sys, "stdout", None)

    with pytest.raises(UsageError, match="stdout is closed"):
        write_report("-", LINES)


def test_report_that_cannot_be_rendered_names_its_place(tmp_path: Path) -> None:
    """Who reads the error knows which of the reports is missing, and why."""

    def lines() -> Iterator[str]:
        yield "half"
        raise StoreError("run.db: run store: damaged")

    with pytest.raises(StoreError, match=r"out\.csv: .*: run\.db: run store: damaged"):
        write_report(str(tmp_path / "out.csv"), lines())


def test_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    """A link from the web server's folder to the newest report goes on being one."""
    (tmp_path / "target.csv").write_text("before")
    (tmp_path / "link.csv").symlink_to("target.csv")

    write_report(str(tmp_path / "link.csv"), LINES)

    assert (tmp_path / "link.csv").readlink() == Path("target.csv")
    assert (tmp_path / "target.csv").read_text("utf-8") == TEXT


def test_link_to_nothing_is_filled(tmp_path: Path) -> None:
    """A dangling link says where the report is to be."""
    (tmp_path / "link.csv").symlink_to("new.csv")

    write_report(str(tmp_path / "link.csv"), LINES)

    assert (tmp_path / "new.csv").read_text("utf-8") == TEXT


def test_other_name_of_a_file_keeps_what_it_had(tmp_path: Path) -> None:
    """A report replaces its own name; a hard link elsewhere keeps the old report."""
    (tmp_path / "out.csv").write_text("before")
    (tmp_path / "kept.csv").hardlink_to(tmp_path / "out.csv")

    write_report(str(tmp_path / "out.csv"), LINES)

    assert (tmp_path / "kept.csv").read_text() == "before"


def test_longest_name_gets_its_report(tmp_path: Path) -> None:
    """The temporary name is no longer than the name that the file system just takes."""
    write_report(str(tmp_path / ("x" * 255)), LINES)

    assert [path.name for path in tmp_path.iterdir()] == ["x" * 255]


def test_report_can_go_to_a_stream_of_the_caller() -> None:
    """`--report csv=>(gzip > ptr.csv.gz)` hands over an open pipe by its number."""
    reading, writing = os.pipe()

    write_report(f"/dev/fd/{writing}", LINES)
    os.close(writing)

    with os.fdopen(reading, encoding="utf-8") as read:
        assert read.read() == TEXT


def test_reader_of_a_stream_may_leave() -> None:
    """`--report csv=>(head -1)` is no reason to call a good run halted."""
    reading, writing = os.pipe()
    os.close(reading)

    write_report(f"/dev/fd/{writing}", ["x" * 100_000])
    os.close(writing)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_full_device_is_told() -> None:
    """What a device refuses is an error with its name."""
    with pytest.raises(StoreError, match="/dev/full: the report could not be written: No space left"):
        write_report("/dev/full", LINES)


def test_null_device_takes_everything() -> None:
    """`--report csv=/dev/null` is how to turn off a report of the job."""
    write_report("/dev/null", LINES)


@pytest.mark.parametrize("umask", [pytest.param(0, id="open"), pytest.param(0o777, id="shut")])
def test_report_is_its_owners_alone_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    """Neither a generous nor a strict umask changes who may read a report."""
    before = os.umask(umask)
    try:
        write_report(str(tmp_path / "out.csv"), LINES)
    finally:
        os.umask(before)

    assert S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o600
