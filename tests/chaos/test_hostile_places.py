"""What stands at `api.url` is not the API, or not safe to talk to: seen before any write, and said once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.certificates import Authority, needs_openssl
from tests.chaos.hostilerun import PATIENT, TOKEN, Ended, run_against
from tests.chaos.hostileserver import Call, Closing, Fault, HostileServer, Kind, http, serving
from tests.chaos.hostilewire import HTML, writes
from tests.chaos.length import long_only

IPS = [f"10.0.0.{number}" for number in range(1, 9)]
ACCESS, HALTED = 7, 6
WANTED = [(ip, f"{ip.replace('.', '-')}.example.net") for ip in IPS]
IMPATIENT = {**PATIENT, "breaker": {"after": "3", "give_up": "1s"}}
ONE_BY_ONE = {**PATIENT, "limits": {"rate": "5000/s", "concurrency": "1"}}


def account() -> HostileServer:
    """Return a server that knows the addresses and answers honestly."""
    return HostileServer(dict.fromkeys(IPS, "old.example.org"))


def complaint(ended: Ended) -> str:
    """Return the one line in which the reason of a stop is told at the end."""
    told = [line for line in ended.err.splitlines() if line.startswith("stopped:")]
    assert len(told) == 1, ended.err
    assert "check `api.url`" in told[0]
    return told[0]


@needs_openssl
def test_certificate_of_a_trusted_authority_is_taken(tmp_path: Path) -> None:
    """A job over https does its work where the authority is trusted."""
    authority = Authority.new(tmp_path)
    with serving(account(), authority.issue("IP:127.0.0.1")) as server:
        ended = run_against(
            server.url, tmp_path, "update_ptr", WANTED, env={"SSL_CERT_FILE": str(authority.root)}
        )

    assert (ended.code, server.count("update_ptr")) == (0, len(IPS))


@needs_openssl
@pytest.mark.parametrize(
    ("names", "days", "trusted", "reason"),
    [
        pytest.param(("IP:127.0.0.1",), 2, False, "certificate is not trusted", id="unknown-authority"),
        pytest.param(("DNS:example.net",), 2, True, "certificate is not", id="wrong-name"),
        pytest.param(("IP:127.0.0.1",), -1, True, "certificate has expired", id="expired"),
    ],
)
def test_bad_certificate_is_told_before_the_token_is_sent(
    tmp_path: Path, names: tuple[str, ...], days: int, reason: str, *, trusted: bool
) -> None:
    """The server sees nothing, the run ends with 7, and the line names the reason."""
    authority = Authority.new(tmp_path)
    env = {"SSL_CERT_FILE": str(authority.root)} if trusted else {}
    with serving(account(), authority.issue(*names, days=days)) as server:
        ended = run_against(server.url, tmp_path, "update_ptr", WANTED, env=env)

    assert (ended.code, server.log) == (ACCESS, [])
    assert reason in complaint(ended)


def test_plain_http_behind_https_is_told(tmp_path: Path) -> None:
    """A server that speaks no TLS is told from an outage."""
    with serving(account()) as server:
        ended = run_against(server.url.replace("http:", "https:"), tmp_path, "update_ptr", WANTED)

    assert (ended.code, server.log) == (ACCESS, [])
    assert "does not speak TLS" in complaint(ended)


def _json(text: bytes, status: str = "200 OK") -> Callable[[Call], bytes]:
    return lambda _call: http(text, status, "Content-Type: application/json")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda _call: http(HTML, "200 OK", "Content-Type: text/html"), id="html-200"),
        pytest.param(lambda _call: http(HTML, "404 Not Found", "Content-Type: text/html"), id="html-404"),
        pytest.param(lambda _call: http(b"", "204 No Content"), id="empty"),
        pytest.param(lambda _call: http(b"", "301 Moved", "Location: https://example.net/"), id="redirect"),
        pytest.param(_json(b'{"status": "up"}'), id="other-api"),
        pytest.param(_json(b'{"detail": "no"}', "404 Not Found"), id="other-api-404"),
        pytest.param(_json(b"[]"), id="list"),
        pytest.param(lambda _call: b"SSH-2.0-OpenSSH_9.2\r\n", id="ssh"),
        pytest.param(lambda _call: b"\x15\x03\x03\x00\x02\x02\x46", id="tls-behind-http"),
    ],
)
def test_what_is_not_the_api_is_told_after_three_answers(
    tmp_path: Path, answer: Callable[[Call], bytes]
) -> None:
    """A wrong base URL costs three readings, no write, and one line."""
    server = account()
    kind = Kind("stranger", writes(answer))
    server.faults.update({(action, ip): Fault(kind) for ip in IPS for action in ("get_ptr", "update_ptr")})
    with serving(server):
        ended = run_against(server.url, tmp_path, "update_ptr", WANTED, ONE_BY_ONE)

    assert (ended.code, len(server.log), server.count("update_ptr")) == (ACCESS, 3, 0)
    assert complaint(ended)
    assert {row["status"] for row in ended.rows.values()} <= {"not_run", "failed"}


@pytest.mark.parametrize("url", ["https://nobody.invalid/ip.php", "http://127.0.0.1:9/ip.php"])
def test_nobody_there_is_an_outage(tmp_path: Path, url: str) -> None:
    """A name that does not resolve, or a port that refuses, is no wrong base URL: the run can be resumed."""
    ended = run_against(url, tmp_path, "update_ptr", WANTED, IMPATIENT)

    assert (ended.code, ended.sent("call")) == (HALTED, 0)
    assert "bulkip resume" in ended.err
    assert {row["status"] for row in ended.rows.values()} <= {"not_run", "failed"}


def test_proxies_and_netrc_of_the_environment_do_nothing(tmp_path: Path) -> None:
    """A proxy in any variable sees no call, and a password for the host stays at home."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password s3cret-of-netrc\n")
    netrc.chmod(0o600)
    trap = account()
    with serving(account()) as server, serving(trap):
        proxies = {f"{name}_proxy": trap.url for name in ("http", "https", "all", "ftp", "no")}
        upper = {name.upper(): url for name, url in proxies.items()}
        env = {**proxies, **upper, "NO_PROXY": "", "no_proxy": "", "NETRC": str(netrc), "HOME": str(tmp_path)}
        (tmp_path / ".netrc").write_bytes(netrc.read_bytes())
        ended = run_against(server.url, tmp_path, "update_ptr", WANTED, env=env)

    assert (ended.code, server.count("update_ptr")) == (0, len(IPS))
    assert (trap.log, trap.connections) == ([], 0)
    assert not any(b"uthorization" in head for head in server.heads)


@pytest.mark.parametrize(
    "closing",
    [
        pytest.param(Closing.SAYING_SO, marks=long_only),
        pytest.param(Closing.SILENTLY, marks=long_only),
        Closing.UNDER_A_REQUEST,
    ],
)
def test_server_that_closes_after_every_second_answer_loses_nothing(tmp_path: Path, closing: Closing) -> None:
    """Of a thousand items none is lost, and every write on the wire is a recorded attempt."""
    ips = [f"10.0.{number // 200}.{number % 200 + 1}" for number in range(1000)]
    names = {ip: f"old-{ip.replace('.', '-')}.example.org" for ip in ips}
    wanted = {ip: f"new-{ip.replace('.', '-')}.example.net" for ip in ips}
    server = HostileServer(names, answers_per_connection=2, closing=closing)
    usual = {**PATIENT, "retry": {"base": "1ms", "max": "5ms"}}
    with serving(server):
        ended = run_against(server.url, tmp_path, "update_ptr", wanted.items(), usual)

    assert {row["status"] for row in ended.rows.values()} == {"changed"}
    assert (ended.code, server.names) == (0, wanted)
    for ip in ips:
        written = sum(seen.action == "update_ptr" and seen.ip == ip for seen in server.log)
        assert 1 <= written <= ended.sent("call", ip)


def test_token_is_in_no_url_and_no_header(tmp_path: Path) -> None:
    """The token goes out in the body of a POST and nowhere else."""
    with serving(account()) as server:
        run_against(server.url, tmp_path, "update_ptr", WANTED)

    assert {head.split()[0] for head in server.heads} == {b"POST"}
    assert not any(TOKEN.encode() in head for head in server.heads)
    assert {seen.form["token"] for seen in server.log} == {TOKEN}
