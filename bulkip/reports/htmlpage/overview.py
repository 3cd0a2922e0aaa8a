"""What the rows of a run add up to: counts, error classes with examples, proofs, traffic."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bulkip.model import Counts, JsonValue, Status
from bulkip.reports.htmlpage.amounts import Traffic, traffic_in
from bulkip.reports.htmlpage.marks import FINE
from bulkip.reports.htmlpage.talkers import Talkers
from bulkip.reports.rows import Row, report_row
from bulkip.store import RunReader, StoredRow

MOST_MESSAGES = 50
SHOWN_EXAMPLES = 3


@dataclass(slots=True)
class Trouble:
    """Sums up an error class: its items, and what is said about them with the first address of each."""

    count: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    first: dict[str, str | None] = field(default_factory=dict)

    def notice(self, row: Row) -> None:
        """Add an item of this class; beyond a bound of different messages only the count goes on."""
        self.count += 1
        message = str(row["message"] or "no text")
        if message in self.messages or len(self.messages) < MOST_MESSAGES:
            self.messages[message] += 1
            self.first.setdefault(message, None if row["ip"] is None else str(row["ip"]))

    def examples(self) -> list[tuple[str, int, str | None]]:
        """Return the most frequent messages: text, how often, first address."""
        return [(text, times, self.first[text]) for text, times in self.messages.most_common(SHOWN_EXAMPLES)]


@dataclass(frozen=True, slots=True)
class Told:
    """An item for the page: its number in the plan, its row, and what traffic it reports."""

    number: int
    row: Row
    traffic: Traffic | None

    @property
    def is_fine(self) -> bool:
        """Whether nobody needs to look at it."""
        return self.row["status"] in FINE


def told_items(reader: RunReader) -> Iterator[Told]:
    """Yield every item of a run, in plan order."""
    start = reader.last_start()
    for stored in reader.rows():
        yield _told(stored, report_row(stored, start))


def _told(stored: StoredRow, row: Row) -> Told:
    traffic = traffic_in(stored["value"]) if row["action"] == "get_traffic" else None
    return Told(stored["number"], row, traffic)


@dataclass(slots=True)
class Overview:
    """Sums up the rows of a run, one by one in plan order."""

    statuses: Counter[Status] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    troubles: dict[str, Trouble] = field(default_factory=dict)
    proved: Counter[JsonValue] = field(default_factory=Counter)
    talkers: Talkers = field(default_factory=Talkers)
    names: int = 0
    answers: int = 0

    def notice(self, told: Told) -> None:
        """Add an item."""
        row = told.row
        self.statuses[Status(str(row["status"]))] += 1
        self.actions[str(row["action"])] += 1
        if row["error_class"] is not None:
            self.troubles.setdefault(str(row["error_class"]), Trouble()).notice(row)
        if is_about_names(row):
            self.names += 1
            self.proved[row["verified"]] += 1
        if row["action"] == "get_traffic":
            if row["status"] == Status.OK:
                self.talkers.notice(told.number, row, told.traffic)
        elif row["data"] is not None:
            self.answers += 1

    @property
    def total(self) -> int:
        """All items of the plan."""
        return self.statuses.total()

    @property
    def counts(self) -> Counts:
        """The items by status."""
        return Counts(dict(self.statuses))

    @property
    def is_proved(self) -> bool:
        """Whether anything was looked at again."""
        return self.proved[True] + self.proved[False] > 0

    @property
    def not_fine(self) -> int:
        """How many items somebody should look at."""
        return sum(count for status, count in self.statuses.items() if status not in FINE)

    def troubles_by_weight(self) -> list[tuple[str, Trouble]]:
        """Return the error classes, the most frequent first."""
        return sorted(self.troubles.items(), key=lambda one: (-one[1].count, one[0]))


def is_about_names(row: Row) -> bool:
    """Say whether a row has PTR names to show: what was, what is, or what is wanted."""
    return row["action"] == "update_ptr" or row["before"] is not None or row["after"] is not None


def overview_of(items: Iterable[Told]) -> Overview:
    """Return what all items add up to."""
    overview = Overview()
    for told in items:
        overview.notice(told)
    return overview
