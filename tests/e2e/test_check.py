"""`bulkip check`: what is there is compared with what the job says, and nothing is written."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkip.model import JsonValue
from bulkip.simulator import DnsSettings, DnsTrouble, Fault, Seed
from tests.ptrsite import FIRST, NEW, OLD, SECOND, THIRD, WANTED, PtrSite, ptr_site, rows_of, statuses

REFUSAL: JsonValue = {"code": -1, "message": "access denied"}
SKIP = "[{action: update_ptr, when: 'false'}]"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[PtrSite]:
    """Serve the addresses of the job, named as the job wants."""
    with ptr_site(tmp_path) as running:
        yield running


@pytest.mark.parametrize("source", ["api", "dns", "fcrdns"])
def test_all_as_expected_matches(site: PtrSite, source: str) -> None:
    """Where every record is as the job says, all match and the code is 0, whoever is asked."""
    ended = site.bulkip("check", "job.yaml", "--source", source, "--format", "jsonl")

    assert (ended.code, statuses(rows_of(ended))) == (0, ["match"] * 3)


@pytest.mark.parametrize("source", ["api", "dns", "fcrdns"])
def test_other_record_is_a_mismatch(site: PtrSite, source: str) -> None:
    """A record that is another one ends as mismatch, with what was expected and what was found; code 4."""
    site.set_ptr(SECOND, OLD)

    ended = site.bulkip("check", "job.yaml", "--source", source, "--format", "jsonl")

    row = rows_of(ended)[1]
    assert (ended.code, row["status"], row["before"], row["after"]) == (4, "mismatch", OLD, None)
    assert row["message"] == f"expected `{WANTED[SECOND]}`, found `{OLD}`"


@pytest.mark.parametrize("source", ["api", "dns", "fcrdns"])
def test_nothing_is_written(site: PtrSite, source: str) -> None:
    """However much differs, the provider is asked for records at most, and nothing changes there."""
    site.set_ptr(SECOND, OLD)
    writes = len(site.api.state.writes())

    site.bulkip("check", "job.yaml", "--source", source)

    assert site.asked() == ({"get_ptr"} if source == "api" else set())
    assert len(site.api.state.writes()) == writes


@pytest.mark.parametrize(
    ("there", "code"),
    [
        pytest.param("MAIL.Example.NET.", 0, id="case-and-dot"),
        pytest.param(f"{NEW}\nother.example.net", 4, id="one-too-many"),
        pytest.param("", 4, id="none"),
    ],
)
def test_names_compare_as_dns_names(tmp_path: Path, there: str, code: int) -> None:
    """Case and the dot at the end make no difference, one name too many or too few does."""
    seeds = [Seed(FIRST, 4711, "NL", there), *[Seed(ip, 4711, "NL", WANTED[ip]) for ip in (SECOND, THIRD)]]
    with ptr_site(tmp_path, *seeds) as site:
        assert site.bulkip("check", "job.yaml").code == code


@pytest.mark.parametrize("source", ["api", "dns"])
def test_several_names_compare_as_a_set(tmp_path: Path, source: str) -> None:
    """Several names match in whatever order the server shows them."""
    names = "[b.example.net, a.example.net]"
    with ptr_site(tmp_path, Seed(FIRST, 4711, "NL", "a.example.net\nB.example.net")) as site:
        site.write_job(actions=f"[{{action: update_ptr, with: {{ptr: {names}}}, allow_same: true}}]")

        ended = site.bulkip("check", "job.yaml", "--limit", FIRST, "--source", source)

    assert ended.code == 0, ended.err


def test_unreadable_record_failed(site: PtrSite) -> None:
    """A record that the provider does not tell is failed, which outweighs a mismatch."""
    site.api.fault(Fault(action="get_ptr", ip=FIRST, json=REFUSAL))
    site.set_ptr(SECOND, OLD)

    ended = site.bulkip("check", "job.yaml", "--format", "jsonl")

    rows = rows_of(ended)
    assert (ended.code, statuses(rows)) == (3, ["failed", "mismatch", "match"])
    assert (rows[0]["error_class"], rows[0]["note"]) == ("permission", None)


def test_many_unreadable_records_stop_nothing(tmp_path: Path) -> None:
    """A check looks at every address, however many before it could not be read."""
    seeds = [Seed(ip, 4711, "NL", name) for ip, name in WANTED.items()]
    with ptr_site(tmp_path, *seeds) as site:
        site.write_job("safety: {max_failed: 1, min_sample: 1}\n")
        site.api.fault(Fault(action="get_ptr", json=REFUSAL))

        ended = site.bulkip("check", "job.yaml", "--format", "jsonl")

    assert (ended.code, statuses(rows_of(ended))) == (3, ["failed"] * 3)


def test_lost_reading_is_tried_again(site: PtrSite) -> None:
    """A reading that failed on the way is tried again, as in a run."""
    site.api.fault(Fault(action="get_ptr", times=2, status=503))

    assert site.bulkip("check", "job.yaml").code == 0


def test_silent_name_servers_are_a_failure(site: PtrSite) -> None:
    """Where no name server answers, nothing is disproved: failed, class dns, code 3."""
    site.api.fault(Fault(dns=DnsTrouble.SERVFAIL))

    ended = site.bulkip("check", "job.yaml", "--source", "dns", "--format", "jsonl")

    rows = rows_of(ended)
    assert (ended.code, statuses(rows)) == (3, ["failed"] * 3)
    assert {row["error_class"] for row in rows} == {"dns"}
    assert {(row["before"], row["note"]) for row in rows} == {(None, None)}


def test_name_that_leads_elsewhere_is_a_mismatch(tmp_path: Path) -> None:
    """By fcrdns a right name that does not lead back is a mismatch, which says where it leads."""
    with ptr_site(tmp_path, dns=DnsSettings(forward={NEW: ("198.51.100.1",)})) as site:
        plain = site.bulkip("check", "job.yaml", "--source", "dns")
        ended = site.bulkip("check", "job.yaml", "--source", "fcrdns", "--format", "jsonl")

    row = rows_of(ended)[0]
    assert (plain.code, ended.code, row["status"]) == (0, 4, "mismatch")
    assert f"`{NEW}` leads to 198.51.100.1 instead of {FIRST}" in row["message"]


def test_lagging_server_is_named(tmp_path: Path) -> None:
    """When the name servers disagree, the message says which one shows what."""
    with ptr_site(tmp_path, dns=DnsSettings(secondary_lag_s=600)) as site:
        site.write_job(f"verify: {{resolvers: ['{site.api.dns}', '{site.api.secondary}']}}\n")
        site.set_ptr(FIRST, OLD)

        ended = site.bulkip("check", "job.yaml", "--source", "dns", "--format", "jsonl")

    row = rows_of(ended)[0]
    assert (row["status"], row["before"]) == ("mismatch", [OLD, NEW])
    assert f"{site.api.dns} shows `{OLD}`" in row["message"]


def test_other_actions_are_skipped(site: PtrSite) -> None:
    """Only update_ptr can be checked; the other actions are skipped with a reason, and not called."""
    site.write_job(actions="[{action: update_ptr}, {action: get_ip}, {action: set_main, with: {main: 1}}]")

    ended = site.bulkip("check", "job.yaml", "--limit", FIRST, "--format", "jsonl")

    rows = rows_of(ended)
    assert (ended.code, statuses(rows)) == (0, ["match", "skipped", "skipped"])
    assert rows[1]["note"] == "only update_ptr can be checked; get_ip was not called"
    assert site.asked() == {"get_ptr"}


@pytest.mark.parametrize(
    "actions", [pytest.param("[{action: get_ip}]", id="reads"), pytest.param(SKIP, id="left-out")]
)
def test_check_of_nothing_fails(site: PtrSite, actions: str) -> None:
    """A check that finds nothing to assert ends with 4, unless it may be empty."""
    site.write_job(actions=actions)

    ended, allowed = site.bulkip("check", "job.yaml"), site.bulkip("check", "job.yaml", "--allow-empty")

    assert (ended.code, allowed.code) == (4, 0)
    assert "nothing was checked" in ended.err
    assert "nothing was checked" not in allowed.err
    assert json.loads(site.bulkip("report", site.run_dirs()[0], "-f", "json").out)["exit_code"] == 4


def test_recap_names_the_rows(site: PtrSite) -> None:
    """The recap counts, and lists the first mismatches with file and line of their rows."""
    site.set_ptr(SECOND, OLD)

    ended = site.bulkip("check", "job.yaml")

    assert "3 items: 2 match, 1 mismatch" in ended.err
    assert f"rows.csv:3: {SECOND}: expected `{WANTED[SECOND]}`, found `{OLD}`" in ended.err


def test_reports_of_the_job_stay_those_of_its_run(site: PtrSite) -> None:
    """A check does not replace the reports that the job's run wrote; its own go where --report says."""
    site.write_job("reports: [csv=mine.csv]\n")

    site.bulkip("check", "job.yaml", "--report", "csv=check.csv")

    assert sorted(path.name for path in site.folder.glob("*.csv")) == ["check.csv", "rows.csv"]


def test_dns_needs_no_token(site: PtrSite) -> None:
    """Who only asks name servers needs no secret and holds no account's lock."""
    ended = site.bulkip("check", "job.yaml", "--source", "dns", HOSTKEY_TOKEN="")

    assert ended.code == 0, ended.err


def test_source_is_the_proof_that_the_job_wants(site: PtrSite) -> None:
    """Without --source a check asks whoever the job's `verify.mode` names."""
    site.write_job(f"verify: {{mode: dns, resolvers: ['{site.api.dns}']}}\n")

    assert site.bulkip("check", "job.yaml").code == 0
    assert site.asked() == set()


def test_one_look_unless_it_may_wait(tmp_path: Path) -> None:
    """A check looks once; with --wait it looks until the record has arrived."""
    codes = []
    for propagation_s, patience in ((600, ()), (3, ("--wait", "40s"))):
        dns = DnsSettings(propagation_s=propagation_s)
        with ptr_site(tmp_path, Seed(FIRST, 4711, "NL", OLD), dns=dns) as site:
            site.bulkip("run", "job.yaml", "--yes", "-q", "--limit", FIRST)
            ended = site.bulkip("check", "job.yaml", "--source", "dns", "--limit", FIRST, *patience)
            codes.append(ended.code)

    assert codes == [4, 0]


def test_waiting_on_the_api_keeps_the_laws(site: PtrSite) -> None:
    """The looks of a patient check are more than `retry.attempts`, and its books still balance."""
    site.set_ptr(FIRST, OLD)

    ended = site.bulkip("check", "job.yaml", "--retries", "0", "--wait", "4s", "--limit", FIRST)

    assert ended.code == 4
    assert len(site.api.log.entries("get_ptr")) > 1
    assert "wrong" not in site.bulkip("doctor", "last").out


def test_retry_of_a_check_is_a_check(site: PtrSite) -> None:
    """What could not be read is looked at again by a retry, which writes nothing and asks nothing either."""
    site.set_ptr(FIRST, OLD)
    site.api.fault(Fault(action="get_ptr", ip=FIRST, times=1, json=REFUSAL))
    site.write_job(actions="[{action: update_ptr}, {action: get_ip}]")
    first = site.bulkip("check", "job.yaml")

    again = site.bulkip("retry", "last")

    assert (first.code, again.code) == (3, 4)
    assert statuses(site.rows()) == ["mismatch", "skipped", "match", "skipped", "match", "skipped"]
    assert site.asked() == {"get_ptr"}


def test_resumed_check_is_a_check(site: PtrSite) -> None:
    """A check that was cut short is finished by a resume, with a changed job too; nothing is written."""
    site.set_ptr(SECOND, OLD)
    site.api.fault(Fault(action="get_ptr", status=503, retry_after_s=3600, times=2))
    halted = site.bulkip("check", "job.yaml", "--max-retry-after", "1s", "--max-duration", "1ms")
    site.write_job("vars: {zone: changed}\n")

    ended = site.bulkip("resume", "last", "--rebase")

    assert (halted.code, ended.code) == (6, 4)
    assert statuses(site.rows()) == ["match", "mismatch", "match"]
    assert "update_ptr" not in site.asked()


def test_last_run_to_undo_is_no_check(site: PtrSite) -> None:
    """A check after a run does not hide the run from `undo last`."""
    site.set_ptr(FIRST, OLD)
    site.bulkip("run", "job.yaml", "--yes")
    site.bulkip("check", "job.yaml")

    ended = site.bulkip("undo", "last", "--yes")

    assert ended.code == 0, ended.err
    assert site.api.state.ptr_of(FIRST) == (OLD,)


def test_rows_that_do_not_match_are_input_of_the_next_job(site: PtrSite) -> None:
    """The recap names the report that has the user's own rows of what does not match; a run mends them."""
    site.set_ptr(SECOND, OLD)
    ended = site.bulkip("check", "job.yaml")
    (command,) = [line.split("next", 1)[1] for line in ended.err.splitlines() if "failed-csv" in line]

    site.bulkip(*command.split()[1:])

    lines = (site.folder / "failed.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["ip", SECOND]
    job = (site.folder / "job.yaml").read_text().replace("rows.csv", "failed.csv")
    (site.folder / "job.yaml").write_text(job)
    assert site.bulkip("run", "job.yaml", "--yes").code == 0
    assert site.api.state.ptr_of(SECOND) == (WANTED[SECOND],)


def test_check_hides_no_failure_from_the_next_job(site: PtrSite) -> None:
    """What the last run left is not what a check after it left; mismatches are those of a check."""
    site.api.fault(Fault(action="get_ptr", ip=FIRST, times=1, json=REFUSAL))
    site.bulkip("run", "job.yaml", "--yes")
    site.set_ptr(SECOND, OLD)
    site.bulkip("check", "job.yaml")
    for status in ("failed", "mismatch"):
        left = f"version: 1\nname: ptrs\ntargets: [{{run: last, status: [{status}]}}]\n"
        (site.folder / f"{status}.yaml").write_text(left + "actions: [{action: get_ip}]\n")

    failed = site.bulkip("targets", "failed.yaml").out
    differing = site.bulkip("targets", "mismatch.yaml").out

    assert (FIRST in failed, SECOND in failed) == (True, False)
    assert (FIRST in differing, SECOND in differing) == (False, True)


@pytest.mark.parametrize("source", ["api", "dns"])
def test_rehearsed_check_calls_nobody(site: PtrSite, source: str) -> None:
    """With --simulate the records are a simulator's own, which differ, and the provider is not called."""
    ended = site.bulkip("check", "job.yaml", "--simulate", "--source", source)

    assert (ended.code, "SIMULATED" in ended.err) == (4, True)
    assert site.asked() == set()


def test_rehearsed_check_meets_faults(site: PtrSite) -> None:
    """With --faults the simulator misbehaves as asked."""
    (site.folder / "faults.yaml").write_text(
        "version: 1\nfaults: [{action: get_ptr, json: {code: -1, message: access denied}}]\n"
    )

    assert site.bulkip("check", "job.yaml", "--faults", "faults.yaml").code == 3


def test_server_id_is_looked_up_for_a_check(site: PtrSite) -> None:
    """A check through the API finds the server of an address as a run does; one through the DNS need not."""
    site.write_job(actions="[{action: update_ptr, with: {id: lookup}}]")

    by_dns = site.bulkip("check", "job.yaml", "--source", "dns")
    asked_by_dns = site.asked()
    by_api = site.bulkip("check", "job.yaml")

    assert (by_dns.code, asked_by_dns) == (0, set())
    assert by_api.code == 0, by_api.err


@pytest.mark.parametrize("source", ["api", "dns"])
def test_books_of_a_check_balance(site: PtrSite, source: str) -> None:
    """The laws of a run hold for a check, too."""
    site.set_ptr(SECOND, OLD)
    site.write_job(actions="[{action: update_ptr}, {action: get_ip}]")

    site.bulkip("check", "job.yaml", "--source", source)

    assert site.bulkip("doctor", "last").code == 0
