"""The schema of a job file tells editors what the loader says, of what is right and of what is wrong."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from bulkip.actions import ACTIONS
from bulkip.alerts import Hooks
from bulkip.errors import JobError
from bulkip.jobfile import scan_bytes
from bulkip.policy import Api, Breaker, Limits, RetryPolicy, Rollout, Safety, Timeouts, Verify
from bulkip.run.planning import check_job, now_utc
from bulkip.settings import load_job
from bulkip.settings.block import Block
from bulkip.settings.jsonentries import kind_of
from bulkip.settings.jsonschema import job_schema
from bulkip.settings.keywords import KEYS
from bulkip.settings.schema import BLOCKS, ENTRIES, AccountBlock, ActionEntry, FreeIpsBlock, JobFile
from bulkip.settings.written import written
from tests.program import ROOT
from tests.schemacheck import faults

SCHEMA = job_schema()
POLICIES: Mapping[str, Any] = {
    "api": Api(), "limits": Limits(), "retry": RetryPolicy(), "breaker": Breaker(), "timeouts": Timeouts(),
    "safety": Safety(), "rollout": Rollout(), "verify": Verify(), "hooks": Hooks(),
}  # fmt: skip
EXAMPLES = [path for path in sorted((ROOT / "jobs").glob("*.yaml")) if path.stem != "faults"]
STARTERS = sorted((ROOT / "bulkip" / "starters").glob("*.yaml"))
SETTINGS = [(block, name) for block, model in BLOCKS.items() for name in model.model_fields]

GET = "actions: [{action: get_ip}]\n"
ONE = "targets: [203.0.113.7]\n"
HEAD = "version: 1\n" + ONE
PTR = "targets: [{ip: 203.0.113.7, id: 4711}]\nactions:\n"
MOVE = "version: 1\n" + PTR + "  - {action: update_ptr, with: {ptr: a.b"


def tree_of(text: str) -> Any:
    """Return what stands in a YAML text, as the loader sees it."""
    reading = scan_bytes(text.encode(), "job.yaml")
    assert reading.tree is not None
    return reading.tree.root


def loader_refuses(folder: Path, text: str) -> bool:
    """Say whether the loader finds something wrong with a job, before anything is sent."""
    (folder / "job.yaml").write_text(text)
    try:
        check_job(load_job(folder / "job.yaml"), now_utc())
    except JobError:
        return True
    return False


@pytest.mark.parametrize("path", [*EXAMPLES, *STARTERS], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_examples_are_taken(path: Path) -> None:
    """Every example and every starter is right in the eyes of the schema."""
    assert faults(tree_of(path.read_text()), SCHEMA) == []


TAKEN = [
    pytest.param("targets: [{csv: x.csv}]\n" + GET, id="csv"),
    pytest.param("targets: [{csv: x.csv, delimiter: ','}]\n" + GET, id="delimiter"),
    pytest.param('targets: ["!203.0.113.0/28", 203.0.113.0/24]\n' + GET, id="exclusion"),
    pytest.param("targets: [203.0.113.1 - 203.0.113.9]\n" + GET, id="range"),
    pytest.param("targets: [{cidr: 203.0.113.0/28, hosts: usable, id: 1, a: , b: 8.5}]\n" + GET, id="row"),
    pytest.param("targets: [{ip: 203.0.113.7, csv: a, text: b}]\n" + GET, id="row-with-names-of-kinds"),
    pytest.param("safety: {allow_ipv6: true}\ntargets: ['2001:db8::7', '2001:db8::/126']\n" + GET, id="ipv6"),
    pytest.param("actions: [{action: get_client_ip}]\n", id="no-targets-needed"),
    pytest.param("actions: [{action: list_free_ip, with: {id: 15, exclude_special: 1}}]", id="free"),
    pytest.param(ONE + GET + "limits: {rate: [5/s, 200/m, 7], headroom: 2.5%}\n", id="rates"),
    pytest.param(ONE + GET + "limits: {rate: }\nretry:\nvars:\n", id="nothing-is-default"),
    pytest.param(ONE + GET + "limits: {max_retry_after: 1h30m}\nretry: {base: 0.5}\n", id="times"),
    pytest.param(ONE + GET + "safety: {max_changes: 30%, max_clears: '3'}\n", id="shares"),
    pytest.param(ONE + GET + "timeouts: {connect: 5}\nsafety: {max_changes: none}\n", id="none"),
    pytest.param(ONE + GET + "api: {url: 'http://127.0.0.1:8080/ip.php'}\n", id="loopback"),
    pytest.param(ONE + GET + "api: {url: 'HTTPS://API.example.com:8443'}\n", id="upper-case"),
    pytest.param(ONE + GET + "api: {token: 'file:my token'}\n", id="token-file"),
    pytest.param(ONE + GET + "reports: [csv = a b.csv, json]\n", id="reports"),
    pytest.param(
        ONE + GET + "reports: [{format: parquet, path: '{{ job.name }}', on_exists: skip}]\n",
        id="report-keys",
    ),
    pytest.param(ONE + GET + "reports: [{format: text, path: null, on_exists: null}]\n", id="report-nulls"),
    pytest.param(ONE + GET + "name: 12\nvars: {a: 1, b: true, c: }\n", id="typed-text"),
    pytest.param(PTR + "  - {action: update_ptr, with: {ptr: [a.b, '{{ ip.dashed }}.c.d']}}\n", id="names"),
    pytest.param(PTR + "  - {action: update_ptr, with: {ptr: ''}, allow_empty: true}\n", id="clear"),
    pytest.param(
        PTR + "  - {action: update_ptr, when: '{{ 1 == 1 }}', tags: x, with: {ptr: a.b}}", id="when"
    ),
    pytest.param(
        PTR + "  - {action: set_main, tags: [a, b], with: {main: '{{ ip }}'}}\n", id="main-is-address"
    ),
    pytest.param(ONE + "actions: [{action: get_traffic, with: {period: 2026-09-01..2026-W37}}]", id="a-to-b"),
    pytest.param(
        ONE + "actions: [{action: get_traffic, period: last-month, with: {summary: TRUE}}]", id="word"
    ),
]


@pytest.mark.parametrize("text", TAKEN)
def test_what_the_loader_takes_the_schema_takes(tmp_path: Path, text: str) -> None:
    """A right job is right for the editor too, however its author wrote the values."""
    (tmp_path / "x.csv").write_text("ip,id\n203.0.113.9,1\n")

    assert not loader_refuses(tmp_path, "version: 1\n" + text)
    assert faults(tree_of("version: 1\n" + text), SCHEMA) == []


BROKEN = [
    pytest.param("targets: [203.0.113.7]\n" + GET, id="no-version"),
    pytest.param("version: 2\ntargets: [203.0.113.7]\n" + GET, id="another-version"),
    pytest.param("version: 1\ntargets: [203.0.113.7]\n", id="no-actions"),
    pytest.param("version: 1\ntargets: [203.0.113.7]\nactions: []\n", id="empty-actions"),
    pytest.param("version: 1\n" + GET, id="no-targets"),
    pytest.param("version: 1\ntargets: []\n" + GET, id="empty-targets"),
    pytest.param(HEAD + GET + "limts: {}\n", id="unknown-block"),
    pytest.param(HEAD + GET + "limits: {rat: 5/s}\n", id="unknown-key"),
    pytest.param(HEAD + GET + "limits: {rate: fast}\n", id="rate"),
    pytest.param(HEAD + GET + "limits: {rate: 5 / s}\n", id="rate-with-blanks"),
    pytest.param(HEAD + GET + "limits: {rate: 0}\n", id="rate-of-nothing"),
    pytest.param(HEAD + GET + "limits: {rate: []}\n", id="no-rate"),
    pytest.param(HEAD + GET + "limits: {headroom: 51%}\n", id="headroom"),
    pytest.param(HEAD + GET + "limits: {concurrency: 0}\n", id="no-places"),
    pytest.param(HEAD + GET + "limits: {concurrency: 1001}\n", id="too-many-places"),
    pytest.param(HEAD + GET + "limits: {adaptive: 'yes'}\n", id="flag-as-text"),
    pytest.param(HEAD + GET + "limits: {max_retry_after: 10 min}\n", id="duration"),
    pytest.param(HEAD + GET + "limits: [5/s]\n", id="block-as-list"),
    pytest.param(HEAD + GET + "retry: {attempts: 1.5}\n", id="half-an-attempt"),
    pytest.param(HEAD + GET + "retry: {base: 0s}\n", id="no-time"),
    pytest.param(HEAD + GET + "timeouts: {connect: -5}\n", id="negative-time"),
    pytest.param(HEAD + GET + "safety: {max_changes: 101%}\n", id="share"),
    pytest.param(HEAD + GET + "safety: {forward: wran}\n", id="word"),
    pytest.param(HEAD + GET + "breaker: {after: 0}\n", id="breaker"),
    pytest.param(HEAD + GET + "hooks: {finish: env:URL}\n", id="unknown-moment"),
    pytest.param(HEAD + GET + "hooks: {success: {command: []}}\n", id="empty-command"),
    pytest.param(HEAD + GET + "rollout: {steps: 5}\n", id="steps"),
    pytest.param(HEAD + GET + "verify: {resolvers: [dns.example.net]}\n", id="resolver"),
    pytest.param(HEAD + GET + "api: {url: 'http://api.example.com/ip.php'}\n", id="plain-http"),
    pytest.param(HEAD + GET + "api: {url: 'https://me:word@api.example.com/'}\n", id="password-in-url"),
    pytest.param(HEAD + GET + "api: {token: s3cret}\n", id="secret"),
    pytest.param(HEAD + GET + "vars: {my-zone: x}\n", id="variable-name"),
    pytest.param(HEAD + GET + "vars: {zone: [x]}\n", id="variable-list"),
    pytest.param(HEAD + GET + "timezone: 'Europe / Amsterdam'\n", id="zone"),
    pytest.param(HEAD + GET + "reports: [cvs=x.csv]\n", id="report-format"),
    pytest.param(HEAD + GET + "reports: csv=x.csv\n", id="reports-as-text"),
    pytest.param(HEAD + GET + "reports: [csv=]\n", id="report-without-path"),
    pytest.param(HEAD + GET + "reports: [{format: csv, on_exists: keep}]\n", id="report-word"),
    pytest.param(HEAD + GET + "reports: [{format: csv, pth: a}]\n", id="report-key"),
    pytest.param(HEAD + GET + "reports: [{path: a.csv}]\n", id="report-without-format"),
    pytest.param("version: 1\ntargets: 203.0.113.7\n" + GET, id="targets-as-text"),
    pytest.param("version: 1\ntargets: [203.0.113.300]\n" + GET, id="no-address"),
    pytest.param("version: 1\ntargets: [203.0.113.007]\n" + GET, id="leading-zeros"),
    pytest.param("version: 1\ntargets: [203.0.113.0/33]\n" + GET, id="prefix"),
    pytest.param("version: 1\ntargets: [{ip: 203.0.113.0/28}]\n" + GET, id="network-as-ip"),
    pytest.param("version: 1\ntargets: [{cidr: 203.0.113.7}]\n" + GET, id="ip-as-network"),
    pytest.param("version: 1\ntargets: [{ip: 203.0.113.7, names: [a]}]\n" + GET, id="field-as-list"),
    pytest.param("version: 1\ntargets: [{cidr: 203.0.113.0/28, hosts: usabel}]\n" + GET, id="hosts"),
    pytest.param("version: 1\ntargets: [{csw: x.csv}]\n" + GET, id="unknown-kind"),
    pytest.param("version: 1\ntargets: [{csv: x.csv, id: 4711}]\n" + GET, id="field-of-a-file"),
    pytest.param("version: 1\ntargets: [{csv: x.csv, delimiter: ab}]\n" + GET, id="delimiter"),
    pytest.param("version: 1\ntargets: [{stdin: yaml}]\n" + GET, id="stdin-format"),
    pytest.param("version: 1\ntargets: [{run: yesterday}]\n" + GET, id="run"),
    pytest.param("version: 1\ntargets: [{run: last, status: broken}]\n" + GET, id="status"),
    pytest.param("version: 1\ntargets: [{free_ips: {id: x}}]\n" + GET, id="subnet"),
    pytest.param(HEAD + "actions: [{name: x}]\n", id="no-action"),
    pytest.param(HEAD + "actions: [{action: get_pi}]\n", id="unknown-action"),
    pytest.param(HEAD + "actions: [{action: get_ip, whit: {}}]\n", id="unknown-key-of-a-step"),
    pytest.param(HEAD + "actions: [{action: get_ip, with: {id: 4711}}]\n", id="foreign-parameter"),
    pytest.param(HEAD + "actions: [{action: get_ip, with: {ip: 203.0.113.7}}]\n", id="address-as-parameter"),
    pytest.param(HEAD + "actions: [{action: get_ip, period: today}]\n", id="foreign-period"),
    pytest.param(HEAD + "actions: [{action: get_traffic, period: tomorrow}]\n", id="period"),
    pytest.param(
        HEAD + "actions: [{action: get_traffic, period: today, with: {summary: 2}}]\n", id="summary"
    ),
    pytest.param(MOVE + ", loction: NL}}\n", id="misspelt-parameter"),
    pytest.param(MOVE + ", id: 0x10}}\n", id="id"),
    pytest.param(MOVE + ", id: [4711]}}\n", id="id-as-list"),
    pytest.param(
        "version: 1\n" + PTR + "  - {action: update_ptr, with: {ptr: a b.example.net}}\n",
        id="name-with-blank",
    ),
    pytest.param(MOVE + ", location: N/L}}\n", id="location"),
    pytest.param(MOVE + "}, allow_empty: 1}\n", id="flag-as-number"),
    pytest.param("version: 1\n" + PTR + "  - {action: set_main, with: {main: 2}}\n", id="main"),
]


@pytest.mark.parametrize("text", BROKEN)
def test_what_the_schema_refuses_the_loader_refuses(tmp_path: Path, text: str) -> None:
    """A mistake that an editor underlines is a mistake for the loader too, and these are underlined."""
    (tmp_path / "x.csv").write_text("ip,id\n203.0.113.9,1\n")

    assert faults(tree_of(text), SCHEMA) != []
    assert loader_refuses(tmp_path, text)


STRICTER = [
    pytest.param("targets: [203.0.113.9/28]\n" + GET, id="host-bits"),
    pytest.param("targets: [203.0.113.9-203.0.113.7]\n" + GET, id="range-that-ends-before-it-begins"),
    pytest.param("targets: ['2001:db8::7']\n" + GET, id="ipv6-not-allowed"),
    pytest.param(
        "targets: [{ip: 203.0.113.7, id: 0x10}]\nactions: [{action: update_ptr}]\n", id="id-of-a-row"
    ),
    pytest.param("targets: [{csv: missing.csv}]\n" + GET, id="file-that-is-not-there"),
    pytest.param("targets: [10.0.0.0/8]\n" + GET, id="more-than-max-targets"),
    pytest.param(ONE + GET + "timezone: Mars/Olympus\n", id="zone-that-is-nowhere"),
    pytest.param(ONE + "actions: [{action: get_traffic, period: 2026-02-30}]\n", id="day-that-is-not"),
    pytest.param(ONE + "actions: [{action: get_traffic}]\n", id="no-period-at-all"),
    pytest.param(PTR + "  - {action: update_ptr}\n", id="parameter-in-neither-place"),
    pytest.param(PTR + "  - {action: update_ptr, with: {ptr: -a.example.net}}\n", id="no-host-name"),
    pytest.param(PTR + "  - {action: update_ptr, with: {ptr: ''}}\n", id="clear-without-leave"),
    pytest.param(PTR + "  - {action: update_ptr, with: {ptr: '{{ row.name }}.b'}}\n", id="undefined-name"),
    pytest.param(PTR + "  - {action: update_ptr, with: {ptr: '{{ ip. }}.b'}}\n", id="broken-template"),
    pytest.param(PTR + "  - {action: set_main, with: {main: 0}}\n", id="ipmi-without-leave"),
    pytest.param(
        "targets: [{ip: 203.0.113.7, id: 1, ptr: a.b}, {ip: 203.0.113.7, id: 1, ptr: c.d}]\n"
        "actions: [{action: update_ptr}]\n",
        id="two-wishes-for-one-address",
    ),
]
"""What takes more than one value to see: files, calendars, templates, what rows and actions make together."""


@pytest.mark.parametrize("text", STRICTER)
def test_loader_sees_more_than_an_editor(tmp_path: Path, text: str) -> None:
    """The schema is the wider one; `bulkip validate` has the last word on these."""
    assert faults(tree_of("version: 1\n" + text), SCHEMA) == []
    assert loader_refuses(tmp_path, "version: 1\n" + text)


def test_broken_jobs_are_many_enough_to_mean_something() -> None:
    """Every block and every kind of entry has a mistake of its own among the broken jobs."""
    texts = [str(parameter.values[0]) for parameter in BROKEN]

    assert len(texts) >= 40
    assert [block for block in BLOCKS if not any(f"{block}:" in text for text in texts)] == []


@pytest.mark.parametrize("path", [*EXAMPLES, *STARTERS], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_example_names_its_schema(path: Path) -> None:
    """An editor finds the schema of every example by its first line."""
    assert path.read_text().splitlines()[0] == "# yaml-language-server: $schema=./bulkip-job.schema.json"


def keys_without_words(schema: Any, path: str = "") -> Iterator[str]:
    """Yield where a key of a mapping has no text for an editor to show, wherever the mapping stands."""
    if isinstance(schema, dict):
        for name, value in (schema.get("properties") or {}).items():
            if isinstance(value, dict) and {"type", "anyOf", "enum", "$ref"} & value.keys():
                yield from () if value.get("description") else [f"{path}.{name}"]
    parts = (
        schema.items() if isinstance(schema, dict) else enumerate(schema) if isinstance(schema, list) else ()
    )
    for name, value in parts:
        if name not in {"if", "then"}:  # what stands there narrows keys that are explained elsewhere
            yield from keys_without_words(value, f"{path}.{name}")


def test_every_key_is_explained_where_the_cursor_stands() -> None:
    """There is no key in the schema that an editor offers without a word on what it is for."""
    assert list(keys_without_words(SCHEMA)) == []


def test_every_key_is_described_and_nothing_else() -> None:
    """Every key of the models has a place in the schema and a text, and no text stands for nothing."""
    keys = {*JobFile.known_keys()}
    keys |= {f"{block}.{key}" for block, model in BLOCKS.items() for key in model.known_keys()}
    keys |= {f"actions.{key}" for key in ActionEntry.known_keys()}
    keys |= {f"accounts.{key}" for key in AccountBlock.known_keys()}
    kinds: list[type[Block]] = [*ENTRIES.values(), FreeIpsBlock]
    keys |= {f"targets.{key}" for model in kinds for key in model.known_keys()}

    assert set(KEYS) == keys


@pytest.mark.parametrize("block", BLOCKS)
def test_every_setting_is_in_the_schema(block: str) -> None:
    """Every field of a policy is a key of its block."""
    policy, model = POLICIES[block], BLOCKS[block]
    stated: Any = SCHEMA["properties"]

    assert set(stated[block]["properties"]) == set(model.known_keys())
    assert {field.name for field in fields(policy)} == set(model.model_fields)


@pytest.mark.parametrize(("block", "name"), SETTINGS)
def test_default_of_the_schema_is_that_of_the_policy(block: str, name: str) -> None:
    """The default that an editor shows, written into a job, is the value of a job that does not say."""
    model = BLOCKS[block]
    kind: Any = kind_of(model, name)
    stated: Any = SCHEMA["properties"]
    shown = stated[block]["properties"][model.model_fields[name].alias or name]
    default = getattr(POLICIES[block], name)

    assert shown.get("default") == written(default, kind)
    if default is not None or "default" in shown:
        assert TypeAdapter(kind).validate_python(shown["default"]) == default
        assert faults(shown["default"], shown) == []


def test_every_parameter_has_its_own_words() -> None:
    """Each action offers its parameters with the words of `bulkip actions`, and no other."""
    cases: Any = SCHEMA["$defs"]
    offered = {
        case["if"]["properties"]["action"]["const"]: set(case["then"]["properties"]["with"]["properties"])
        for case in cases["action"]["allOf"]
    }

    assert offered == {
        name: {parameter.name for parameter in action.parameters} - {"ip"} for name, action in ACTIONS.items()
    }


def patterns_of(schema: Any) -> Iterator[str]:
    """Yield the patterns of a schema, wherever they stand."""
    if isinstance(schema, dict):
        yield from (value for key, value in schema.items() if key == "pattern" and isinstance(value, str))
    for value in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from patterns_of(value)


def test_patterns_are_whole_and_portable() -> None:
    r"""Patterns say the same in Python and in ECMAScript: no \A, \Z, named groups or inline flags."""
    foreign = [
        text for text in patterns_of(SCHEMA) if any(sign in text for sign in (r"\A", r"\Z", "(?P", "(?i"))
    ]

    assert foreign == []


def test_schema_is_plain_json() -> None:
    """The schema survives being printed."""
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
