"""A run for a monitoring system: the text file that node_exporter picks up; the door of prometheus_client."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING

from bulkip.errors import StoreError
from bulkip.model import Status
from bulkip.reports.extras import loading
from bulkip.reports.tidy import traffic_rows
from bulkip.store import RemoteRun, RunReader
from bulkip.store.schema import store_path

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

Sample = tuple[Sequence[str], float]
MOST_LOOKED_AT = 1000
"""So many runs are looked through for the last one that succeeded."""
PAGE = 1000
TRAFFIC = "Traffic of the last run's period, in GB as the server counts them"
LABELS = ("ip", "direction")
HEAD = 2
"""So many lines, help and type, stand above the samples of a metric."""
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
        import prometheus_client  # noqa: F401, PLC0415 -- an extra

    metrics = _Metrics(reader)
    yield _exposed(metrics.about_the_run())
    yield from metrics.of_addresses()
    yield _exposed(metrics.totals())


def _exposed(families: "Iterable[GaugeMetricFamily]") -> str:
    """Return metrics as the text that a monitoring system reads."""
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 -- an extra

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given(families))
    return generate_latest(registry).decode()


@dataclass(frozen=True, slots=True, eq=False)  # a registry tells what it holds apart by identity
class _Given:
    """What a registry collects when it is asked."""

    families: "Iterable[GaugeMetricFamily]"

    def collect(self) -> "Iterable[GaugeMetricFamily]":
        """Return the metrics."""
        return self.families


class _Metrics:
    """Makes the metrics of one run; the totals are known when all addresses are through."""

    def __init__(self, reader: RunReader) -> None:
        self._reader = reader
        self._job = reader.header().job_name
        self._total: dict[str, Decimal] = {}

    def about_the_run(self) -> Iterator["GaugeMetricFamily"]:
        """Yield how the run went."""
        yield from self._times()
        counts = self._reader.counts()
        by_status = [([status.value], float(counts.of(status))) for status in Status]
        calls, _ = self._reader.pace()
        yield self._gauge("items", "Items of the last run by how they ended.", by_status, ("status",))
        yield self._gauge("calls", "Calls that the last run sent.", [((), float(calls))])

    def of_addresses(self) -> Iterator[str]:
        """Yield the traffic of each address, some at a time: there may be a million of them."""
        samples, head = self._samples(), ""
        while (page := [*islice(samples, PAGE)]) or not head:
            text = _exposed([self._gauge("traffic_gb", f"{TRAFFIC}, by address.", page, LABELS)])
            head, told = head or "".join(text.splitlines(keepends=True)[:HEAD]), text.removeprefix(head)
            yield told

    def totals(self) -> Iterator["GaugeMetricFamily"]:
        """Yield the traffic of all addresses together."""
        samples = (((direction,), float(amount)) for direction, amount in self._total.items())
        yield self._gauge("traffic_total_gb", f"{TRAFFIC}.", samples, ("direction",))

    def _samples(self) -> Iterator[Sample]:
        """Yield what went in and out of each address; in a plan, all items of an address stand together."""
        for ip, rows in groupby(traffic_rows(self._reader), key=lambda row: row.ip):
            sums: dict[str, Decimal] = {}
            for row in rows:
                _add(sums, [("in", row.in_gb), ("out", row.out_gb)])
            _add(self._total, sums.items())
            yield from (((ip, direction), float(amount)) for direction, amount in sums.items())

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

    def _gauge(
        self, name: str, help_text: str, samples: Iterable[Sample], labels: Sequence[str] = ()
    ) -> "GaugeMetricFamily":
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 -- an extra

        family = GaugeMetricFamily(f"bulkip_{name}", help_text, labels=["job", *labels])
        for values, value in samples:
            family.add_metric([self._job, *values], value)
        return family


def _add(sums: dict[str, Decimal], amounts: Iterable[tuple[str, int | Decimal | None]]) -> None:
    for direction, amount in amounts:
        if amount is not None:
            sums[direction] = _SUMS.add(sums.get(direction, Decimal(0)), amount)


def last_success(reader: RunReader) -> float | None:
    """Return when a real run of this job name last ended with 0, in Unix seconds.

    The run itself is asked first, then those beside it, the newest first, so
    that a good night costs one look.
    """
    job, here = reader.header().job_name, reader.home
    own = _success(reader, job)
    if own is not None or isinstance(here, RemoteRun):
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
