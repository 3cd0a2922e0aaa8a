"""Whether the server still takes the token, when one answer says it does not."""

from dataclasses import replace

from anyio import Lock, current_time

from bulkip.brake import Brake
from bulkip.client import Client
from bulkip.model import ApiRequest, ErrorClass, Purpose, Verdict, VerdictKind
from bulkip.stops import Stop, StopKind
from bulkip.store import Attempt

PROBE = ApiRequest("get_client_ip", {})


class Access:
    """Tells a dead token from an address that the token may not touch (api.md §3)."""

    def __init__(self, client: Client, brake: Brake, start: int, first_number: int) -> None:
        """Probe through this client; probes are numbered from `first_number` under item 0."""
        self._client = client
        self._brake = brake
        self._start = start
        self._number = first_number
        self._one_at_a_time = Lock()

    async def judged(self, verdict: Verdict) -> Verdict:
        """Return the verdict, with a refused token turned into what it turned out to be.

        A token that is proved alive makes the refusal the item's own failure;
        a dead one stops the run. An undecided probe leaves the verdict as it
        is, and the item is asked again.
        """
        if verdict.kind is not VerdictKind.AUTH:
            return verdict
        refused_at = current_time()
        async with self._one_at_a_time:
            if self._client.last_success_at <= refused_at and not await self._probe():
                return verdict
        text = f"{verdict.message} (the token itself is accepted: is it this account's address?)"
        permission = ErrorClass.PERMISSION
        return replace(verdict, kind=VerdictKind.PERMANENT, error_class=permission, message=text)

    async def _probe(self) -> bool:
        if self._brake.stop is not None:
            return False
        attempt = Attempt(0, self._number, self._start, Purpose.PROBE)
        self._number += 1
        answer = await self._client.call(PROBE, attempt)
        if answer is not None and answer.kind is VerdictKind.AUTH:
            text = f"the token is refused: {answer.message}; set a valid one"
            self._brake.pull(Stop(StopKind.ACCESS, text, ErrorClass.AUTH))
        return answer is not None and answer.kind is VerdictKind.SUCCESS
