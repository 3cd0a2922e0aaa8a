"""Tokens that are fetched, renewed and given back, seen from the server's side."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bulkip.simulator import EmbeddedSimulator, Fault, Seed, Simulator, SimulatorSettings, TokenEnd
from tests.program import Ended, bulkip

KEY = "key-e2e-0123456789abcdef"
ADDRESSES = [f"203.0.113.{host}" for host in range(200)]


@contextmanager
def provider(**settings: Any) -> Iterator[Simulator]:
    """Serve 200 addresses of one server to whoever has the key."""
    seeds = [Seed(ip, 4711, "NL") for ip in ADDRESSES]
    with EmbeddedSimulator(seeds, SimulatorSettings(keys=(KEY,), **settings)) as api:
        yield api


def run_reads(folder: Path, api: Simulator, env: dict[str, str], *options: str) -> Ended:
    """Read all 200 addresses, sixteen at a time."""
    (folder / "rows.csv").write_text("ip\n" + "\n".join(ADDRESSES) + "\n")
    (folder / "job.yaml").write_text(
        f"version: 1\napi: {{url: '{api.url}'}}\n"
        "targets: [{csv: rows.csv}]\nactions: [{action: get_ip}]\n"
        "limits: {rate: 2000/s, concurrency: 16}\nretry: {base: 10ms}\n"
    )
    return bulkip("run", "job.yaml", "--format", "json", *options, cwd=folder, env=env)


def test_key_is_exchanged_once_and_the_token_given_back(tmp_path: Path) -> None:
    """A job with an API key logs in once however many workers wait, and logs out at the end."""
    with provider() as api:
        ended = run_reads(tmp_path, api, {"HOSTKEY_API_KEY": KEY})

        assert ended.code == 0, ended.err
        assert json.loads(ended.out)["by_status"] == {"ok": 200}
        assert (api.state.count("login"), api.state.count("logout")) == (1, 1)


def test_token_that_dies_on_the_way_is_renewed_by_one_login(tmp_path: Path) -> None:
    """A token that is worn out in mid-run is renewed under load: one login each, and no item is lost."""
    with provider(token_uses=60) as api:
        ended = run_reads(tmp_path, api, {"HOSTKEY_API_KEY": KEY})

        assert ended.code == 0, ended.err
        assert json.loads(ended.out)["by_status"] == {"ok": 200}
        assert api.state.count("login") == 4  # 200 calls at 60 a token


def test_token_is_renewed_before_it_expires(tmp_path: Path) -> None:
    """A token is renewed before its time is over, so that no call is refused for it."""
    with provider(token_life_s=2.0) as api:
        ended = run_reads(tmp_path, api, {"HOSTKEY_API_KEY": KEY}, "--rate", "70/s")

        assert ended.code == 0, ended.err
        assert api.state.count("login") >= 2
        assert {entry.status for entry in api.log.entries("get_ip")} == {200}
        assert api.state.count("get_ip") == 200


def test_refused_key_stops_the_run_before_anything_else(tmp_path: Path) -> None:
    """A key that the server does not take ends the run with 7 and one clear line; nothing else is sent."""
    with provider() as api:
        ended = run_reads(tmp_path, api, {"HOSTKEY_API_KEY": "another-key-0123456789"})

        assert ended.code == 7
        assert json.loads(ended.out)["by_status"] == {"not_run": 200}
        assert api.state.count("get_ip") == 0
        assert "another-key" not in ended.err + ended.out


def test_forbidden_address_is_no_dead_token(tmp_path: Path) -> None:
    """One address that the token may not touch fails alone: the renewed token is proved alive."""
    with provider() as api:
        api.fault(Fault(action="get_ip", ip="203.0.113.7", json={"code": -1, "message": "invalid token"}))
        ended = run_reads(tmp_path, api, {"HOSTKEY_API_KEY": KEY})

        assert ended.code == 3
        assert json.loads(ended.out)["by_status"] == {"ok": 199, "failed": 1}
        assert json.loads(ended.out)["by_class"] == {"permission": 1}
        assert api.state.count("login") <= 2


def test_key_and_tokens_are_in_no_file(tmp_path: Path) -> None:
    """Neither the key nor a token that was made for it reaches a file or the screen."""
    with provider() as api:
        ended = run_reads(tmp_path, api, {"HOSTKEY_API_KEY": KEY})

    assert ended.code == 0
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path
    assert KEY not in ended.out + ended.err


def test_run_goes_on_with_a_new_token(tmp_path: Path) -> None:
    """A ready token that dies in mid-run stops it with 7; a resume with a new token finishes it."""
    with provider() as api:
        api.fault(Fault(action="get_ip", ip="203.0.113.50", attempts=(1,), token=TokenEnd.EXPIRED))
        stopped = run_reads(tmp_path, api, {"HOSTKEY_TOKEN": "simulated"})
        left = json.loads(stopped.out)["by_status"]

        ended = bulkip("resume", "--format", "json", cwd=tmp_path, env={"HOSTKEY_API_KEY": KEY})

    assert (stopped.code, sorted(left)) == (7, ["not_run", "ok"])
    assert "the token is refused" in stopped.err
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["by_status"] == {"ok": 200}


def test_three_keys_renew_side_by_side_with_one_login_each(tmp_path: Path) -> None:
    """Three runs with a key each, under load at once: every renewal is one login of its own key."""
    keys = [f"{KEY}-{number}" for number in range(3)]
    seeds = [Seed(ip, 4711, "NL") for ip in ADDRESSES]
    settings = SimulatorSettings(keys=tuple(keys), token_uses=150)
    with EmbeddedSimulator(seeds, settings) as api, ThreadPoolExecutor(len(keys)) as side_by_side:
        folders = [tmp_path / key for key in keys]
        for folder in folders:
            folder.mkdir()
        environments = [{"HOSTKEY_API_KEY": key} for key in keys]

        ended = list(side_by_side.map(run_reads, folders, [api] * len(keys), environments))

        assert [one.code for one in ended] == [0, 0, 0], ended[0].err
        logins = Counter(entry.key for entry in api.log.entries("login"))
    assert sorted(logins.values()) == [2, 2, 2]  # 200 calls at 150 a token: the first, and one renewal
