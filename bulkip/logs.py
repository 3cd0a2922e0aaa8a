"""What a log collector gets to read: one JSON object a line on stderr. The door of structlog."""

import sys
from contextlib import suppress
from typing import Any

from bulkip.model import JsonValue


class JsonLog:
    """Writes events with the time, the level, and what they are about; `bind` adds to all that follow."""

    def __init__(self) -> None:
        """Write to stderr as it is now."""
        import structlog  # noqa: PLC0415 -- who reads plain lines need not wait for it

        self._logger: Any = structlog.wrap_logger(
            structlog.WriteLogger(sys.stderr),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(default=str),
            ],
            wrapper_class=structlog.BoundLogger,
        )

    def bind(self, **context: JsonValue) -> None:
        """Let every later event bear these fields."""
        self._logger = self._logger.bind(**context)

    def info(self, event: str, **fields: JsonValue) -> None:
        """Tell what goes as it should."""
        self._write("info", event, fields)

    def warning(self, event: str, **fields: JsonValue) -> None:
        """Tell what somebody should look at some day."""
        self._write("warning", event, fields)

    def error(self, event: str, **fields: JsonValue) -> None:
        """Tell what went wrong."""
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, JsonValue]) -> None:
        """Write a line; a reader who left is no reason to end otherwise than the run did."""
        with suppress(OSError, ValueError):
            getattr(self._logger, level)(event, **fields)
