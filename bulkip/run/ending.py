"""What a run comes to: its exit code, its reports, and what stands in the store about its end."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from bulkip.errors import StoreError, leading_error
from bulkip.events import Event, Waiting
from bulkip.exitcode import Ending, exit_code
from bulkip.model import Counts, Status
from bulkip.policy import Check, OnExists, ReportSpec
from bulkip.reports.commands import LIFTING
from bulkip.reports.rendering import render
from bulkip.run.planning import Prepared
from bulkip.stops import Stop, StopKind
from bulkip.store import Home, RunReader, open_writer
from bulkip.store.division import WHOLE, Whole
from bulkip.tolerance import FAIL_ON

Tell = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How a run ended.

    `safety` is what a limit said before the first write, `unwritten` why a
    file could not be written at the end, by its path.
    """

    prepared: Prepared
    counts: Counts
    exit_code: int
    stop: Stop | None
    safety: str | None
    reports: tuple[ReportSpec, ...] = ()
    unwritten: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Waits:
    """Sums up for how long everyone paused, by reason."""

    by_reason: dict[str, tuple[int, float]]

    def notice(self, event: Event) -> None:
        """Add a pause to the sum."""
        if isinstance(event, Waiting):
            reason = f"{event.reason} ({event.account})" if event.account else event.reason
            times, seconds = self.by_reason.get(reason, (0, 0.0))
            self.by_reason[reason] = (times + 1, seconds + event.seconds)

    def rows(self) -> list[dict[str, str | int | float]]:
        """Return one row per reason: reason, times, seconds."""
        return [
            {"reason": reason, "times": times, "seconds": round(seconds, 3)}
            for reason, (times, seconds) in self.by_reason.items()
        ]


def asserts_nothing(check: Check | None, counts: Counts, home: Home) -> bool:
    """Say whether a run is a check that has nothing to look at, and should have.

    A shard need not have anything, as long as the whole job has.
    """
    if check is None or check.allow_empty or counts.total != counts.of(Status.SKIPPED):
        return False
    with RunReader(home) as reader:
        whole = Whole.of(reader.remembered(WHOLE))
    return whole is None or not whole.asserted


def code_of(
    counts: Counts, stop: Stop | None, *, safety: bool = False, internal: bool = False, missed: bool = False
) -> int:
    """Return the exit code of a run with these counts that stopped so; `missed` is an expectation of it."""
    return exit_code(
        Ending(
            counts=counts,
            internal=internal,
            signal=stop.signal if stop else None,
            access=bool(stop and stop.kind is StopKind.ACCESS),
            halted=bool(stop and stop.kind is StopKind.HALT),
            safety=safety,
            expectation_missed=missed,
            proof_required=True,  # where no proof is required, no item is unverified
        )
    )


def _deaf(_event: Event) -> None:
    """Hear nothing."""


@dataclass(frozen=True, slots=True)
class LastWord:
    """What the store keeps about the end of an execution; `why` is reason and error class of a stop.

    `lifting` are the options with which a resume gets past that stop, `fail_on`
    says which failures the exit code tells of, None all of them.
    """

    start: int | None
    exit_code: int
    why: tuple[str, str | None] | None
    lifting: tuple[str, ...] = ()
    fail_on: str | None = None


async def close_books(home: Home, word: LastWord, waits: Waits, tell: Tell = _deaf) -> None:
    """Write into the store how this execution of the run ended; raises StoreError."""
    try:
        async with open_writer(home, tell) as writer:
            number = await writer.begin_start(time.time()) if word.start is None else word.start
            await writer.remember("waits", waits.rows())
            await writer.remember(LIFTING, [*word.lifting])
            await writer.remember(FAIL_ON, word.fail_on)
            await writer.end_start(number, time.time(), word.exit_code, word.why)
    except BaseExceptionGroup as raised:
        raise leading_error(raised) from raised


def count(home: Home) -> Counts:
    """Count the items of a run by status."""
    with RunReader(home) as reader:
        return reader.counts()


def check_own(prepared: Prepared) -> None:
    """Raise StoreError unless the store in the folder of a run can be read and is still that of this run."""
    with RunReader(prepared.home) as reader:
        found = reader.header().id
    if found != prepared.header.id:
        raise StoreError(
            f"{reader.path}: run store: this is run {found} now, not {prepared.header.id}; put the store back"
        )


def write_reports(prepared: Prepared, reports: Iterable[ReportSpec]) -> dict[str, str]:
    """Render reports from the store, but those whose file stays; return why any could not be written.

    A bug in one of them is raised when the others are written.
    """
    problems: dict[str, str] = {}
    bugs: list[Exception] = []
    for report in reports:
        try:
            if report.on_exists is not OnExists.SKIP:
                render(report, partial(_own_run, prepared))
        except StoreError as error:
            problems[report.path] = str(error)
        except Exception as bug:  # noqa: BLE001 -- it must not cost the reports behind it
            bugs.append(bug)
    if bugs:
        raise bugs[0]
    return problems


@contextmanager
def _own_run(prepared: Prepared) -> Iterator[RunReader]:
    check_own(prepared)
    with RunReader(prepared.home) as reader:
        yield reader
