"""A folder with a job for two accounts, and the two providers that it calls, each with a token of its own."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulkip.simulator import EmbeddedSimulator, Fault, Seed, Simulator, SimulatorSettings, Subnet
from tests.program import Ended, bulkip

TOKENS = {"NL": "token-of-nl", "US": "token-of-us"}
COUNT = 16
"""So many addresses each account has."""
READ = "[{action: get_ip}]"
WRITE = '[{action: update_ptr, with: {id: 4711, ptr: "{{ ip.dashed }}.{{ row.account }}.example.net"}}]'


@dataclass(frozen=True, slots=True)
class TwoAccounts:
    """The folder where the operator works, and both providers."""

    folder: Path
    nl: Simulator
    us: Simulator

    def write_job(self, actions: str = READ, more: str = "", rate: str = "40/s") -> None:
        """Write the job, with further blocks; the second account is listed in a CSV file without a column."""
        (self.folder / "us.csv").write_text(
            "ip\n" + "".join(f"203.0.113.{16 + one}\n" for one in range(COUNT))
        )
        (self.folder / "job.yaml").write_text(
            f"version: 1\nname: both\naccounts:\n{self._account('nl', self.nl)}{self._account('us', self.us)}"
            f"targets:\n  - {{cidr: 203.0.113.0/28, account: nl}}\n  - {{csv: us.csv, account: us}}\n"
            f"actions: {actions}\nlimits: {{rate: {rate}, concurrency: 4}}\n"
            f"retry: {{base: 10ms}}\nverify: {{settle: 10ms}}\n{more}"
        )

    @staticmethod
    def _account(name: str, api: Simulator) -> str:
        return f"  {name}: {{api: {{url: '{api.url}', token: env:{name.upper()}}}}}\n"

    def do(self, *arguments: str, tokens: Mapping[str, str] = TOKENS) -> Ended:
        """Run the program in the operator's folder."""
        return bulkip(*arguments, cwd=self.folder, env=tokens)

    def done(self, *arguments: str) -> Ended:
        """Run the program with --yes; it must succeed."""
        ended = self.do(*arguments, "--yes")
        assert ended.code == 0, ended.err
        return ended

    def tally(self, run: str = "last", *options: str) -> dict[str, Counter[str]]:
        """Count the rows of a run by account and status."""
        rows = [json.loads(line) for line in self.do("report", run, "-f", "jsonl", *options).out.splitlines()]
        return {
            name: Counter(str(row["status"]) for row in rows if account_of(row) == name)
            for name in ("nl", "us")
        }

    def calls(self, action: str = "get_ip") -> dict[str, int]:
        """Count what each provider was called for."""
        return {"nl": len(self.nl.log.entries(action)), "us": len(self.us.log.entries(action))}

    def lasted_s(self) -> dict[str, float]:
        """Return how long each provider was called for addresses, from first to last call."""
        times = {name: [entry.at for entry in api.log.entries("get_ip")] for name, api in self._both()}
        return {name: max(seen) - min(seen) for name, seen in times.items()}

    def names(self) -> dict[str, set[str]]:
        """Return the PTR names of each provider as they are now."""
        return {
            name: {one for ip in _addresses(name) for one in api.state.ptr_of(ip)}
            for name, api in self._both()
        }

    def _both(self) -> tuple[tuple[str, Simulator], tuple[str, Simulator]]:
        return ("nl", self.nl), ("us", self.us)


def account_of(row: Mapping[str, Any]) -> str:
    """Return the account that a row's address is of."""
    return "nl" if row["ip"] in _addresses("nl") else "us"


def _addresses(name: str) -> list[str]:
    first = 0 if name == "nl" else COUNT
    return [f"203.0.113.{number}" for number in range(first, first + COUNT)]


@contextmanager
def two_accounts(folder: Path, *faults: Fault) -> Iterator[TwoAccounts]:
    """Serve both accounts, the first of them with these faults, and write the job."""
    with ExitStack() as stack:
        apis = []
        for name, own in (("nl", faults), ("us", ())):
            seeds = [
                Seed(ip, 4711, "NL", f"old-{ip.rpartition('.')[2]}.example.org") for ip in _addresses(name)
            ]
            subnet = Subnet(15, "198.51.100.0/29" if name == "nl" else "198.51.100.8/29", "NL")
            settings = SimulatorSettings(token=TOKENS[name.upper()], faults=own)
            apis.append(stack.enter_context(EmbeddedSimulator([*seeds, subnet], settings)))
        site = TwoAccounts(folder, *apis)
        site.write_job()
        yield site
