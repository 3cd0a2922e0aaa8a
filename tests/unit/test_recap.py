"""What a run tells at its end, read from its store."""

from collections.abc import Iterable
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

import pytest
from anyio import run

from bulkip.cli.desk import Answers, TerminalDesk
from bulkip.frozen import replace as changed
from bulkip.model import Counts, ErrorClass, Result, Status
from bulkip.policy import ReportSpec
from bulkip.progress import Silent
from bulkip.reports.nextsteps import Left, next_steps
from bulkip.run.ending import Conclusion
from bulkip.run.hints import HINTS
from bulkip.run.planning import Prepared
from bulkip.run.recap import recap_lines
from bulkip.settings import Job, load_job
from bulkip.stops import Stop, StopKind
from bulkip.store import RunReader, open_writer
from tests.storedruns import HEADER, frozen, item, settled

CHANGED = Result(Status.CHANGED)
REFUSED = Result(
    Status.FAILED, ErrorClass.INVALID, message="IP is not assigned for server 4711 of this account, it says"
)
LATE = Result(Status.FAILED, ErrorClass.TIMEOUT, message="no answer within 30 s")
DOUBTFUL = Result(Status.UNKNOWN, ErrorClass.NETWORK, message="the answer was lost")
INTERRUPTED = Stop(StopKind.SIGNAL, "SIGINT received", ErrorClass.CANCELLED, signal=2)
WAITS = [
    {"reason": "Retry-After", "times": 2, "seconds": 84.0},
    {"reason": "throttled", "times": 1, "seconds": 3.0},
]


@dataclass(frozen=True, slots=True)
class End:
    """What a test says about the end of a run besides its results."""

    code: int = 3
    stop: Stop | None = None
    safety: str | None = None
    reports: tuple[ReportSpec, ...] = ()
    simulated: bool = False


def job(folder: Path) -> Job:
    """Return some job."""
    path = folder / "ptr-migration.yaml"
    path.write_text("version: 1\nname: ptr-migration\nactions: [{action: get_client_ip}]\n")
    loaded = load_job(path).job
    assert loaded is not None
    return loaded


def concluded(folder: Path, results: Iterable[Result | None], end: End | None = None) -> Conclusion:
    """Return the conclusion of a run whose items ended so; None stands for one that was not run."""
    end = end or End()
    pairs = [(item(number), result) for number, result in enumerate(results, 1)]
    run_dir = folder / ".bulkip" / "runs" / HEADER.id
    header = replace(HEADER, simulated=end.simulated)
    frozen(run_dir, [one for one, _ in pairs], header)
    settled(run_dir, *[(one, result) for one, result in pairs if result is not None])
    run(_close, run_dir, end.code)
    with RunReader(run_dir) as reader:
        counts = reader.counts()
    prepared = Prepared(run_dir, header, job(folder), len(pairs), len(pairs), 0)
    return Conclusion(prepared, counts, end.code, end.stop, end.safety, end.reports)


async def _close(run_dir: Path, code: int) -> None:
    async with open_writer(run_dir) as writer:
        number = await writer.begin_start(1_000.0)
        await writer.remember("waits", WAITS)
        await writer.end_start(number, 1_245.0, code, None)


def recap(
    folder: Path, results: Iterable[Result | None], end: End | None = None, width: int | None = None
) -> str:
    """Return the recap of such a run, its folder written as FOLDER."""
    return "\n".join(recap_lines(concluded(folder, results, end), width)).replace(str(folder), "FOLDER")


def test_recap_tells_everything_about_a_run(tmp_path: Path) -> None:
    """Counts, time, calls, waits, errors by class with example and hint, reports, and the next command."""
    reports = (ReportSpec("csv", "ptr.csv"), ReportSpec("jsonl", "-"))

    told = recap(tmp_path, [CHANGED, LATE, REFUSED, REFUSED], End(reports=reports, simulated=True))

    assert told.splitlines() == [
        "SIMULATED ptr-migration: 4 items: 1 changed, 3 failed",
        "  took     4 min 5 s",
        "  calls    4",
        "  waited   1 min 24 s in 2 pauses: Retry-After",
        "           3.0 s in 1 pause: throttled",
        "  errors   invalid: 2 items",
        "               example: 203.0.0.3: IP is not assigned for server 4711 of this account, it says",
        "               hint: check id and address of these rows",
        "           timeout: 1 item",
        "               example: 203.0.0.2: no answer within 30 s",
        "               hint: the API was slow; try again later or raise --timeout",
        "  report   ptr.csv (csv)",
        "  run      FOLDER/.bulkip/runs/20260901T031500-abc123",
        "  rows     bulkip report 20260901T031500-abc123 -f text --run-dir FOLDER/.bulkip",
        "  next     bulkip retry 20260901T031500-abc123 --run-dir FOLDER/.bulkip",
        "               tries the 3 failed again",
        "  exit     3",
    ]


def test_recap_of_a_clean_run_is_short(tmp_path: Path) -> None:
    """Where nothing went wrong, there are no errors and nothing to do next."""
    told = recap(tmp_path, [CHANGED], End(code=0))

    assert [line.split()[0] for line in told.splitlines() if line.strip()[0] not in "0123456789"] == [
        "ptr-migration:", "took", "calls", "waited", "run", "rows", "exit",
    ]  # fmt: skip


@pytest.mark.parametrize("width", [40, 80])
def test_recap_breaks_between_words(tmp_path: Path, width: int) -> None:
    """Sentences fit the terminal; a command or a path is never broken, because it is to be pasted."""
    told = recap(tmp_path, [CHANGED, REFUSED, DOUBTFUL, None], width=width)

    sentences = [line for line in told.splitlines() if "FOLDER" not in line and "20260901T" not in line]
    assert max(map(len, sentences)) <= width
    assert "\n           bulkip resume 20260901T031500-abc123 --run-dir FOLDER/.bulkip\n" in told


@pytest.mark.parametrize(
    ("message", "told"),
    [
        pytest.param("many words " * 100, f"203.0.0.1: {('many words ' * 100)[:200]}...", id="long"),
        pytest.param("two\nlines", "203.0.0.1: two lines", id="lines"),
        pytest.param(None, "203.0.0.1: no text", id="silent"),
        pytest.param("[red]{0}%s\\n", "203.0.0.1: [red]{0}%s\\n", id="markup"),
    ],
)
def test_example_is_one_bounded_piece_of_text(tmp_path: Path, message: str | None, told: str) -> None:
    """What a server says takes a bounded place in the recap, and means nothing there."""
    assert f"example: {told}\n" in recap(tmp_path, [changed(REFUSED, message=message)])


def test_every_error_class_has_a_hint() -> None:
    """Whatever went wrong, the user is told what to do about it."""
    assert [one for one in ErrorClass if one not in HINTS] == []


RUN_DIR = Path(".bulkip/runs/20260901T031500-abc123")


def steps(left: Left) -> list[tuple[str, str]]:
    """Return the commands without the run's id, and what they are for."""
    return [
        (step.command.replace(f" {RUN_DIR.name}", ""), step.purpose) for step in next_steps(left, RUN_DIR)
    ]


@pytest.mark.parametrize(
    ("left", "told"),
    [
        pytest.param(Left(Counts({Status.CHANGED: 5})), [], id="nothing"),
        pytest.param(
            Left(Counts({Status.FAILED: 1_200})),
            [("bulkip retry", "tries the 1,200 failed again")],
            id="failed",
        ),
        pytest.param(
            Left(Counts({Status.NOT_RUN: 5, Status.FAILED: 1}), StopKind.SIGNAL),
            [
                ("bulkip resume", "carries out the 5 that were not run"),
                ("bulkip retry", "tries the 1 failed again"),
            ],
            id="stopped",
        ),
        pytest.param(
            Left(Counts({Status.NOT_RUN: 5}), StopKind.HALT, ("--max-failed", "12%")),
            [("bulkip resume --max-failed 12%", "carries out the 5 that were not run")],
            id="limit-that-it-needs",
        ),
        pytest.param(
            Left(Counts({Status.NOT_RUN: 5}), StopKind.ACCESS),
            [("bulkip resume", "when what is told above is settled: carries out the 5 that were not run")],
            id="access",
        ),
        pytest.param(
            Left(Counts({Status.NOT_RUN: 5}), refused=True),
            [("bulkip resume", "when what is told above is settled: carries out the 5 that were not run")],
            id="not-confirmed",
        ),
        pytest.param(
            Left(Counts({Status.UNKNOWN: 2}), doubtful_ip="203.0.113.7"),
            [
                ("bulkip explain 203.0.113.7", "what is known of a write in doubt"),
                ("bulkip resume", "reads 2 back"),
            ],
            id="in-doubt",
        ),
    ],
)
def test_next_command_fits_what_is_left(left: Left, told: list[tuple[str, str]]) -> None:
    """Items not run are resumed, failed ones retried, and a write in doubt is explained first."""
    assert steps(left) == told


def test_command_about_a_run_elsewhere_says_where(tmp_path: Path) -> None:
    """A command can be pasted even where runs are kept in a folder with a strange name."""
    run_dir = tmp_path / "my runs" / "runs" / "20260901T031500-abc123"

    (step,) = next_steps(Left(Counts({Status.FAILED: 1})), run_dir)

    assert step.command == f"bulkip retry 20260901T031500-abc123 --run-dir '{tmp_path / 'my runs'}'"


def test_recap_names_an_address_in_doubt(tmp_path: Path) -> None:
    """A write that may have happened is named, so that it can be looked at."""
    assert "bulkip explain 20260901T031500-abc123 203.0.0.2 " in recap(tmp_path, [CHANGED, DOUBTFUL])


def test_address_in_doubt_is_named_however_far_down(tmp_path: Path) -> None:
    """A long run is asked for its first doubt, not looked through as far as patience goes."""
    told = recap(tmp_path, [*[None] * 20_000, DOUBTFUL])

    assert f"bulkip explain {HEADER.id} {item(20_001).ip} " in told


def said(conclusion: Conclusion, *, quiet: bool) -> list[str]:
    """Return the lines that a desk writes to stderr at the end."""
    with redirect_stderr(StringIO()) as stderr:
        TerminalDesk(Silent(), Answers(yes=True, confirm=None), quiet=quiet).recap(conclusion)
    return stderr.getvalue().splitlines()


def test_quiet_run_tells_only_why_it_stopped(tmp_path: Path) -> None:
    """With -q nothing is written but what ended the run, and what it left."""
    conclusion = concluded(tmp_path, [CHANGED, None], End(code=130, stop=INTERRUPTED))

    assert said(conclusion, quiet=True) == ["stopped: SIGINT received; 1 item not run"]


def test_reason_comes_before_the_recap(tmp_path: Path) -> None:
    """What stopped a run is its first line, and its exit code the last."""
    lines = said(concluded(tmp_path, [None], End(code=5, safety="1 write needs a confirmation")), quiet=False)

    assert lines[0] == "stopped before the first write: 1 write needs a confirmation"
    assert lines[-1] == "  exit     5"


class Gone(StringIO):
    """A stderr whose reader left."""

    def write(self, _text: str) -> int:
        """Fail as a closed pipe does."""
        raise BrokenPipeError


def test_recap_that_nobody_reads_changes_nothing(tmp_path: Path) -> None:
    """A closed stderr raises nothing, so that the exit code is that of the run."""
    conclusion = concluded(tmp_path, [CHANGED], End(code=0))

    with redirect_stderr(Gone()):
        TerminalDesk(Silent(), Answers(yes=True, confirm=None), quiet=False).recap(conclusion)
