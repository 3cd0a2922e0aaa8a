"""Several accounts in one job file: what they are, whose each target is, and how mistakes are told."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bulkip.errors import JobError
from bulkip.jobfile import scan_bytes
from bulkip.model import Problem, Rate, Target
from bulkip.policy import Account, Api, Limits, SecretRef, SecretSource
from bulkip.run.planning import check_job, now_utc
from bulkip.selection import Filters
from bulkip.settings import Job, LoadedJob, frozen_settings, load_job, narrowed, thawed_job
from bulkip.settings.jsonschema import job_schema
from bulkip.shards import Shard
from bulkip.targets import TargetReader
from tests.schemacheck import faults

pytestmark = pytest.mark.usefixtures("empty_folder")

TWO = "accounts:\n  nl: {api: {token: env:NL}}\n  us: {api: {token: env:US}}\n"
READS = "actions: [{action: get_ip}]\n"
FORMS = f"""version: 1
{TWO}{READS}targets:
  - {{ip: 203.0.113.1, account: nl, role: web}}
  - {{cidr: 203.0.113.4/31, account: us}}
  - {{range: 203.0.113.8-203.0.113.9, account: nl}}
  - {{csv: rows.csv}}
  - {{csv: plain.csv, account: us}}
  - {{jsonl: rows.jsonl, account: nl}}
  - {{text: ips.txt, account: us}}
  - "!203.0.113.9"
"""
ANSWER = {
    "203.0.113.1": "nl", "203.0.113.4": "us", "203.0.113.5": "us", "203.0.113.8": "nl", "203.0.113.16": "nl",
    "203.0.113.17": "us", "203.0.113.18": "us", "203.0.113.19": "nl", "203.0.113.20": "nl",
    "203.0.113.24": "us", "203.0.113.26": "us", "203.0.113.27": "us",
}  # fmt: skip
BEHIND = "with one of nl, us"


@pytest.fixture
def lists(empty_folder: Path) -> Path:
    """Write the lists that jobs of these tests name."""
    (empty_folder / "rows.csv").write_text("ip,account\n203.0.113.16,nl\n203.0.113.17, us \n")
    (empty_folder / "plain.csv").write_text("ip,note\n203.0.113.18,x\n")
    (empty_folder / "rows.jsonl").write_text(
        '{"ip": "203.0.113.19", "account": "nl"}\n{"ip": "203.0.113.20"}\n'
    )
    (empty_folder / "ips.txt").write_text("203.0.113.24\n203.0.113.26/31\n")
    return empty_folder


def load(text: str) -> LoadedJob:
    """Load a job with this text from the current folder."""
    Path("job.yaml").write_text(text, encoding="utf-8")
    return load_job("job.yaml")


def job_of(text: str) -> Job:
    """Return the job of a text in which nothing is wrong."""
    loaded = load(text)
    assert loaded.job is not None, loaded.problems
    return loaded.job


def told(text: str) -> Sequence[str]:
    """Return all that is wrong with a job and its lists, as it is shown."""
    try:
        check_job(load(text), now_utc())
    except JobError as error:
        return [str(problem) for problem in error.problems]
    return []


def read(loaded: LoadedJob) -> list[Target | Problem]:
    """Return the targets of a job and what is wrong with them."""
    assert loaded.problems == ()
    return [*TargetReader(loaded.sources, safety=loaded.safety, accounts=loaded.accounts)]


def test_accounts_have_their_own_api_and_limits() -> None:
    """What the limits of an account leave out is as in the limits of the job, and then the default."""
    job = job_of(f"""version: 1
accounts:
  nl: {{api: {{url: "https://a.example/ip.php", token: env:NL}}, limits: {{rate: 9/s}}}}
  us-2: {{api: {{key: "file:us.key"}}}}
limits: {{rate: 2/s, concurrency: 7}}
{READS}targets: [{{ip: 203.0.113.1, account: nl}}]
""")

    assert job.accounts == (
        Account(
            "nl",
            Api("https://a.example/ip.php", SecretRef(SecretSource.ENV, "NL")),
            Limits(rate=(Rate(9, 1.0),), concurrency=7),
        ),
        Account(
            "us-2",
            Api(key=SecretRef(SecretSource.FILE, "us.key")),
            Limits(rate=(Rate(2, 1.0),), concurrency=7),
        ),
    )
    assert job.url == "https://a.example/ip.php, https://invapi.hostkey.com/ip.php"


@pytest.mark.usefixtures("lists")
def test_every_kind_of_target_names_its_account() -> None:
    """An entry or a row says whose its addresses are; templates see that in the row."""
    found = [one for one in read(load(FORMS)) if isinstance(one, Target)]

    assert {one.ip: one.account for one in found} == ANSWER
    assert [one.fields["account"] for one in found] == [*ANSWER.values()]


@pytest.mark.usefixtures("lists")
def test_only_account_need_not_be_named() -> None:
    """Where there is one account, every target is of that one, plain text too."""
    one = "accounts: {nl: {api: {token: env:NL}}}\n"
    loaded = load(f"version: 1\n{one}{READS}targets: [203.0.113.1, {{csv: plain.csv}}, {{text: ips.txt}}]\n")

    assert {target.account for target in read(loaded) if isinstance(target, Target)} == {"nl"}


def test_account_without_accounts_is_a_field_of_the_row() -> None:
    """In a job without accounts a row may have a field of that name, as before."""
    loaded = load(f"version: 1\n{READS}targets: [{{ip: 203.0.113.1, account: nl}}]\n")

    (found,) = read(loaded)
    assert isinstance(found, Target)
    assert (found.account, found.fields) == ("", {"account": "nl"})


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        pytest.param(
            "[203.0.113.1]",
            f"6:11: the target names no account; give it `account:` {BEHIND}, as in {{ip: 203.0.113.1, acc",
            id="plain",
        ),
        pytest.param("[203.0.113.0/24]", "as in {cidr: 203.0.113.0/24, account: nl}", id="plain-network"),
        pytest.param(
            "[203.0.113.1-203.0.113.2]", "as in {range: 203.0.113.1-203.0.113.2, acc", id="plain-range"
        ),
        pytest.param(
            "[{ip: 203.0.113.1}]", f"6:11: the target names no account; give it `account:` {BEHIND}", id="ip"
        ),
        pytest.param("[{cidr: 203.0.113.0/24}]", "6:11: the target names no account", id="cidr"),
        pytest.param("[{range: 203.0.113.1-203.0.113.2}]", "6:11: the target names no account", id="range"),
        pytest.param("[{text: ips.txt}]", "6:11: the target names no account", id="text"),
        pytest.param("[{stdin: text}]", "6:11: the target names no account", id="stdin"),
        pytest.param("[{free_ips: {id: 15}}]", "6:11: the target names no account", id="free-ips"),
        pytest.param(
            "[{ip: 203.0.113.1, account: nll}]",
            "6:38: the job has no account `nll`; did you mean `nl`?",
            id="unknown",
        ),
        pytest.param(
            "[{csv: rows.csv, account: zz}]",
            "6:36: the job has no account `zz`; its accounts are nl, us",
            id="csv",
        ),
        pytest.param("[{run: last, account: zz}]", "6:32: the job has no account `zz`", id="run"),
        pytest.param(
            "[{csv: bad.csv}]", "bad.csv:2:16: the job has no account `uss`; did you mean `us`?", id="row"
        ),
        pytest.param(
            "[{csv: rows.csv, account: us}]",
            "rows.csv:2:14: the row names account `nl`, its entry names `us`; keep one of them",
            id="row-and-entry",
        ),
        pytest.param(
            "[{csv: plain.csv}]",
            f"plain.csv:2:1: the target names no account; give it `account:` {BEHIND}",
            id="row-without",
        ),
        pytest.param("[{jsonl: bad.jsonl}]", "bad.jsonl:1:32: the job has no account `x`", id="json-row"),
        pytest.param(
            '[{range: "203.0.113.1", account: nl}]', "6:19: `203.0.113.1` is no range", id="no-range"
        ),
        pytest.param(
            "[{csv: rows.csv}, {ip: 203.0.113.16, account: us}]",
            "6:1: 203.0.113.16 is named for account `us` here and for `nl` at rows.csv:2; keep one",
            id="address-of-two",
        ),
    ],
)
def test_target_whose_account_is_wrong_is_told_with_its_place(
    lists: Path, targets: str, expected: str
) -> None:
    """Whatever is wrong with the account of a target is told at its place, with the way out."""
    (lists / "bad.csv").write_text('ip,note,account\n203.0.113.1,"",uss\n')
    (lists / "bad.jsonl").write_text('{"ip": "203.0.113.1","account":"x"}\n')

    (found,) = told(f"version: 1\n{TWO}{READS}targets: {targets}\n")

    assert expected in found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "accounts: {NL: {}}", "2:12: `NL` cannot name an account; use up to 32 of a-z", id="name"
        ),
        pytest.param(
            "accounts: {}", "2:11: `accounts`: there is none; name one, or remove the key", id="none"
        ),
        pytest.param("accounts: [nl]", "2:11: `accounts`:", id="list"),
        pytest.param("accounts: {nl: }", "2:12: `accounts.nl`: must be a mapping", id="nothing"),
        pytest.param("accounts: {nl: {url: x}}", "2:17: unknown key `url`; known: api, limits", id="key"),
        pytest.param(
            "accounts: {nl: {limit: {}}}", "unknown key `limit`; did you mean `limits`?", id="limits"
        ),
        pytest.param(
            "accounts: {nl: {api: {tokn: x}}}", "unknown key `tokn`; did you mean `token`?", id="api"
        ),
        pytest.param("accounts: {nl: {api: {token: abc}}}", "must be `env:NAME` or `file:PATH`", id="secret"),
        pytest.param("accounts: {nl: {limits: {rate: fast}}}", "`accounts.nl.limits.rate`: ", id="rate"),
        pytest.param(
            "api: {token: env:A}\naccounts: {nl: {}}",
            "2:1: `api` stands beside `accounts`, each of which has its own; move it to `accounts.nl.api`",
            id="api-beside",
        ),
    ],
)
def test_account_in_which_something_is_wrong_is_told_with_its_place(text: str, expected: str) -> None:
    """Mistakes of accounts are told like those of other blocks, and targets do not repeat them."""
    found = told(f"version: 1\n{text}\n{READS}targets: [{{ip: 203.0.113.1}}]\n")

    assert len(found) == 1, found
    assert expected in found[0]


def test_key_account_needs_accounts() -> None:
    """A list of a job without accounts cannot be of one."""
    (found,) = told(f"version: 1\n{READS}targets: [{{text: ips.txt, account: nl}}]\n")

    assert found == "job.yaml:3:27: `account`: the job has no `accounts`; add them, or remove this key"


def test_kept_accounts_come_back_without_secrets(empty_folder: Path) -> None:
    """A run keeps its accounts with the places of their secrets, from wherever it goes on."""
    one = "nl: {api: {token: 'file:nl.token'}, limits: {rate: 9/s}}"
    job = job_of(
        f"version: 1\naccounts: {{{one}, us: {{}}}}\n{READS}targets: [{{ip: 203.0.113.1, account: nl}}]\n"
    )

    kept = thawed_job(job.name, "job.yaml", "", frozen_settings(job))

    assert [one.name for one in kept.accounts] == ["nl", "us"]
    assert kept.accounts[0].api.token == SecretRef(SecretSource.FILE, str(empty_folder / "nl.token"))
    assert kept.accounts[0].limits == job.accounts[0].limits


def test_run_without_accounts_keeps_none() -> None:
    """The settings of a job without accounts have no such key."""
    assert "accounts" not in frozen_settings(job_of(f"version: 1\n{READS}targets: [203.0.113.1]\n"))


def test_shard_takes_its_share_of_each_account() -> None:
    """Each shard may call every account with its share of that account's rate."""
    loaded = load(
        f"version: 1\n{TWO}{READS}limits: {{rate: 40/s}}\ntargets: [{{ip: 203.0.113.1, account: nl}}]\n"
    )

    job = narrowed(loaded, Filters(shard=Shard(1, 2))).job

    assert job is not None
    assert [one.limits.rate for one in job.accounts] == [(Rate(20, 1.0),)] * 2


@pytest.mark.parametrize(
    ("text", "right"),
    [
        pytest.param(FORMS, True, id="every-form"),
        pytest.param(
            f"version: 1\naccounts: {{nl: {{limits: , api: }}}}\n{READS}targets: [203.0.113.1]",
            True,
            id="nulls",
        ),
        pytest.param(f"version: 1\naccounts: {{NL: {{}}}}\n{READS}targets: [203.0.113.1]", False, id="name"),
        pytest.param(
            f"version: 1\naccounts: {{nl: {{url: x}}}}\n{READS}targets: [203.0.113.1]", False, id="key"
        ),
    ],
)
def test_schema_knows_accounts(lists: Path, text: str, *, right: bool) -> None:
    """Editors are told of accounts what the loader says of them."""
    tree = scan_bytes(text.encode(), str(lists / "job.yaml")).tree

    assert tree is not None
    assert (told(text) == []) is right
    assert (faults(tree.root, job_schema()) == []) is right
