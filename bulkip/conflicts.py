"""Which items contradict each other, and which problems were told before? Questions about a whole job."""

from collections.abc import Iterator

from bulkip.actions.checks import LOOKUP
from bulkip.model import Item, Place, Problem


class MainAddresses:
    """Owns which address each server is to get as its main one; one entry a server."""

    def __init__(self) -> None:
        self._by_server: dict[tuple[str, str], tuple[str, str]] = {}

    def feed(self, item: Item) -> Iterator[Problem]:
        """Yield a problem when the item makes a second address the main one of its server."""
        if item.action != "set_main" or item.skip is not None or item.form.get("main", "0") == "0":
            return
        server, ip = item.form["id"], item.form["ip"]
        if server == LOOKUP:
            return  # judged once it is found
        first_ip, first_source = self._by_server.setdefault((item.account, server), (ip, item.source))
        if first_ip != ip:
            yield Problem(
                _place(item.source),
                f"set_main (step {item.step}): {ip} is to be the main address of server {server}, "
                f"but {first_source} says {first_ip}; keep one of them",
            )


class Told:
    """Owns which problems of one place were told last, so that each is told once.

    A fault of a step comes back with every row, and a range of addresses
    shares one place: what was told at a step's place is remembered as long as
    there are few of them.
    """

    def __init__(self, most: int = 1000) -> None:
        self._most = most
        self._told: dict[Problem, None] = {}

    def is_new(self, problem: Problem) -> bool:
        """Say whether the problem was not told before, and remember it."""
        known = problem in self._told
        self._told.pop(problem, None)
        self._told[problem] = None
        if len(self._told) > self._most:
            del self._told[next(iter(self._told))]
        return not known


def _place(source: str) -> Place:
    file, _, line = source.rpartition(":")
    return Place(file, int(line))
