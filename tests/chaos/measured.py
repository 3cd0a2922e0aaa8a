"""The program as `python -m bulkip` starts it; its peak memory in MiB is in a file when it has ended."""

import atexit
import resource
import runpy
import sys
from pathlib import Path

KIB, MIB = 2**10, 2**20


def peak_mib() -> float:
    """Return the peak of this process alone; Linux counts in rusage what was there before exec, too."""
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * KIB / MIB


if __name__ == "__main__":
    place = Path(sys.argv.pop(1))
    atexit.register(lambda: place.write_text(f"{peak_mib()}"))
    runpy.run_module("bulkip", run_name="__main__")
