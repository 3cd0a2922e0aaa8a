"""Which queues can this worker serve? Those of the accounts whose secrets it has itself."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from bulkip.cluster.runs import runs_under_way
from bulkip.errors import UsageError
from bulkip.queues import AccountQueue, queues_of
from bulkip.run.endpoints import endpoint_of
from bulkip.run.engine import Endpoint
from bulkip.run.pacing import rate_at


class Serving:
    """Knows the queues of a cluster, and an endpoint for each that this worker has the secret of.

    Secrets never enter the database: a worker resolves the reference that the
    run names in its own environment, and what it finds must have the digest of
    the account.
    """

    def __init__(
        self,
        url: str,
        wanted: Collection[str],
        environment: Mapping[str, str],
        warn: Callable[[str], None],
    ) -> None:
        """Serve the `wanted` queues of a cluster, all when none is named."""
        self._url = url
        self._wanted = frozenset(wanted)
        self._environment = environment
        self._warn = warn
        self._endpoints: dict[str, Endpoint] = {}
        self._told: set[str] = set()

    @property
    def queues(self) -> frozenset[str]:
        """The names of the queues that can be served."""
        return frozenset(self._endpoints)

    def endpoint(self, queue: str) -> Endpoint:
        """Return where the calls of a queue go; it is one of `queues`."""
        return self._endpoints[queue]

    def look(self) -> None:
        """Look for queues that are new, on a thread, as a secret takes a moment; raises StoreError."""
        for run in runs_under_way(self._url):
            for queue in queues_of(run.accounts):
                if queue.name not in self._endpoints and queue.is_wanted(self._wanted):
                    self._meet(queue)

    def _meet(self, queue: AccountQueue) -> None:
        try:
            endpoint, account = endpoint_of(queue.api, self._environment, self._tell, name=queue.account)
        except UsageError as error:
            self._refuse(queue, str(error))
            return
        if account.lock_name != queue.digest:
            self._refuse(queue, "the secret that it names is another account's here")
            return
        self._endpoints[queue.name] = replace(endpoint, shared=rate_at(self._url, queue.digest))

    def _refuse(self, queue: AccountQueue, reason: str) -> None:
        self._tell(f"queue {queue.label} is not served here: {reason}")

    def _tell(self, text: str) -> None:
        """Warn, but of the same thing once: every look meets it again."""
        if text not in self._told:
            self._told.add(text)
            self._warn(text)
