"""Who may go on? A lock on a file, which the kernel takes back whatever ends its holder."""

import fcntl
import json
import os
import pwd
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from bulkip.errors import StoreError
from bulkip.inputfile import read_input

ROOT = Path("/")
LONGEST_TEXT = 4096
LATEST = 253_402_300_799  # the last second that has a date
MEETINGS = 100
"""How often a lock may vanish, because its holder is done, while it is being taken."""
OPENING = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock, as its file says; `since` is in Unix seconds, `run` None before there is an id."""

    command: str
    job: str
    pid: int
    host: str
    since: float
    run: str | None = None


class Lock:
    """Owns a lock and the file that it lies on; made by `take`.

    The file is there as long as the lock is held; only a killed holder leaves
    it behind, without the lock.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        """Take over an open file that is locked."""
        self.path = path
        self._descriptor = descriptor

    def sign(self, holder: Holder) -> None:
        """Write down who holds it; on a full disk it is held all the same."""
        text = json.dumps(asdict(holder)).encode() + b"\n"
        with suppress(OSError):
            os.pwrite(self._descriptor, text, 0)
            os.ftruncate(self._descriptor, len(text))

    def release(self) -> None:
        """Remove the file, so that not even a fork of this process holds it, and give the lock back."""
        try:
            with suppress(OSError):
                if _is_named(self.path, self._descriptor):
                    self.path.unlink()
        finally:
            os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.release()


def take(path: Path, holder: Holder) -> Lock | None:
    """Take the lock on a file and sign it, or return None at once when somebody has it.

    Raises StoreError when no lock can lie there.
    """
    with _place_errors(path):
        for _meeting in range(MEETINGS):
            descriptor = os.open(path, OPENING, 0o600)
            try:
                taken = _is_locked(path, descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            if taken and _is_named(path, descriptor):
                lock = Lock(path, descriptor)
                lock.sign(holder)
                return lock
            os.close(descriptor)
            if not taken:
                return None
    return None


def holder_of(path: Path) -> Holder | None:
    """Return who signed a lock last; None when that cannot be read."""
    content = read_input(path, LONGEST_TEXT)
    if isinstance(content, str):
        return None
    try:
        signed = json.loads(content.partition(b"\n")[0])
    except (ValueError, RecursionError):
        return None
    match signed:
        case {
            "command": str(command),
            "job": str(job),
            "pid": int(pid),
            "host": str(host),
            "since": float(since),
            "run": str() | None as run,
        } if 0 <= since <= LATEST:
            return Holder(command, job, pid, host, since, run)
    return None


def account_locks(environment: Mapping[str, str]) -> Path:
    """Return the folder where the locks of this user's accounts lie, and make it; raises StoreError.

    A state folder that is not absolute is ignored (XDG Base Directory
    Specification); a home is never made.
    """
    state = Path(environment.get("XDG_STATE_HOME", ""))
    if state.is_absolute():
        return private_folder(state / "bulkip" / "locks", below=ROOT)
    home = _home(environment)
    return private_folder(home / ".local" / "state" / "bulkip" / "locks", below=home)


def private_folder(folder: Path, *, below: Path) -> Path:
    """Return a folder that only its owner may enter, made with those above it as far as it is missing."""
    with _place_errors(folder):
        for one in (*reversed(folder.parents), folder):
            if below in one.parents:
                one.mkdir(0o700, exist_ok=True)
        status = folder.stat()
        _check_owner(status)
        if stat.S_IMODE(status.st_mode) != stat.S_IRWXU:
            folder.chmod(stat.S_IRWXU)
    return folder


def _home(environment: Mapping[str, str]) -> Path:
    home = Path(environment.get("HOME", ""))
    if home.is_absolute():
        return home
    try:
        return Path(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError as error:
        raise StoreError(f"user {os.geteuid()} has no home to keep locks in; set XDG_STATE_HOME") from error


def _is_locked(path: Path, descriptor: int) -> bool:
    """Lock an open file, unless somebody has; what is no lock file of ours is not touched."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise StoreError(f"{path}: a lock must be a regular file, and this is none; remove it")
    if status.st_nlink > 1:
        raise StoreError(f"{path}: this file has other names, so it is no lock; remove it")
    _check_owner(status)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    os.fchmod(descriptor, stat.S_IRUSR | stat.S_IWUSR)  # whatever the umask is
    return True


def _check_owner(status: os.stat_result) -> None:
    user = os.geteuid()
    if user not in (status.st_uid, 0):
        raise PermissionError(f"it belongs to user {status.st_uid}")


def _is_named(path: Path, descriptor: int) -> bool:
    """Tell whether an open file still has its name; its holder may have removed it meanwhile."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


@contextmanager
def _place_errors(path: Path) -> Iterator[None]:
    """Translate what the file system refuses into a StoreError that names the place."""
    try:
        yield
    except OSError as error:
        why = error.strerror or error
        raise StoreError(f"{path}: no lock can lie here: {why}; check its permissions") from error
