"""The report for dashboards and scripts: what a run came to, as one JSON object."""

import json
from collections.abc import Iterator

from bulkip.model import JsonValue, Status
from bulkip.reports.commands import resume_command
from bulkip.reports.rows import iso
from bulkip.reports.tolerated import tolerated
from bulkip.shards import MERGED, SHARD
from bulkip.store import RunReader


def summary(reader: RunReader) -> dict[str, JsonValue]:
    """Return a run's identity, counts, rate and ending; the counts by status add up to `total`."""
    header, counts, start = reader.header(), reader.counts(), reader.last_start()
    calls, seconds = reader.pace()
    return {
        "run": header.id,
        "job": header.job_name,
        "job_path": header.job_path,
        "job_digest": header.job_digest,
        "url": header.url,
        "simulated": header.simulated,
        "shard": header.settings.get(SHARD),
        "merged": header.settings.get(MERGED),
        "started_at": iso(_seconds(start.get("started_at"))),
        "finished_at": iso(_seconds(start.get("finished_at"))),
        "total": counts.total,
        "by_status": {status.value: counts.by_status[status] for status in Status if counts.of(status)},
        "by_class": dict(reader.class_counts()),
        "partial": reader.unfinished(),
        "calls": calls,
        "rate_reached_per_s": round(calls / seconds, 2) if seconds >= 1 else None,
        "waits": reader.remembered("waits") or [],
        "exit_code": start.get("exit_code"),
        "tolerated": [*tolerated(reader, counts)],
        "reason": start.get("reason"),
        "resume": resume_command(reader, counts),
    }


def summary_lines(reader: RunReader) -> Iterator[str]:
    """Yield the summary, indented for reading."""
    yield json.dumps(summary(reader), ensure_ascii=False, indent=2) + "\n"


def _seconds(value: float | str | None) -> float | None:
    return float(value) if isinstance(value, int | float) else None
