"""A run of eight items that meets every kind of answer, small enough to be done hundreds of times."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bulkip.model import JsonValue
from bulkip.reports.rows import report_rows
from bulkip.reports.summary import summary
from bulkip.simulator import EmbeddedSimulator, Fault, Seed, Simulator, SimulatorSettings
from bulkip.store import RunReader
from tests.chaos.forked import Start, started
from tests.chaos.laws import Evidence, Violation, unfinished, violations
from tests.chaos.spellings import secrets_below
from tests.chaos.witness import run_folder
from tests.rehearsal import attempts_of

TOKEN = "t+Ke9fJq2L/x=8&Zr4"
REFUSED: JsonValue = {"code": -1, "message": f"zone reload for {TOKEN}"}
DENIED: JsonValue = {"code": -1, "message": "access denied"}
MOST_RESUMES = 6
HANG_S = 2.0
LOOK_EVERY_S = 0.002
ELSEWHERE = 0.0
"""When somebody else writes, by the clock of the provider: he does not go through its front door."""


def address(number: int) -> str:
    """Return one of the eight addresses."""
    return f"203.0.113.{number}"


PLAN: Mapping[str, str] = {address(n): f"new-{n}.example.net" for n in range(1, 9)}
ALREADY = address(8)
FAULTS = (
    Fault(action="update_ptr", ip=address(2), attempts=(1,), reset="after"),
    Fault(action="update_ptr", ip=address(3), attempts=(1,), reset="before"),
    Fault(action="update_ptr", ip=address(4), attempts=(1,), status=503),
    Fault(action="update_ptr", ip=address(5), json=REFUSED, effect=True),
    Fault(action="update_ptr", ip=address(6), json=DENIED),
    Fault(action="get_ptr", ip=address(7), attempts=(1,), body="<html>"),
)


@dataclass(frozen=True, slots=True)
class SmallRun:
    """A folder with the job in it, and the provider that it is for."""

    home: Path
    api: Simulator

    @property
    def run_dir(self) -> Path | None:
        """The folder of the run; None while there is none."""
        return run_folder(self.home / ".bulkip")

    def step(self, switch: Callable[[], None] | None = None) -> int:
        """Begin the run or go on with it, to its end or its kill; return how that ended."""
        return self.go(*self.next_command(), switch=switch)

    def next_command(self) -> tuple[str, ...]:
        """Return what a user would type now."""
        run_dir = self.run_dir
        return ("run", "job.yaml") if run_dir is None else ("resume", run_dir.name)

    def go(self, *command: str, switch: Callable[[], None] | None = None) -> int:
        """Carry a command out, and return how it ended."""
        with started(self._start(command, switch)) as program:
            return program.code()

    def cut_off(self, ip: str, *, effect: bool) -> None:
        """Go on with the run, and kill it while a write of an address is under way, if it comes to that."""
        self.api.fault(Fault(action="update_ptr", ip=ip, times=1, hang_s=HANG_S, effect=effect))
        before = self.api.state.count("update_ptr", ip)
        with started(self._start(self.next_command())) as program:
            while program.alive(LOOK_EVERY_S) and self.api.state.count("update_ptr", ip) == before:
                pass

    def _start(self, command: tuple[str, ...], switch: Callable[[], None] | None = None) -> Start:
        environment = {"HOSTKEY_TOKEN": TOKEN, "XDG_STATE_HOME": str(self.home / "state")}
        return Start((*command, "--yes"), self.home, environment, first=switch)

    def finish(self) -> None:
        """Go on with the run until nothing is left."""
        for _ in range(MOST_RESUMES):
            self.step()
            if not unfinished(self.evidence()):
                break

    def evidence(self) -> Evidence:
        """Return what is known of the run now."""
        run_dir = self.run_dir
        assert run_dir is not None
        with RunReader(run_dir) as reader:
            rows: list[dict[str, Any]] = [*report_rows(reader)]
            told = summary(reader)
        seen = [asdict(entry) for entry in self.api.log.entries()]
        state = {ip: self.api.state.ptr_of(ip) for ip in PLAN}
        replaced = [(done.ip, done.before) for done in self.api.state.writes() if done.at != ELSEWHERE]
        attempts = attempts_of(run_dir)
        return Evidence(PLAN, rows, attempts, seen, state, summary=told, replaced=replaced)

    def broken(self) -> list[str]:
        """Return which laws are broken now, in words; before there is a run nothing may have been sent."""
        secrets = secrets_below(self.home, TOKEN)
        if self.run_dir is None:
            return secrets + [
                f"{entry.action} of {entry.ip} without a run" for entry in self.api.log.entries()
            ]
        found: list[Violation] = violations(self.evidence())
        return secrets + [str(violation) for violation in found]


@contextmanager
def small_run(
    home: Path, faults: tuple[Fault, ...] = FAULTS, read_again_after: str = "5m"
) -> Iterator[SmallRun]:
    """Serve a provider of our own, and write the job that is for it."""
    home.mkdir()
    seeds = [Seed(ip, 4711, "NL", "old.example.org" if ip != ALREADY else PLAN[ip]) for ip in PLAN]
    with EmbeddedSimulator(seeds, SimulatorSettings(token=TOKEN, faults=faults)) as api:
        rows = "".join(f"{ip},{ptr}\n" for ip, ptr in PLAN.items())
        (home / "rows.csv").write_text("ip,ptr\n" + rows)
        (home / "job.yaml").write_text(
            f"version: 1\nname: small\napi: {{url: '{api.url}'}}\ntargets: [{{csv: rows.csv}}]\n"
            "actions: [{action: update_ptr, with: {id: 4711}}]\nlimits: {rate: 5000/s, concurrency: 3}\n"
            "retry: {base: 1ms, max: 2ms}\nverify: {settle: 5ms}\n"
            f"safety: {{read_again_after: {read_again_after}}}\nreports: [jsonl=rows.jsonl]\n"
        )
        yield SmallRun(home, api)
