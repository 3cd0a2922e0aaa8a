"""Which places a report may go to, asked before anything is sent."""

import os
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bulkip.errors import UsageError
from bulkip.reports.places import Device, File, Stream, check_place, check_places


def a_folder(place: Path) -> None:
    """Put a folder there."""
    place.mkdir()


def a_link_to_a_folder(place: Path) -> None:
    """Put a link to a folder there."""
    place.symlink_to(".")


def a_pipe(place: Path) -> None:
    """Put a pipe there that nobody reads."""
    os.mkfifo(place)


def a_link_to_a_pipe(place: Path) -> None:
    """Put a link to a pipe there that nobody reads."""
    os.mkfifo(place.with_name("pipe"))
    place.symlink_to("pipe")


def a_socket(place: Path) -> None:
    """Put a socket there."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))


def a_circle(place: Path) -> None:
    """Put a link to itself there."""
    place.symlink_to(place.name)


def a_link_into_nowhere(place: Path) -> None:
    """Put a link there that leads below a folder which is missing."""
    place.symlink_to("missing/out.csv")


def a_database(place: Path) -> None:
    """Put a database there."""
    with closing(sqlite3.connect(place)) as database:
        database.execute("CREATE TABLE precious (row)")


@pytest.mark.parametrize(
    ("occupied", "kind"),
    [
        pytest.param(a_folder, "it is a folder", id="folder"),
        pytest.param(a_link_to_a_folder, "it is a folder", id="link-to-folder"),
        pytest.param(a_pipe, "it is a pipe", id="pipe"),
        pytest.param(a_link_to_a_pipe, "it is a pipe", id="link-to-pipe"),
        pytest.param(a_socket, "it is a socket", id="socket"),
        pytest.param(a_circle, "leads in a circle", id="circle"),
        pytest.param(a_link_into_nowhere, "missing does not exist", id="link-into-nowhere"),
        pytest.param(a_database, "it is a database", id="database"),
    ],
)
def test_place_that_takes_no_report_is_refused(
    tmp_path: Path, occupied: Callable[[Path], None], kind: str
) -> None:
    """Whatever could not be replaced by a report, or should not, is told before anything is sent."""
    occupied(tmp_path / "out")

    with pytest.raises(UsageError) as caught:
        check_place(str(tmp_path / "out"))

    assert kind in str(caught.value)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("", id="empty"),
        pytest.param("new/", id="slash"),
        pytest.param("missing/out.csv", id="no-folder"),
        pytest.param("file/out.csv", id="folder-is-a-file"),
        pytest.param("x" * 300, id="name-too-long"),
        pytest.param("y/" * 3000 + "out.csv", id="path-too-long"),
        pytest.param("nul\0.csv", id="nul"),
        pytest.param("/dev/fd/999", id="closed-stream"),
        pytest.param("/proc/out.csv", id="no-room-for-files"),
    ],
)
def test_place_that_cannot_be_is_refused(empty_folder: Path, path: str) -> None:
    """Every path that cannot become a report is told with the way out."""
    (empty_folder / "file").write_text("")

    with pytest.raises(UsageError, match="name another path"):
        check_place(path)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        pytest.param("-", Stream(1), id="stdout"),
        pytest.param("/dev/stdout", Stream(1), id="stdout-by-name"),
        pytest.param("/dev/null", Device(Path("/dev/null")), id="device"),
        pytest.param("new.csv", File(Path("new.csv")), id="new"),
        pytest.param("file", File(Path("file")), id="old"),
        pytest.param("./sub/../file", File(Path("file")), id="spelt-otherwise"),
        pytest.param("link", File(Path("file")), id="link"),
        pytest.param("dangling", File(Path("new.csv")), id="dangling-link"),
    ],
)
def test_place_that_will_do_is_left_alone(empty_folder: Path, path: str, place: object) -> None:
    """Checking a place leaves nothing there."""
    (empty_folder / "sub").mkdir()
    (empty_folder / "file").write_text("before")
    (empty_folder / "link").symlink_to("file")
    (empty_folder / "dangling").symlink_to("new.csv")

    found = check_place(path)

    assert found == (File(empty_folder / place.path) if isinstance(place, File) else place)
    assert sorted(one.name for one in empty_folder.iterdir()) == ["dangling", "file", "link", "sub"]


def test_stream_of_our_own_is_no_place() -> None:
    """A number that was not handed over is a file of ours, perhaps the run store."""
    with Path(os.devnull).open("w") as ours, pytest.raises(UsageError, match="not open for writing"):
        check_place(f"/dev/fd/{ours.fileno()}")


def test_stream_that_can_only_be_read_is_no_place() -> None:
    """`--report csv=/dev/fd/3 3< file` is told, not found out at the end."""
    number = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(number, True)  # noqa: FBT003 -- its only argument
    try:
        with pytest.raises(UsageError, match="not open for writing"):
            check_place(f"/dev/fd/{number}")
    finally:
        os.close(number)


@pytest.mark.parametrize(
    "second",
    [
        pytest.param("out.csv", id="same"),
        pytest.param("./out.csv", id="dot"),
        pytest.param("sub/../out.csv", id="detour"),
        pytest.param("link", id="link"),
    ],
)
def test_two_reports_need_two_files(empty_folder: Path, second: str) -> None:
    """However it is spelt, the second of two reports would replace the first."""
    (empty_folder / "sub").mkdir()
    (empty_folder / "link").symlink_to("out.csv")

    with pytest.raises(UsageError, match=r"goes there too; give each its own path"):
        check_places(["out.csv", second])


def test_devices_and_streams_take_several_reports() -> None:
    """Nothing is lost when two reports follow each other, or go nowhere."""
    check_places(["/dev/null", "/dev/null", "-", "/dev/stdout"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_may_not_be_written_to_is_refused(tmp_path: Path) -> None:
    """A folder without permission is told before anything is sent."""
    (tmp_path / "shut").mkdir(mode=0o500)

    with pytest.raises(UsageError, match="takes no new file: Permission denied"):
        check_place(str(tmp_path / "shut" / "out.csv"))
