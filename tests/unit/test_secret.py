"""Where the token comes from, and what is refused."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bulkip.errors import UsageError
from bulkip.policy import Api, SecretRef, SecretSource
from bulkip.run.secret import purse_secrets

TOKEN = "s3cret-t0ken-of-tests"
MINE = SecretRef(SecretSource.ENV, "MY_TOKEN")
IN_FILE = SecretRef(SecretSource.FILE, "token")


def ignore(_warning: str) -> None:
    """Hear no warnings."""


def token_file(folder: Path, text: bytes, mode: int = 0o600) -> Path:
    """Make the file that `IN_FILE` names."""
    path = folder / "token"
    path.write_bytes(text)
    path.chmod(mode)
    return path


def token_of(
    ref: SecretRef | None, folder: Path, environment: dict[str, str], warn: Callable[[str], None] = ignore
) -> str:
    """Return the token of a job in this folder."""
    if ref is not None and ref.source is SecretSource.FILE:
        ref = SecretRef(SecretSource.FILE, str(folder / ref.name))
    token, key = purse_secrets(Api(token=ref), environment, warn)
    assert key == ""
    return token


def refusal(ref: SecretRef | None, folder: Path, environment: dict[str, str]) -> str:
    """Return the words with which a secret is refused."""
    with pytest.raises(UsageError) as caught:
        token_of(ref, folder, environment)
    return str(caught.value)


@pytest.mark.parametrize(
    ("ref", "environment"),
    [
        pytest.param(None, {"HOSTKEY_TOKEN": TOKEN}, id="default-variable"),
        pytest.param(MINE, {"MY_TOKEN": TOKEN, "HOSTKEY_TOKEN": "other"}, id="named-variable"),
        pytest.param(MINE, {"MY_TOKEN": f" {TOKEN}\n"}, id="blanks-around"),
    ],
)
def test_token_comes_from_the_environment(
    tmp_path: Path, ref: SecretRef | None, environment: dict[str, str]
) -> None:
    """A variable holds the token; `HOSTKEY_TOKEN` unless the job names another one."""
    assert token_of(ref, tmp_path, environment) == TOKEN


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(TOKEN.encode(), id="bare"),
        pytest.param(f"{TOKEN}\n".encode(), id="line"),
        pytest.param(f"  {TOKEN}\r\n\n".encode(), id="blanks-and-crlf"),
    ],
)
def test_token_comes_from_a_file_beside_the_job(tmp_path: Path, text: bytes) -> None:
    """A file is relative to the folder of the job, and blanks around its line do not count."""
    token_file(tmp_path, text)

    assert token_of(IN_FILE, tmp_path, {}) == TOKEN


@pytest.mark.parametrize(
    ("mode", "warnings"),
    [
        pytest.param(0o600, 0, id="owner"),
        pytest.param(0o400, 0, id="owner-reads"),
        pytest.param(0o640, 1, id="group-reads"),
        pytest.param(0o604, 1, id="world-reads"),
    ],
)
def test_token_that_others_can_read_is_warned_about(tmp_path: Path, mode: int, warnings: int) -> None:
    """A token file that others can read works, with a warning that names the way out."""
    path = token_file(tmp_path, TOKEN.encode(), mode)
    told: list[str] = []

    token_of(IN_FILE, tmp_path, {}, told.append)

    assert told == [f"{path}: others can read this token; `chmod 600 {path}`"] * warnings


@pytest.mark.parametrize("mode", [pytest.param(0o620, id="group"), pytest.param(0o602, id="world")])
def test_token_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    """Whoever can write the token decides whose addresses are changed."""
    token_file(tmp_path, TOKEN.encode(), mode)

    assert "others can write" in refusal(IN_FILE, tmp_path, {})


def test_credentials_directory_is_trusted(tmp_path: Path) -> None:
    """Systemd guards its credentials itself, so their modes give no warning."""
    token_file(tmp_path, TOKEN.encode(), 0o444)
    told: list[str] = []

    token_of(IN_FILE, tmp_path, {"CREDENTIALS_DIRECTORY": str(tmp_path)}, told.append)

    assert told == []


@pytest.mark.parametrize("value", [pytest.param({}, id="unset"), pytest.param({"MY_TOKEN": " "}, id="blank")])
def test_missing_variable_is_named(tmp_path: Path, value: dict[str, str]) -> None:
    """Without the variable nothing is sent, and the message says what to type."""
    assert "`export MY_TOKEN=...`" in refusal(MINE, tmp_path, value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b" \n", id="blank"),
        pytest.param(b"x" * 5000, id="huge"),
        pytest.param(b"one\ntwo", id="two-lines"),
        pytest.param(b"one two", id="two-words"),
        pytest.param(b"\xff\xfe", id="binary"),
        pytest.param("tökén".encode(), id="not-ascii"),
        pytest.param(b"a\x00b", id="nul"),
    ],
)
def test_file_that_holds_no_token_is_refused(tmp_path: Path, text: bytes) -> None:
    """A wrong file is found out before it is sent to anyone."""
    token_file(tmp_path, text)

    assert "token" in refusal(IN_FILE, tmp_path, {})


def test_missing_file_is_named(tmp_path: Path) -> None:
    """The message says which file could not be read."""
    assert refusal(IN_FILE, tmp_path, {}).startswith(f"{tmp_path / 'token'}: ")


def test_pipe_is_no_token_file(tmp_path: Path) -> None:
    """A pipe that nobody writes to would keep the run waiting forever."""
    os.mkfifo(tmp_path / "token")

    assert "is a pipe" in refusal(IN_FILE, tmp_path, {})


def test_refusal_shows_nothing_of_the_token(tmp_path: Path) -> None:
    """A token that was pasted wrong is still a secret."""
    token_file(tmp_path, f"{TOKEN} {TOKEN}".encode())

    assert TOKEN not in refusal(IN_FILE, tmp_path, {})


@pytest.mark.parametrize(
    ("api", "environment", "found"),
    [
        pytest.param(Api(key=MINE), {"MY_TOKEN": TOKEN}, ("", TOKEN), id="key-of-the-job"),
        pytest.param(Api(), {"HOSTKEY_API_KEY": TOKEN}, ("", TOKEN), id="key-of-the-environment"),
        pytest.param(Api(), {"HOSTKEY_API_KEY": "k", "HOSTKEY_TOKEN": TOKEN}, (TOKEN, ""), id="token-first"),
        pytest.param(Api(token=MINE, key=MINE), {"MY_TOKEN": TOKEN}, (TOKEN, ""), id="both-in-the-job"),
    ],
)
def test_key_is_taken_where_there_is_no_token(
    api: Api, environment: dict[str, str], found: tuple[str, str]
) -> None:
    """A ready token is used as it is; without one an API key is exchanged."""
    assert purse_secrets(api, environment, ignore) == found
