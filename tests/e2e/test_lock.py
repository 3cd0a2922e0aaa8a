"""Two commands at once: one works, the other is told who does, waits, or gives up; nothing is sent twice."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from threading import Semaphore
from typing import Any

import pytest

from bulkip.simulator import EmbeddedSimulator, Fault, Seed, Simulator, SimulatorSettings
from tests.program import Ended, bulkip, clean_environment

PATIENCE_S = 30
SECRET = "e2e-lock-0123456789"
KEY = "e2e-lock-key-0123456789"
READY = "token: 'env:HOSTKEY_TOKEN'"
NEVER = Fault(action="get_ip", times=1, hang_s=600)
SILENCE = "version: 1\nfaults: [{action: get_ip, hang: 60s}]\n"
QUICK = ("--progress", "plain", "--grace", "0s")


class Arrivals(StringIO):
    """A request log that tells of each call about an address."""

    def __init__(self) -> None:
        """Nobody has called yet."""
        super().__init__()
        self._news = Semaphore(0)

    def write(self, line: str) -> int:
        """Tell of a call."""
        if '"action": "get_ip"' in line:
            self._news.release()
        return super().write(line)

    def forget(self) -> None:
        """Take the calls until now for old news."""
        while self._news.acquire(blocking=False):
            pass

    def wait(self) -> None:
        """Wait for a call that is news."""
        assert self._news.acquire(timeout=PATIENCE_S), "nobody called"


@dataclass(frozen=True)
class Site:
    """A folder with a job, its provider, and the state folder of the user who runs it."""

    folder: Path
    api: Simulator
    arrivals: Arrivals
    state: Path

    @property
    def env(self) -> dict[str, str]:
        """Whatever a command needs: the token, and where locks lie."""
        return {"HOSTKEY_TOKEN": SECRET, "XDG_STATE_HOME": str(self.state)}

    def write_job(self, name: str = "job.yaml", url: str = "", secret: str = READY) -> None:
        """Write a job that reads one address."""
        (self.folder / name).write_text(
            f"version: 1\nname: lock-job\napi: {{url: '{url or self.api.url}', {secret}}}\n"
            "targets: [203.0.113.7]\nactions: [{action: get_ip}]\nlimits: {rate: 100/s}\n"
        )

    def bulkip(self, *arguments: str, **env: str) -> Ended:
        """Run a command to its end."""
        return bulkip(*arguments, cwd=self.folder, env=self.env | env)

    def locks(self) -> list[Path]:
        """Return the lock files of accounts."""
        return sorted((self.state / "bulkip" / "locks").glob("*"))

    def runs(self) -> list[Path]:
        """Return the folders of runs."""
        return sorted((self.folder / ".bulkip" / "runs").glob("*"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Serve one address to whoever has the token or the key."""
    settings = SimulatorSettings(token=SECRET, keys=(KEY,), log=(arrivals := Arrivals()))
    with EmbeddedSimulator([Seed("203.0.113.7", 4711, "NL")], settings) as api:
        (tmp_path / "work").mkdir()
        site = Site(tmp_path / "work", api, arrivals, tmp_path / "state")
        site.write_job()
        yield site


@contextmanager
def started(
    site: Site, until: str, *arguments: str, env: Mapping[str, str] | None = None, **settings: Any
) -> Iterator[subprocess.Popen[str]]:
    """Start a command and wait until it tells something; it is ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bulkip", *arguments],
        cwd=site.folder,
        env=clean_environment() | site.env | dict(env or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        **settings,
    )
    with process:
        try:
            assert process.stderr is not None
            told = iter(process.stderr.readline, "")
            assert any(until in line for line in told), "it never came so far"
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()


def ended(process: subprocess.Popen[str]) -> Ended:
    """Wait for the end of a command that was started."""
    _out, err = process.communicate(timeout=PATIENCE_S)
    return Ended(process.returncode, "", err)


@contextmanager
def holding(
    site: Site, *options: str, env: Mapping[str, str] | None = None, **settings: Any
) -> Iterator[subprocess.Popen[str]]:
    """Start a run whose only call is never answered, and wait until that call is there."""
    site.api.fault(NEVER)
    site.arrivals.forget()
    with started(site, "applying", "run", "job.yaml", *QUICK, *options, env=env, **settings) as process:
        site.arrivals.wait()
        yield process


def test_second_run_is_refused_and_told_who_works(site: Site) -> None:
    """A second run exits 8 at once with one line: which run, which process, since when, and the way out."""
    with holding(site) as holder:
        seen = site.api.log.total
        second = site.bulkip("run", "job.yaml")

        (run,) = site.runs()
        assert second.code == 8
        assert second.err.count("\n") == 1
        assert re.search(
            rf"^{site.api.url}: another run holds the lock of this account: run {run.name} of job `lock-job` "
            rf"\(`run`, pid {holder.pid} on \S+, since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC\); "
            r"wait for it with `--lock-timeout 5m`, or end that one$",
            second.err,
        )
        assert site.api.log.total == seen


def test_refused_run_leaves_nothing(site: Site) -> None:
    """A run that is refused makes no folder, and does not disturb the lock of the one that works."""
    with holding(site):
        before = (site.runs(), [(lock, lock.read_text()) for lock in site.locks()])
        site.bulkip("run", "job.yaml", "--report", "csv=rows.csv")

        assert (site.runs(), [(lock, lock.read_text()) for lock in site.locks()]) == before
        assert not (site.folder / "rows.csv").exists()


def unfinished(site: Site) -> str:
    """Leave a run that can be resumed, and return its id."""
    with holding(site) as killed:
        killed.kill()
        killed.wait()
    return site.runs()[-1].name


def failed(site: Site) -> str:
    """Leave a run that can be retried, and return its id."""
    site.api.fault(Fault(action="get_ip", times=1, json={"code": -1, "message": "no such address"}))
    assert site.bulkip("run", "job.yaml").code == 3
    return site.runs()[-1].name


@pytest.mark.parametrize(
    ("left", "command", "options"),
    [
        pytest.param(unfinished, "resume", [], id="resume"),
        pytest.param(unfinished, "resume", ["--rebase"], id="rebase"),
        pytest.param(failed, "retry", [], id="retry"),
    ],
)
def test_every_command_that_calls_the_api_is_refused(
    site: Site, left: Callable[[Site], str], command: str, options: list[str]
) -> None:
    """To go on with an earlier run needs the lock of its account, like a run of its own."""
    earlier = left(site)
    with holding(site):
        seen = site.api.log.total
        refused = site.bulkip(command, earlier, *options)

        assert (refused.code, site.api.log.total) == (8, seen), refused.err
        assert "holds the lock of this account" in refused.err


def test_question_about_free_addresses_is_not_asked(site: Site) -> None:
    """A job that asks the API for its targets while planning is refused before that."""
    (site.folder / "free.yaml").write_text(
        f"version: 1\napi: {{url: '{site.api.url}'}}\ntargets: [{{free_ips: {{id: 15, location: NL}}}}]\n"
        "actions: [{action: get_ip}]\n"
    )
    with holding(site):
        refused = site.bulkip("run", "free.yaml")

    assert (refused.code, site.api.state.count("list_free_ip")) == (8, 0)


@pytest.mark.parametrize(
    "how", [("--lock-timeout", "1m"), ("BULKIP_LOCK_TIMEOUT", "1m")], ids=["option", "environment"]
)
def test_run_that_waits_goes_on_when_the_other_ends(site: Site, how: tuple[str, str]) -> None:
    """With --lock-timeout a run says once what it waits for, and begins when that has ended."""
    options, env = (how, {}) if how[0].startswith("-") else ((), dict([how]))
    with (
        holding(site) as holder,
        started(site, "waiting up to 1m", "run", "job.yaml", *options, env=env) as waiting,
    ):
        assert len(site.runs()) == 1
        holder.send_signal(signal.SIGINT)
        first, second = ended(holder), ended(waiting)

    assert (first.code, second.code) == (130, 0), second.err
    assert "waiting up to" not in second.err
    assert site.locks() == []


def test_run_that_waited_long_enough_is_refused(site: Site) -> None:
    """When the time of --lock-timeout is over, the run exits 8 and says how long it waited."""
    with holding(site):
        refused = site.bulkip("run", "job.yaml", "--lock-timeout", "300ms")

    assert refused.code == 8
    assert refused.err.count("waiting up to 300ms") == 1
    assert "waited 300ms; wait longer with `--lock-timeout`" in refused.err


def test_quiet_run_waits_without_a_word(site: Site) -> None:
    """With -q only the refusal itself is told."""
    with holding(site):
        refused = site.bulkip("run", "job.yaml", "-q", "--lock-timeout", "200ms")

    assert (refused.code, refused.err.count("\n")) == (8, 1)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
@pytest.mark.parametrize("command", ["run", "resume"])
def test_signal_ends_the_waiting(site: Site, command: str, number: signal.Signals, code: int) -> None:
    """Ctrl-C while waiting leaves in order: no traceback, no run, and the other one goes on."""
    arguments = [command, "job.yaml" if command == "run" else "last", "--lock-timeout", "5m"]
    with holding(site) as holder, started(site, "waiting up to 5m", *arguments) as waiting:
        waiting.send_signal(number)
        left = ended(waiting)

        assert (left.code, left.err.strip()) == (code, "stopped")
        assert (len(site.runs()), len(site.locks()), holder.poll()) == (1, 1, None)


def test_killed_holder_gives_the_way_free(site: Site) -> None:
    """After kill -9 the next command begins at once, whatever the dead one left lying there."""
    with holding(site) as holder:
        holder.kill()
        holder.wait()
        left = site.locks()
        resumed = site.bulkip("resume")

    assert len(left) == 1
    assert resumed.code == 0, resumed.err
    assert site.locks() == []


def test_stopped_holder_still_holds(site: Site) -> None:
    """A run that was suspended with Ctrl-Z is not passed by: it will go on."""
    with holding(site) as holder:
        holder.send_signal(signal.SIGSTOP)
        refused = site.bulkip("run", "job.yaml")

    assert refused.code == 8


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        pytest.param("http{rest}/", READY, id="trailing-slash"),
        pytest.param("HTTP{rest}", READY, id="case"),
        pytest.param("http{rest}", "token: 'env:MINE'", id="other-variable"),
        pytest.param("http{rest}", "key: 'env:MINE'", id="as-a-key"),
    ],
)
def test_same_account_is_recognised(site: Site, url: str, secret: str) -> None:
    """One secret at one place is one account, however the two jobs spell it."""
    site.write_job("other.yaml", url.format(rest=site.api.url.removeprefix("http")), secret)
    with holding(site):
        refused = site.bulkip("run", "other.yaml", MINE=SECRET)

    assert refused.code == 8, refused.err


def test_other_account_is_left_in_peace(site: Site) -> None:
    """Another secret at the same API has a lock of its own."""
    site.write_job("other.yaml", secret="key: 'env:MINE'")
    with holding(site):
        other = site.bulkip("run", "other.yaml", MINE=KEY)
        assert len(site.locks()) == 1

    assert other.code == 0, other.err


def test_same_token_elsewhere_is_left_in_peace(site: Site) -> None:
    """The same token at another URL is another account."""
    with EmbeddedSimulator([Seed("203.0.113.7", 4711)], SimulatorSettings(token=SECRET)) as elsewhere:
        site.write_job("other.yaml", elsewhere.url)
        with holding(site):
            other = site.bulkip("run", "other.yaml")

    assert other.code == 0, other.err


def test_rehearsal_needs_no_lock(site: Site) -> None:
    """--simulate runs beside a real run of the same account, and makes no state folder by itself."""
    with holding(site):
        beside = site.bulkip("run", "job.yaml", "--simulate")
    alone = site.bulkip("run", "job.yaml", "--simulate", XDG_STATE_HOME=str(site.folder / "unused"))

    assert (beside.code, alone.code) == (0, 0), beside.err
    assert not (site.folder / "unused").exists()


def test_run_is_resumed_once_at_a_time(site: Site) -> None:
    """A run that is under way is not resumed beside itself, even with the token of another account."""
    with holding(site) as holder:
        (run,) = site.runs()
        refused = site.bulkip("resume", run.name, HOSTKEY_TOKEN=f"{SECRET}-2")

    assert refused.code == 8
    assert f"{run.name}: another command holds the lock of this run: run {run.name}" in refused.err
    assert f"pid {holder.pid}" in refused.err
    assert site.api.state.count("get_ip") == 1


def test_rehearsal_is_resumed_once_at_a_time(site: Site) -> None:
    """The lock of a run holds for simulated runs too; nobody else meets it."""
    (site.folder / "faults.yaml").write_text(SILENCE)
    with started(site, "applying", "run", "job.yaml", *QUICK, "--faults", "faults.yaml"):
        (run,) = site.runs()
        refused = site.bulkip("resume", run.name)
        other = site.bulkip("run", "job.yaml", "--simulate")

    assert (refused.code, other.code) == (8, 0), refused.err
    assert "holds the lock of this run" in refused.err


def test_resume_that_waited_for_the_end_has_nothing_to_do(site: Site) -> None:
    """A resume that waits looks again when it is its turn: what was finished meanwhile is not done twice."""
    unfinished(site)
    site.api.fault(Fault(action="get_ip", times=1, delay_s=1))
    with started(site, "applying", "resume", *QUICK) as second:
        second.send_signal(signal.SIGSTOP)
        with started(site, "waiting up to 1m", "resume", "--lock-timeout", "1m") as third:
            second.send_signal(signal.SIGCONT)
            first_code, late = ended(second).code, ended(third)

    assert first_code == 0
    assert (late.code, "nothing is left to do" in late.err) == (2, True), late.err
    assert site.api.state.count("get_ip") == 2


def test_lock_of_a_run_leaves_nothing_and_disturbs_nobody(site: Site) -> None:
    """While a run is under way `runs` and `report` work, and afterwards its folder holds its store alone."""
    with holding(site) as holder:
        (run,) = site.runs()
        listed = site.bulkip("runs", "--format", "jsonl")
        reported = site.bulkip("report", run.name, "-f", "jsonl")
        holder.send_signal(signal.SIGINT)
        ended(holder)

    assert (listed.code, reported.code) == (0, 0)
    assert listed.out.count("\n") == 1
    assert [path.name for path in run.iterdir()] == ["run.db"]


def file_in_the_way(site: Site) -> dict[str, str]:
    """Let the state folder be a file."""
    site.state.write_text("a file")
    return {}


def own_file_in_the_way(site: Site) -> dict[str, str]:
    """Let our folder below the state folder be a file."""
    site.state.mkdir()
    (site.state / "bulkip").write_text("a file")
    return {}


def loop_in_the_way(site: Site) -> dict[str, str]:
    """Let the state folder be a link that leads to itself."""
    site.state.symlink_to(site.state)
    return {}


def device(_site: Site) -> dict[str, str]:
    """Let the state folder be a device, as some set it for `nobody`."""
    return {"XDG_STATE_HOME": "/dev/null"}


def no_home(site: Site) -> dict[str, str]:
    """Let the home be a folder that was never made, as for users of services."""
    return {"XDG_STATE_HOME": "", "HOME": str(site.folder / "nonexistent")}


@pytest.mark.parametrize(
    "spoil",
    [file_in_the_way, own_file_in_the_way, loop_in_the_way, device, no_home],
    ids=lambda f: f.__name__,
)
def test_lock_lies_below_the_run_dir_when_there_is_no_state_folder(site: Site, spoil: Any) -> None:
    """Where no lock can lie in the state folder, the run warns, and locks --run-dir instead."""
    env = spoil(site)
    with holding(site, env=env):
        same = site.bulkip("run", "job.yaml", **env)
        other = site.bulkip("run", "job.yaml", "--run-dir", "elsewhere", **env)
        (lock,) = (site.folder / ".bulkip" / "locks").iterdir()

        assert (same.code, other.code) == (8, 0), other.err
        assert "the lock lies in .bulkip/locks, where only runs with this --run-dir look for it" in same.err
        assert (lock.stat().st_mode & 0o777, lock.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_no_place_for_any_lock_halts_before_anything_is_sent(site: Site) -> None:
    """Where neither place can hold a lock, nothing is sent: exit 6, and no traceback."""
    site.state.write_text("a file")
    (site.folder / ".bulkip").write_text("a file")

    halted = site.bulkip("run", "job.yaml")

    assert (halted.code, site.api.log.total) == (6, 0)
    assert ".bulkip/locks: no lock can lie here" in halted.err
    assert "Traceback" not in halted.err


def test_lock_is_private_and_tells_no_secret(site: Site) -> None:
    """With umask 0 the lock is 0600 in a folder 0700; it names the run, and neither token nor its digest."""
    with holding(site, umask=0):
        (run,) = site.runs()
        files = [*site.locks(), run / "run.lock"]
        text = "".join(f"{file.name} {file.read_text()}" for file in files)

        assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]
        assert files[0].parent.stat().st_mode & 0o777 == 0o700
        assert run.name in text
        assert SECRET not in text


def test_wrong_duration_is_refused(site: Site) -> None:
    """A wrong time to wait is a wrong command line."""
    refused = site.bulkip("run", "job.yaml", "--lock-timeout", "soon")

    assert (refused.code, site.runs()) == (2, [])
    assert "`soon` is not a duration" in refused.err
