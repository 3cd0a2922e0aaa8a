"""Which addresses moved how much: totals of each period, top talkers, and the course over time."""

import heapq
from dataclasses import dataclass, field
from decimal import Decimal

from bulkip.model import JsonValue
from bulkip.reports.htmlpage.amounts import Amount, Traffic, digits
from bulkip.reports.rows import Row, iso

MOST_PERIODS, MOST_TALKERS, MOST_MOMENTS = 62, 100_000, 20_000
MOST_SERIES, MOST_POINTS = 10_000, 100_000
SHOWN_TALKERS = 15
_KEYS = ("period_start", "period_stop", "summary", "unbilled")


@dataclass(slots=True)
class Totals:
    """Sums up one period: its addresses with and without traffic, and the amounts."""

    items: int = 0
    silent: int = 0
    amount: Amount = field(default_factory=Amount)


@dataclass(slots=True)
class Talkers:
    """Sums up the traffic of a run, row by row in plan order.

    An address that is asked twice about the same stretch (a total, and hour by
    hour) counts once among the talkers and in the course of all.
    """

    periods: dict[tuple[str, ...], Totals] = field(default_factory=dict)
    by_address: dict[str, Amount] = field(default_factory=dict)
    course: dict[int, Amount] = field(default_factory=dict)
    _series: list[tuple[Decimal, int, int]] = field(default_factory=list)
    _ip: str | None = None
    _stretches: set[tuple[str, ...]] = field(default_factory=set)
    _seconds: set[int] = field(default_factory=set)

    def notice(self, number: int, row: Row, traffic: Traffic | None) -> None:
        """Add an answered item of get_traffic."""
        params = row["params"] if isinstance(row["params"], dict) else {}
        key = tuple(str(params.get(name, "")) for name in _KEYS)
        self._add_to_period(key, traffic)
        if traffic is None:
            return
        if row["ip"] != self._ip:
            self._ip, self._stretches, self._seconds = str(row["ip"]), set(), set()
        self._add_to_address(str(row["ip"]), (key[0], key[1], key[3]), traffic.total)
        if traffic.is_series:
            self._add_to_course(traffic)
            entry = (traffic.total.both, -number, len(traffic.points))
            place = heapq.heappush if len(self._series) < MOST_SERIES else heapq.heappushpop
            place(self._series, entry)

    def _add_to_period(self, key: tuple[str, ...], traffic: Traffic | None) -> None:
        if len(self.periods) >= MOST_PERIODS and key not in self.periods:
            return
        totals = self.periods.setdefault(key, Totals())
        totals.items += 1
        if traffic is None:
            totals.silent += 1
        else:
            totals.amount += traffic.total

    def _add_to_address(self, ip: str, stretch: tuple[str, ...], amount: Amount) -> None:
        if stretch in self._stretches or (len(self.by_address) >= MOST_TALKERS and ip not in self.by_address):
            return
        self._stretches.add(stretch)
        self.by_address[ip] = self.by_address.get(ip, Amount()) + amount

    def _add_to_course(self, traffic: Traffic) -> None:
        for second, amount in traffic.points:
            known = second is None or second in self._seconds
            if second is None or known or (second not in self.course and len(self.course) >= MOST_MOMENTS):
                continue
            self._seconds.add(second)
            self.course[second] = self.course.get(second, Amount()) + amount

    def drawn(self) -> frozenset[int]:
        """Return the items whose course fits into the page, those with the most traffic first."""
        chosen, points = set(), 0
        for _, number, length in sorted(self._series, reverse=True):
            points += length
            if points > MOST_POINTS:
                break
            chosen.add(-number)
        return frozenset(chosen)

    def top(self) -> list[tuple[str, Amount]]:
        """Return the addresses with the most traffic, the greatest first."""
        return heapq.nsmallest(
            SHOWN_TALKERS, self.by_address.items(), key=lambda one: (one[1].both.copy_negate(), one[0])
        )

    def course_of_all(self) -> JsonValue:
        """Return seconds, in and out of all addresses together, for drawing."""
        seconds = sorted(self.course)
        return [
            [*seconds],
            [float(self.course[one].inbound) for one in seconds],
            [float(self.course[one].outbound) for one in seconds],
        ]


def period_text(key: tuple[str, ...]) -> str:
    """Return a period as a reader of the page wants it: `2026-09-01 00:00 to 2026-09-02 00:00 UTC`."""
    start, stop, _, unbilled = key
    told = " to ".join(_moment(one) for one in (start, stop))
    return f"{told} UTC{', unpaid traffic only' if unbilled == '1' else ''}"


def kind_text(key: tuple[str, ...]) -> str:
    """Return how finely a period was asked for."""
    return "one total" if key[2] == "1" else "by time stamp"


def exact(amount: Decimal) -> str:
    """Return an amount to the last digit, thousands apart."""
    whole, _, rest = digits(amount).partition(".")
    return f"{int(whole):,}" + (f".{rest}" if rest else "")


def _moment(second: str) -> str:
    return str(iso(int(second)))[:16].replace("T", " ") if second.isdecimal() else second or "?"
