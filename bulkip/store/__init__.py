"""The run store: one SQLite file that knows everything about a run."""

from bulkip.store.attempt import Attempt, Outcome
from bulkip.store.choice import Choice
from bulkip.store.freeze import Frozen, Writing, check, freeze
from bulkip.store.history import TO_DO_AGAIN, RunHistory, of_address, own_cells
from bulkip.store.questions import PROOF_REQUIRED
from bulkip.store.reader import Change, PlannedItem, RunReader, StoredRow
from bulkip.store.rebase import carry_over, replace_store
from bulkip.store.reopening import reopen
from bulkip.store.schema import RunHeader
from bulkip.store.writer import RunWriter, open_writer

__all__ = [
    "PROOF_REQUIRED",
    "TO_DO_AGAIN",
    "Attempt",
    "Change",
    "Choice",
    "Frozen",
    "Outcome",
    "PlannedItem",
    "RunHeader",
    "RunHistory",
    "RunReader",
    "RunWriter",
    "StoredRow",
    "Writing",
    "carry_over",
    "check",
    "freeze",
    "of_address",
    "open_writer",
    "own_cells",
    "reopen",
    "replace_store",
]
