"""What bulkip is given to do: a CSV of addresses, and a job file over it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

READ, WRITE = "get_ptr", "update_ptr"
NO_LIMIT: Mapping[str, Any] = {"rate": "1000000/s", "headroom": "0%", "concurrency": 32}
FORMS: Mapping[str, Mapping[str, str]] = {
    READ: {"id": "{{ row.id }}", "location": "NL"},
    WRITE: {"id": "{{ row.id }}", "ptr": "{{ ip.dashed }}.{{ vars.zone }}", "location": "NL"},
}


def address(number: int) -> str:
    """Return one of sixteen million addresses."""
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def write_rows(path: Path, count: int) -> Path:
    """Write so many addresses, each with the id of a server."""
    with path.open("w", encoding="utf-8") as file:
        file.write("ip,id\n")
        file.writelines(f"{address(number)},{4000 + number % 1000}\n" for number in range(count))
    return path


def write_job(path: Path, url: str, action: str, limits: Mapping[str, Any] = NO_LIMIT, **more: Any) -> Path:
    """Write a job over `rows.csv` beside it; names are not looked up, because all traffic stays here.

    YAML takes JSON as it is.
    """
    job = {
        "version": 1,
        "name": path.stem,
        "api": {"url": url},
        "vars": {"zone": "example.net"},
        "targets": [{"csv": "rows.csv"}],
        "actions": [{"action": action, "with": FORMS[action]}],
        "limits": limits,
        "safety": {"forward": "off"},
        "reports": [f"jsonl={path.stem}.jsonl"],
    }
    path.write_text(json.dumps(job | more, indent=1), encoding="utf-8")
    return path


def lines_in(path: Path) -> int:
    """Count the lines of a file."""
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(2**20), b""))
