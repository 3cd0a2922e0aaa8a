"""The library's front door: the same run as on the command line, inside somebody's own event loop."""

import math
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from anyio import CancelScope, create_memory_object_stream, create_task_group, from_thread, to_thread
from anyio.streams.memory import MemoryObjectReceiveStream

from bulkip.allowance import Allowance
from bulkip.errors import AccessError, Halt, JobError, SafetyStop, StoreError, UsageError
from bulkip.events import Event, ItemSettled, NotStored
from bulkip.model import Counts, Item, Result
from bulkip.policy import Rollout, VerifyMode
from bulkip.reports.unsaved import unsaved_line
from bulkip.run.beforehand import stages_before
from bulkip.run.collecting import recall, remember
from bulkip.run.ending import LastWord, Tell, Waits, check_own, close_books, code_of
from bulkip.run.endpoints import reach_of
from bulkip.run.engine import Endpoint, allowance_of
from bulkip.run.halting import storage_stop
from bulkip.run.locking import Claim, Locks
from bulkip.run.options import RunOptions
from bulkip.run.planning import Prepared, now_utc, prepare
from bulkip.run.stages import Stage, StageEnd, StageRules, log_out, run_stage, with_accounts
from bulkip.safety import PlannedChanges, objections
from bulkip.selection import Filters
from bulkip.settings import Job, LoadedJob, narrowed
from bulkip.settings import load_job as read_job
from bulkip.stops import Stop, StopKind
from bulkip.store import RunReader


def load_job(path: str | Path, *, variables: Mapping[str, str] | None = None) -> LoadedJob:
    """Return the job of a file; raises JobError with every problem that the file itself has.

    `variables` stand above the job's own `vars`. Targets are read when the job
    is planned; their problems are told then.
    """
    loaded = narrowed(read_job(path), Filters(variables=dict(variables or {})))
    if loaded.problems:
        raise JobError(loaded.problems)
    return loaded


@dataclass(frozen=True, slots=True)
class Plan:
    """A frozen plan whose present values are read; `changes` is what it would do to them."""

    prepared: Prepared
    endpoint: Endpoint
    changes: PlannedChanges
    writes: int
    start: int | None
    allowance: Allowance

    @property
    def run_id(self) -> str:
        """The id under which `bulkip report` and `bulkip resume` know the run."""
        return self.prepared.header.id

    @property
    def stopped(self) -> tuple[Stop, ...]:
        """What has stopped some of several accounts, whose items will not be run."""
        return self.allowance.stops


class Results:
    """The results of a run as they settle, each of them in the run store already.

    Iterate over it; afterwards `counts`, `exit_code` and `stop` tell how the run
    ended. `unsaved` is what the run store did not take because it failed: it
    stands nowhere else.
    """

    def __init__(self, settled: MemoryObjectReceiveStream[ItemSettled]) -> None:
        """Take the results from this stream."""
        self._settled = settled
        self.counts = Counts()
        self.exit_code: int | None = None
        self.stop: Stop | None = None
        self.unsaved: list[NotStored] = []

    async def __aiter__(self) -> AsyncIterator[tuple[Item, Result]]:
        async for event in self._settled:
            yield event.item, event.result


@asynccontextmanager
async def plan_job(job: LoadedJob, options: RunOptions | None = None) -> AsyncIterator[Plan]:
    """Freeze the plan of a job and read the values before its writes; nothing is written to the API.

    Traffic that earlier runs collected is settled in the plan: it is in the
    counts, and does not come as a result again.

    Raises UsageError for a rollout, which is the command line's, JobError with
    every problem of the targets, Locked when another run works for the account,
    AccessError or Halt when the reading was stopped. The locks are held, and a
    simulator, if asked for, lives as long as the block.
    """
    options = options or RunOptions()
    if job.job is None:
        raise JobError(job.problems)
    _refuse_what_only_commands_do(job.job)
    now = now_utc()
    reach = await to_thread.run_sync(reach_of, job.job, options, _ignore)
    async with _closed_on_a_thread() as stack:
        locks = stack.enter_context(Locks(Claim("library", job.job.name, options, _ignore, _ignore, _pause)))
        await to_thread.run_sync(locks.take_accounts, reach.accounts)
        prepared = await to_thread.run_sync(prepare, job, options, now, reach.ask_free_ips)
        again = partial(recall, refresh=options.reckoning.refresh)
        prepared = await to_thread.run_sync(again, prepared)
        await to_thread.run_sync(locks.take_run, prepared.run_dir)
        endpoint = await to_thread.run_sync(stack.enter_context, reach.open(prepared))
        allowance = await to_thread.run_sync(allowance_of, prepared)
        end = await _read(prepared, endpoint, options, allowance)
        changes, writes = await to_thread.run_sync(_ahead, prepared)
        try:
            yield Plan(prepared, endpoint, changes, writes, end.start, allowance)
        finally:
            if endpoint.has_logged_in:
                with CancelScope(shield=True):
                    await log_out(prepared, endpoint, end.start, _deaf)


def _refuse_what_only_commands_do(job: Job) -> None:
    """Raise UsageError for settings that protect, and that this door does not heed: better none than half."""
    if job.rollout != Rollout():
        raise UsageError(
            f"{job.path}: `rollout` is heeded on the command line only; "
            "take it out of the job, or start `bulkip run`"
        )
    if any(hook.required for hook in job.hooks.all()):
        raise UsageError(
            f"{job.path}: `hooks` are called on the command line only, and one of them is required; "
            "take it out of the job, or start `bulkip run`"
        )


@asynccontextmanager
async def run_job(plan: Plan, options: RunOptions | None = None) -> AsyncIterator[Results]:
    """Apply a plan and give its results as they settle; leaving the block early stops the run in order.

    Where the job wants proofs, they are looked for when the last item is done,
    before the results end; `counts` has what is unverified.
    Raises SafetyStop when a limit of the job forbids the plan. What was not
    done can be resumed.
    """
    against = objections(plan.changes, plan.prepared.job.safety)
    if against:
        raise SafetyStop("\n".join(against))
    grace_s = (options or RunOptions()).grace_s
    send, receive = create_memory_object_stream[ItemSettled](math.inf)  # the store bounds what is in flight
    results, waits = Results(receive), Waits({})

    def tell(event: Event) -> None:
        waits.notice(event)
        match event:
            case ItemSettled():
                send.send_nowait(event)
            case NotStored():
                results.unsaved.append(event)
            case _:
                pass

    async def apply() -> None:
        rules = StageRules(grace_s, tell, plan.allowance)
        try:
            end = await run_stage(Stage.APPLYING, plan.prepared, plan.endpoint, plan.start, rules)
            if end.stop is None and plan.prepared.job.verify.mode is not VerifyMode.NONE:
                end = await run_stage(Stage.VERIFYING, plan.prepared, plan.endpoint, end.start, rules)
            await _close(plan, with_accounts(end, plan.allowance), results, waits, tell)
        finally:
            send.close()

    with receive:  # open until the last result is stored: the store tells of it, wanted or not
        async with create_task_group() as group:
            group.start_soon(apply)
            try:
                yield results
            finally:
                if results.exit_code is None:
                    group.cancel_scope.cancel()


@asynccontextmanager
async def _closed_on_a_thread() -> AsyncIterator[ExitStack]:
    """Give a stack whose contexts end off the loop, whatever happens: they touch files."""
    stack = ExitStack()
    try:
        yield stack
    finally:
        with CancelScope(shield=True):
            await to_thread.run_sync(stack.close)


async def _read(
    prepared: Prepared, endpoint: Endpoint, options: RunOptions, allowance: Allowance
) -> StageEnd:
    unsaved: list[str] = []

    def tell(event: Event) -> None:
        if isinstance(event, NotStored):
            unsaved.append(unsaved_line(event))

    rules = StageRules(options.grace_s, tell, allowance, allow_unread=options.allow_unread)
    end, stages = StageEnd(None, None), stages_before(prepared, endpoint)
    while end.stop is None and (stage := await to_thread.run_sync(next, stages, None)):
        end = await run_stage(stage, prepared, endpoint, end.start, rules)
    if end.stop is not None:
        kind = AccessError if end.stop.kind is StopKind.ACCESS else Halt
        error = kind(f"{end.stop.reason} (run {prepared.header.id})")
        for line in unsaved:  # what was read and stands nowhere else
            error.add_note(line)
        raise error
    return end


async def _close(plan: Plan, end: StageEnd, results: Results, waits: Waits, tell: Tell) -> None:
    results.stop = end.stop
    try:
        results.counts = await to_thread.run_sync(_counts, plan.prepared)
        code = code_of(results.counts, end.stop)
        why = (end.stop.reason, end.stop.error_class.value) if end.stop else None
        word = LastWord(end.start, code, why, end.stop.lifting if end.stop else ())
        await close_books(plan.prepared.home, word, waits, tell)
        with suppress(StoreError):  # the next plan looks into the store of this run instead
            await to_thread.run_sync(remember, plan.prepared)
    except StoreError as error:
        results.stop = end.stop or storage_stop(error)
    results.exit_code = code_of(results.counts, results.stop)


def _counts(prepared: Prepared) -> Counts:
    check_own(prepared)
    with RunReader(prepared.home) as reader:
        return reader.counts()


def _ahead(prepared: Prepared) -> tuple[PlannedChanges, int]:
    with RunReader(prepared.home) as reader:
        return reader.planned_changes(), reader.writes_left()


def _ignore(_warning: str) -> None:
    """Let a warning pass: there is nobody to show it to."""


def _pause(seconds: float) -> None:
    """Wait on a thread, until whoever started it gives up."""
    time.sleep(seconds)
    from_thread.check_cancelled()


def _deaf(_event: Event) -> None:
    """Hear nothing."""
