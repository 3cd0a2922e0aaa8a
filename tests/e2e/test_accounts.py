"""Several accounts in one job, told by two providers: one is in trouble, and the other notices nothing."""

import csv
import json
from pathlib import Path

import pytest

from bulkip.lock import Holder, account_locks, take
from bulkip.lockname import lock_name
from bulkip.simulator import Fault
from tests.postgres import Postgres
from tests.twoaccounts import COUNT, TOKENS, WRITE, two_accounts

OK, CHANGED, LEFT = {"ok": COUNT}, {"changed": COUNT}, {"not_run": COUNT}
WAIT_S = 4
THROTTLED = Fault(action="get_ip", times=1, status=429, headers={"Retry-After": str(WAIT_S)})
IMPATIENT = Fault(status=429, headers={"Retry-After": "7200"})
INVALID = Fault(action="update_ptr", times=1, json={"code": -1, "message": "invalid id"})
WRONG = TOKENS | {"NL": "wrong"}


def test_throttled_account_does_not_slow_the_other(tmp_path: Path) -> None:
    """While one account sits out its Retry-After, the other is called at its full rate and done."""
    with two_accounts(tmp_path, THROTTLED) as both:
        ended = both.do("run", "job.yaml")

        lasted_s = both.lasted_s()
        assert (ended.code, both.tally()) == (0, {"nl": OK, "us": OK})
        assert lasted_s["nl"] > WAIT_S
        assert lasted_s["us"] < WAIT_S / 2
        assert "Retry-After (nl)" in ended.err


def test_refused_account_is_left_and_finished_by_a_resume(tmp_path: Path) -> None:
    """A wrong token ends with 7 and not_run rows of its account; a resume with the right one does these."""
    with two_accounts(tmp_path) as both:
        first = both.do("run", "job.yaml", tokens=WRONG)
        left = both.tally()
        called = both.calls()
        then = both.do("resume")

        assert (first.code, left) == (7, {"nl": LEFT, "us": OK})
        assert "account nl stops: the token is refused" in first.err
        assert "stopped: account `nl`: the token is refused" in first.err
        assert called["us"] == COUNT
        assert (then.code, both.tally(), both.calls()["us"]) == (0, {"nl": OK, "us": OK}, COUNT)


def test_not_run_rows_say_why(tmp_path: Path) -> None:
    """What a refused account left has the class and the reason of its stop; show lists the accounts."""
    with two_accounts(tmp_path) as both:
        both.do("run", "job.yaml", tokens=WRONG)

        rows = [json.loads(line) for line in both.do("report", "last", "-f", "jsonl").out.splitlines()]
        left = [row for row in rows if row["status"] == "not_run"]
        shown = both.do("show", "last").out
    assert {row["error_class"] for row in left} == {"auth"}
    assert all(row["message"].startswith("account `nl`: ") for row in left)
    assert all(f"account {name}: url http://127.0.0.1:" in shown for name in ("nl", "us"))


def test_account_throttled_beyond_the_limit_halts_alone(tmp_path: Path) -> None:
    """A Retry-After of two hours halts its account (6); the other account is done."""
    with two_accounts(tmp_path, IMPATIENT) as both:
        ended = both.do("run", "job.yaml")

        assert ended.code == 6
        assert both.tally()["us"] == OK
        assert "account `nl`: " in ended.err


def test_writes_of_a_refused_account_are_asked_for_when_it_goes_on(tmp_path: Path) -> None:
    """What was not read of one account is not agreed to with the other: the resume wants a yes of its own."""
    with two_accounts(tmp_path) as both:
        both.write_job(WRITE)
        first = both.do("run", "job.yaml", "--yes", tokens=WRONG)
        left = both.tally()
        unasked = both.do("resume")
        last = both.do("resume", "--yes")

        assert (first.code, left) == (7, {"nl": LEFT, "us": CHANGED})
        assert unasked.code == 5
        assert (last.code, both.tally()) == (0, {"nl": CHANGED, "us": CHANGED})
        assert both.calls("update_ptr") == {"nl": COUNT, "us": COUNT}
        assert both.do("doctor", "last").code == 0


def test_plan_apply_verify_and_undo_know_the_accounts(tmp_path: Path) -> None:
    """A saved plan is applied to the accounts it was made for; verify and undo find them in the store."""
    with two_accounts(tmp_path) as both:
        both.write_job(WRITE)
        before = both.names()
        assert both.do("plan", "job.yaml", "-o", "p.json").code == 0
        both.done("apply", "p.json")
        names = both.names()
        verified = both.do("verify", "last", "--mode", "api")
        both.done("undo", "last")

        assert all(name.endswith(f".{account}.example.net") for account in names for name in names[account])
        assert verified.code == 0, verified.err
        assert both.names() == before
        items = json.loads((tmp_path / "p.json").read_text())["items"]
        assert {item["account"] for item in items} == {"nl", "us"}


def test_plan_that_names_a_foreign_account_is_refused(tmp_path: Path) -> None:
    """An item of a plan must be of one of its accounts."""
    with two_accounts(tmp_path) as both:
        both.write_job(WRITE)
        both.do("plan", "job.yaml", "-o", "p.json")
        text = (tmp_path / "p.json").read_text().replace('"account":"us"', '"account":"xx"')
        (tmp_path / "p.json").write_text(text)

        ended = both.do("apply", "p.json", "--yes")

        assert (ended.code, both.calls("update_ptr")) == (2, {"nl": 0, "us": 0})


def test_check_and_retry_work_account_by_account(tmp_path: Path) -> None:
    """A check compares each address at its own provider; a retry calls only the account that failed."""
    with two_accounts(tmp_path, INVALID) as both:
        both.write_job(WRITE, "safety: {max_failed: none}\n")
        first = both.do("run", "job.yaml", "--yes")
        called = both.calls("update_ptr")["us"]
        again = both.do("retry", "--yes")

        assert (first.code, both.tally()["us"]) == (3, CHANGED)
        assert again.code == 0, again.err
        assert both.calls("update_ptr")["us"] == called
        assert both.do("check", "job.yaml").code == 0


def test_what_failed_is_input_of_the_next_job(tmp_path: Path) -> None:
    """failed-csv names the account of each row, also of a list whose entry had named it, and can be run."""
    with two_accounts(tmp_path) as both:
        both.do("run", "job.yaml", "--report", "failed-csv=failed.csv", tokens=TOKENS | {"US": "wrong"})
        with (tmp_path / "failed.csv").open() as file:
            rows = list(csv.DictReader(file))
        text = (tmp_path / "job.yaml").read_text()
        head, _, tail = text.partition("targets:\n")
        (tmp_path / "next.yaml").write_text(
            f"{head}targets: [{{csv: failed.csv}}]\n{tail[tail.index('actions') :]}"
        )
        before = both.calls()
        ended = both.do("run", "next.yaml")

        assert [row["account"] for row in rows] == ["us"] * COUNT
        assert (ended.code, both.calls()) == (0, {"nl": before["nl"], "us": before["us"] + COUNT})


def test_targets_of_an_earlier_run_keep_their_account(tmp_path: Path) -> None:
    """What an earlier run left is of the account that it was of there."""
    with two_accounts(tmp_path) as both:
        both.do("run", "job.yaml", tokens=WRONG)
        text = (tmp_path / "job.yaml").read_text()
        head, _, tail = text.partition("targets:\n")
        targets = "targets: [{run: last, status: not_run}]\n"
        (tmp_path / "job.yaml").write_text(head + targets + tail[tail.index("actions") :])
        before = both.calls()
        ended = both.do("run", "job.yaml")

        assert (ended.code, both.calls()) == (0, {"nl": before["nl"] + COUNT, "us": COUNT})


def test_free_addresses_are_asked_of_their_account(tmp_path: Path) -> None:
    """`free_ips` asks the account that it names."""
    with two_accounts(tmp_path) as both:
        text = (tmp_path / "job.yaml").read_text()
        entry = "targets:\n  - {free_ips: {id: 15, location: NL}, account: us}\n"
        (tmp_path / "job.yaml").write_text(text.replace("targets:\n", entry))
        both.do("run", "job.yaml")

        assert both.calls("list_free_ip") == {"nl": 0, "us": 1}


def test_rehearsal_has_a_provider_for_each_account(tmp_path: Path) -> None:
    """--simulate needs no secret, and faults throttle each account for itself."""
    faults = "version: 1\nfaults: [{action: get_ip, times: 1, status: 429, headers: {Retry-After: '1'}}]\n"
    (tmp_path / "faults.yaml").write_text(faults)
    with two_accounts(tmp_path) as both:
        ended = both.do("run", "job.yaml", "--faults", "faults.yaml", tokens={})

        assert (ended.code, both.tally()) == (0, {"nl": OK, "us": OK})
        assert both.calls() == {"nl": 0, "us": 0}
        assert all(f"Retry-After ({name})" in ended.err for name in ("nl", "us"))


def test_shards_of_several_accounts_are_merged(tmp_path: Path) -> None:
    """Every shard has its part of every account; merged they are the whole job."""
    with two_accounts(tmp_path) as both:
        for number in (1, 2):
            both.done("run", "job.yaml", "--shard", f"{number}/2", "--run-dir", f"shard-{number}")
        merged = both.do("merge", "shard-1", "shard-2", "-o", "all")

        assert (merged.code, both.calls()) == (0, {"nl": COUNT, "us": COUNT})
        assert both.tally("last", "--run-dir", "all") == {"nl": OK, "us": OK}
        assert both.do("doctor", "last", "--run-dir", "all").code == 0


def test_rollout_and_canary_span_all_accounts(tmp_path: Path) -> None:
    """A step holds addresses of all accounts together, and the last step is the rest."""
    with two_accounts(tmp_path) as both:
        both.write_job(WRITE, "rollout: {steps: [4, 50%, 100%]}\n")
        ended = both.do("run", "job.yaml", "--yes")

        assert (ended.code, both.tally()) == (0, {"nl": CHANGED, "us": CHANGED})
        assert ended.err.count("applying: ") == 6


def test_lock_of_any_account_keeps_a_run_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run needs the locks of all its accounts, and says whose is taken."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    locks = account_locks({"XDG_STATE_HOME": str(tmp_path / "state")})
    with two_accounts(tmp_path) as both:
        name = lock_name(both.us.url, TOKENS["US"])
        with take(locks / name, Holder("run", "other", 1, "here", 0.0)) or pytest.fail("nobody else has it"):
            held = both.do("run", "job.yaml")
        after = both.do("run", "job.yaml")

        assert (held.code, after.code) == (8, 0)
        assert "another run holds the lock of account `us`" in held.err
        assert both.calls() == {"nl": COUNT, "us": COUNT}


def test_missing_secret_names_its_account(tmp_path: Path) -> None:
    """Without the token of one account nothing is sent to any."""
    with two_accounts(tmp_path) as both:
        ended = both.do("run", "job.yaml", tokens={"NL": TOKENS["NL"]})

        assert (ended.code, both.calls()) == (2, {"nl": 0, "us": 0})
        assert "account `us`: env:US: the variable is not set" in ended.err


def test_two_names_for_one_account_are_refused(tmp_path: Path) -> None:
    """The same URL and secret twice would take the rate twice."""
    with two_accounts(tmp_path) as both:
        text = (tmp_path / "job.yaml").read_text()
        (tmp_path / "job.yaml").write_text(text.replace(both.us.url, both.nl.url))
        ended = both.do("run", "job.yaml", tokens=dict.fromkeys(TOKENS, TOKENS["NL"]))

        assert ended.code == 2
        assert "accounts `nl` and `us` have the same URL and secret" in ended.err


def test_doctor_asks_every_account(tmp_path: Path) -> None:
    """The check of the set-up has a line for each account, and the gravest of them decides."""
    with two_accounts(tmp_path) as both:
        good, bad = (
            both.do("doctor", "--job", "job.yaml"),
            both.do("doctor", "--job", "job.yaml", tokens=WRONG),
        )

    assert [good.code, bad.code] == [0, 7]
    assert all(f"account {name}: http://127.0.0.1:" in good.out for name in ("nl", "us"))


def test_origins_and_targets_tell_of_accounts(tmp_path: Path) -> None:
    """-vv says where the values of each account come from; targets counts those of each."""
    with two_accounts(tmp_path) as both:
        told = both.do("run", "job.yaml", "-vv", "--concurrency", "2").err
        counted = both.do("targets", "job.yaml").err

    assert "accounts.nl.api.token = env:NL (job.yaml:4)" in told
    assert "accounts.us.limits.rate = 40/s (job.yaml:10)" in told
    assert "accounts.us.limits.concurrency = 2 (--concurrency)" in told
    assert "32 addresses, 16 of account nl, 16 of account us" in counted


def test_explain_names_the_account(tmp_path: Path) -> None:
    """The story of an address begins with whose it is."""
    with two_accounts(tmp_path) as both:
        both.do("run", "job.yaml")

        assert "203.0.113.20 in run " in both.do("explain", "last", "203.0.113.20").out
        assert (
            json.loads(both.do("explain", "last", "203.0.113.20", "--format", "json").out)["account"] == "us"
        )


def test_limiter_shares_the_rate_of_each_account(tmp_path: Path, postgres_server: Postgres) -> None:
    """Each account has a row of its own in the limiter."""
    with two_accounts(tmp_path) as both:
        ended = both.do("run", "job.yaml", "--limiter", postgres_server.new_database())

        assert (ended.code, both.tally()) == (0, {"nl": OK, "us": OK})


def test_rebase_to_accounts_in_another_order_keeps_what_was_done(tmp_path: Path) -> None:
    """Items are matched by key, which has the name of the account, whatever its place in the file is."""
    with two_accounts(tmp_path) as both:
        both.do("run", "job.yaml", tokens=WRONG)
        before = both.calls()
        lines = (tmp_path / "job.yaml").read_text().splitlines(keepends=True)
        lines[3], lines[4] = lines[4], lines[3]
        (tmp_path / "job.yaml").write_text("".join(lines))
        ended = both.do("resume", "--rebase", "--yes")

        assert ended.code == 0, ended.err
        assert both.tally() == {"nl": OK, "us": OK}
        assert both.calls() == {"nl": before["nl"] + COUNT, "us": COUNT}
        assert both.do("doctor", "last").code == 0
