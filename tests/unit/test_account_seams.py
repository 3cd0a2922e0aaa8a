"""What an account remembers of earlier runs: its own calls, and those that may have been its own."""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bulkip.run.options import RunOptions
from bulkip.run.planning import Prepared, now_utc, prepare
from bulkip.run.seams import sent_before
from bulkip.settings import load_job
from bulkip.store.schema import store_path

AT = 1_900_000_000.0
READS = "actions: [{action: get_ip}]\n"
TWO = "accounts: {nl: {api: {token: env:NL}}, us: {api: {token: env:US}}}\n"
RENAMED = "accounts: {amsterdam: {api: {token: env:NL}}, us: {api: {token: env:OTHER}}}\n"
FAR = 'accounts: {nl: {api: {url: "https://a.example/ip.php", token: env:NL}}, us: {api: {token: env:US}}}\n'
ALONE = "api: {token: env:ANY}\n"


def planned(folder: Path, accounts: str) -> Prepared:
    """Freeze a plan of two addresses, of an account each where there are several."""
    names = [text.partition(":")[0] for text in ("nl:", "us:")] if accounts.startswith("acc") else []
    names = ["amsterdam", "us"] if "amsterdam" in accounts else names
    rows = [
        f"{{ip: 203.0.113.{place}, account: {name}}}" for place, name in enumerate(names or "ab", start=1)
    ]
    (folder / "job.yaml").write_text(f"version: 1\n{accounts}{READS}targets: [{', '.join(rows)}]\n")
    return prepare(load_job(folder / "job.yaml"), RunOptions(run_dir=folder / "runs"), now_utc())


def called(prepared: Prepared) -> None:
    """Let a run have called for each of its two items, the second a tenth of a second later."""
    store = store_path(prepared.run_dir)
    with closing(sqlite3.connect(store)) as open_, open_:
        call = "INSERT INTO attempt VALUES (?,1,1,'call',?,?,'success',NULL,200,NULL,NULL,NULL,0)"
        open_.executemany(call, [(1, AT, AT + 1), (2, AT + 0.1, AT + 1)])
    os.utime(store, (AT + 1, AT + 1))


@pytest.mark.parametrize(
    ("before", "own", "remembered"),
    [
        pytest.param(TWO, TWO, ([0.0], [0.1]), id="the-same-accounts"),
        pytest.param(TWO, RENAMED, ([0.0], []), id="the-secret-tells-not-the-name"),
        pytest.param(TWO, FAR, ([], [0.1]), id="another-url"),
        pytest.param(ALONE, TWO, ([0.0, 0.1], [0.0, 0.1]), id="a-run-without-accounts-may-be-of-either"),
        pytest.param(TWO, ALONE, ([0.0, 0.1],), id="a-job-without-accounts-may-be-either"),
    ],
)
def test_account_remembers_what_may_have_been_its_own_calls(
    tmp_path: Path, before: str, own: str, remembered: Sequence[list[float]]
) -> None:
    """An account begins with what it sent just now; what another account sent does not slow it down."""
    called(planned(tmp_path, before))

    prepared = planned(tmp_path, own)

    found = [sent_before(replace(prepared, job=job), AT + 0.5) for job in prepared.job.each()]
    assert [sorted(round(at - AT, 1) for at in one) for one in found] == list(remembered)
