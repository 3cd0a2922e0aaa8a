"""How fast calls arrive, as a strict provider in a process of its own counts them."""

from pathlib import Path

import pytest

from tests.program import bulkip
from tests.providerprocess import TOKEN, provider

JOB = """
version: 1
name: pace
api: {{url: "{url}"}}
targets: [203.0.112.0/22, 198.51.100.0/23, 192.0.2.0/26]
actions: [{{action: get_ip}}]
"""
ADDRESSES = ["--addresses", "203.0.112.0/22", "--addresses", "198.51.100.0/23", "--addresses", "192.0.2.0/26"]


@pytest.mark.xdist_group("pace")
def test_strict_provider_refuses_nothing_and_is_used_well(tmp_path: Path) -> None:
    """1,600 reads at the provider's own limit of 100 a second get no 429, and at least 94 a second."""
    with provider(tmp_path, "--limit", "100/s", *ADDRESSES) as strict:
        job = tmp_path / "job.yaml"
        job.write_text(JOB.format(url=strict.url))

        ended = bulkip("run", str(job), "--rate", "100/s", cwd=tmp_path, env={"HOSTKEY_TOKEN": TOKEN})

        calls = strict.seen()
    assert ended.code == 0, ended.err
    assert [call["at"] for call in calls if call["status"] == 429] == []
    assert len(calls) == 1600
    assert (len(calls) - 1) / (calls[-1]["at"] - calls[0]["at"]) >= 94
