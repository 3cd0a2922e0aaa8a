"""What a job file means, and how every mistake in it is told."""

import hashlib
from pathlib import Path

import pytest

from bulkip.model import Place, Rate
from bulkip.policy import (
    Api,
    Breaker,
    Limits,
    Percent,
    ReportSpec,
    RetryPolicy,
    Rollout,
    Safety,
    SecretRef,
    SecretSource,
    Timeouts,
    Verify,
)
from bulkip.settings import Job, LoadedJob, load_job
from bulkip.sources import AddressSource, CsvSource

HEAD = "version: 1\ntargets: [203.0.113.7]\nactions: [{action: get_ip}]\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder, so that paths are shown as the user writes them."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(text: str) -> LoadedJob:
    """Load a job with this text from the current folder."""
    Path("job.yaml").write_text(text, encoding="utf-8")
    return load_job("job.yaml")


def job_of(text: str) -> Job:
    """Return the job of a text in which nothing is wrong."""
    loaded = load(text)
    assert loaded.problems == ()
    assert loaded.job is not None
    return loaded.job


def told(text: str) -> list[str]:
    """Return what is wrong with a job, as it is shown."""
    return [str(problem) for problem in load(text).problems]


@pytest.mark.usefixtures("folder")
def test_smallest_job_has_the_defaults_of_the_contract() -> None:
    """A job that sets nothing has every default of design.md §3."""
    job = job_of(HEAD)

    assert (job.name, job.timezone, job.reports, job.vars) == ("job", "UTC", (), {})
    assert job.digest == hashlib.sha256(HEAD.encode()).hexdigest()
    assert job.api == Api("https://invapi.hostkey.com/ip.php", None, None)
    assert job.limits == Limits((Rate(5, 1),), 0.03, 4, adaptive=True, max_retry_after_s=600)
    assert job.retry == RetryPolicy(5, 0.3, 20, 500)
    assert job.breaker == Breaker(10, 300)
    assert job.timeouts == Timeouts(10, 30, 300, None)
    assert job.safety == Safety(None, 10, 0, None, 20, 65536)
    assert (job.safety.read_again_after_s, job.safety.allow_ipv6) == (300, False)
    assert job.rollout == Rollout((Percent(100),), 0)
    assert job.verify == Verify(timeout_s=120, settle_s=5)


@pytest.mark.usefixtures("folder")
def test_every_setting_that_is_built_is_read() -> None:
    """What the author set is what the job holds, with units."""
    job = job_of(
        HEAD + "name: ptr\ntimezone: Europe/Amsterdam\nvars: {zone: example.net, ttl: 0300, on: true}\n"
        "api: {url: 'http://127.0.0.1:8080/ip.php', token: 'env:TOKEN'}\n"
        "limits: {rate: [5/s, 200/m], headroom: 10%, concurrency: 9, adaptive: false,"
        " max_retry_after: 1m30s}\n"
        "retry: {attempts: 2, base: 1, max: 2s, budget: 9}\nbreaker: {after: 3, give_up: 1m}\n"
        "timeouts: {connect: 1s, attempt: 2.5s, item: none, job: 1h}\n"
        "safety: {max_changes: 30%, min_existing: 1, max_clears: 2, max_targets: 3, read_again_after: 0,"
        " allow_ipv6: true}\n"
        "verify: {settle: 0s}\nreports: [csv=out/ptr.csv, text]\n"
    )

    assert (job.name, job.timezone) == ("ptr", "Europe/Amsterdam")
    assert job.vars == {"zone": "example.net", "ttl": "0300", "on": "true"}
    assert job.api == Api("http://127.0.0.1:8080/ip.php", SecretRef(SecretSource.ENV, "TOKEN"))
    assert job.limits == Limits((Rate(5, 1), Rate(200, 60)), 0.1, 9, adaptive=False, max_retry_after_s=90)
    assert job.retry == RetryPolicy(2, 1, 2, 9)
    assert job.breaker == Breaker(3, 60)
    assert job.timeouts == Timeouts(1, 2.5, None, 3600)
    assert job.safety == Safety(
        Percent(30), 1, 2, max_failed=None, max_targets=3, read_again_after_s=0, allow_ipv6=True
    )
    assert job.verify.settle_s == 0
    assert job.reports == (ReportSpec("csv", "out/ptr.csv"), ReportSpec("text", "-"))


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("action", "safety", "ceiling"),
    [
        pytest.param("get_ip", "", None, id="reads"),
        pytest.param("get_ip", "safety: {max_failed: 5%}", Percent(5), id="reads-and-states-it"),
        pytest.param("get_ip", "safety: {max_failed: 3}", 3, id="reads-and-states-a-count"),
        pytest.param("update_ptr, with: {ptr: a.example.net}", "", Percent(5), id="writes"),
        pytest.param("update_ptr, with: {ptr: a.example.net}", "safety: {max_failed: none}", None, id="off"),
    ],
)
def test_job_that_only_reads_has_a_failure_ceiling_when_it_states_one(
    action: str, safety: str, ceiling: Percent | int | None
) -> None:
    """The ceiling of 5 % is for writes; a job that reads goes on to its end."""
    text = f"version: 1\ntargets: [{{ip: 203.0.113.7, id: 1}}]\nactions: [{{action: {action}}}]\n{safety}\n"

    assert job_of(text).safety.max_failed == ceiling


@pytest.mark.usefixtures("folder")
def test_step_keeps_the_source_text_of_its_parameters() -> None:
    """Parameters are text as the author wrote it; lists stay lists; null is not set."""
    job = job_of(
        "version: 1\ntargets: [203.0.113.7]\nactions:\n"
        "  - action: update_ptr\n    name: set\n    tags: [ptr]\n    when: true\n    allow_empty: true\n"
        "    with: {id: 010, ptr: [a, b], location: null}\n"
        "  - {action: get_traffic, with: {period: 2026-09, summary: true}}\n"
    )

    first, second = job.steps
    assert (first.index, first.name, first.action, first.when) == (0, "set", "update_ptr", "true")
    assert first.params == {"id": "010", "ptr": ("a", "b")}
    assert (first.tags, first.allow_empty, first.allow_same) == (frozenset({"ptr"}), True, False)
    assert first.places["with.id"] == Place("job.yaml", 9, 16)
    assert (second.name, second.period, second.params) == ("2", "2026-09", {"summary": "true"})
    assert second.places["period"] == Place("job.yaml", 10, 42)


@pytest.mark.usefixtures("folder")
def test_targets_become_sources_with_fields() -> None:
    """Each kind of target is one source; further keys are its fields, as text."""
    job = job_of(
        "version: 1\nactions: [{action: get_ip}]\ntargets:\n"
        "  - '!203.0.113.40'\n"
        "  - {id: 0815, ip: 198.51.100.7, text: x, model_dump: y, keys: NO, note: null}\n"
        "  - {cidr: 198.51.100.16/28, hosts: usable, id: 4711}\n"
        "  - {csv: lists/a.csv, delimiter: tab}\n"
    )

    fields = {"id": "0815", "text": "x", "model_dump": "y", "keys": "NO"}
    assert job.sources == (
        AddressSource("!203.0.113.40", Place("job.yaml", 4, 5)),
        AddressSource("198.51.100.7", Place("job.yaml", 5, 20), "ip", fields=fields),
        AddressSource(
            "198.51.100.16/28", Place("job.yaml", 6, 12), "cidr", usable=True, fields={"id": "4711"}
        ),
        CsvSource(Path("lists/a.csv"), Place("job.yaml", 7, 11), "\t"),
    )


def test_input_paths_are_relative_to_the_job_file(tmp_path: Path) -> None:
    """Files named by a job are looked for beside it, and shown that way."""
    (tmp_path / "job.yaml").write_text(
        "version: 1\napi: {token: 'file:token.txt'}\nactions: [{action: get_ip}]\ntargets: [{csv: a.csv}]\n"
    )

    job = load_job(tmp_path / "job.yaml").job

    assert job is not None
    assert job.api.token == SecretRef(SecretSource.FILE, str(tmp_path / "token.txt"))
    assert isinstance(job.sources[0], CsvSource)
    assert job.sources[0].path == tmp_path / "a.csv"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("nmae: x", "4:1: unknown key `nmae`; did you mean `name`?", id="unknown-top-key"),
        pytest.param("limits: {rat: 5}", "4:10: unknown key `rat`; did you mean `rate`?", id="unknown-key"),
        pytest.param(
            "retry: {zzz: 5}", "unknown key `zzz`; known: attempts, base, max, budget", id="hopeless-key"
        ),
        pytest.param("foo: null", "4:1: unknown key `foo`", id="unknown-key-without-value"),
        pytest.param("limits: 5", "4:9: `limits`: must be a mapping of keys to values", id="block-is-number"),
        pytest.param("limits: [5]", "`limits`: must be a mapping", id="block-is-list"),
        pytest.param("limits: {rate: fast}", "`limits.rate`: `fast` is not a rate", id="rate"),
        pytest.param("limits: {rate: []}", "`limits.rate`: needs at least one rate", id="no-rate"),
        pytest.param("limits: {headroom: 3}", "`limits.headroom`: `3` is not a percentage", id="headroom"),
        pytest.param(
            "limits: {concurrency: 0}", "`0` is out of range; it must be from 1 to 1000", id="concurrency"
        ),
        pytest.param("limits: {adaptive: yes}", "`yes` is neither `true` nor `false`", id="yes-is-no-flag"),
        pytest.param(
            "retry: {attempts: 1.0}", "`retry.attempts`: `1.0` is not a whole number", id="attempts"
        ),
        pytest.param(
            "retry: {base: {a: 1}}", "`retry.base`: must be a single value, not a mapping", id="mapping"
        ),
        pytest.param("timeouts: {attempt: 0s}", "`timeouts.attempt`: must be longer than 0", id="no-time"),
        pytest.param("timeouts: {attempt: none}", "`none` is not a duration", id="no-end"),
        pytest.param("safety: {max_changes: lots}", "neither a percentage like 30% nor", id="share"),
        pytest.param("safety: {forward: wran}", "did you mean `warn`?", id="forward"),
        pytest.param("verify: {mode: fcdns}", "did you mean `fcrdns`?", id="verify-mode"),
        pytest.param("verify: {resolvers: [dns.example]}", "is not an address:port", id="resolver"),
        pytest.param("rollout: {pause: promt}", "`promt` is not a duration", id="pause"),
        pytest.param("timezone: Europe/Amsterdm", "did you mean `Europe/Amsterdam`?", id="time-zone"),
        pytest.param("timezone: ../../etc/passwd", "is not a known time zone", id="time-zone-path"),
        pytest.param("timezone: Europe", "is not a known time zone", id="time-zone-folder"),
        pytest.param("vars: [a]", "`vars`: must be a mapping of names to values", id="vars-list"),
        pytest.param("vars: {a-b: 1}", "`a-b` cannot be a variable's name", id="vars-name"),
        pytest.param("vars: {a: [1]}", "`a` must be a single value, not a list", id="vars-value"),
        pytest.param("reports: csv=x", "`reports`: must be a list", id="reports-text"),
        pytest.param(
            "reports: [cvs=x]", "unknown report format `cvs`; did you mean `csv`?", id="report-format"
        ),
        pytest.param("reports: [csv=x, json=x]", "4:18: two reports go to `x`", id="same-report-path"),
        pytest.param("reports: [csv, json]", "two reports go to stdout", id="both-to-stdout"),
        pytest.param("name: ''", "`name`: must not be empty", id="empty-name"),
        pytest.param('name: "a\\nb"', "`name`: must be one line of visible text", id="name-of-two-lines"),
        pytest.param("reports: [csv=]", "`csv` has no path after `=`", id="report-without-path"),
        pytest.param("name: [x]", "`name`: must be a single value, not a list", id="name-list"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_wrong_setting_is_told_with_place_value_and_way_out(line: str, expected: str) -> None:
    """A setting that is wrong is the one problem told, in plain words."""
    problems = told(f"{HEAD}{line}\n")

    assert len(problems) == 1
    assert expected in problems[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "targets: [1.2.3.4]\nactions: [{action: get_ip}]", "the key `version` is missing", id="missing"
        ),
        pytest.param("version: 2\nactions: [{action: get_client_ip}]", "write `version: 1`", id="other"),
        pytest.param("version: 1.0\nactions: [{action: get_client_ip}]", "write `version: 1`", id="decimal"),
        pytest.param("version: 1\nactions: [{action: get_ip}]", "the job has no `targets`", id="no-targets"),
        pytest.param(
            "version: 1\nactions: [{action: get_ip}]\ntargets: []", "has no `targets`", id="no-entries"
        ),
        pytest.param("- 1", "1:1: job: must be a mapping of keys to values", id="list"),
        pytest.param("x", "1:1: job: must be a mapping of keys to values", id="text"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_job_that_is_incomplete_is_told(text: str, expected: str) -> None:
    """What is missing for a whole job is the one problem told."""
    problems = told(text)

    assert len(problems) == 1
    assert expected in problems[0]


@pytest.mark.usefixtures("folder")
def test_job_of_actions_without_an_address_needs_no_targets() -> None:
    """Actions that run once need no targets."""
    assert job_of("version: 1\nactions: [{action: get_client_ip}, {action: list_free_ip}]").sources == ()


@pytest.mark.usefixtures("folder")
def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    """Mistakes of YAML, of the schema and of meaning stand together, and what is valid is kept."""
    loaded = load(
        "version: 1\nnmae: x\nlimits: {rate: fast, rat: 1}\nretry: {budget: x}\nlimits: {}\n"
        "targets:\n  - 203.0.113.7\n  - {csw: x}\n  - !203.0.113.8\n"
        "actions:\n  - {action: update_prt}\n  - {action: get_ip}\n"
        "safety: {allow_ipv6: true, forward: wran}\n"
    )

    lines = [problem.place.line for problem in loaded.problems]
    assert lines == [2, 3, 3, 4, 5, 8, 9, 11, 13]
    assert loaded.job is None
    assert [step.action for step in loaded.steps] == ["get_ip"]
    assert [source.place.line for source in loaded.sources] == [7]
    assert loaded.safety.allow_ipv6


@pytest.mark.usefixtures("folder")
def test_job_file_that_cannot_be_read_is_a_problem() -> None:
    """A missing job file is told like any other mistake."""
    assert [str(problem) for problem in load_job("gone.yaml").problems] == [
        "gone.yaml:1:1: does not exist; check its name"
    ]
