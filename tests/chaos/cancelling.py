"""How a piece of async work is cancelled at its n-th suspension, wherever in its tasks that is."""

import asyncio
import gc
import warnings
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio

PATIENCE_S = 20.0
Work = Callable[[], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class Cancelled:
    """What came of work that was to be cancelled: how often it was suspended, and what went wrong besides."""

    suspensions: int = 0
    reached: bool = False
    complaints: list[str] = field(default_factory=list)


class _Watched(Coroutine[Any, Any, Any]):
    """A coroutine that tells whenever it is suspended; in all else it is the one that it stands for."""

    def __init__(self, inner: Coroutine[Any, Any, Any], suspended: Callable[[], None]) -> None:
        self._inner = inner
        self._suspended = suspended

    def send(self, value: Any) -> Any:
        """Go on, until it is suspended again."""
        waited_for = self._inner.send(value)
        self._suspended()
        return waited_for

    def throw(self, *error: Any) -> Any:
        """Go on with an error, until it is suspended again."""
        waited_for = self._inner.throw(*error)
        self._suspended()
        return waited_for

    def close(self) -> None:
        """Give it up."""
        self._inner.close()

    def __await__(self) -> Any:
        return self._inner.__await__()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def cancelled_at(number: int, work: Work) -> Cancelled:
    """Do some work on a loop of its own and cancel it when any of its tasks is suspended for the n-th time.

    Whatever the loop or the interpreter complains of is kept: a task that was
    destroyed while it waited, a coroutine that nobody awaited, work that hangs.
    """
    found = Cancelled()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            anyio.run(_watched, number, work, found)
        except TimeoutError:
            found.complaints.append(f"still not cancelled after {PATIENCE_S:g} s")
        gc.collect()
    found.complaints += [str(warning.message) for warning in warned]
    return found


async def _watched(number: int, work: Work, found: Cancelled) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: found.complaints.append(str(context)))
    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as group:

            def suspended() -> None:
                found.suspensions += 1
                if found.suspensions == number:
                    found.reached = True
                    group.cancel_scope.cancel()

            loop.set_task_factory(partial(_watched_task, suspended))
            group.start_soon(work)
    loop.set_task_factory(None)


def _watched_task(
    suspended: Callable[[], None],
    loop: asyncio.AbstractEventLoop,
    inner: Coroutine[Any, Any, Any],
    **named: Any,
) -> asyncio.Task[Any]:
    return asyncio.Task(_Watched(inner, suspended), loop=loop, **named)
