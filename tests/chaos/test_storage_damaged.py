"""What every command says of a run store that is damaged, foreign, or not there: one clear line."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from bulkip.cli import exit_code_of
from tests.chaos.length import LONG
from tests.chaos.smallrun import TOKEN, SmallRun, small_run

HALTED, USAGE, INTERNAL = 6, 2, 1
READING = (
    ("report", "RUN"),
    ("report", "RUN", "-f", "jsonl"),
    ("report", "RUN", "-f", "csv"),
    ("report", "RUN", "-f", "json"),
    ("report", "RUN", "-f", "failed-csv"),
    ("report", "RUN", "-f", "attempts"),
    ("show", "RUN"),
    ("show", "RUN", "--format", "json"),
    ("explain", "RUN", "203.0.113.5"),
    ("runs",),
)
WRITING = (("resume", "RUN", "-q"), ("retry", "RUN", "-q"))
SEED = 20260901
DAMAGES = 400 if LONG else 8


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallRun]:
    """Give a run that has ended, with the folder that it was started in as the present one."""
    monkeypatch.setenv("HOSTKEY_TOKEN", TOKEN)
    with small_run(tmp_path / "home") as small:
        small.step()
        monkeypatch.chdir(small.home)
        yield small


def store_of(run: SmallRun) -> Path:
    """Return the store of the run."""
    assert run.run_dir is not None
    return run.run_dir / "run.db"


def foreign(store: Path) -> None:
    """Put somebody else's SQLite file there."""
    store.unlink()
    with closing(sqlite3.connect(store)) as other:
        other.execute("CREATE TABLE bookmarks (url)")


def marked(version: int) -> Callable[[Path], None]:
    """Return what marks the store as one of another version."""

    def mark(store: Path) -> None:
        with closing(sqlite3.connect(store)) as other:
            other.execute(f"PRAGMA user_version={version}")

    return mark


def emptied(store: Path) -> None:
    """Truncate it to nothing."""
    store.write_bytes(b"")


def halved(store: Path) -> None:
    """Cut its second half off."""
    store.write_bytes(store.read_bytes()[: store.stat().st_size // 2])


def text(store: Path) -> None:
    """Put a text file there."""
    store.write_text("no database at all, but longer than the header of one " * 9)


ACCIDENTS = {
    "foreign": (foreign, "not a run store of bulkip"),
    "newer": (marked(99), "upgrade bulkip"),
    "older": (marked(1), "older bulkip"),
    "empty": (emptied, "not a run store of bulkip"),
    "halved": (halved, "run store: "),
    "text": (text, "run store: "),
}


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_store_that_cannot_be_read_is_told_in_one_line(
    run: SmallRun, capfd: pytest.CaptureFixture[str], accident: str
) -> None:
    """Every command ends with 6 and the file's name, shows nothing, and leaves the file as it is."""
    store = store_of(run)
    happen, said = ACCIDENTS[accident]
    happen(store)
    before, wrong = store.read_bytes(), []

    for command in (*READING[:-1], *WRITING):
        code = exit_code_of([word.replace("RUN", store.parent.name) for word in command])
        out, err = capfd.readouterr()
        told = len(err.splitlines()) == 1 and said in err and str(store.relative_to(run.home)) in err
        if (code, out, told) != (HALTED, "", True) or store.read_bytes() != before:
            wrong.append((command, code, out, err))

    assert wrong == []


def damaged(content: bytes, rng: Random) -> bytes:
    """Return the content of a store with something in it changed."""
    changed = bytearray(content)
    texts = [place for place in range(100, len(changed)) if 32 <= changed[place] < 127]
    match rng.randrange(4):
        case 0:
            del changed[rng.randrange(len(changed)) :]
        case 1:
            place = rng.randrange(len(changed) - 512)
            changed[place : place + 512] = rng.randbytes(512)
        case 2:
            for _ in range(rng.choice((1, 3, 30))):
                changed[rng.randrange(len(changed))] = rng.randrange(256)
        case _:
            for _ in range(rng.choice((1, 5, 50))):
                changed[rng.choice(texts)] = rng.choice(b'0{}[]"\x00\xff\x1f9a')
    return bytes(changed)


def test_damage_of_any_kind_is_no_bug(run: SmallRun, capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever bytes a store holds, a command tells what can be read, or says that it is damaged."""
    store = store_of(run)
    content, wrong = store.read_bytes(), []

    for seed in range(SEED, SEED + DAMAGES):
        store.write_bytes(damaged(content, Random(seed)))  # noqa: S311 -- to be repeated, not to be secret
        before = store.read_bytes()
        for command in READING:
            code = exit_code_of([word.replace("RUN", store.parent.name) for word in command])
            if code not in {0, USAGE, HALTED} or store.read_bytes() != before:
                wrong.append((seed, command, code))

    capfd.readouterr()
    assert wrong == []


def test_run_with_a_damaged_store_breaks_no_bones(run: SmallRun) -> None:
    """Who resumes or retries on a damaged store is told so; what can be read is gone on with."""
    store = store_of(run)
    content, wrong = store.read_bytes(), []

    for seed in range(SEED, SEED + DAMAGES):
        for command in WRITING:
            store.write_bytes(damaged(content, Random(seed)))  # noqa: S311 -- to be repeated, not to be secret
            code = run.go(*[word.replace("RUN", store.parent.name) for word in command])
            wrong += [(seed, command, code)] if code < 0 or code == INTERNAL else []

    assert wrong == [], (run.home / "told.txt").read_text()[-2000:]
