"""Proof that writes have arrived: who is asked, how often, and what it means when it is missing."""

from pathlib import Path
from typing import Any

import pytest

from bulkip.model import JsonValue
from bulkip.simulator import DnsSettings, DnsTrouble, Fault, Seed, Simulator, SimulatorSettings
from tests.rehearsal import Carried, addresses, carry_out, provider

pytestmark = pytest.mark.anyio

IP = "203.0.113.7"
OLD, NEW = "old-7.example.org", "new.example.net"
TIMEOUT_S = 60
LIE: JsonValue = {"result": "OK"}
WRITES = """
targets: [{{cidr: 203.0.113.{first}/{length}, id: 4711}}]
actions: [{{action: update_ptr, with: {{ptr: "{{{{ ip.dashed }}}}.example.net"}}}}]
"""
WRITE = f"""
targets: [{{ip: {IP}, id: 4711}}]
actions: [{{action: update_ptr, with: {{ptr: {NEW}}}}}]
"""


def by_api(more: str = "") -> str:
    """Return a job for one address that is proved through the API."""
    return f"{WRITE}verify: {{mode: api, timeout: {TIMEOUT_S}s{more}}}\n"


async def proved(folder: Path, job: str, *faults: Fault) -> tuple[Carried, list[float]]:
    """Carry a job for one address out; return what came of it, and when its value was looked at."""
    async with provider(Seed(IP, 4711, "NL", OLD), faults=faults) as api:
        run = await carry_out(folder, job, api)
        (write,) = api.log.entries("update_ptr")
        return run, [entry.at - write.at for entry in api.log.entries("get_ptr") if entry.at > write.at]


@pytest.mark.virtual_time
async def test_value_that_is_there_is_proved_by_one_look(tmp_path: Path) -> None:
    """The API shows what was written, so one call is enough; it is counted as a look, not as an attempt."""
    run, looks = await proved(tmp_path, by_api())

    assert (run.rows[0]["verified"], len(looks), run.rows[0]["attempts"]) == (True, 1, 1)
    assert len(run.calls("verify")) == 1


@pytest.mark.virtual_time
async def test_value_that_comes_late_is_looked_at_again(tmp_path: Path) -> None:
    """Looks come after 1, 2, 4, 8 seconds, until the value shows."""
    run, looks = await proved(tmp_path, by_api(), Fault(action="update_ptr", lag_s=20))

    assert run.rows[0]["verified"] is True
    assert [round(at) for at in looks] == [0, 1, 3, 7, 15, 30]


@pytest.mark.virtual_time
async def test_time_of_a_proof_is_bounded(tmp_path: Path) -> None:
    """A value that never shows is given up within `verify.timeout`; the write stays changed, exit 0."""
    run, looks = await proved(tmp_path, by_api(), Fault(action="update_ptr", json=LIE))

    assert (run.statuses, run.code) == (["changed"], 0)
    assert run.rows[0]["verified"] is False
    assert TIMEOUT_S / 2 < looks[-1] <= TIMEOUT_S
    assert f"`{OLD}`; wanted `{NEW}`" in run.rows[0]["note"]


@pytest.mark.virtual_time
async def test_required_proof_that_is_missing_is_unverified(tmp_path: Path) -> None:
    """Where proof is required a lie is no success: unverified, not failed, exit 3 or the ceiling's 6."""
    run, _ = await proved(tmp_path, by_api(", required: true"), Fault(action="update_ptr", json=LIE))

    assert run.statuses == ["unverified"]
    assert run.code in {3, 6}


@pytest.mark.virtual_time
async def test_silence_is_no_proof(tmp_path: Path) -> None:
    """An API that cannot be asked any more says neither yes nor no, and the row says so."""
    refused = Fault(action="get_ptr", attempts=tuple(range(2, 99)), json={"code": -1, "message": "no such"})

    run, _ = await proved(tmp_path, by_api(), refused)

    assert (run.statuses, run.rows[0]["verified"]) == (["changed"], False)
    assert "not verified: no server answered: api: no such" in run.rows[0]["note"]


@pytest.mark.virtual_time
async def test_looks_at_the_api_keep_its_rate(tmp_path: Path) -> None:
    """Verification goes through the same gate as every call."""
    job = WRITES.format(first=0, length=26) + "limits: {rate: 10/s}\nverify: {mode: api}\n"
    async with provider(*addresses(63, 1), Seed("203.0.113.0", 4711)) as api:
        run = await carry_out(tmp_path, job, api)

        assert run.tally() == {"changed": 64}
        assert len(run.calls("verify")) == 64
        assert api.log.busiest(1.0) <= 10


@pytest.mark.virtual_time
async def test_too_many_lies_halt_the_proof(tmp_path: Path) -> None:
    """Missing proofs count against the failure ceiling where they are required."""
    job = WRITES.format(first=0, length=26) + "verify: {mode: api, timeout: 5s, required: true}\n"
    lies = Fault(action="update_ptr", json=LIE, every=2)
    async with provider(*addresses(63, 1), Seed("203.0.113.0", 4711), faults=(lies,)) as api:
        run = await carry_out(tmp_path, job, api)

    assert run.code == 6
    assert run.stop is not None
    assert "`max_failed` 5%" in run.stop.reason


async def in_dns(
    folder: Path, mode: str, dns: DnsSettings, *faults: Fault, more: str = ""
) -> tuple[dict[str, Any], Simulator]:
    """Carry a job for one address out, proved through the provider's DNS; return its row and the provider."""
    settings = SimulatorSettings(dns=dns, faults=faults)
    async with Simulator([Seed(IP, 4711, "NL", OLD)], settings) as api:
        resolvers = ", ".join(f"'{one}'" for one in (api.dns, api.secondary) if one)
        verify = f"verify: {{mode: {mode}, resolvers: [{resolvers}], timeout: 4s{more}}}\n"
        run = await carry_out(folder, WRITE + verify, api)
    return run.rows[0], api


async def test_dns_proof_spends_nothing_of_the_api(tmp_path: Path) -> None:
    """The name servers are asked, and the API is not."""
    row, api = await in_dns(tmp_path, "dns", DnsSettings())

    assert row["verified"] is True
    assert [entry.action for entry in api.log.entries()] == ["get_ptr", "update_ptr"]
    assert len(api.log.queries("PTR", IP)) == 1


async def test_change_that_spreads_late_is_waited_for(tmp_path: Path) -> None:
    """The DNS is asked again until it shows the new name."""
    row, api = await in_dns(tmp_path, "dns", DnsSettings(propagation_s=0.5))

    assert row["verified"] is True
    assert [one.answers[0].rstrip(".") for one in api.log.queries("PTR", IP)] == [OLD, NEW]


async def test_lying_api_is_found_out_by_the_dns(tmp_path: Path) -> None:
    """An API that says OK and does nothing leaves the old name in the DNS."""
    lie = Fault(action="update_ptr", json=LIE)

    row, _ = await in_dns(tmp_path, "dns", DnsSettings(), lie, more=", required: true")

    assert row["status"] == "unverified"
    assert f"shows `{OLD}`" in row["note"]


@pytest.mark.parametrize(
    ("forward", "verified"),
    [
        pytest.param({}, True, id="leads-back"),
        pytest.param({NEW: ("203.0.113.99",)}, False, id="leads-elsewhere"),
        pytest.param({NEW: ()}, False, id="leads-nowhere"),
        pytest.param({NEW: (IP, "203.0.113.99")}, True, id="leads-back-among-others"),
    ],
)
async def test_name_has_to_lead_back(
    tmp_path: Path, forward: dict[str, tuple[str, ...]], *, verified: bool
) -> None:
    """Forward-confirmed reverse DNS is what mail servers look at."""
    row, _ = await in_dns(tmp_path, "fcrdns", DnsSettings(forward=forward))

    assert row["verified"] is verified


async def test_server_that_fails_is_no_proof(tmp_path: Path) -> None:
    """SERVFAIL says neither yes nor no, so the proof is missing, and why is told."""
    trouble = Fault(dns=DnsTrouble.SERVFAIL, query_type="PTR")

    row, _ = await in_dns(tmp_path, "dns", DnsSettings(), trouble)

    assert (row["status"], row["verified"]) == ("changed", False)
    assert "not verified: no server answered" in row["note"]


async def test_cleared_name_is_proved_by_its_absence(tmp_path: Path) -> None:
    """What was cleared is proved when no server has a name any more."""
    clear = WRITE.replace(f"ptr: {NEW}", 'ptr: ""').replace("update_ptr, ", "update_ptr, allow_empty: true, ")
    settings = SimulatorSettings(dns=DnsSettings())
    async with Simulator([Seed(IP, 4711, "NL", OLD)], settings) as api:
        verify = f"verify: {{mode: dns, resolvers: ['{api.dns}'], timeout: 4s, settle: 10ms}}\n"
        run = await carry_out(tmp_path, clear + verify + "safety: {max_clears: 1}\n", api)

    assert (run.statuses, run.rows[0]["verified"]) == (["changed"], True)
