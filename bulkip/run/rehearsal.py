"""How a job is rehearsed: the simulator gets what the plan speaks of, and nothing else is called."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path

from bulkip.actions.checks import LOOKUP
from bulkip.errors import JobError
from bulkip.hostnames import ptr_names
from bulkip.model import Item, Problem
from bulkip.policy import DEFAULT_RUN_DIR
from bulkip.run.freeips import rehearsed_free_ips
from bulkip.run.planning import Planning, doors_of, now_utc, piped_input
from bulkip.settings import load_job
from bulkip.simulator import Seed, Subnet, invented_server

Names = tuple[str, ...] | None
SUBNETS = "192.0.2.{first}/28"
"""Where invented free addresses lie: the documentation range of RFC 5737, 16 of them per subnet."""


def seeds_of(items: Iterable[tuple[Item, Names]]) -> Iterator[Seed | Subnet]:
    """Yield the addresses and subnets that items speak of.

    A parameter says which server an address is on; beside each item stand the
    PTR names that its run last knew of, None when it never read any.
    """
    subnets: dict[str, Subnet] = {}
    for ip, group in groupby(items, key=lambda pair: pair[0].ip):
        together: dict[str, str] = {}
        known: Names = None
        for item, names in group:
            together = {**item.form, **together}
            known = known if names is None else names
            if ip is None and (subnet := _subnet(item, len(subnets))):
                subnets.setdefault(item.form["id"], subnet)
        if ip is not None:
            ptr = None if known is None else "\n".join(known)
            forward = ptr_names(together.get("ptr", ""))
            yield Seed(ip, _server(ip, together), together.get("location"), ptr, forward=forward)
    yield from subnets.values()


def _server(ip: str, form: Mapping[str, str]) -> int | None:
    """Return the server that an address is on; one whose server is to be found gets one at the start."""
    server = form.get("id")
    if server == LOOKUP:
        return invented_server(ip)
    return int(server) if server else None


def seeds_of_job(path: Path) -> Iterator[Seed | Subnet]:
    """Yield what a job's own plan speaks of; raises JobError with every problem of the job."""
    loaded = load_job(path)
    if loaded.problems:
        raise JobError(loaded.problems)
    with piped_input() as piped:
        doors = doors_of(piped, Path(DEFAULT_RUN_DIR), rehearsed_free_ips)
        yield from seeds_of(_items(Planning(loaded, now_utc(), doors)))


def _items(planning: Planning) -> Iterator[tuple[Item, Names]]:
    for one in planning.stream():
        if isinstance(one, Problem):
            raise JobError([one])
        yield one, None


def _subnet(item: Item, known: int) -> Subnet | None:
    if item.action != "list_free_ip" or "id" not in item.form:
        return None
    cidr = SUBNETS.format(first=(32 + 16 * known) % 256)
    return Subnet(int(item.form["id"]), cidr, item.form.get("location", "NL"))
