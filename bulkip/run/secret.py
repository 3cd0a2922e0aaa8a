"""Where the token comes from, and how it is kept out of sight."""

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from bulkip.errors import UsageError
from bulkip.inputfile import open_input
from bulkip.policy import Api, SecretRef, SecretSource

DEFAULT = SecretRef(SecretSource.ENV, "HOSTKEY_TOKEN")
DEFAULT_KEY = SecretRef(SecretSource.ENV, "HOSTKEY_API_KEY")
LONGEST = 4096
TRUSTED = ("/run/secrets",)


def purse_secrets(api: Api, environment: Mapping[str, str], warn: Callable[[str], None]) -> tuple[str, str]:
    """Return the ready token and the API key of a job, one of them empty; raises UsageError.

    A job that names neither takes HOSTKEY_TOKEN, or else HOSTKEY_API_KEY.
    """
    key = api.key
    if api.token is None and key is None and not environment.get(DEFAULT.name, "").strip():
        key = DEFAULT_KEY if environment.get(DEFAULT_KEY.name, "").strip() else None
    if api.token is None and key is not None:
        return "", read_secret(key, environment, warn)
    return read_secret(api.token or DEFAULT, environment, warn), ""


def read_secret(ref: SecretRef, environment: Mapping[str, str], warn: Callable[[str], None]) -> str:
    """Return the secret that a reference leads to. Raises UsageError."""
    if ref.source is SecretSource.ENV:
        token = environment.get(ref.name, "").strip()
        if not token:
            raise UsageError(
                f"{ref}: the variable is not set; `export {ref.name}=...` or name `api.token` or `api.key`"
            )
    else:
        token = _from_file(Path(ref.name), environment, warn)
    _check(token, ref)
    return token


def _check(token: str, ref: SecretRef) -> None:
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(f"{ref}: the token holds blanks or characters that no token has; check its source")


def _from_file(path: Path, environment: Mapping[str, str], warn: Callable[[str], None]) -> str:
    opened = open_input(path)
    if isinstance(opened, str):
        raise UsageError(f"{path}: the token cannot be read: {opened} (`api.token`, `api.key`)")
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
