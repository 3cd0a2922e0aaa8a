"""`bulkip verify`: what a run wrote is looked at again, and nothing is written."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkip.simulator import DnsSettings, Fault, Seed
from tests.ptrsite import FIRST, NEW, OLD, SECOND, WANTED, PtrSite, ptr_site, rows_of, statuses

MODES = pytest.mark.parametrize("mode", ["api", "dns", "fcrdns"])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[PtrSite]:
    """Serve three addresses and change one of them by a run; the others are as wanted."""
    with ptr_site(tmp_path) as running:
        running.set_ptr(FIRST, OLD)
        assert running.bulkip("run", "job.yaml", "--yes", "-q").code == 0
        yield running


@MODES
def test_what_holds_is_proved(site: PtrSite, mode: str) -> None:
    """Every address that a run changed or found as wanted is proved again, and its row says so."""
    ended = site.bulkip("verify", "last", "--mode", mode, "--format", "jsonl")

    rows = rows_of(ended)
    assert (ended.code, statuses(rows)) == (0, ["changed", "unchanged", "unchanged"])
    assert [row["verified"] for row in rows] == [True] * 3


@MODES
def test_what_was_changed_since_is_not_proved(site: PtrSite, mode: str) -> None:
    """An address that somebody changed after the run is told with what is there now, and the code is 3."""
    site.set_ptr(SECOND, OLD)

    ended = site.bulkip("verify", "last", "--mode", mode, "--wait", "0s", "--format", "jsonl")

    row = rows_of(ended)[1]
    assert (ended.code, row["status"], row["verified"]) == (3, "unchanged", False)
    assert f"shows `{OLD}`; wanted `{WANTED[SECOND]}`" in row["note"]
    assert f"rows.csv:3: {SECOND}: " in ended.err


@MODES
def test_verify_writes_nothing(site: PtrSite, mode: str) -> None:
    """The provider is asked for records at most, and nothing changes there."""
    site.set_ptr(SECOND, OLD)
    calls, writes = site.api.log.total, len(site.api.state.writes())

    site.bulkip("verify", "last", "--mode", mode, "--wait", "0s")

    since = {entry.action for entry in site.api.log.entries()[calls:]}
    assert since == ({"get_ptr"} if mode == "api" else set())
    assert len(site.api.state.writes()) == writes


def test_dns_is_asked_unless_the_run_wanted_more(site: PtrSite) -> None:
    """Without --mode a run that wanted no proof is verified by DNS, without a token."""
    ended = site.bulkip("verify", "last", HOSTKEY_TOKEN="")

    assert ended.code == 0, ended.err
    assert "proofs   dns: 3 proved" in ended.err


def test_run_stays_as_it_was_told(site: PtrSite) -> None:
    """A look later changes neither counts nor starts nor exit code of the run, and its books balance."""
    site.set_ptr(SECOND, OLD)
    before = json.loads(site.bulkip("show", "last", "--format", "json").out)

    site.bulkip("verify", "last", "--mode", "api", "--wait", "9s", "--retries", "0")

    after = json.loads(site.bulkip("show", "last", "--format", "json").out)
    kept = ("by_status", "starts", "exit_code", "reason")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert site.bulkip("doctor", "last").code == 0


def test_tries_of_a_look_are_not_those_of_its_run(site: PtrSite) -> None:
    """How often the run was allowed to try stays in its books, whatever a later look is allowed."""
    site.api.fault(Fault(action="get_ptr", ip=FIRST, status=503, times=3))
    site.bulkip("run", "job.yaml", "--yes", "-q")

    site.bulkip("verify", "last", "--mode", "api", "--retries", "0")

    assert site.bulkip("doctor", "last").code == 0


def test_newer_look_takes_the_place_of_the_older(site: PtrSite) -> None:
    """What is proved again is proved as of now, whatever an earlier look found."""
    site.set_ptr(FIRST, OLD)
    first = site.bulkip("verify", "last", "--wait", "0s")
    site.set_ptr(FIRST, NEW)

    again = site.bulkip("verify", "last", "--wait", "0s")

    assert (first.code, again.code) == (3, 0)


def test_patience_waits_for_the_dns(tmp_path: Path) -> None:
    """A record that is on its way is waited for."""
    with ptr_site(tmp_path, Seed(FIRST, 4711, "NL", OLD), dns=DnsSettings(propagation_s=3)) as site:
        site.bulkip("run", "job.yaml", "--yes", "-q", "--limit", FIRST)

        assert site.bulkip("verify", "last", "--wait", "40s").code == 0


def test_required_proof_that_came_late(tmp_path: Path) -> None:
    """A required proof that is missing ends a run with 3; a later look heals its row, and doctor agrees."""
    dns = DnsSettings(propagation_s=4)
    with ptr_site(tmp_path, Seed(FIRST, 4711, "NL", OLD), dns=dns) as site:
        site.write_job(
            f"verify: {{mode: dns, resolvers: ['{site.api.dns}'], timeout: 1ms, required: true}}\n"
        )
        ended = site.bulkip("run", "job.yaml", "--yes", "--limit", FIRST)
        missing = statuses(site.rows())

        late = site.bulkip("verify", "last", "--wait", "40s")

        assert (ended.code, missing) == (3, ["unverified"])
        assert (late.code, statuses(site.rows())) == (0, ["changed"])
        assert site.bulkip("doctor", "last").code == 0


def test_wrong_way_back_is_not_proved(tmp_path: Path) -> None:
    """By fcrdns a record whose name leads elsewhere is not proved."""
    with ptr_site(tmp_path, dns=DnsSettings(forward={NEW: ("198.51.100.1",)})) as site:
        site.bulkip("run", "job.yaml", "--yes", "-q")

        plain = site.bulkip("verify", "last", "--mode", "dns")
        ended = site.bulkip("verify", "last", "--mode", "fcrdns", "--wait", "0s")

    assert (plain.code, ended.code) == (0, 3)


@pytest.mark.parametrize("mode", ["api", "dns"])
def test_rehearsal_is_verified_in_its_simulator(site: PtrSite, mode: str) -> None:
    """A simulated run is verified against a simulator that knows what it wrote, and nobody else is asked."""
    site.bulkip("run", "job.yaml", "--yes", "-q", "--simulate")
    calls = site.api.log.total

    ended = site.bulkip("verify", "last", "--mode", mode)

    assert (ended.code, "SIMULATED" in ended.err) == (0, True), ended.err
    assert site.api.log.total == calls


def test_real_run_is_not_verified_by_a_simulator(site: PtrSite) -> None:
    """A simulator does not know what a real run wrote, so it is not asked."""
    ended = site.bulkip("verify", "last", "--simulate")

    assert (ended.code, "this run was real" in ended.err) == (2, True)


def test_run_without_records_cannot_be_verified(site: PtrSite) -> None:
    """A run that left no record as wanted has nothing to prove, and says so."""
    site.write_job(actions="[{action: get_ip}]")
    site.bulkip("run", "job.yaml", "--yes", "-q")

    ended = site.bulkip("verify", "last")

    assert (ended.code, "nothing is to be verified" in ended.err) == (2, True)


def test_last_run_to_verify_is_no_check(site: PtrSite) -> None:
    """`verify last` means the newest run that wrote; a check named by its id is refused."""
    site.bulkip("check", "job.yaml")
    check = site.run_dirs()[-1]

    assert site.bulkip("verify", "last").code == 0
    assert site.bulkip("verify", check).code == 2


def test_job_is_checked_with_patience(tmp_path: Path) -> None:
    """A file is a job: it is checked by DNS, and looked at until it matches."""
    with ptr_site(tmp_path, Seed(FIRST, 4711, "NL", OLD), dns=DnsSettings(propagation_s=3)) as site:
        (site.folder / "rows.csv").write_text(f"ip,id,ptr\n{FIRST},4711,{NEW}\n")
        site.bulkip("run", "job.yaml", "--yes", "-q")

        ended = site.bulkip("verify", "job.yaml", "--wait", "40s", "--format", "jsonl")

    assert (ended.code, statuses(rows_of(ended))) == (0, ["match"])


def test_job_that_does_not_match_ends_as_a_check(site: PtrSite) -> None:
    """A job whose records are others ends with 4, as `bulkip check` does."""
    site.set_ptr(SECOND, OLD)

    assert site.bulkip("verify", "job.yaml", "--wait", "0s").code == 4


def test_explain_tells_what_each_server_said(site: PtrSite) -> None:
    """The story of an address has the proof: by whom, whether it holds, and every server's answer."""
    site.set_ptr(SECOND, OLD)
    site.bulkip("verify", "last", "--mode", "fcrdns", "--wait", "0s")

    good = site.bulkip("explain", "last", FIRST).out
    bad = json.loads(site.bulkip("explain", "last", SECOND, "--format", "json").out)["items"][0]["proof"]

    assert "proof    fcrdns, holds" in good
    assert f"{site.api.dns} about {NEW}: {FIRST}" in good
    assert (bad["holds"], bad["findings"]) == (False, [{"server": site.api.dns, "names": [OLD]}])


def test_show_counts_the_proofs(site: PtrSite) -> None:
    """What is known of a run has its proofs, and where they are missing."""
    site.set_ptr(SECOND, OLD)
    site.bulkip("verify", "last", "--wait", "0s")

    shown = site.bulkip("show", "last").out

    assert "dns: 2 proved, 1 not as wanted" in shown
    assert f"rows.csv:3: {SECOND}" in shown


def test_proofs_that_a_halt_left_out_are_made_by_a_resume(tmp_path: Path) -> None:
    """A run that ended between write and proof goes on with the proof, and writes nothing again."""
    with ptr_site(tmp_path, Seed(FIRST, 4711, "NL", OLD), dns=DnsSettings(propagation_s=9)) as site:
        site.write_job(f"verify: {{mode: dns, resolvers: ['{site.api.dns}'], timeout: 1m}}\n")
        halted = site.bulkip("run", "job.yaml", "--yes", "--limit", FIRST, "--max-duration", "5s")

        resumed = site.bulkip("resume", "--max-duration", "1m")

        assert (halted.code, resumed.code) == (6, 0), halted.err + resumed.err
        assert "looks for the proofs of 1" in halted.err
        assert [(row["status"], row["verified"]) for row in site.rows()] == [("changed", True)]
        assert len(site.api.state.writes()) == 1
        assert "has anything left to do" in site.bulkip("resume").err


def test_missing_proof_is_told_with_the_next_command(tmp_path: Path) -> None:
    """After a run whose required proof is missing, the recap says which command looks again."""
    with ptr_site(tmp_path, Seed(FIRST, 4711, "NL", OLD), dns=DnsSettings(propagation_s=600)) as site:
        verify = f"verify: {{mode: dns, resolvers: ['{site.api.dns}'], timeout: 1ms, required: true}}\n"
        site.write_job(verify)

        ended = site.bulkip("run", "job.yaml", "--yes", "--limit", FIRST)

        assert f"bulkip verify {site.run_dirs()[0]}" in ended.err
        assert "looks again for the proofs that 1 lack" in ended.err
