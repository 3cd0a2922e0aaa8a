"""How a report reaches its place, and which places are refused."""

import io
import os
import socket
import sys
from collections.abc import Callable, Iterator
from errno import ENOSPC
from pathlib import Path
from stat import S_IMODE
from types import SimpleNamespace

import pytest

from bulkip.errors import StoreError, UsageError
from bulkip.reports.output import check_place, write_report

LINES = ("one\n", "zwei: ü\n")
TEXT = "one\nzwei: ü\n"


def a_folder(place: Path) -> None:
    """Put a folder there."""
    place.mkdir()


def a_pipe(place: Path) -> None:
    """Put a pipe there that nobody reads."""
    os.mkfifo(place)


def a_socket(place: Path) -> None:
    """Put a socket there."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))


def a_link(place: Path) -> None:
    """Put a link to a file there."""
    place.with_name("target.csv").write_text("mine")
    place.symlink_to("target.csv")


def a_dangling_link(place: Path) -> None:
    """Put a link to nothing there."""
    place.symlink_to("nowhere.csv")


@pytest.mark.parametrize(
    ("occupied", "kind"),
    [
        pytest.param(a_folder, "it is a folder", id="folder"),
        pytest.param(a_pipe, "it is a pipe", id="pipe"),
        pytest.param(a_socket, "it is a device or a socket", id="socket"),
        pytest.param(a_link, "it is a link", id="link"),
        pytest.param(a_dangling_link, "it is a link", id="dangling-link"),
    ],
)
def test_place_that_is_no_file_is_refused(
    tmp_path: Path, occupied: Callable[[Path], None], kind: str
) -> None:
    """A report replaces a file; whatever else stands there is refused before anything is sent."""
    occupied(tmp_path / "out")

    with pytest.raises(UsageError) as caught:
        check_place(str(tmp_path / "out"))

    assert kind in str(caught.value)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/dev/null", id="device"),
        pytest.param("", id="empty"),
        pytest.param("missing/out.csv", id="no-folder"),
        pytest.param("file/out.csv", id="folder-is-a-file"),
        pytest.param("x" * 300, id="name-too-long"),
    ],
)
def test_place_that_cannot_be_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Every path that cannot become a file is told with the way out."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match="name another path"):
        check_place(path)


@pytest.mark.parametrize(
    "path",
    [pytest.param("-", id="stdout"), pytest.param("new.csv", id="new"), pytest.param("file", id="old")],
)
def test_place_that_will_do_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Checking a place writes nothing there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("before")

    check_place(path)

    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("file", "before")]


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

    with pytest.raises(StoreError, match="-: the report could not be written: No space left"):
        write_report("-", LINES)
