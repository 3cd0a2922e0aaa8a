"""Where tests of the run store keep their runs: in a folder, or in a real PostgreSQL."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from bulkip.cluster.runs import upload
from bulkip.model import Item, Problem
from bulkip.store import Home, RunHeader
from tests.storedruns import HEADER, frozen

_ids = count(1)


@dataclass(slots=True)
class Shelf:
    """Keeps runs below a folder, or in the database of a URL when there is one; `home` is the newest."""

    folder: Path
    url: str | None = None
    home: Home = field(init=False)

    def freeze(self, plan: Iterable[Item | Problem], header: RunHeader = HEADER) -> Home:
        """Freeze a plan into a new run, and return where that is."""
        header = replace(header, id=f"{header.id}-{next(_ids)}")
        self.home = place = self.folder / header.id
        frozen(place, plan, header)
        if self.url is not None:
            self.home = upload(self.url, place, header, "[]")
            shutil.rmtree(place)
        return self.home
