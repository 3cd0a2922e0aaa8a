"""Who hears of a run's beginning and end, and of one that could not begin: hooks, then messages."""

import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from bulkip.alerts import Moment
from bulkip.errors import StoreError, UsageError
from bulkip.exitcode import SIGNAL_BASE, ExitCode, code_of_error
from bulkip.model import JsonValue
from bulkip.notices import is_installed, send
from bulkip.policy import SecretRef
from bulkip.redact import Redactor
from bulkip.reports.summary import summary
from bulkip.reports.text import outcome
from bulkip.run.ending import Conclusion
from bulkip.run.hooks import Line, address_of, call, known_secrets, lines_of
from bulkip.run.planning import Prepared
from bulkip.run.signals import Interrupted, Signals
from bulkip.settings import Job
from bulkip.store import RunReader

NOTICE_S = 30.0
LONGEST_REASON = 1000
BEGINNING = (Moment.START,)
ENDS = (Moment.SUCCESS, Moment.FAILURE, Moment.ALWAYS)


class Desk(Protocol):
    """Whoever hears what becomes of the hooks."""

    def say(self, text: str) -> None:
        """Show a line."""
        ...

    def warn(self, text: str) -> None:
        """Show a warning."""
        ...


@dataclass(frozen=True, slots=True)
class Case:
    """A job that is about to be carried out, and whether only rehearsed: then nobody hears of it."""

    job: Job | None
    simulated: bool

    @property
    def told(self) -> Job | None:
        """The job, when somebody is to hear of it."""
        job = self.job
        if self.simulated or job is None:
            return None
        return job if job.notify or any(job.hooks.all()) else None


def heard(case: Case, desk: Desk, work: Callable[[], Conclusion]) -> Conclusion:
    """Carry a job out, and let its hooks hear how that ended, even if it could not begin.

    A hook changes the exit code only when it is required: 6 in place of 0.
    Raises UsageError, before any work, when a required hook cannot be called.
    """
    job = case.told
    if job is None:
        if Case(case.job, simulated=False).told is not None:
            desk.say("SIMULATED: hooks and notifications are left out")
        return work()
    deque(lines_of(job, os.environ, _pass_over, BEGINNING), maxlen=0)  # raises for a required one
    alarm = _Alarm(job, desk, [*lines_of(job, os.environ, desk.warn, ENDS)])
    with alarm:
        conclusion = work()
    return alarm.end(conclusion)


def begin(prepared: Prepared, desk: Desk, signals: Signals) -> str | None:
    """Let the hooks hear that a run begins; return why it must not, because a required one failed.

    Raises Interrupted when a signal comes meanwhile.
    """
    file = str(prepared.header.settings.get("job_file") or prepared.job.path)
    job = Case(replace(prepared.job, path=Path(file)), prepared.header.simulated).told
    if job is None:
        return None
    told = _summary(prepared, None, None) | {"started_at": None, "finished_at": None}
    told["hook"] = Moment.START.value
    signals.interrupt()
    try:
        for line in lines_of(job, os.environ, desk.warn, BEGINNING):
            problem = call(line, _payload(told), job, desk.say)
            if problem is not None and line.hook.required:
                return f"{line.name}: {problem}; it is required, so nothing is sent"
            if problem is not None:
                desk.warn(f"{line.name}: {problem}")
        _notify(job, Moment.START, told, desk)
    except UsageError as error:  # what the hook leads to is gone since it was looked at
        return str(error)
    finally:
        signals.hold()
    return None


def _pass_over(_text: str) -> None:
    """Say nothing; what is wrong with the hooks of the beginning is told when they are called."""


class _Alarm:
    """Tells the hooks of a job how it ended; a context manager around the work."""

    def __init__(self, job: Job, desk: Desk, lines: list[Line]) -> None:
        self._job = job
        self._desk = desk
        self._lines = lines

    def __enter__(self) -> None:
        """Wait for the end of the work."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Tell of work that an error ended; the error goes on."""
        if error is None:
            return
        code = SIGNAL_BASE + error.number if isinstance(error, Interrupted) else code_of_error(error)
        reason = str(error) or "stopped by a signal"
        told: dict[str, JsonValue] = {"run": None, "job": self._job.name, "simulated": False}
        self._tell(told | {"total": 0, "by_status": {}, "resume": None} | self._ending(code, reason), code)

    def end(self, conclusion: Conclusion) -> Conclusion:
        """Tell of a run that ended, and return how it did, a required hook that failed included."""
        stop = conclusion.stop.reason if conclusion.stop else None
        told = _summary(conclusion.prepared, conclusion, stop)
        told |= self._ending(conclusion.exit_code, conclusion.safety or stop)
        if self._tell(told, conclusion.exit_code) or conclusion.exit_code:
            return conclusion
        code = int(ExitCode.HALTED)
        self._desk.warn(f"a required hook failed, so the exit code is {code}; the run itself is whole")
        return replace(conclusion, exit_code=code)

    def _ending(self, code: int, reason: str | None) -> dict[str, JsonValue]:
        redactor = Redactor(known_secrets(self._job, os.environ))
        return {
            "exit_code": code,
            "reason": None if reason is None else redactor.clean(reason, LONGEST_REASON),
        }

    def _tell(self, told: dict[str, JsonValue], code: int) -> bool:
        """Call the hooks of the end, and return whether every required one was taken; a signal ends that."""
        signals, moments = Signals(), (Moment.FAILURE if code else Moment.SUCCESS, Moment.ALWAYS)
        missing = [one for one in self._lines if one.moment in moments and one.hook.required]
        signals.interrupt()
        try:
            for moment in moments:
                for line in (one for one in self._lines if one.moment is moment):
                    problem = call(line, _payload(told | {"hook": moment.value}), self._job, self._desk.say)
                    if problem is not None:
                        self._desk.warn(f"{line.name}: {problem}")
                    elif line in missing:
                        missing.remove(line)
                _notify(self._job, moment, told, self._desk)
        except Interrupted:
            self._desk.warn("stopped while hooks were called; those that were left are not called")
        finally:
            signals.hold()
        return not missing


def _summary(prepared: Prepared, conclusion: Conclusion | None, reason: str | None) -> dict[str, JsonValue]:
    """Return the summary of a run, as far as its store tells it, with the command that goes on."""
    try:
        with RunReader(prepared.home) as reader:
            told = summary(reader)
    except StoreError:
        told = {"run": prepared.header.id, "job": prepared.job.name, "simulated": False}
        told |= {"total": 0, "by_status": {}, "resume": None}
    told |= {"exit_code": None, "reason": reason}
    return told | ({"resume": None} if conclusion is None else {})


def _payload(told: dict[str, JsonValue]) -> bytes:
    return json.dumps(told, ensure_ascii=False).encode() + b"\n"


def _notify(job: Job, moment: Moment, told: dict[str, JsonValue], desk: Desk) -> None:
    """Send the messages that are due at a moment; whatever comes of them, the run goes on."""
    for notice in job.notify:
        if moment in notice.on:
            missing = None if is_installed() else "not sent; pip install 'bulkip[notify]'"
            problem = missing or _sent(job, notice.url, told, desk.warn)
            if problem is not None:
                desk.warn(f"notify {notice.url}: {problem}")


def _sent(job: Job, ref: SecretRef, told: dict[str, JsonValue], warn: Callable[[str], None]) -> str | None:
    """Send one message, and return why it did not arrive, or None."""
    try:
        url = address_of(ref, os.environ, warn)
    except UsageError as error:
        return str(error)
    return send(url, f"bulkip: {job.name} {_verdict(told)}", "\n".join(_body(told)), NOTICE_S)


def _verdict(told: dict[str, JsonValue]) -> str:
    code = told["exit_code"]
    if code is None:
        return "started"
    return "succeeded" if code == 0 else f"failed (exit {code})"


def _body(told: dict[str, JsonValue]) -> Iterator[str]:
    """Yield what a message says: the counts, why it stopped, and the command that goes on."""
    if told["run"] is not None:
        yield outcome(told)
    if told["reason"] is not None:
        yield f"reason: {told['reason']}"
    if told["run"] is not None:
        yield f"run: {told['run']}"
    if told["resume"] is not None:
        yield f"to go on: {told['resume']}"
