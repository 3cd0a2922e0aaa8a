"""A run that was brought into a cluster says the same as before: every report, and every question."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bulkip.cluster.runs import upload
from bulkip.model import Status
from bulkip.reports import FILES, FORMATS
from bulkip.store import (
    TO_DO_AGAIN,
    Beforehand,
    CallFigures,
    Home,
    PlanPeriods,
    Proofs,
    RunHistory,
    RunReader,
)
from bulkip.store.harvest import Harvest
from bulkip.store.retained import Retained
from tests.reportsite import (
    MIGRATION,
    MIGRATION_FAULTS,
    TEXTS,
    TRAFFIC,
    TRAFFIC_FAULTS,
    rehearse,
    store_hostile,
)
from tests.storedruns import HEADER

pytestmark = pytest.mark.xdist_group("cluster")

Question = Callable[[Home], object]


def asked(kind: type[RunReader], *plain: str, **questions: tuple[object, ...]) -> dict[str, Question]:
    """Return questions that a kind of reader answers, those with arguments by name."""

    def ask(name: str, values: tuple[object, ...]) -> Question:
        def answer(home: Home) -> object:
            with kind(home) as reader:
                return getattr(reader, name)(*values)

        return answer

    every = dict.fromkeys(plain, ()) | questions
    return {f"{kind.__name__}.{name}": ask(name, values) for name, values in every.items()}


def rows(home: Home) -> object:
    """Return all rows with what the user wrote."""
    with RunHistory(home, TO_DO_AGAIN) as history:
        return [tuple(row) for row in history.rows()]


def figures(home: Home) -> object:
    """Return what the calls of a run come to."""
    with CallFigures(home) as calls:
        spans = calls.spans(5)
        rough = [tuple(row) for row in calls.calls_by_item(rough=True)]
        return spans, [calls.paces(span, 1) for span in spans], calls.latencies(), rough


def history(home: Home) -> object:
    """Return what is told of single addresses."""
    with RunHistory(home) as found:
        doubtful = found.first_address(Status.UNKNOWN)
        return doubtful, found.neighbours("203.0.113.7"), [tuple(row) for row in found.attempts_of(5)]


def readings(home: Home) -> object:
    """Return what was collected for good."""
    with Harvest(home) as harvest:
        return list(harvest.readings(harvest.header())), harvest.plan_digest(), harvest.asks_traffic()


QUESTIONS: dict[str, Question] = {
    **asked(Beforehand, "counts", "class_counts", "troubles", "pace", "in_flight", "items", "items_left"),
    **asked(Beforehand, "is_open", "writes_left", "unfinished", "addresses_to_write", "addresses_left"),
    **asked(Beforehand, "planned_changes", "last_start", "lookups_left", "leads_left", "account"),
    **asked(Beforehand, "rival_mains"),
    **asked(Proofs, "tallies", "unlooked"),
    **asked(Proofs, astray=(5,)),
    **asked(Retained, reason=(0.0,)),
    **asked(PlanPeriods, "has_idle_reads", first=(5,)),
    "to do again": rows,
    "calls": figures,
    "history": history,
    "readings": readings,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the folders of runs: writes, reads of traffic, and one full of attacks."""
    base = tmp_path_factory.mktemp("brought")
    rehearse(base / "migration", MIGRATION, MIGRATION_FAULTS)
    rehearse(base / "traffic", TRAFFIC, TRAFFIC_FAULTS)
    rehearse(base / "lookup", MIGRATION.replace("id: 4711", "id: lookup"), MIGRATION_FAULTS)
    store_hostile(base / HEADER.id, [text.replace("\0", "") for text in TEXTS.values()])  # no database has it
    runs = {name: next((base / name).glob(".bulkip/runs/*")) for name in ("migration", "traffic", "lookup")}
    return {**runs, "hostile": base / HEADER.id}


@pytest.fixture(scope="module")
def brought(folders: dict[str, Path], cluster_url: str) -> dict[str, Home]:
    """Return where the same runs are in a cluster."""
    found: dict[str, Home] = {}
    for name, folder in folders.items():
        with RunReader(folder) as reader:
            found[name] = replace(upload(cluster_url, folder, reader.header(), "[]"), place="db")
    return found


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ["migration", "traffic", "lookup", "hostile"])
def test_report_is_the_same(folders: dict[str, Path], brought: dict[str, Home], name: str, form: str) -> None:
    """Whoever renders a report need not know where the run is kept; only its commands name the place."""
    found = []
    for home in (folders[name], brought[name]):
        with RunReader(home) as reader:
            found.append("".join(FORMATS[form](reader)))

    for where in (" --cluster db", f" --run-dir {folders[name].parent.parent}"):
        found = [text.replace(where, "").replace(where.replace("/", "\\/"), "") for text in found]
    assert found[1] == found[0]


def test_parquet_is_the_same(folders: dict[str, Path], brought: dict[str, Home], tmp_path: Path) -> None:
    """The figures of a night are read from either place."""
    files = []
    for place, home in enumerate((folders["traffic"], brought["traffic"])):
        path = tmp_path / f"{place}.parquet"
        with RunReader(home) as reader:
            FILES["parquet"](reader, path)
        files.append(path.read_bytes())

    assert len(files[0]) == len(files[1])


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("name", ["migration", "traffic", "lookup", "hostile"])
def test_question_has_the_same_answer(
    folders: dict[str, Path], brought: dict[str, Home], name: str, question: str
) -> None:
    """A decision about a run is the same wherever it is kept."""
    ask = QUESTIONS[question]

    assert ask(brought[name]) == ask(folders[name])
