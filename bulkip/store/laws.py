"""Which rows a run store must not hold: the laws of a run (design.md §5) as questions in SQL."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from bulkip.model import ErrorClass, Purpose, Status
from bulkip.store.questions import COLLECTED_BY
from bulkip.wire import VerdictKind


class Law(StrEnum):
    """What a run promises; `store` is what all of it stands on."""

    STORE = "store"
    L1 = "L1"
    L2 = "L2"
    L3 = "L3"
    L4 = "L4"
    L5 = "L5"
    L6 = "L6"
    L7 = "L7"


MEANINGS: Mapping[Law, str] = MappingProxyType(
    {
        Law.STORE: "every row can be read",
        Law.L1: "items and rows correspond one to one",
        Law.L2: "every write was in the store before it was sent",
        Law.L3: "what was told at the end is in the store",
        Law.L4: "what is called changed or failed is proved",
        Law.L5: "what had ended stayed as it was",
        Law.L6: "nothing was sent outside the plan, after a success or too often",
        Law.L7: "the books balance",
    }
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must not be: `sql` selects item and attempt of each place, null where there is none.

    It may bind `:attempts`, how many calls of a purpose an item is allowed in
    one start.
    """

    law: Law
    wrong: str
    way_out: str
    sql: str


_TAMPERED = "something else changed this store, or its disk fails: keep a copy of it and run the job again"
_READ_BACK = "do not rely on these rows: read the addresses with a get_ptr job"
_SETTLE = "`bulkip retry RUN` reads such a write back before it sends anything"
_FINISH = "`bulkip resume RUN` does what is missing"
_TELL = "this is a bug of bulkip or a changed store: keep a copy of the store and report it"


def _words(*words: str) -> str:
    """Return words as a list of SQL."""
    return ", ".join(f"'{word}'" for word in words)


_ANSWERED = f"({_words(VerdictKind.SUCCESS, VerdictKind.EMPTY)})"
_READINGS = f"({_words(Purpose.BEFORE, Purpose.READBACK, Purpose.VERIFY)})"
_PROOFS = f"({_words(Purpose.READBACK, Purpose.VERIFY)})"
_FOLLOWED_UP = f"""
attempt.purpose = '{Purpose.LOOKUP}' AND EXISTS (SELECT 1 FROM attempt AS sent
  WHERE sent.item = attempt.item AND sent.number < attempt.number AND sent.purpose = '{Purpose.CALL}')
"""
"""Whether a write is finished was asked after it; before it, that purpose is the search for a server."""
_WRITTEN = f"({_words(Status.CHANGED, Status.UNVERIFIED, Status.UNKNOWN)})"
_OPENABLE = f"({_words(Status.UNKNOWN, Status.FAILED, Status.CONFLICT, Status.SKIPPED, Status.UNVERIFIED)})"
_SURE = f"({_words(Status.FAILED, Status.UNCHANGED, Status.CONFLICT, Status.SKIPPED)})"
_ENDED = f"({_words(Status.CHANGED, Status.UNVERIFIED)})"
_SETS_PTR = "item.shown AND CASE WHEN json_valid(item.form) THEN json_extract(item.form, '$.ptr') NOTNULL END"
_COLLECTED = f"(item.action = 'get_traffic' AND COALESCE(result.note, '') LIKE '{COLLECTED_BY}%')"
"""Whether an earlier run had the answer, so that this one asked nobody."""
_NUMBERS = "('integer', 'real')"
_ACCEPTED = f"attempt.purpose = '{Purpose.CALL}' AND attempt.outcome IN {_ANSWERED}"
_SEEN = f"(attempt.purpose IN {_READINGS} OR {_FOLLOWED_UP}) AND attempt.outcome IN {_ANSWERED}"
_PROVED = f"(attempt.purpose IN {_PROOFS} OR {_FOLLOWED_UP}) AND attempt.outcome IN {_ANSWERED}"

_ENDS = """
SELECT item.number, NULL FROM item
JOIN result ON result.item = item.number AND result.generation = item.generation WHERE
"""
_OPEN = """
SELECT item.number, NULL FROM item
LEFT JOIN result ON result.item = item.number AND result.generation = item.generation
WHERE result.status IS NULL AND
"""
_CALLS = "SELECT attempt.item, attempt.number FROM attempt JOIN item ON item.number = attempt.item WHERE"
_OF_ITEM = "(SELECT 1 FROM attempt WHERE attempt.item = item.number AND"


def _latest(condition: str) -> str:
    """Return the number of an item's newest attempt with this condition, 0 when there is none."""
    return f"(SELECT COALESCE(MAX(number), 0) FROM attempt WHERE attempt.item = item.number AND {condition})"


_LAST_CALL = _latest(f"attempt.purpose = '{Purpose.CALL}'")
_LAST_READING = _latest(_SEEN)
_FULL_END = """
EXISTS (SELECT 1 FROM start WHERE number = (SELECT MAX(number) FROM start) AND exit_code IN (0, 3, 4, 9)
  AND reason IS NULL AND started_at >= (SELECT CAST(value AS REAL) FROM run WHERE name = 'created_at'))
"""
"""Whether the newest start said that all is done, about the plan that is here (a rebase makes another)."""

_TEXTS = " OR ".join(f"typeof({name}) <> 'text'" for name in ("key", "step", "action", "source"))

CHECKS: tuple[Check, ...] = (
    Check(Law.STORE, "what names it is no text", _TAMPERED,
          f"SELECT number, NULL FROM item WHERE {_TEXTS} OR typeof(ip) NOT IN ('text', 'null')"),
    Check(Law.STORE, "its parameters are no object of texts", _TAMPERED,
          "SELECT number, NULL FROM item WHERE NOT readable(form, 'object')"),
    Check(Law.STORE, "the names read before it are no list", _TAMPERED,
          "SELECT item, NULL FROM reading WHERE NOT readable(names, 'array') "
          f"OR typeof(read_at) NOT IN {_NUMBERS}"),
    Check(Law.STORE, "its result cannot be read", _TAMPERED,
          "SELECT item, NULL FROM result WHERE NOT (names IS NULL OR readable(names, 'array')) "
          f"OR NOT (value IS NULL OR json_valid(value)) OR typeof(settled_at) NOT IN {_NUMBERS}"),
    Check(Law.STORE, "the call cannot be read", _TAMPERED,
          "SELECT item, number FROM attempt WHERE NOT (wanted IS NULL OR readable(wanted, 'array')) "
          f"OR NOT (seen IS NULL OR readable(seen, 'array')) OR typeof(sent_at) NOT IN {_NUMBERS} "
          f"OR typeof(finished_at) NOT IN ('null', {_NUMBERS[1:]}"),
    Check(Law.STORE, "it is of an action that nobody knows, or not marked as the write that it is", _TAMPERED,
          "SELECT number, NULL FROM item WHERE NOT known(action, writes)"),
    Check(Law.L1, "its key stands twice", _TAMPERED,
          "SELECT number, NULL FROM item WHERE key IN "
          "(SELECT key FROM item GROUP BY key HAVING COUNT(*) > 1)"),
    Check(Law.L1, "its key does not fit what it is to do", _TAMPERED,
          "SELECT number, NULL FROM item WHERE NOT keyed(key, step, action, ip, form, skip, account)"),
    Check(Law.L1, "it stands in no chain that a run would come to", _TAMPERED,
          "SELECT number, NULL FROM item WHERE chain < 1 OR chain > number OR EXISTS "
          "(SELECT 1 FROM item AS head WHERE head.number = item.chain "
          "AND (head.ip IS NOT item.ip OR head.account <> item.account))"),
    Check(Law.L2, "the write does not say which value it wanted and which one was seen before", _READ_BACK,
          f"{_CALLS} {_SETS_PTR} AND purpose = '{Purpose.CALL}' AND (wanted IS NULL OR seen IS NULL)"),
    Check(Law.L2, "calls before this one are missing", _READ_BACK,
          "SELECT item, MAX(number) FROM attempt WHERE item IN (SELECT number FROM item) "
          "GROUP BY item HAVING COUNT(*) <> MAX(number) OR MIN(number) <> 1"),
    Check(Law.L3, "it has a result of a generation that was never begun", _TAMPERED,
          "SELECT item.number, NULL FROM item JOIN result ON result.item = item.number "
          "WHERE result.generation NOT BETWEEN 0 AND item.generation"),
    Check(Law.L3, "the run told that all had ended, and this has no result", _FINISH,
          f"{_OPEN} item.generation = 0 AND {_FULL_END}"),
    Check(Law.L4, "`changed`, but no write was accepted and no read-back showed it", _READ_BACK,
          "SELECT item.number, NULL FROM item JOIN result ON result.item = item.number "
          f"WHERE result.status IN {_ENDED} AND NOT EXISTS {_OF_ITEM} (({_ACCEPTED}) OR ({_PROVED})))"),
    Check(Law.L4, "`changed`, but to another value than the one planned", _READ_BACK,
          f"{_ENDS} {_SETS_PTR} AND status = '{Status.CHANGED}' AND NOT wants(item.form, result.names)"),
    Check(Law.L4, "a sure status, but a write of it is still in doubt", _SETTLE,
          f"{_ENDS} item.writes AND status IN {_SURE} AND EXISTS "
          f"{_OF_ITEM} attempt.purpose = '{Purpose.CALL}' AND attempt.in_doubt)"),
    Check(Law.L4, "a write was accepted, and the row does not say `changed`", _READ_BACK,
          f"{_CALLS} item.writes AND {_ACCEPTED} AND NOT EXISTS (SELECT 1 FROM result "
          f"WHERE result.item = item.number AND result.status IN {_ENDED})"),
    Check(Law.L4, "`unchanged`, but nobody looked", _READ_BACK,
          f"{_ENDS} item.shown AND status = '{Status.UNCHANGED}' AND NOT EXISTS {_OF_ITEM} {_SEEN})"),
    Check(Law.L4, "`ok`, but no answer was taken", _READ_BACK,
          f"{_ENDS} status = '{Status.OK}' AND NOT {_COLLECTED} AND NOT EXISTS {_OF_ITEM} {_ACCEPTED})"),
    Check(Law.L4, "`unknown`, but nothing was sent that could have changed it", _SETTLE,
          f"{_ENDS} status = '{Status.UNKNOWN}' AND NOT EXISTS "
          f"{_OF_ITEM} attempt.purpose = '{Purpose.CALL}')"),
    Check(Law.L4, "a status that its action cannot have", _TELL,
          f"{_ENDS} (item.writes = 0 AND status IN {_WRITTEN}) "
          f"OR (item.writes AND status = '{Status.OK}')"),
    Check(Law.L5, "it was opened again after a status that is final", _TELL,
          "SELECT item.number, NULL FROM item JOIN result ON result.item = item.number "
          f"AND result.generation < item.generation WHERE result.status NOT IN {_OPENABLE} "
          "OR item.skip IS NOT NULL"),
    Check(Law.L5, "it was opened again and the result before that is missing", _TAMPERED,
          "SELECT number, NULL FROM item WHERE generation <> 0 AND generation <> "
          "(SELECT COUNT(*) FROM result WHERE result.item = item.number "
          "AND result.generation < item.generation)"),
    Check(Law.L6, "a call for an item that is not in the plan", _TELL,
          "SELECT item, number FROM attempt WHERE item <> 0 AND item NOT IN (SELECT number FROM item)"),
    Check(Law.L6, "a call for an item that was to be skipped", _TELL,
          f"{_CALLS} attempt.purpose = '{Purpose.CALL}' AND (item.skip IS NOT NULL OR (item.generation = 0 "
          "AND EXISTS (SELECT 1 FROM result WHERE result.item = item.number "
          f"AND result.status = '{Status.SKIPPED}')))"),
    Check(Law.L6, "a call for an item whose server is not known", _TELL,
          f"{_CALLS} attempt.purpose <> '{Purpose.LOOKUP}' "
          "AND item.generation = 0 AND item.number IN (SELECT item FROM sought WHERE server IS NULL)"),
    Check(Law.L6, "a write of another value than the one planned", _READ_BACK,
          f"{_CALLS} {_SETS_PTR} AND attempt.wanted IS NOT NULL AND NOT wants(item.form, attempt.wanted)"),
    Check(Law.L6, "a call after the one that had succeeded", _TELL,
          f"SELECT late.item, late.number FROM attempt AS late WHERE late.purpose = '{Purpose.CALL}' "
          "AND late.item <> 0 AND EXISTS (SELECT 1 FROM attempt WHERE attempt.item = late.item "
          f"AND attempt.number < late.number AND {_ACCEPTED})"),
    Check(Law.L6, "a call after the reading that had ended it", _TELL,
          f"{_ENDS} item.shown AND (status = '{Status.UNCHANGED}' OR (status = '{Status.CHANGED}' "
          f"AND NOT EXISTS {_OF_ITEM} {_ACCEPTED}))) AND {_LAST_READING} > 0 "
          f"AND {_LAST_READING} < {_LAST_CALL}"),
    # looks, and questions whether a write is finished, have an end in time, not in number;
    # calls without a status line may be free: those that opened the breaker, and refused connections
    Check(Law.L6, "more answered calls in one start than `retry.attempts` allows", _TELL,
          "SELECT item, MAX(number) FROM attempt WHERE item <> 0 AND http_status IS NOT NULL "
          f"AND purpose NOT IN ({_words(Purpose.VERIFY, Purpose.LOOKUP)}) "
          "GROUP BY item, start, purpose HAVING COUNT(*) > allowed(start, :attempts) "
          f"* (1 + (purpose = '{Purpose.BEFORE}'))"),  # planning reads, and so may the moment of writing
    Check(Law.L7, "a status that there is not", _TAMPERED,
          f"SELECT item, NULL FROM result WHERE status NOT IN ({_words(*Status)})"),
    Check(Law.L7, "an error class that there is not", _TAMPERED,
          f"SELECT item, NULL FROM result WHERE error_class NOT IN ({_words(*ErrorClass)})"),
    Check(Law.L7, "a call of a kind that there is not", _TAMPERED,
          f"SELECT item, number FROM attempt WHERE purpose NOT IN ({_words(*Purpose)}) "
          f"OR error_class NOT IN ({_words(*ErrorClass)})"),
    Check(Law.L7, "a call of a start that is not in the books", _TAMPERED,
          "SELECT item, number FROM attempt WHERE start NOT IN (SELECT number FROM start)"),
    Check(Law.L7, "a result of an item that is not in the plan", _TAMPERED,
          "SELECT item, NULL FROM result WHERE item NOT IN (SELECT number FROM item)"),
    Check(Law.L7, "a value read for an item that is not in the plan", _TAMPERED,
          "SELECT item, NULL FROM reading WHERE item NOT IN (SELECT number FROM item)"),
)  # fmt: skip
