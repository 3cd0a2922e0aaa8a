"""What has to be found out, before the first write or instead of any: which stages are due, in order."""

from collections.abc import Callable, Iterator

from bulkip.policy import VerifyMode
from bulkip.run.engine import Endpoint
from bulkip.run.nameservers import resolves_names
from bulkip.run.planning import Prepared
from bulkip.run.stages import Stage
from bulkip.store import Beforehand


def stages_before(prepared: Prepared, endpoint: Endpoint) -> Iterator[Stage]:
    """Yield the stages that have work to do; each is looked for when the one before it has ended."""
    by_dns = prepared.job.check is not None and prepared.job.verify.mode is not VerifyMode.API
    if not by_dns and _left(prepared, Beforehand.lookups_left):
        yield Stage.LOOKING_UP
    if prepared.job.check is not None:
        if _left(prepared, Beforehand.items_left):
            yield Stage.CHECKING
        return
    if _left(prepared, Beforehand.reads_left):
        yield Stage.READING
    simulated = prepared.header.simulated
    asks = any(resolves_names(prepared.job, one, simulated=simulated) for one in endpoint.each)
    if asks and _left(prepared, Beforehand.leads_left):
        yield Stage.TRACING


def _left(prepared: Prepared, count: Callable[[Beforehand], int]) -> int:
    with Beforehand(prepared.home) as reader:
        return count(reader)
