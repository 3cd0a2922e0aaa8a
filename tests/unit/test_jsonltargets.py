"""JSONL lists: what an object means, and each way in which a line can be wrong."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.jsonltargets import jsonl_targets
from bulkip.linefile import MAX_LINE
from bulkip.model import Place, Problem, Target
from bulkip.plaintext import Broken
from bulkip.tally import Idle

Found = Target | Problem | Idle
VISIBLE = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1)


def read(content: bytes) -> list[Found]:
    """Return everything that a JSONL list with this content gives; what ends it comes last."""
    found: list[Found] = []
    try:
        found.extend(jsonl_targets(io.BytesIO(content), "a.jsonl", allow_ipv6=False))
    except Broken as broken:
        found.append(broken.problem)
    return found


def told(content: bytes) -> list[str]:
    """Return what is wrong with a JSONL list, as it is shown."""
    return [str(found) for found in read(content) if isinstance(found, Problem)]


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        pytest.param(b'{"ip": "1.0.0.1"}', {}, id="address-alone"),
        pytest.param(b'{"id": 4711, "ip": "1.0.0.1"}', {"id": "4711"}, id="number"),
        pytest.param(b'{"ip": "1.0.0.1", "x": 1.50}', {"x": "1.50"}, id="number-keeps-its-digits"),
        pytest.param(b'{"ip": "1.0.0.1", "x": -1E3}', {"x": "-1E3"}, id="exponent-as-written"),
        pytest.param(b'{"ip": "1.0.0.1", "x": %s}' % (b"9" * 5000), {"x": "9" * 5000}, id="5000-digits"),
        pytest.param(b'{"ip": "1.0.0.1", "x": true, "y": false}', {"x": "true", "y": "false"}, id="truth"),
        pytest.param(b'{"ip": "1.0.0.1", "x": null}', {}, id="null-is-not-set"),
        pytest.param(b'{"ip": "1.0.0.1", "x": "010"}', {"x": "010"}, id="text-as-written"),
        pytest.param(b'{"ip": "1.0.0.1", "x": ""}', {"x": ""}, id="empty-text"),
        pytest.param(b'{"ip": "1.0.0.1", "x": "a\\nb"}', {"x": "a\nb"}, id="line-end-in-text"),
        pytest.param(b'\xef\xbb\xbf  {"ip": " 1.0.0.1 "}\t\r\n', {}, id="mark-and-white-space"),
        pytest.param('{"ip": "1.0.0.1", "ключ": "да"}'.encode(), {"ключ": "да"}, id="unicode"),
    ],
)  # fmt: skip
def test_object_is_a_target_with_its_fields(line: bytes, fields: dict[str, str]) -> None:
    """An object gives its address, and its further keys as text."""
    assert read(line) == [Target("1.0.0.1", fields, Place("a.jsonl", 1))]


def test_blank_lines_are_counted() -> None:
    """Lines of white space are neither targets nor mistakes."""
    assert read(b'\n{"ip": "1.0.0.1"}\n \t\n')[::2] == [Idle.BLANK, Idle.BLANK]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(b'{"ip": "1.0.0.2", "a": 1, "a": 2}', "2:27: key `a` stands twice", id="key-twice"),
        pytest.param(b'{"ip":"1.0.0.2","ip":"1.0.0.3"}', "2:17: key `ip` stands twice", id="ip-twice"),
        pytest.param(b'{"ip":"1.0.0.2","a":null,"a":1}', "2:26: key `a` stands twice", id="null-twice"),
        pytest.param(b'{"ip":"1.0.0.2","a":NaN}', "2:21: `NaN` is not valid JSON", id="nan"),
        pytest.param(b'{"ip":"1.0.0.2","a":-Infinity}', "2:21: `-Infinity` is not valid JSON", id="infinity"),
        pytest.param(b'{"ip":"1.0.0.2","a":{"b":1}}', "2:21: `a` must be a single value, not a", id="nested"),
        pytest.param(b'{"ip":"1.0.0.2","a":[1]}', "2:21: `a` must be a single value, not a list", id="list"),
        pytest.param(b'{"ip":["1.0.0.2"]}', "2:7: `ip` must be a single value, not a list", id="ip-list"),
        pytest.param(b'["1.0.0.2"]', '2:1: `["1.0.0.2"]` is no object; write', id="array"),
        pytest.param(b'  "1.0.0.2"', '2:3: `"1.0.0.2"` is no object; write', id="text"),
        pytest.param(b"NaN", "2:1: `NaN` is no object", id="bare-nan"),
        pytest.param(b'{"a":"1.0.0.2"}', "2:1: the object has no key `ip`", id="no-ip"),
        pytest.param(b'{"IP":"1.0.0.2"}', "2:1: the object has no key `ip`; did you mean `IP`", id="ip-case"),
        pytest.param(b'{"ip":null}', "2:1: the object has no key `ip`", id="ip-null"),
        pytest.param(b'{"ip":1}', "2:7: `1` is not an IP address", id="ip-number"),
        pytest.param(b'{"a":1,"ip":"1.0.0.0/30"}', "2:13: `1.0.0.0/30` is a network; a row", id="network"),
        pytest.param(b'{"ip":"!1.0.0.2"}', "2:7: `!1.0.0.2` is not an IP address", id="exclusion"),
        pytest.param(b'{"ip":"2001:db8::1"}', "2:7: address `2001:db8::1` is IPv6", id="ipv6"),
        pytest.param(b'{"ip":"1.0.0.2","":1}', "2:20: a key has no name", id="nameless"),
        pytest.param(b'{"ip":"1.0.0.2","a":"\\u202e"}', "2:21: U+202E RIGHT-TO-LEFT", id="escaped-bidi"),
        pytest.param(b'{"ip":"1.0.0.2","a":"\\ud800"}', "2:21: U+D800 surrogate", id="lone-surrogate"),
        pytest.param(b'{"ip":"1.0.0.2","a":"\\u0000"}', "2:21: U+0000 control", id="escaped-nul"),
        pytest.param(b'{"ip":"1.0.0.2","a":"\x1b"}', "2:22: U+001B control character", id="raw-escape"),
        pytest.param(b'{"ip":"1.0.0.2","a":"\xe9"}', "2:22: byte 0xe9 is not UTF-8", id="latin-1"),
        pytest.param(b'{"ip":"1.0.0.2",}', "2:17: not valid JSON", id="trailing-comma"),
        pytest.param(b"{'ip':'1.0.0.2'}", "2:2: not valid JSON", id="single-quotes"),
        pytest.param(b'{"ip":"1.0.0.2"', "2:16: not valid JSON", id="cut-off"),
        pytest.param(b'{"ip":"1.0.0.2"} {"ip":"1.0.0.3"}', "2:18: something stands behind", id="two-objects"),
        pytest.param(b'{"ip":"1.0.0.2"},', "2:17: something stands behind the object", id="comma-behind"),
        pytest.param(b'{"ip":"1.0.0.2"} # x', "2:18: something stands behind the object", id="comment"),
        pytest.param(b'{"a":' + b"[" * 100_000, "2:1: the values are nested", id="100000-deep"),
        pytest.param(b'{"a":"' + b"x" * MAX_LINE + b'"}', "2:1: a line of more than 1 MiB", id="huge"),
    ],
)  # fmt: skip
def test_wrong_line_spoils_only_itself(line: bytes, expected: str) -> None:
    """A line that is wrong is told with its place, and those around it are still targets."""
    found = read(b'{"ip":"1.0.0.8"}\n' + line + b'\n{"ip":"1.0.0.9"}\n')

    assert [one.ip for one in found if isinstance(one, Target)] == ["1.0.0.8", "1.0.0.9"]
    assert len(found) == 3
    assert f"a.jsonl:{expected}" in str(found[1])


def test_json_list_in_place_of_lines_is_told_once() -> None:
    """A file that is one JSON list ends with one problem that shows the way out."""
    assert told(b'\n [\n{"ip": "1.0.0.1"},\n{"ip": "1.0.0.2"}\n]\n') == [
        "a.jsonl:2:2: a JSON list begins here; write one object a line, without brackets and commas"
    ]


def test_utf_16_is_told_once() -> None:
    """A file in another encoding ends with one problem."""
    assert told('{"ip": "1.0.0.1"}\n'.encode("utf-16")) == [
        "a.jsonl:1:1: byte 0xff is not UTF-8; save the file as UTF-8"
    ]


@given(st.binary(max_size=60))
def test_any_bytes_give_one_thing_a_line(content: bytes) -> None:
    """No content makes the reader fail in another way than by problems."""
    assert len(read(b'{"ip":' + content)) <= content.count(b"\n") + 1


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists), st.text())
def test_any_member_is_a_field_or_a_problem(value: object, name: str) -> None:
    """Whatever value a member has, the line is one target or one problem."""
    line = json.dumps({"ip": "1.0.0.1", name: value}).encode()

    (found,) = read(line)

    assert isinstance(found, Target | Problem)


@given(st.dictionaries(VISIBLE.filter(lambda name: name != "ip"), VISIBLE, max_size=5))
def test_texts_come_back_as_written(fields: dict[str, str]) -> None:
    """Texts without hidden characters are the fields' values."""
    (found,) = read(json.dumps({"ip": "1.0.0.1", **fields}, ensure_ascii=False).encode())

    assert isinstance(found, Target)
    assert found.fields == fields
