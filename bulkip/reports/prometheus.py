"""A run for a monitoring system: the text file that node_exporter picks up; the door of prometheus_client."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Context, Decimal
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from bulkip.errors import StoreError
from bulkip.model import Status
from bulkip.reports.extras import loading
from bulkip.reports.tidy import traffic_rows
from bulkip.store import RunReader
from bulkip.store.schema import store_path

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

Sample = tuple[Sequence[str], float]
MOST_LOOKED_AT = 1000
"""So many runs are looked through for the last one that succeeded."""
_SUMS = Context(prec=60)  # the usual one would round sums of 38 digits


def prometheus_lines(reader: RunReader) -> Iterator[str]:
    """Yield the metrics of a run, each labelled with its job; all are gauges that tell of this one run.

    A night that fails does not take away when the last one succeeded: that
    comes from the runs of the same job name that are kept beside this one. A
    rehearsal is never a success. Amounts are GB as the server counts them, as
    exact as the floats of Prometheus are; an address without traffic has no
    sample.
    """
    with loading("prometheus"):
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 -- an extra

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Metrics(reader))
    yield generate_latest(registry).decode()


class _Metrics:
    """Collects the metrics of one run, as a registry asks for them."""

    def __init__(self, reader: RunReader) -> None:
        self._reader = reader
        self._job = reader.header().job_name

    def collect(self) -> Iterator["GaugeMetricFamily"]:
        """Yield each metric with its samples."""
        yield from self._times()
        counts = self._reader.counts()
        by_status = [([status.value], float(counts.of(status))) for status in Status]
        calls, _ = self._reader.pace()
        yield self._gauge("items", "Items of the last run by how they ended.", by_status, ("status",))
        yield self._gauge("calls", "Calls that the last run sent.", [((), float(calls))])
        yield from self._traffic()

    def _times(self) -> Iterator["GaugeMetricFamily"]:
        start, simulated = self._reader.last_start(), self._reader.header().simulated
        began, ended = _number(start.get("started_at")), _number(start.get("finished_at"))
        code, success = _number(start.get("exit_code")), last_success(self._reader)
        took = None if began is None or ended is None else max(0.0, ended - began)
        for name, help_text, value in (
            ("last_success_timestamp_seconds", "When a run of this job last ended with 0.", success),
            ("last_run_timestamp_seconds", "When the last run of this job ended.", ended),
            ("run_duration_seconds", "How long the last start of the run took.", took),
            ("run_exit_code", "How the last run ended.", code),
            ("run_simulated", "Whether the last run was a rehearsal.", float(simulated)),
        ):
            yield self._gauge(name, help_text, [] if value is None else [((), value)])

    def _traffic(self) -> Iterator["GaugeMetricFamily"]:
        by_address: dict[tuple[str, str], Decimal] = {}
        total: dict[str, Decimal] = {}
        for row in traffic_rows(self._reader):
            for direction, amount in (("in", row.in_gb), ("out", row.out_gb)):
                if amount is not None:
                    place = (row.ip, direction)
                    by_address[place] = _SUMS.add(by_address.get(place, Decimal(0)), amount)
                    total[direction] = _SUMS.add(total.get(direction, Decimal(0)), amount)
        addresses = (((ip, direction), float(amount)) for (ip, direction), amount in by_address.items())
        totals = (((direction,), float(amount)) for direction, amount in total.items())
        text = "Traffic of the last run's period, in GB as the server counts them"
        yield self._gauge("traffic_gb", f"{text}, by address.", addresses, ("ip", "direction"))
        yield self._gauge("traffic_total_gb", f"{text}.", totals, ("direction",))

    def _gauge(
        self, name: str, help_text: str, samples: Iterable[Sample], labels: Sequence[str] = ()
    ) -> "GaugeMetricFamily":
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 -- an extra

        family = GaugeMetricFamily(f"bulkip_{name}", help_text, labels=["job", *labels])
        for values, value in samples:
            family.add_metric([self._job, *values], value)
        return family


def last_success(reader: RunReader) -> float | None:
    """Return when a real run of this job name last ended with 0, in Unix seconds.

    The run itself is asked first, then those beside it, the newest first, so
    that a good night costs one look.
    """
    job, here = reader.header().job_name, reader.path.parent
    own = _success(reader, job)
    if own is not None:
        return own
    try:
        folders = sorted((one for one in here.parent.iterdir() if one.name != here.name), reverse=True)
    except OSError:
        return None
    found = (_success_in(folder, job) for folder in islice(folders, MOST_LOOKED_AT))
    return next((at for at in found if at is not None), None)


def _success_in(folder: Path, job: str) -> float | None:
    """Return when a kept run of a job succeeded, if it is one that did; what cannot be read did not."""
    if not store_path(folder).is_file():
        return None
    try:
        with RunReader(folder) as reader:
            return _success(reader, job)
    except StoreError:
        return None


def _success(reader: RunReader, job: str) -> float | None:
    header, start = reader.header(), reader.last_start()
    if header.job_name != job or header.simulated or start.get("exit_code") != 0:
        return None
    return _number(start.get("finished_at"))


def _number(value: float | str | None) -> float | None:
    return float(value) if isinstance(value, int | float) else None
