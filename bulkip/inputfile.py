"""How a file the user names is opened: only real files, and every refusal in plain words."""

import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

_KINDS = {
    stat.S_IFDIR: "is a folder, not a file",
    stat.S_IFIFO: "is a pipe, not a file; save its content to a file first",
    stat.S_IFSOCK: "is a socket, not a file",
    stat.S_IFCHR: "is a device, not a file",
    stat.S_IFBLK: "is a device, not a file",
}


def unwritable_name(path: Path | str) -> str | None:
    """Return why no file can have a name here, or None; a locale without UTF-8 lacks most letters."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        encoding = sys.getfilesystemencoding()
        return f"has letters that the encoding of this locale ({encoding}) lacks; set PYTHONUTF8=1"
    return None


def open_input(path: Path) -> BinaryIO | str:
    """Open a regular file for reading, or return why it cannot be read.

    The kind is asked of the open file, not of its name, and opening never
    waits: a FIFO without a writer is refused like any other.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return "does not exist; check its name"
    except PermissionError:
        return "may not be read by this user; check its permissions"
    except UnicodeEncodeError:
        return unwritable_name(path) or "has a name that no file can have"
    except (OSError, ValueError) as error:
        return f"cannot be opened: {getattr(error, 'strerror', None) or error}"
    kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
    if kind != stat.S_IFREG:
        os.close(descriptor)
        return _KINDS.get(kind, "is not a regular file")
    return os.fdopen(descriptor, "rb")


def read_input(path: Path, cap_bytes: int) -> bytes | str:
    """Return the whole content of a file, or why it cannot be read; more than the cap is refused."""
    opened = open_input(path)
    if isinstance(opened, str):
        return opened
    with opened:
        try:
            content = opened.read(cap_bytes + 1)
        except OSError as error:
            return f"cannot be read: {error.strerror}"
    if len(content) > cap_bytes:
        return f"is larger than {cap_bytes >> 20} MiB; put long lists of targets into a CSV file"
    return content
