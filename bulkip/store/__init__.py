"""The run store: one SQLite file, or a place in a shared database, that knows everything about a run."""

from bulkip.store.attempt import Attempt, Outcome
from bulkip.store.beforehand import Beforehand, Sought
from bulkip.store.callfigures import CallFigures, Span
from bulkip.store.choice import Choice
from bulkip.store.discoveries import (
    account_servers,
    found_lead,
    found_server,
    held_addresses,
    left_unread,
    no_more_leads,
)
from bulkip.store.freeze import Frozen, Writing, check, freeze
from bulkip.store.history import TO_DO_AGAIN, Narrowing, RunHistory, of_address, own_cells
from bulkip.store.home import Home, RemoteRun
from bulkip.store.part import WHOLE_RUN, Part
from bulkip.store.planneditem import Change, PlannedItem
from bulkip.store.planperiods import PlanPeriods
from bulkip.store.proofs import Proofs, unlooked
from bulkip.store.questions import COLLECTED_BY, PROOF_REQUIRED
from bulkip.store.reader import RunReader, StoredRow
from bulkip.store.rebase import carry_over, replace_store
from bulkip.store.reopening import reopen
from bulkip.store.schema import RunHeader
from bulkip.store.workleft import WorkLeft
from bulkip.store.writer import RunWriter, open_writer

__all__ = [
    "COLLECTED_BY",
    "PROOF_REQUIRED",
    "TO_DO_AGAIN",
    "WHOLE_RUN",
    "Attempt",
    "Beforehand",
    "CallFigures",
    "Change",
    "Choice",
    "Frozen",
    "Home",
    "Narrowing",
    "Outcome",
    "Part",
    "PlanPeriods",
    "PlannedItem",
    "Proofs",
    "RemoteRun",
    "RunHeader",
    "RunHistory",
    "RunReader",
    "RunWriter",
    "Sought",
    "Span",
    "StoredRow",
    "WorkLeft",
    "Writing",
    "account_servers",
    "carry_over",
    "check",
    "found_lead",
    "found_server",
    "freeze",
    "held_addresses",
    "left_unread",
    "no_more_leads",
    "of_address",
    "open_writer",
    "own_cells",
    "reopen",
    "replace_store",
    "unlooked",
]
