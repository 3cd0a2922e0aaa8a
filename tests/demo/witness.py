"""What the simulated provider saw, by its own log: the only one whose word counts in the demo."""

import json
from collections import Counter
from pathlib import Path

from bulkip.simulator.window import busiest


class Witness:
    """Reads the log of `bulkip simulate` while it grows."""

    def __init__(self, log: Path) -> None:
        """Read this log."""
        self._log = log
        self._read = 0  # bytes
        self._times: list[float] = []
        self._writes: Counter[str] = Counter()

    def look(self) -> None:
        """Take in the lines that came since the last look."""
        with self._log.open("rb") as file:
            file.seek(self._read)
            whole = file.read().rpartition(b"\n")[0]
        if whole:
            self._read += len(whole) + 1
        for line in whole.splitlines():
            call = json.loads(line)
            self._times.append(call["at"])
            if call["effect"]:
                self._writes[call["ip"]] += 1

    @property
    def calls(self) -> int:
        """How many calls there were."""
        return len(self._times)

    @property
    def written(self) -> int:
        """How many addresses were written."""
        return len(self._writes)

    @property
    def written_again(self) -> int:
        """How many addresses were written more than once."""
        return sum(count > 1 for count in self._writes.values())

    @property
    def fullest_second(self) -> int:
        """The largest number of calls within any second."""
        return busiest(self._times, 1.0)
