"""How something is asked that belongs to no item: until there is an answer to keep, or the run stops."""

from collections.abc import Callable

from anyio import sleep

from bulkip.access import Access
from bulkip.brake import Brake
from bulkip.client import Judge
from bulkip.course import Course
from bulkip.model import Purpose, Result
from bulkip.retry import Again, Settled, decide
from bulkip.stops import Stop
from bulkip.wire import ApiRequest, Verdict

Pay = Callable[[Verdict], Stop | None]


def _free(_because: Verdict) -> Stop | None:
    """Charge nothing for asking again."""
    return None


class Inquiry:
    """Asks reads of the run itself; one object serves all that are asked at once."""

    def __init__(self, access: Access, judge: Judge, brake: Brake, pay: Pay = _free) -> None:
        """Call through this access; `pay` says which stop it causes to ask again after an answer."""
        self._access = access
        self._judge = judge
        self._brake = brake
        self._pay = pay

    async def answer(self, request: ApiRequest) -> Result | None:
        """Return what the API answers in the end; None when the run stopped before that."""
        course = Course(Purpose.CALL)
        while self._brake.stop is None:
            attempt = self._access.own_attempt(Purpose.LOOKUP)
            verdict = await self._access.call(request, attempt, again=course.refused > 0)
            if verdict is None:
                return None
            match decide(self._judge.retry, 0, course, verdict, self._judge.rng):
                case Again(course=course, delay_s=delay_s):
                    await self._wait(verdict, delay_s)
                case Settled(result):
                    return result
        return None

    async def _wait(self, because: Verdict, delay_s: float) -> None:
        """Pay for asking again and wait for it, but not longer than the run goes on."""
        if (stop := self._pay(because)) is not None:
            self._brake.pull(stop)
        with self._brake.waiting():
            await sleep(delay_s)
