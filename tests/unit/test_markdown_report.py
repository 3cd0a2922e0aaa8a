"""Markdown summaries: what they say, how large they grow, and that no text from outside is markup."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bulkip.model import ErrorClass, Result, Status
from bulkip.reports import FORMATS
from bulkip.reports.markdown import MOST_OF_A_COMMENT, code, markdown_plan
from bulkip.store import RunReader
from tests.storedruns import frozen, item, settled

MEBIBYTE = 2**20
HOSTILE = (
    "</code>|`x`<script>alert(1)</script> **b** @all #1 [a](https://x.example) www.x.example ~~s~~ _e_ \\"
)


def summary_of(folder: Path) -> str:
    """Render the summary of a run."""
    with RunReader(folder) as reader:
        return "".join(FORMATS["md"](reader))


def test_summary_counts_and_names_what_is_not_fine(tmp_path: Path) -> None:
    """Counts by status, each kind of trouble with an example, and the row where it stands."""
    frozen(tmp_path, [item(1), item(2)])
    changed = Result(Status.CHANGED, names=("a.example",))
    settled(tmp_path, (item(1), changed), (item(2), Result(Status.FAILED, ErrorClass.SERVER, message="503")))

    text = summary_of(tmp_path)

    assert "2 items: 1 changed, 1 failed" in text
    assert "| changed | 1 |" in text
    assert "| failed, server | 1 | <code>203.0.0.2: 503</code> |" in text
    assert "| <code>rows.csv:3</code> | <code>203.0.0.2</code> | failed | <code>server: 503</code> |" in text


@pytest.mark.parametrize("character", [*"<>|`*[]@#~\\_!{}$^&"], ids=lambda one: f"U+{ord(one):04X}")
def test_no_character_is_markup(character: str) -> None:
    """What means something to a renderer or a forge stands there as a number."""
    assert code(f"a{character}b") == f"<code>a&#{ord(character)};b</code>"


def test_hostile_text_stays_in_its_cell(tmp_path: Path) -> None:
    """A message neither ends its cell nor links, mentions or formats anything."""
    frozen(tmp_path, [item(1)])
    settled(tmp_path, (item(1), Result(Status.FAILED, ErrorClass.SERVER, message=HOSTILE)))

    text = summary_of(tmp_path)

    assert "<script" not in text
    assert "https://" not in text
    assert "www." not in text
    rows = [line for line in text.splitlines() if "alert" in line]
    assert [line.count("|") for line in rows] == [4, 5]
    assert all(len(re.findall("</?code>", line)) % 2 == 0 for line in rows)


def test_summary_stays_below_a_mebibyte(tmp_path: Path) -> None:
    """Of very many rows as many are shown as fit, and the rest is counted."""
    plan = [item(number) for number in range(1, 6001)]
    frozen(tmp_path, plan)
    settled(tmp_path, *((one, Result(Status.FAILED, ErrorClass.SERVER, message="&" * 300)) for one in plan))

    text = summary_of(tmp_path)

    assert len(text.encode()) < MEBIBYTE
    shown = len([line for line in text.splitlines() if line.startswith("| <code>rows.csv")])
    assert f"{6000 - shown:,} more rows not fine" in text


def test_plan_fits_into_a_comment(tmp_path: Path) -> None:
    """A large plan is cut where a comment ends, and says so; the block of the diff is closed."""
    plan = [replace(item(number), source="") for number in range(1, 3001)]
    frozen(tmp_path, plan)

    with RunReader(tmp_path) as reader:
        text = "".join(markdown_plan(reader))

    assert len(text) < MOST_OF_A_COMMENT + 2000
    assert "... and more" in text
    assert text.endswith("```\n")
    assert text.count("```") == 2
