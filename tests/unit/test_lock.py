"""A lock on a file: who gets it, what its file says, and what it does not touch."""

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bulkip.errors import StoreError
from bulkip.lock import Holder, account_locks, holder_of, private_folder, take
from tests.program import clean_environment

HOLDER = Holder("run", "ptr-migration", 4711, "web1", 1_788_232_500.5, "20260901T031500-abc123")
SIGNED = {
    "command": "run",
    "job": "ptr-migration",
    "pid": 4711,
    "host": "web1",
    "since": 1_788_232_500.5,
    "run": "20260901T031500-abc123",
}
CHILD = """
import os, subprocess, sys
from pathlib import Path
from bulkip.lock import Holder, take
lock = take(Path(sys.argv[1]), Holder("run", "job", os.getpid(), "here", 1.0))
"""
STARTS_A_PROGRAM = """
child = subprocess.Popen(["cat"], close_fds=False)
print("ready", flush=True)
child.wait()
"""
FORKS = """
if os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
lock.release()
print("ready", flush=True)
"""
LEAVES_AT_THE_LAST_MOMENT = """
leaving = [lock]
sys.addaudithook(lambda event, _about: event == "fcntl.flock" and leaving and leaving.pop().release())
late = take(Path(sys.argv[1]), Holder("run", "job", os.getpid(), "here", 2.0))
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Make files with another umask until the block ends."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    """Return the permissions of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


def test_held_lock_is_not_given_twice(tmp_path: Path) -> None:
    """A second taker gets nothing, at once, in the same process too."""
    with take(tmp_path / "lock", HOLDER) or pytest.fail("free"):
        assert take(tmp_path / "lock", HOLDER) is None


def test_released_lock_is_free_and_leaves_no_file(tmp_path: Path) -> None:
    """Whoever is done takes the file away, so that a folder of locks shows who works now."""
    (take(tmp_path / "lock", HOLDER) or pytest.fail("free")).release()

    assert list(tmp_path.iterdir()) == []
    with take(tmp_path / "lock", HOLDER) or pytest.fail("free"):
        pass


def test_lock_says_who_holds_it(tmp_path: Path) -> None:
    """The file is one JSON object that names run, process, host and time."""
    path = tmp_path / "lock"
    with take(path, HOLDER) or pytest.fail("free"):
        assert (holder_of(path), json.loads(path.read_text())) == (HOLDER, SIGNED)


def test_later_signature_replaces_the_earlier(tmp_path: Path) -> None:
    """A holder that signs again leaves nothing of what it wrote before."""
    path = tmp_path / "lock"
    with take(path, HOLDER) or pytest.fail("free") as lock:
        lock.sign(Holder("run", "x", 1, "h", 1.0))

        assert path.read_text().count("\n") == 1
        assert holder_of(path) == Holder("run", "x", 1, "h", 1.0)


@pytest.mark.parametrize("mask", [0, 0o777], ids=["open", "closed"])
def test_lock_is_its_owners_alone_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    """A lock is 0600 with any umask."""
    with umask(mask), take(tmp_path / "lock", HOLDER) or pytest.fail("free"):
        assert mode(tmp_path / "lock") == 0o600


def test_lock_that_was_left_open_to_others_is_closed(tmp_path: Path) -> None:
    """The file of a killed holder is taken over, and made private again."""
    path = tmp_path / "lock"
    path.write_text("left by the dead, and longer than any signature" * 20)
    path.chmod(0o666)

    with take(path, HOLDER) or pytest.fail("free"):
        assert (mode(path), holder_of(path)) == (0o600, HOLDER)


def test_file_that_was_removed_by_hand_is_no_lock_any_more(tmp_path: Path) -> None:
    """Who removes a lock file gives the way free; the late holder does not remove the next one's file."""
    path = tmp_path / "lock"
    late = take(path, HOLDER) or pytest.fail("free")
    path.unlink()

    with take(path, HOLDER) or pytest.fail("free"):
        late.release()
        assert path.exists()
        assert take(path, HOLDER) is None


def link(path: Path) -> None:
    """Put a link to a file of somebody in the way."""
    (path.parent / "victim").write_text("precious")
    path.symlink_to(path.parent / "victim")


def other_name(path: Path) -> None:
    """Put a second name of a file in the way."""
    (path.parent / "victim").write_text("precious")
    path.hardlink_to(path.parent / "victim")


def unix_socket(path: Path) -> None:
    """Put a socket in the way."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


@pytest.mark.parametrize(
    "in_the_way",
    [
        pytest.param(link, id="link"),
        pytest.param(lambda path: path.symlink_to(path.parent / "nowhere"), id="dangling-link"),
        pytest.param(other_name, id="hard-link"),
        pytest.param(os.mkfifo, id="pipe"),
        pytest.param(unix_socket, id="socket"),
        pytest.param(Path.mkdir, id="folder"),
    ],
)
def test_what_is_no_lock_file_is_refused_and_not_touched(
    tmp_path: Path, in_the_way: Callable[[Path], None]
) -> None:
    """Neither a hang, nor a file that is emptied or made through a link: one line that names the place."""
    path = tmp_path / "lock"
    in_the_way(path)
    there = sorted(tmp_path.iterdir())

    with pytest.raises(StoreError, match=rf"{path}: "):
        take(path, HOLDER)

    assert sorted(tmp_path.iterdir()) == there
    assert not (tmp_path / "victim").exists() or (tmp_path / "victim").read_text() == "precious"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="not-signed-yet"),
        pytest.param(b"\x00" * 64, id="zeros"),
        pytest.param(b"\xff\xfe{", id="no-utf-8"),
        pytest.param(b"[" * 4000, id="deep"),
        pytest.param(b"4711\n", id="pid-alone"),
        pytest.param(b"9" * 4096, id="huge-number"),
        pytest.param(b"{" + b" " * 5000 + b"}", id="long"),
        pytest.param(json.dumps(SIGNED | {"pid": "4711"}).encode(), id="pid-as-text"),
        pytest.param(json.dumps(SIGNED | {"since": 1e300}).encode(), id="no-date"),
        pytest.param(json.dumps(SIGNED | {"since": float("nan")}).encode(), id="not-a-number"),
    ],
)
def test_unreadable_signature_names_nobody(tmp_path: Path, content: bytes) -> None:
    """Whatever stands in a lock file, it is read as a holder or as nobody."""
    (tmp_path / "lock").write_bytes(content)

    assert holder_of(tmp_path / "lock") is None


def test_missing_lock_names_nobody(tmp_path: Path) -> None:
    """A holder that is done while somebody looks is nobody."""
    assert holder_of(tmp_path / "lock") is None


def test_program_that_the_holder_started_does_not_hold_on(tmp_path: Path) -> None:
    """A child program that outlives a killed holder has no part in the lock."""
    with script(CHILD + STARTS_A_PROGRAM, tmp_path / "lock") as holder:
        assert take(tmp_path / "lock", HOLDER) is None

        holder.kill()
        holder.wait()

        with take(tmp_path / "lock", HOLDER) or pytest.fail("a child holds it"):
            pass


def test_fork_of_the_holder_does_not_hold_on(tmp_path: Path) -> None:
    """A lock that is given back is free, though a fork of its holder lives on."""
    with script(CHILD + FORKS, tmp_path / "lock"), take(tmp_path / "lock", HOLDER) or pytest.fail("forked"):
        pass


def test_lock_that_loses_its_name_while_it_is_taken_is_taken_anew(tmp_path: Path) -> None:
    """A holder that is done between our opening and our locking leaves us no nameless file to lock."""
    with script(CHILD + LEAVES_AT_THE_LAST_MOMENT, tmp_path / "lock"):
        assert take(tmp_path / "lock", HOLDER) is None


@contextmanager
def script(text: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a script that takes a lock, from when it is ready until the block ends; its children too."""
    with subprocess.Popen(
        [sys.executable, "-c", text, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process


def test_folder_of_locks_is_private_from_the_first_missing_one_on(tmp_path: Path) -> None:
    """State folders are made for their owner alone (XDG), whatever the umask; what is there stays."""
    (tmp_path / "home").mkdir(mode=0o755)
    with umask(0):
        folder = account_locks({"HOME": str(tmp_path / "home")})

    assert folder == tmp_path / "home" / ".local" / "state" / "bulkip" / "locks"
    assert {mode(one) for one in (folder, *list(folder.parents)[:3])} == {0o700}
    assert mode(tmp_path / "home") == 0o755


def test_folder_of_locks_is_closed_when_others_could_enter(tmp_path: Path) -> None:
    """A folder that somebody opened to all is made private again."""
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks").chmod(0o777)

    assert mode(private_folder(tmp_path / "locks", below=tmp_path)) == 0o700


@pytest.mark.parametrize("named", ["", "state", "./state", "~/state"])
def test_state_folder_that_is_not_absolute_is_ignored(tmp_path: Path, named: str) -> None:
    """XDG_STATE_HOME counts only as an absolute path, as its specification says."""
    folder = account_locks({"XDG_STATE_HOME": named, "HOME": str(tmp_path)})

    assert folder == tmp_path / ".local" / "state" / "bulkip" / "locks"


def test_state_folder_is_made_where_it_is_named(tmp_path: Path) -> None:
    """XDG_STATE_HOME stands above the home, and need not exist."""
    folder = account_locks({"XDG_STATE_HOME": str(tmp_path / "a" / "b"), "HOME": "/nonexistent"})

    assert folder == tmp_path / "a" / "b" / "bulkip" / "locks"


def test_home_that_does_not_exist_is_not_made(tmp_path: Path) -> None:
    """A user whose home was never made, as those of services, keeps no locks there."""
    with pytest.raises(StoreError, match=r"no lock can lie here: No such file or directory"):
        account_locks({"HOME": str(tmp_path / "gone")})

    assert list(tmp_path.iterdir()) == []


def test_file_in_the_way_of_the_folder_is_told(tmp_path: Path) -> None:
    """Where a file stands, no folder is made, and the error names the place."""
    (tmp_path / "state").write_text("a file")

    with pytest.raises(StoreError, match=rf"{tmp_path}/state/bulkip/locks: no lock can lie here"):
        account_locks({"XDG_STATE_HOME": str(tmp_path / "state")})
