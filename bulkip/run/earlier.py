"""What earlier runs left: the addresses of a run whose items ended at some statuses."""

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from bulkip.errors import StoreError, UsageError
from bulkip.model import Status, Target
from bulkip.owners import FIELD
from bulkip.quantities import counted
from bulkip.run.runs import find_run
from bulkip.sources import RunSource, SourceError
from bulkip.store import RunReader, StoredRow
from bulkip.store.home import NEWEST
from bulkip.store.schema import store_path

CHECKED = frozenset({Status.MATCH, Status.MISMATCH})
"""Who asks for nothing but these means the newest check of a job, everybody else its newest run."""


def left_behind(run_dir: Path, source: RunSource) -> Iterator[Target]:
    """Yield each address of which some item ended at one of the statuses, in the order of the run's plan.

    Its fields are the parameters of those items; where two steps gave one
    parameter, the first counts. A rehearsal is never a source. Raises
    SourceError when there is no such run, or its store cannot be read.
    """
    try:
        with RunReader(_folder(run_dir, source)) as reader:
            if reader.header().simulated:
                message = f"run `{source.run}` was simulated; what a rehearsal left is no target"
                raise SourceError(message)
            accounts = reader.accounts
            for ip, rows in groupby(reader.rows(), key=lambda row: row["ip"]):
                left = [row for row in rows if row["status"] in source.statuses]
                if ip is not None and left:
                    own = {FIELD: accounts[left[0]["account"]]} if len(accounts) > 1 else {}
                    yield Target(ip, {**_fields(left), **own}, source.place)
    except (StoreError, UsageError) as error:
        raise SourceError(str(error)) from error


def _fields(rows: list[StoredRow]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for row in reversed(rows):
        fields |= json.loads(row["form"])
    fields.pop("ip", None)
    return fields


def _folder(run_dir: Path, source: RunSource) -> Path:
    if not (match := NEWEST.fullmatch(source.run)):
        return find_run(run_dir, source.run)
    started = sorted(_started(run_dir, source.job, checks=CHECKED.issuperset(source.statuses)), reverse=True)
    back = int(match[1] or 0)
    if back < len(started):
        return started[back][1]
    found = counted(len(started), "executed run") if started else "no executed run"
    raise SourceError(f"run `{source.run}`: {found} of a job named `{source.job}` in {run_dir}")


def _started(run_dir: Path, job: str, *, checks: bool) -> Iterator[tuple[float, Path]]:
    """Yield when the runs of a job started last, and where they lie; what is no run store is passed over."""
    for store in run_dir.glob(f"runs/*/{store_path(Path()).name}"):
        try:
            with RunReader(store.parent) as reader:
                header, at = reader.header(), reader.last_start().get("started_at")
        except StoreError:
            continue
        wanted = header.job_name == job and not header.simulated and header.is_check == checks
        if wanted and at is not None:
            yield float(at), store.parent
