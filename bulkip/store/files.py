"""How files and folders of a run come to be: on the disk, for their owner alone whatever the umask."""

import os
from pathlib import Path

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600


def make_folder(folder: Path) -> None:
    """Make a folder and those above it as far as they are missing."""
    for one in (*reversed(folder.parents), folder):
        if not one.exists():
            one.mkdir(PRIVATE_FOLDER, exist_ok=True)
            one.chmod(PRIVATE_FOLDER)


def make_file(path: Path) -> None:
    """Make an empty file; the journals that SQLite puts beside it get the same mode."""
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_FILE)
    try:
        os.fchmod(handle, PRIVATE_FILE)
    finally:
        os.close(handle)


def sync(path: Path) -> None:
    """Wait until a file, or what a folder says about its files, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_if_empty(folder: Path) -> None:
    """Remove a folder that holds nothing."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
