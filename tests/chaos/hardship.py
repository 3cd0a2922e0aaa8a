"""A job and a provider that makes it hard, both drawn from a seed."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from string import ascii_letters, digits
from urllib.parse import quote

from bulkip.model import JsonValue
from bulkip.simulator.seeds import invented_ptr

NETWORKS = ("203.0.113", "198.51.100", "192.0.3")
SERVER = 4711
PER_NETWORK = 250
REPORTS = ("jsonl", "csv", "json", "attempts", "failed-csv", "text")
ALREADY_ONE_IN = 12
"""So many addresses have the name that is wanted from the beginning."""


@dataclass(frozen=True, slots=True)
class Hardship:
    """What one loop goes through: whose names it sets, with which token, and what goes wrong."""

    plan: Mapping[str, str]
    token: str
    faults: tuple[Mapping[str, JsonValue], ...]
    concurrency: int
    read_again_after: str

    @classmethod
    def drawn(cls, rng: Random, writes: int) -> "Hardship":
        """Draw so many writes, and the troubles that they meet."""
        token = "k+" + "".join(rng.choices(ascii_letters + digits, k=30)) + "/=&%"
        return cls(
            plan={ip: _wanted(ip, rng) for ip in addresses(writes)},
            token=token,
            faults=tuple(_faults(rng, token)),
            concurrency=rng.choice((1, 4, 16, 48)),
            read_again_after=rng.choice(("5m", "5m", "0s")),
        )

    def write_job(self, folder: Path, url: str) -> None:
        """Write job file and list into a folder."""
        rows = "".join(f"{ip},{ptr}\n" for ip, ptr in self.plan.items())
        (folder / "rows.csv").write_text("ip,ptr\n" + rows)
        (folder / "out").mkdir()
        reports = ", ".join(f"{name}=out/ptr.{name}" for name in REPORTS)
        (folder / "job.yaml").write_text(
            f"version: 1\nname: chaos\napi: {{url: '{url}'}}\ntargets: [{{csv: rows.csv}}]\n"
            f"actions: [{{action: update_ptr, with: {{id: {SERVER}}}}}]\n"
            f"limits: {{rate: 5000/s, concurrency: {self.concurrency}}}\n"
            "retry: {base: 10ms, max: 100ms}\ntimeouts: {attempt: 2s}\nverify: {settle: 100ms}\n"
            f"safety: {{read_again_after: {self.read_again_after}}}\nreports: [{reports}]\n"
        )

    def write_faults(self, path: Path, seed: int) -> None:
        """Write the fault file of the provider; YAML reads JSON."""
        path.write_text(json.dumps({"version": 1, "seed": seed, "faults": [*self.faults]}))


def addresses(count: int) -> list[str]:
    """Return so many addresses of one server."""
    return [f"{NETWORKS[n // PER_NETWORK]}.{n % PER_NETWORK}" for n in range(count)]


def _wanted(ip: str, rng: Random) -> str:
    already = rng.randrange(ALREADY_ONE_IN) == 0
    return invented_ptr(ip) if already else f"{ip.replace('.', '-')}.new.example.net"


def _faults(rng: Random, token: str) -> Iterator[Mapping[str, JsonValue]]:
    """Yield what goes wrong with calls; the odds differ from loop to loop."""
    hardness = rng.uniform(0.3, 1.5)
    for action, odds, what in (*_lost_answers(), *_wrong_answers(token), *_slow_answers()):
        if odds * hardness >= 0.01:
            yield {"action": action, "probability": f"{odds * hardness:.2f}%", **what}


def _lost_answers() -> Iterator[tuple[str, float, Mapping[str, JsonValue]]]:
    for reset in ("before", "after", "close"):
        yield "update_ptr", 4, {"reset": reset}
        yield "get_ptr", 2, {"reset": reset}
    for effect in (True, False):
        yield "update_ptr", 0.3, {"hang": "3s", "effect": effect}
        yield "update_ptr", 3, {"status": 503, "effect": effect}
        yield "update_ptr", 1, {"status": 408, "effect": effect}
        yield (
            "update_ptr",
            1,
            {"status": 500, "json": {"code": -1, "message": "internal error"}, "effect": effect},
        )
    yield "*", 2, {"status": 502}
    yield "*", 1.5, {"status": 429}


def _wrong_answers(token: str) -> Iterator[tuple[str, float, Mapping[str, JsonValue]]]:
    for number, echo in enumerate(_echoes(token)):
        yield "update_ptr", 1, {"body": f"<html>Please stand by, {echo}</html>", "effect": number % 2 == 0}
        refused: JsonValue = {"code": -1, "message": f"zone reload for {echo}"}
        yield "update_ptr", 1, {"json": refused, "effect": number % 2 == 1}
        yield "get_ptr", 0.5, {"status": 503, "json": {"code": -1, "message": f"overload for {echo}"}}
    yield "get_ptr", 1, {"body": "[1, 2"}
    yield "*", 1, {"truncate": 12}
    yield "*", 1, {"truncate": 12, "clean": True}
    yield "*", 1, {"duplicate_keys": True}


def _slow_answers() -> Iterator[tuple[str, float, Mapping[str, JsonValue]]]:
    yield "*", 2, {"delay": "30ms"}
    yield "*", 1, {"drip": 400}
    yield "*", 3, {"keep_alive": "close"}
    yield "update_ptr", 2, {"lag": "20ms"}
    yield "update_ptr", 2, {"lag": "20ms", "reset": "after"}


def _echoes(token: str) -> Iterator[str]:
    """Yield a token as servers may give it back."""
    yield token
    yield quote(token, safe="")
    yield base64.b64encode(f"token={token}".encode()).decode()
    yield token.encode().hex()
    yield token[::-1]
