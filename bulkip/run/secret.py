"""Where the token comes from, and how it is kept out of sight."""

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from bulkip.errors import UsageError
from bulkip.inputfile import open_input
from bulkip.policy import SecretRef, SecretSource

DEFAULT = SecretRef(SecretSource.ENV, "HOSTKEY_TOKEN")
LONGEST = 4096
TRUSTED = ("/run/secrets",)


def read_token(
    ref: SecretRef | None, folder: Path, environment: Mapping[str, str], warn: Callable[[str], None]
) -> str:
    """Return the token that a job names; a file is relative to `folder`. Raises UsageError."""
    ref = ref or DEFAULT
    if ref.source is SecretSource.ENV:
        token = environment.get(ref.name, "").strip()
        if not token:
            raise UsageError(f"{ref}: the variable is not set; `export {ref.name}=...` or name `api.token`")
    else:
        token = _from_file(folder / ref.name, environment, warn)
    _check(token, ref)
    return token


def _check(token: str, ref: SecretRef) -> None:
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(f"{ref}: the token holds blanks or characters that no token has; check its source")


def _from_file(path: Path, environment: Mapping[str, str], warn: Callable[[str], None]) -> str:
    opened = open_input(path)
    if isinstance(opened, str):
        raise UsageError(f"{path}: the token cannot be read: {opened} (`api.token`)")
    with opened as file:
        mode = os.fstat(file.fileno()).st_mode
        text = file.read(LONGEST + 1)
    if not text.strip() or len(text) > LONGEST:
        raise UsageError(f"{path}: a token file holds one line of at most {LONGEST} bytes; this one does not")
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UsageError(f"{path}: others can write this token file; `chmod 600 {path}` and check the token")
    if mode & (stat.S_IRWXG | stat.S_IRWXO) and not _trusted(path, environment):
        warn(f"{path}: others can read this token; `chmod 600 {path}`")
    return text.decode("utf-8", "replace").strip()


def _trusted(path: Path, environment: Mapping[str, str]) -> bool:
    folders = [*TRUSTED, environment.get("CREDENTIALS_DIRECTORY", "")]
    return any(folder and path.resolve().is_relative_to(Path(folder).resolve()) for folder in folders)
