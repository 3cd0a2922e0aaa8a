"""How targets are piped in: read once, kept in a private file, so that they can be read again."""

import tempfile
from types import TracebackType
from typing import BinaryIO, Self

from bulkip.sources import SourceError

MOST_BYTES = 2**30
_CHUNK = 2**20


class PipedInput:
    """Owns the copy of what is piped in, a file without a name; a context manager.

    Nothing is read before somebody asks. What went wrong once is told again,
    because a pipe cannot be read a second time.
    """

    def __init__(self, stream: BinaryIO | None) -> None:
        """Read from this stream, or from nothing when standard input is closed."""
        self._stream = stream
        self._copy: BinaryIO | None = None
        self._refusal: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._copy is not None:
            self._copy.close()

    def rewound(self) -> BinaryIO:
        """Return everything that was piped in, from its start; it stays ours. Raises SourceError."""
        if self._copy is None and self._refusal is None:
            self._refusal = self._keep()
        if self._copy is None or self._refusal is not None:
            raise SourceError(f"stdin {self._refusal}")
        self._copy.seek(0)
        return self._copy

    def _keep(self) -> str | None:
        """Copy the stream; return why that is not possible, or None."""
        if self._stream is None:
            return "is closed; pipe the targets in, like `bulkip run JOB < ips.txt`"
        if self._stream.isatty():
            return "is a terminal; pipe the targets in, like `bulkip run JOB < ips.txt`"
        try:
            self._copy = tempfile.TemporaryFile(prefix="bulkip-")  # noqa: SIM115 - closed by __exit__
            return _copied(self._stream, self._copy)
        except OSError as error:
            reason = error.strerror or error
            return f"cannot be kept for reading it twice: {reason}; save it to a file and name that"


def _copied(stream: BinaryIO, copy: BinaryIO) -> str | None:
    size = 0
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        if size > MOST_BYTES:
            return f"holds more than {MOST_BYTES >> 30} GiB; save it to a file and name that"
        copy.write(chunk)
    copy.flush()
    return None
