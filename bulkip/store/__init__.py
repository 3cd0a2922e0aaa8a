"""The run store: one SQLite file that knows everything about a run."""

from bulkip.store.freeze import Frozen, Writing, check, freeze
from bulkip.store.reader import Change, PlannedItem, RunReader, StoredRow
from bulkip.store.schema import RunHeader
from bulkip.store.writer import Attempt, Outcome, RunWriter, open_writer

__all__ = [
    "Attempt",
    "Change",
    "Frozen",
    "Outcome",
    "PlannedItem",
    "RunHeader",
    "RunReader",
    "RunWriter",
    "StoredRow",
    "Writing",
    "check",
    "freeze",
    "open_writer",
]
