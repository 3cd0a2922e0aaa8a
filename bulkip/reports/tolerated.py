"""What of a run would have failed its command, had its caller not tolerated it?"""

from collections.abc import Iterator

from bulkip.model import Counts
from bulkip.store import RunReader
from bulkip.tolerance import FAIL_ON, tolerance_kept


def tolerated(reader: RunReader, counts: Counts) -> Iterator[str]:
    """Yield what the exit code of a run with these counts passes over: `3 failed (failed>1%)`."""
    tolerance = tolerance_kept(reader.remembered(FAIL_ON))
    for count, status, term in tolerance.tolerated(counts) if tolerance else ():
        yield f"{count:,} {status} ({term or '--fail-on does not name it'})"
