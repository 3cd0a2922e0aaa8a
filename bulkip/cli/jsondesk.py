"""How a run talks to a log collector: every line on stderr is one JSON object, and nothing is asked."""

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from bulkip.cli.desk import Answers, TerminalDesk
from bulkip.errors import StoreError
from bulkip.events import Event, ItemSettled, NotStored, StageEnded, StageStarted, Stopping, Waiting
from bulkip.logs import JsonLog
from bulkip.model import Counts, JsonValue, Status
from bulkip.progress import Silent
from bulkip.reports.output import STDOUT
from bulkip.reports.summary import summary
from bulkip.reports.unsaved import unsaved_line
from bulkip.run.ending import Conclusion, check_own
from bulkip.run.planning import Prepared
from bulkip.safety import PlannedChanges
from bulkip.store import Change, RunReader


class JsonDesk(TerminalDesk):
    """Talks in JSON; `quiet` leaves errors and warnings. Only the command line can answer its question."""

    def __init__(self, answers: Answers, *, quiet: bool) -> None:
        """Answer the question as told."""
        super().__init__(Silent(), answers, quiet=quiet)
        self._log = JsonLog()

    def notice(self, event: Event) -> None:
        """Log what a log should keep: stages, pauses, items that failed, and what no run store took."""
        match event:
            case NotStored():
                fields: dict[str, Any] = json.loads(unsaved_line(event))
                self._log.error("not stored", **fields)
            case Stopping(reason, account):
                self._log.warning("stopping", reason=reason, **_whose(account))
            case ItemSettled(result=result) if result.error_class is not None:
                self._log.warning("item", **_item_fields(event), message=result.message)
            case Waiting(reason, seconds, account):
                self._info("paused", reason=reason, seconds=round(seconds, 3), **_whose(account))
            case StageStarted(stage, total, done):
                self._info("stage started", stage=stage, total=total, done=done)
            case StageEnded(stage, counts):
                self._info("stage ended", stage=stage, by_status=_by_status(counts))
            case _:
                pass

    def say(self, text: str) -> None:
        """Log a line unless quiet."""
        self._info(text)

    def warn(self, text: str) -> None:
        """Log a warning, quiet or not."""
        self._log.warning(text)

    def _info(self, event: str, **fields: JsonValue) -> None:
        if not self._quiet:
            self._log.info(event, **fields)

    def planned(self, prepared: Prepared) -> None:
        """Log how large the plan is; all that follows names its run and job."""
        header = prepared.header
        self._log.bind(run=header.id, job=prepared.job.name, simulated=header.simulated)
        shard = {"shard": str(prepared.job.shard)} if prepared.job.shard else {}
        self._info(
            "planned", **shard, items=prepared.items, writes=prepared.writes, repeated=prepared.repeated
        )

    def read(self, changes: PlannedChanges, counts: Counts, ahead: Sequence[Change]) -> None:  # noqa: ARG002 -- the desk's signature
        """Log what the plan would change."""
        kinds = {"sets": changes.sets, "changes": changes.changes, "clears": changes.clears}
        self._info("values read", **kinds, by_status=_by_status(counts))

    def _can_ask(self) -> bool:
        """Say no: a question is no JSON."""
        return False

    def recap(self, conclusion: Conclusion) -> None:
        """Log how the run ended, as one event with the counts."""
        for problem in dict.fromkeys(conclusion.unwritten.values()):
            self._log.error(problem)
        stop = conclusion.stop.reason if conclusion.stop else None
        more: dict[str, Any] = {
            **self._summary(conclusion),
            "exit_code": conclusion.exit_code,
            "reason": conclusion.safety or stop,
            "reports": [one.path for one in conclusion.reports if one.path != STDOUT],
        }
        if conclusion.exit_code:
            self._log.error("ended", **more)
        else:
            self._info("ended", **more)

    @staticmethod
    def _summary(conclusion: Conclusion) -> dict[str, JsonValue]:
        """Return what the run store says; one that failed says nothing, and why was told before."""
        with suppress(StoreError):
            check_own(conclusion.prepared)
            with RunReader(conclusion.prepared.home) as reader:
                return summary(reader)
        return {"by_status": _by_status(conclusion.counts), "resume": None}


def _whose(account: str) -> dict[str, JsonValue]:
    """Return the field that names one of several accounts."""
    return {"account": account} if account else {}


def _item_fields(event: ItemSettled) -> dict[str, JsonValue]:
    item, result = event.item, event.result
    return {
        "key": item.key,
        "ip": item.ip,
        "action": item.action,
        "step": item.step,
        "status": result.status.value,
        "error_class": None if result.error_class is None else result.error_class.value,
        "http_status": result.http_status,
        **_whose(item.account),
    }


def _by_status(counts: Counts) -> dict[str, JsonValue]:
    return {status.value: counts.of(status) for status in Status if counts.of(status)}
