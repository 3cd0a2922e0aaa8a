"""What the table of items needs of each row: a short list of cells, by place instead of by name."""

from datetime import datetime

from bulkip.exactjson import exact_text
from bulkip.hostnames import ptr_names, same_names
from bulkip.model import ErrorClass, JsonValue, Status
from bulkip.reports.htmlpage.amounts import Traffic, digits
from bulkip.reports.htmlpage.overview import Told, is_about_names
from bulkip.reports.rows import Row
from bulkip.reports.text import answer

COLUMNS = (
    "number", "ip", "action", "status", "class", "code", "message", "http", "attempts", "before", "after",
    "wanted", "verified", "in", "out", "answer", "note", "started", "ms", "source", "params", "empty",
    "raw", "course",
)  # fmt: skip
WORDS: dict[str, JsonValue] = {
    "status": [status.value for status in Status],
    "class": [kind.value for kind in ErrorClass],
}
"""The words that stand in cells as their place in these lists."""
LONGEST_RAW = 1000
HOLDING = frozenset({Status.CHANGED, Status.UNCHANGED, Status.MATCH, Status.UNVERIFIED})
"""The names that were wanted are there, as far as anybody knows."""
_STATUSES = {status.value: place for place, status in enumerate(Status)}
_CLASSES = {kind.value: place for place, kind in enumerate(ErrorClass)}


def cells(told: Told, base: int, course: JsonValue = None) -> list[JsonValue]:
    """Return the cells of an item in the order of COLUMNS; empty ones at the end are left out.

    `base` is the Unix second from which times are counted, in milliseconds.
    """
    row = told.row
    found = [
        *(told.number, row["ip"], row["action"], _STATUSES[str(row["status"])]),
        *(_class(row), row["error_code"], row["message"], row["http_status"], row["attempts"]),
        *(row["before"], row["after"], _wanted(row), _flag(row["verified"])),
        *_amounts(told.traffic),
        _answer(told),
        *(row["note"], _after_base(row, base), row["duration_ms"], row["source"], _params(row)),
        *(1 if row["empty"] else None, _raw(told), course),
    ]
    while found[-1] is None:
        found.pop()
    return found


def course_of(traffic: Traffic, places: dict[tuple[int, ...], int]) -> JsonValue:
    """Return what is drawn of an item: the place of its time stamps among all lists of them, in, out."""
    points = [(second, amount) for second, amount in traffic.points if second is not None]
    points.sort(key=lambda point: point[0])  # a provider may tell one time stamp twice
    seconds = tuple(second for second, _ in points)
    place = places.setdefault(seconds, len(places))
    return [
        place,
        [_drawn(float(amount.inbound)) for _, amount in points],
        [_drawn(float(amount.outbound)) for _, amount in points],
    ]


def _drawn(value: float) -> float:
    """Return a number with as many digits as a chart can show."""
    rounded = float(f"{value:.4g}")
    return int(rounded) if rounded.is_integer() else rounded


def _class(row: Row) -> int | None:
    return None if row["error_class"] is None else _CLASSES[str(row["error_class"])]


def _flag(value: JsonValue) -> int | None:
    return None if value is None else int(bool(value))


def _wanted(row: Row) -> JsonValue:
    """Return the names that a write or a check wants, where they are not those that are there."""
    params = row["params"]
    if not is_about_names(row) or not isinstance(params, dict) or "ptr" not in params:
        return None
    names = ptr_names(str(params["ptr"]))
    if row["status"] in HOLDING and same_names(names, _listed(row["after"])):
        return None
    return [*names] if len(names) > 1 else (names[0] if names else "")


def _listed(value: JsonValue) -> list[str]:
    if isinstance(value, list):
        return [str(name) for name in value]
    return [] if value is None else [str(value)]


def _amounts(traffic: Traffic | None) -> tuple[str | None, str | None]:
    if traffic is None:
        return None, None
    total = traffic.total
    return digits(total.inbound), digits(total.outbound)


def _answer(told: Told) -> str | None:
    if told.row["action"] == "get_traffic":
        return "no traffic" if told.row["empty"] else None
    return answer(told.row) or None


def _params(row: Row) -> JsonValue:
    """Return what was sent, without what other cells show already."""
    params = row["params"] if isinstance(row["params"], dict) else {}
    shown = {"ip", "ptr"} if is_about_names(row) else {"ip"}
    return {name: value for name, value in params.items() if name not in shown} or None


def _after_base(row: Row, base: int) -> int | None:
    started = row["started_at"]
    return (
        round((datetime.fromisoformat(started).timestamp() - base) * 1000)
        if isinstance(started, str)
        else None
    )


def _raw(told: Told) -> str | None:
    """Return the answer of a read as JSON text, shortened; traffic has columns of its own."""
    if told.traffic is not None or told.row["data"] is None:
        return None
    text = exact_text(told.row["data"])
    return text if len(text) <= LONGEST_RAW else f"{text[:LONGEST_RAW]}…"
