"""What `bulkip doctor` says of a machine and of a run, and with which exit code."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkip.lock import Holder, account_locks, take
from bulkip.lockname import lock_name
from bulkip.model import JsonValue
from bulkip.simulator import EmbeddedSimulator, Fault, Simulator, SimulatorSettings
from tests.honestrun import honest_run, tampered
from tests.program import Ended, bulkip

TOKEN = "simulated"
KEY = "key-doctor-0123456789abcdef"
ENV = {"HOSTKEY_TOKEN": TOKEN}
JOB = "version: 1\napi: {{url: '{url}'}}\ntargets: [203.0.113.7]\nactions: [{{action: get_ip}}]\n"
NOBODY = "http://127.0.0.1:9/ip.php"
ID = "20260901T031500-abc123"
OUTSIDE_DATE = {"Date": "Tue, 01 Sep 2026 03:15:00 GMT"}
SEEN: JsonValue = {"result": "OK", "ip": "192.0.2.1"}


@pytest.fixture
def api() -> Iterator[Simulator]:
    """Serve an account that takes a token and a key."""
    with EmbeddedSimulator((), SimulatorSettings(keys=(KEY,))) as running:
        yield running


def doctor(folder: Path, url: str, *options: str, env: dict[str, str] | None = None) -> Ended:
    """Check the set-up for a job at this URL."""
    (folder / "job.yaml").write_text(JOB.format(url=url))
    return bulkip("doctor", "--job", "job.yaml", *options, cwd=folder, env=ENV if env is None else env)


def line(ended: Ended, subject: str) -> str:
    """Return the first line about something."""
    return next(text for text in ended.out.splitlines() if text[7:].startswith(subject))


def kept(folder: Path) -> Path:
    """Keep an honest run below a folder, and return the run's own."""
    return honest_run(folder / ".bulkip" / "runs" / ID)


def test_new_machine_is_fit_for_rehearsals(tmp_path: Path) -> None:
    """Without a token nothing is sent, nothing is left behind, and the missing token is a warning."""
    ended = bulkip("doctor", cwd=tmp_path)

    assert ended.code == 0, ended.out
    subjects = [text[7:].split()[0] for text in ended.out.splitlines() if not text.startswith(" ")]
    assert subjects == ["python", "packages", "storage", "room", "locks", "secret"]
    assert line(ended, "secret").startswith("warn   secret   env:HOSTKEY_TOKEN: the variable is not set")
    assert list(tmp_path.iterdir()) == []


def test_api_is_asked_once(tmp_path: Path, api: Simulator) -> None:
    """With a token the API gets one get_client_ip; the token is shown nowhere."""
    ended = doctor(tmp_path, api.url)

    seen_as = f"ok     api      {api.url} takes the secret; it sees you as 127.0.0.1"
    assert ended.code == 0, ended.out
    assert line(ended, "api").startswith(seen_as)
    assert line(ended, "clock") == "ok     clock    within 30 s of the API's"
    assert [entry.action for entry in api.log.entries()] == ["get_client_ip"]
    assert TOKEN not in ended.out + ended.err


def test_key_is_exchanged_and_its_token_given_back(tmp_path: Path, api: Simulator) -> None:
    """With a key the check logs in and out around its call."""
    ended = doctor(tmp_path, api.url, env={"HOSTKEY_API_KEY": KEY})

    assert ended.code == 0, ended.out
    assert [entry.action for entry in api.log.entries()] == ["login", "get_client_ip", "logout"]
    assert line(ended, "secret") == "ok     secret   an API key from env:HOSTKEY_API_KEY"
    assert KEY not in ended.out + ended.err


def test_offline_sends_nothing(tmp_path: Path, api: Simulator) -> None:
    """With --offline the API is left alone."""
    ended = doctor(tmp_path, api.url, "--offline")

    assert ended.code == 0, ended.out
    assert api.log.entries() == []


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        pytest.param(Fault(status=503), 6, "HTTP 503", id="down"),
        pytest.param(Fault(status=403, body="<html>no</html>", content_type="text/html"), 6, "403",
                     id="edge"),
        pytest.param(Fault(status=404, body="<html>no</html>", content_type="text/html"), 7,
                     "check `api.url`", id="other-page"),
        pytest.param(Fault(status=200, body="<html>hi</html>", content_type="text/html"), 7,
                     "check `api.url`", id="login-page"),
        pytest.param(Fault(redirect=302), 7, "redirected", id="redirect"),
        pytest.param(Fault(json={"code": -1, "message": "api key is disabled"}), 7, "account is refused",
                     id="account"),
        pytest.param(Fault(json={"code": -1, "message": "permission denied"}), 7, "refuses get_client_ip",
                     id="permission"),
        pytest.param(Fault(json={"code": -1, "message": "invalid token"}), 7, "the token is refused",
                     id="token"),
        pytest.param(Fault(status=429, retry_after_s=1), 0, "warn   api", id="throttled"),
        pytest.param(Fault(json=SEEN, headers=OUTSIDE_DATE), 0, "warn   clock", id="clock"),
    ],
)  # fmt: skip
def test_answer_decides_the_exit_code(
    tmp_path: Path, api: Simulator, fault: Fault, code: int, words: str
) -> None:
    """The check ends as a run would: 6 for an outage, 7 for a refusal or another server, 0 with a warning."""
    api.fault(fault)

    ended = doctor(tmp_path, api.url)

    assert (ended.code, ended.err) == (code, ""), ended.out
    assert words in ended.out


@pytest.mark.parametrize("env", [{"HOSTKEY_TOKEN": TOKEN}, {"HOSTKEY_API_KEY": KEY}], ids=["token", "key"])
def test_server_that_is_not_there_is_told_at_once(tmp_path: Path, env: dict[str, str]) -> None:
    """A refused connection is one line and exit code 6, without the patience of a run."""
    ended = doctor(tmp_path, NOBODY, env=env)

    assert ended.code == 6
    assert "Connection refused" in line(ended, "api")


@pytest.mark.parametrize(
    ("secret", "mode", "code", "words"),
    [
        pytest.param("token: env:MINE", 0o600, 2, "env:MINE: the variable is not set", id="unset-variable"),
        pytest.param("token: file:gone", 0o600, 2, "does not exist", id="no-file"),
        pytest.param("token: file:token", 0o622, 2, "others can write", id="writable"),
        pytest.param("token: file:token", 0o644, 0, "others can read", id="readable"),
        pytest.param("token: file:token", 0o600, 0, "a token from file:token", id="fine"),
        pytest.param("tokn: file:token", 0o600, 2, "job.yaml:2:", id="wrong-job"),
    ],
)  # fmt: skip
def test_secret_and_job_are_checked(tmp_path: Path, secret: str, mode: int, code: int, words: str) -> None:
    """A secret that cannot be had and a job that is wrong end with 2, because a run would."""
    (tmp_path / "token").write_text("a-token-in-a-file")
    (tmp_path / "token").chmod(mode)
    (tmp_path / "job.yaml").write_text(JOB.format(url=NOBODY).replace("}", f", {secret}}}", 1))

    ended = bulkip("doctor", "--job", "job.yaml", "--offline", cwd=tmp_path)

    assert (ended.code, ended.err) == (code, ""), ended.out
    assert words in ended.out
    assert "a-token-in-a-file" not in ended.out


def test_storage_that_takes_no_run_is_found(tmp_path: Path) -> None:
    """Where no run can be kept, the check ends as a run would."""
    (tmp_path / "file").write_text("")

    ended = bulkip("doctor", "--offline", "--run-dir", "file", cwd=tmp_path)

    assert ended.code == 6
    assert "no folder" in line(ended, "storage")


def test_proxies_are_named_and_not_shown(tmp_path: Path) -> None:
    """A proxy in the environment is told to be ignored; what stands in it may be a password."""
    ended = bulkip("doctor", "--offline", cwd=tmp_path, env={"https_proxy": "http://me:s3cret@proxy:3128"})

    assert line(ended, "proxy").startswith(
        "warn   proxy    https_proxy: proxies of the environment are ignored"
    )
    assert "s3cret" not in ended.out


def test_account_that_is_at_work_is_not_disturbed(tmp_path: Path, api: Simulator) -> None:
    """While another run holds the account's lock, the API is not asked."""
    holder = Holder("run", "nightly", os.getpid(), "here", 1.0)
    lock = take(account_locks(os.environ) / lock_name(api.url, TOKEN), holder)
    assert lock is not None
    with lock:
        ended = doctor(tmp_path, api.url)

    assert ended.code == 0
    assert line(ended, "api").startswith("warn   api      not asked: ")
    assert api.log.entries() == []


def test_killed_plan_is_found(tmp_path: Path) -> None:
    """What a plan left that was killed while it was made is told with the command that removes it."""
    left = tmp_path / ".bulkip" / "runs" / ID
    left.mkdir(parents=True)
    (left / "run.partial").touch()

    ended = bulkip("doctor", "--offline", cwd=tmp_path)

    assert ended.code == 0
    assert f"rm -r .bulkip/runs/{ID}" in ended.out


def test_setup_is_told_to_programs(tmp_path: Path) -> None:
    """Programs get the same as JSON."""
    told = json.loads(bulkip("doctor", "--offline", "--format", "json", cwd=tmp_path).out)

    assert [finding["grade"] for finding in told["findings"]] == ["ok"] * 5 + ["warn"]
    assert told["exit_code"] == 0


def test_honest_run_is_believed(tmp_path: Path) -> None:
    """A run that keeps every law gets a line for each, and the commands to go on with."""
    kept(tmp_path)

    ended = bulkip("doctor", "last", cwd=tmp_path)

    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0] == f"{ID}: ptr-migration, 8 items: 4 changed, 1 unchanged, 1 ok, 1 unknown, 1 skipped"
    assert [text[:2] for text in lines[1:11]] == ["ok"] * 10
    assert lines[-1] == f"  bulkip resume {ID}"


def test_broken_law_ends_with_three(tmp_path: Path) -> None:
    """A law that is broken is told with its place and the way out, and the exit code says so."""
    tampered(kept(tmp_path), "DELETE FROM attempt WHERE item = 1")

    ended = bulkip("doctor", ID[:8], cwd=tmp_path)

    assert ended.code == 3
    assert "wrong  L4       1 time: `changed`, but no write was accepted" in ended.out
    assert "203.0.113.1 update_ptr (item 1, key " in ended.out
    assert "-> do not rely on these rows" in ended.out


def test_run_is_told_to_programs(tmp_path: Path) -> None:
    """Programs get counts, findings, the next commands and the exit code."""
    tampered(kept(tmp_path), "UPDATE start SET exit_code = 0")

    told = json.loads(bulkip("doctor", "last", "--format", "json", cwd=tmp_path).out)

    wrongs = [finding for finding in told["findings"] if finding["grade"] == "wrong"]
    assert [finding["subject"] for finding in wrongs] == ["L7"]
    assert (told["run"], told["total"], told["exit_code"]) == (ID, 8, 3)
    assert told["next"][-1] == f"bulkip resume {ID}"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["last"], 6, "run store", id="unreadable"),
        pytest.param(["2030"], 2, "no run `2030`", id="unknown-run"),
        pytest.param(["last", "--offline"], 2, "leave RUN out", id="mixed"),
    ],
)
def test_what_cannot_be_checked_is_an_error(
    tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    """A store that cannot be read ends as elsewhere, and so does a wrong command line."""
    (kept(tmp_path) / "run.db").write_bytes(b"no store" * 99)

    ended = bulkip("doctor", *arguments, cwd=tmp_path)

    assert (ended.code, ended.out) == (code, "")
    assert words in ended.err


def test_hostile_store_does_not_write_to_the_terminal(tmp_path: Path) -> None:
    """What somebody planted in a store is shown without its control characters."""
    tampered(kept(tmp_path), "UPDATE item SET ip = '1' || char(27) || '[2J' WHERE number = 1")

    ended = bulkip("doctor", "last", cwd=tmp_path)

    assert ended.code == 3
    assert "\x1b" not in ended.out


def test_help_ends_with_examples(tmp_path: Path) -> None:
    """Help can be pasted, and explains the exit codes."""
    out = bulkip("doctor", "--help", cwd=tmp_path).out

    assert "Examples:\n    bulkip doctor\n" in out
    assert "3 a law is broken" in out


@pytest.mark.parametrize("made_by", ["run", "undo", "apply"])
def test_every_law_holds_in_what_the_commands_leave(tmp_path: Path, made_by: str) -> None:
    """The store of a run, of its undo and of an applied plan are whole, law by law."""
    (tmp_path / "job.yaml").write_text(
        "version: 1\ntargets: [{cidr: 203.0.113.0/29, id: 4711}]\n"
        'actions: [{action: update_ptr, with: {ptr: "{{ ip.dashed }}.example.net"}}]\n'
        "limits: {rate: 1000/s}\n"
    )
    bulkip("plan", "job.yaml", "--simulate", "-q", "-o", "plan.json", cwd=tmp_path)
    commands = {
        "run": [["run", "job.yaml", "--simulate", "--yes"]],
        "undo": [["run", "job.yaml", "--simulate", "--yes"], ["undo", "last", "--yes"]],
        "apply": [["apply", "plan.json", "--yes"]],
    }
    codes = [bulkip(*command, cwd=tmp_path).code for command in commands[made_by]]

    ended = bulkip("doctor", "last", cwd=tmp_path)

    assert codes == [0] * len(codes)
    assert ended.code == 0, ended.out
