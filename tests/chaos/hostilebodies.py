"""How a body can lie, break its reader, attack the reader of a report, or give the token away."""

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.chaos.hostileserver import Call, Claim, Kind, http
from tests.chaos.hostiletexts import (
    ATTACKS,
    ECHOES,
    LEFT_OUT,
    NO_NAMES,
    NO_NETWORK,
    NO_TRAFFIC,
    OTHER_IP,
    REFUSALS,
    TROUBLES,
    WAITS,
)
from tests.chaos.hostilewire import Written, writes

DEEP = 100_000
DIGITS = 5_000
LONG = 7 * 2**20
MILLION = 10**6
WARNING = b"<br />\n<b>Warning</b>:  mysqli_query(): gone in <b>/var/www/ip.php</b> on line <b>7</b><br />\n"


def body_kinds() -> Iterator[Kind]:
    """Yield every kind that is a matter of the body."""
    yield from _of(UNREADABLE)
    yield from _of(READABLE, Claim.SUCCESS)
    yield from _of({name: _changed(**fields) for name, fields in ENVELOPES.items()})
    yield from _of({name: _changed(result=word) for name, word in WORDS.items()}, Claim.DENIAL)
    yield from _of(HEAVY)
    yield from _of(LONG_TEXTS, Claim.DENIAL)
    yield from _of({f"says-{name}": _refusal(text) for name, text in ATTACKS.items()}, Claim.DENIAL)
    yield from _of({f"token-{name}": _echo(form) for name, form in ECHOES.items()}, Claim.DENIAL)
    yield from _of(ODD_ECHOES)
    yield from _of(DENYING_ECHOES, Claim.DENIAL)
    yield from _of({f"refused-{name}": _refusal(text) for name, text in REFUSALS.items()}, Claim.REFUSAL)
    yield from _of({f"trouble-{name}": _refusal(text) for name, text in TROUBLES.items()})
    yield from _of({f"later-{name}": _later(429, *lines) for name, lines in WAITS.items()}, Claim.REFUSAL)
    yield from _of({f"away-{name}": _later(503, *lines) for name, lines in WAITS.items()})
    yield from _of({f"ptr-{name}": _changed(message=value) for name, value in NO_NAMES.items()}, of="get_ptr")
    yield from _of(
        {f"traffic-{name}": _changed(traffic=value) for name, value in NO_TRAFFIC.items()}, of="get_traffic"
    )
    yield from _of(
        {f"network-{name}": _changed(data=value) for name, value in NO_NETWORK.items()}, of="get_ip"
    )


def _of(table: dict[str, Written], claim: Claim = Claim.NOTHING, of: str = "") -> Iterator[Kind]:
    for name, body in table.items():
        actions = (of,) if of else ("get_ptr", "update_ptr")
        yield Kind(name, writes(_sent(body)), claim, keeps=True, actions=actions)


def _sent(body: Written) -> Written:
    """Return the whole answer, where a function makes only its body."""

    def answer(call: Call) -> bytes:
        made = body(call)
        return made if made.startswith(b"HTTP/") else http(made)

    return answer


def _changed(**fields: Any) -> Written:
    """Return the honest answer with some fields replaced or left out."""

    def body(call: Call) -> bytes:
        merged = {**call.fine, **fields}
        return json.dumps({name: value for name, value in merged.items() if value is not LEFT_OUT}).encode()

    return body


def _refusal(message: Any) -> Written:
    return lambda _call: json.dumps({"code": -1, "message": message}).encode()


def _echo(form: Callable[[str], str]) -> Written:
    return lambda call: json.dumps(
        {"code": -1, "message": f"bad luck with {form(call.token)} today"}
    ).encode()


def _later(status: int, *lines: str) -> Written:
    return lambda _call: http(b'{"code": -1, "message": "hold on"}', f"{status} Later", *lines)


def _with(extra: bytes) -> Written:
    """Return the honest answer with some more JSON in it, which need not be valid."""
    return lambda call: call.body[:-1] + b", " + extra + b"}"


def _crowd(head: bytes, unit: bytes, tail: bytes) -> Written:
    """Return the honest answer with seven mebibytes of the same thing in it."""

    def body(call: Call) -> bytes:  # built for each call: twenty of these at hand would be much
        return _with(head + unit * (LONG // len(unit)) + tail)(call)

    return body


UNREADABLE: dict[str, Written] = {
    "utf-16": lambda call: call.body.decode().encode("utf-16"),
    "utf-16-without-mark": lambda call: call.body.decode().encode("utf-16-le"),
    "utf-32": lambda call: call.body.decode().encode("utf-32"),
    "utf-7": lambda call: b"+/v8-" + call.body,
    "byte-order-mark-twice": lambda call: b"\xef\xbb\xbf" * 2 + call.body,
    "invalid-utf-8": _with(b'"x": "\xff\xfe"'),
    "overlong-utf-8": _with(b'"x": "\xc0\xaf"'),
    "surrogate-in-utf-8": _with(b'"x": "\xed\xa0\x80"'),
    "latin-1": _with('"x": "ä"'.encode("latin-1")),
    "key-twice": _with(b'"result": "OK"'),
    "key-twice-escaped": _with(b'"r\\u0065sult": "OK"'),
    "key-twice-further-down": _with(b'"x": {"a": 1, "a": 2}'),
    "nan": _with(b'"x": NaN'),
    "infinity": _with(b'"x": -Infinity'),
    "huge-exponent": _with(b'"x": 1e999999'),
    "5000-digits": _with(b'"x": ' + b"9" * DIGITS),
    "5000-decimals": _with(b'"x": 0.' + b"9" * DIGITS),
    "100000-deep": _with(b'"x": ' + b"[" * DEEP + b"]" * DEEP),
    "100000-deep-objects": _with(b'"x": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    "rather-deep": _with(b'"x": ' + b"[" * 500 + b"]" * 500),
    "deep-and-open": lambda _call: b"[" * DEEP,
    "jsonp": lambda call: b"callback(%s);" % call.body,
    "prefix-against-theft": lambda call: b")]}',\n" + call.body,
    "php-warning-before": lambda call: WARNING + call.body,
    "php-warning-after": lambda call: call.body + WARNING,
    "php-fatal-error": lambda _call: b"PHP Fatal error:  Allowed memory size exhausted in /x.php on line 1",
    "two-documents": lambda call: call.body * 2,
    "two-lines": lambda call: call.body + b"\n" + call.body,
    "whitespace": lambda _call: b" \r\n\t" * 100,
    "nul-behind": lambda call: call.body + b"\0",
    "json-text": lambda _call: b'"OK"',
    "json-text-of-json": lambda call: json.dumps(call.body.decode()).encode(),
    "json-list": lambda call: b"[%s]" % call.body,
    "json-null": lambda _call: b"null",
    "json-true": lambda _call: b"true",
    "json-number": lambda _call: b"200",
    "json-empty-object": lambda _call: b"{}",
    "json-empty-list": lambda _call: b"[]",
    "cut-short": lambda call: call.body[:-1],
    "single-quotes": lambda call: call.body.replace(b'"', b"'"),
    "trailing-comma": lambda call: call.body[:-1] + b",}",
    "comment": lambda call: b"/* ok */" + call.body,
    "raw-line-feed-in-text": _with(b'"x": "a\nb"'),
    "bad-escape": _with(b'"x": "\\("'),
    "unquoted-key": _with(b"x: 1"),
    "xml": lambda _call: b'<?xml version="1.0"?><result>OK</result>',
    "xml-entities": lambda _call: b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>',
    "yaml": lambda _call: b"result: OK\nmessage: ''\n",
    "form": lambda _call: b"result=OK&message=",
    "php-print-r": lambda _call: b"Array\n(\n    [result] => OK\n)\n",
    "php-serialized": lambda _call: b'a:1:{s:6:"result";s:2:"OK";}',
    "base64": lambda call: base64.b64encode(call.body),
    "csv": lambda _call: b"result,message\r\nOK,\r\n",
    "pickle": lambda _call: b"cos\nsystem\n(S'true'\ntR.",
}
READABLE: dict[str, Written] = {
    "byte-order-mark": lambda call: b"\xef\xbb\xbf" + call.body,
    "space-around": lambda call: b"\r\n\t " + call.body + b"\n\n",
    "all-escaped": lambda call: (
        b"{%s}"
        % b",".join(
            b'"%s":"%s"' % (_escaped(name), _escaped(value))
            for name, value in call.fine.items()
            if isinstance(value, str)
        )
    ),
    "lone-surrogate-escaped": _with(b'"x": "\\ud800"'),
    "foreign-fields": _with(b'"__proto__": {"x": 1}, "constructor": null, "": 0, "x": "\\u202e\\u0000"'),
    "names-itself": lambda call: _with(json.dumps({"action": call.form["action"]})[1:-1].encode())(call),
    "says-success": lambda call: call.body.replace(b'"OK"', b'"success"', 1),
    "code-zero": _with(b'"code": 0, "error": ""'),
}


def _escaped(text: str) -> bytes:
    return "".join(f"\\u{ord(char):04x}" for char in text).encode()


ENVELOPES: dict[str, dict[str, Any]] = {
    "result-true": {"result": True},
    "result-list": {"result": []},
    "result-object": {"result": {}},
    "result-list-of-ok": {"result": ["OK"]},
    "result-one": {"result": 1},
    "result-zero": {"result": 0},
    "result-null": {"result": None},
    "result-blank": {"result": ""},
    "result-lower-case": {"result": "ok"},
    "result-with-space": {"result": "OK "},
    "result-missing": {"result": LEFT_OUT},
    "result-under-another-name": {"result": LEFT_OUT, "Result": "OK", "status": "OK"},
    "ok-but-code": {"code": -1},
    "ok-but-code-as-text": {"code": "-1"},
    "ok-but-code-word": {"code": "FAILED"},
    "ok-but-error": {"error": "permission denied"},
    "ok-but-error-list": {"error": ["x"] * 1000},
    "ok-but-error-true": {"error": True},
    "not-finished": {"callback": "job-17"},
    "another-action": {"action": "get_ip"},
    "another-address": {"ip": OTHER_IP},
    "another-address-inside": {"data": {"ip": OTHER_IP}},
}

WORDS = {
    "result-with-nul": "OK\0",
    "result-with-zero-width-space": "OK\u200b",
    "result-in-cyrillic": "\u041e\u041a",
    "result-in-full-width": "\uff2f\uff2b",
}
"""Words in `result` that only look like OK."""

LONG_TEXTS: dict[str, Written] = {
    "7-mebibyte-message": lambda _call: b'{"code": -1, "message": "%s"}' % (b"x" * LONG),
}
HEAVY: dict[str, Written] = {
    "7-mebibytes-of-escapes": lambda _call: b'{"code": -1, "message": "%s"}' % (b"\\u0041" * (LONG // 6)),
    "7-mebibytes-with-emoji": lambda _call: b'{"code": -1, "message": "\\ud83d\\ude00%s"}' % (b"x" * LONG),
    "7-mebibytes-of-bad-escapes": lambda _call: b'{"code": -1, "message": "%s"}' % (b"\\(" * (LONG // 2)),
    "7-mebibytes-of-blanks": lambda call: b" " * LONG + call.body[:-1],
    "lists-by-the-million": _crowd(b'"x": [', b"[],", b"[]]"),
    "objects-by-the-million": _crowd(b'"x": [', b'{"a":1},', b"{}]"),
    "numbers-by-the-million": _crowd(b'"x": [', b"1,", b"1]"),
    "keys-by-the-million": _with(b'"x": {%s}' % b",".join(b'"%x":1' % n for n in range(MILLION // 2))),
    "errors-by-the-million": _crowd(b'"error": [', b'"x y",', b'"x y"]'),
    "packed-lists": lambda call: http(
        gzip.compress(_crowd(b'"x": [', b"[],", b"[]]")(call)), "200 OK", "Content-Encoding: gzip"
    ),
}

DENYING_ECHOES: dict[str, Written] = {
    "token-as-code": lambda call: json.dumps({"code": call.token, "message": "no"}).encode(),
    "token-as-result": lambda call: json.dumps({"result": call.token}).encode(),
    "token-in-error-object": lambda call: json.dumps({"error": {call.token: [call.token]}}).encode(),
}
ODD_ECHOES: dict[str, Written] = {
    "token-as-key": lambda call: json.dumps({**call.fine, "code": -1, call.token: call.token}).encode(),
    "token-beside-ok": lambda call: json.dumps(
        {**call.fine, "error": call.token, "code": call.token}
    ).encode(),
    "token-in-html": lambda call: b"<html>%s</html>" % call.token.encode(),
    "token-in-reason": lambda call: http(b"", f"500 {call.token}"),
    "token-in-content-type": lambda call: http(b"", "500 No", f"Content-Type: {call.token}"),
    "token-in-cookie": lambda call: http(b"", "500 No", f"Set-Cookie: {call.token}={call.token}"),
    "token-in-retry-after": lambda call: http(b"", "503 No", f"Retry-After: {call.token}"),
    "token-in-chunk-garbage": lambda call: (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n" % call.token.encode()
    ),
    "token-in-header-garbage": lambda call: b"HTTP/1.1 200 OK\r\n%s\r\n\r\n" % call.token.encode(),
    "token-in-status-garbage": lambda call: b"HTTP/1.1 %s OK\r\n\r\n" % call.token.encode(),
    "token-and-nothing-else": lambda call: b"HTTP/" + call.token.encode(),
}
