"""Which requests were no HTTP: aiohttp answers those by itself, and only its access log tells of them."""

from collections.abc import Callable
from http import HTTPStatus

from aiohttp.web import (  # type: ignore[attr-defined]  # AccessLogger's own module has no door here
    AccessLogger,
    BaseRequest,
    StreamResponse,
)

NO_METHOD = "UNKNOWN"
"""What stands for the method of a request that could not be parsed."""


def unreadable_log(note: Callable[[BaseRequest, int], None]) -> type[AccessLogger]:
    """Return an access log that notes such requests, each with the status it was answered with."""

    class UnreadableLog(AccessLogger):
        """Passes over every request that was parsed."""

        @property
        def enabled(self) -> bool:
            """Whether there is anybody to tell."""
            return True

        def log(self, request: BaseRequest, response: StreamResponse, time: float) -> None:
            """Note a request that was not parsed."""
            del time
            if request.method == NO_METHOD and response.status == HTTPStatus.BAD_REQUEST:
                note(request, response.status)

    return UnreadableLog
