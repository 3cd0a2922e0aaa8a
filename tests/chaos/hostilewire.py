"""How a server can misbehave below the JSON: on the connection, in the headers, in the framing."""

import gzip
import zlib
from collections.abc import Callable, Iterator

from tests.chaos.hostileserver import Call, Claim, Kind, Play, http

BOMB = gzip.compress(b"\0" * 2**28)
"""A quarter of a gibibyte in 260 kB."""
DRIP_S = 0.05
HTML = b"<!DOCTYPE html><html><body><h1>It works!</h1></body></html>"
HUGE = 2**20
MOST_HEADERS = 20_000
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
END_OF_CHUNKS = b"0\r\n\r\n"


def wire_kinds() -> Iterator[Kind]:
    """Yield every kind below the JSON."""
    yield from _cut_short()
    yield from _never_ending()
    yield from _written(FRAMINGS)
    yield from _written(FRAMINGS_THAT_HOLD, claim=Claim.SUCCESS)
    yield from _written(ENCODINGS)
    yield from _written(ENCODINGS_THAT_HOLD, claim=Claim.SUCCESS)
    yield from _written(PROTOCOLS)
    yield from _written(PROTOCOLS_THAT_HOLD, claim=Claim.SUCCESS)


Written = Callable[[Call], bytes]


def writes(answer: Written) -> Play:
    """Send what a function makes of the call."""

    async def play(call: Call) -> None:
        await call.send(answer(call))

    return play


def _written(table: dict[str, Written], claim: Claim = Claim.NOTHING) -> Iterator[Kind]:
    for name, answer in table.items():
        yield Kind(name, writes(answer), claim)


def _cut_short() -> Iterator[Kind]:
    """Yield the ways to end a connection at every place of an answer."""
    places: dict[str, Written] = {
        "before-the-answer": lambda _call: b"",
        "in-the-status-line": lambda _call: b"HTTP/1.1 20",
        "in-the-headers": lambda _call: OK + b"Content-Type: app",
        "before-the-body": lambda call: OK + b"Content-Length: %d\r\n\r\n" % len(call.body),
        "in-the-body": lambda call: http(call.body)[:-5],
        "before-the-last-byte": lambda call: http(call.body)[:-1],
        "in-a-chunk": lambda call: CHUNKED + b"%x\r\n" % len(call.body) + call.body[:5],
        "before-the-last-chunk": lambda call: CHUNKED + b"%x\r\n%s\r\n" % (len(call.body), call.body),
    }
    for place, begun in places.items():
        yield Kind(f"closed-{place}", writes(begun))
        yield Kind(f"reset-{place}", _then_reset(begun))
        yield Kind(f"half-closed-{place}", _then_half_close(begun))
        yield Kind(f"silence-{place}", _then_silence(begun), slow=True)


def _then_reset(begun: Written) -> Play:
    async def play(call: Call) -> None:
        await call.send(begun(call))
        call.reset()

    return play


def _then_half_close(begun: Written) -> Play:
    async def play(call: Call) -> None:
        await call.send(begun(call))
        call.writer.write_eof()
        await call.hold()

    return play


def _then_silence(begun: Written) -> Play:
    async def play(call: Call) -> None:
        await call.send(begun(call))
        await call.hold()

    return play


def _never_ending() -> Iterator[Kind]:
    """Yield answers that begin, and go on for ever; the dripping ones byte by byte."""
    dripping = {
        "status-line": (b"HTTP/1.1 200 O", b"K"),
        "headers": (OK + b"X: ", b"y"),
        "body": (OK + b"Content-Length: 100000\r\n\r\n", b" "),
        "chunks": (CHUNKED, b"1\r\n \r\n"),
        "interim": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    }
    for name, (head, piece) in dripping.items():
        yield Kind(f"dripping-{name}", _flood(head, piece, DRIP_S), slow=True)
    floods = {
        "headers": (OK, b"X-Y: z\r\n" * 100),
        "one-header": (OK + b"X: ", b"y" * 65_536),
        "status-line": (b"HTTP/1.1 200 ", b"y" * 65_536),
        "body": (OK + b"\r\n", b" " * 65_536),
        "chunks": (CHUNKED, b"10000\r\n%s\r\n" % (b" " * 65_536)),
        "small-chunks": (CHUNKED, b"1\r\n \r\n" * 1000),
        "gzip": (OK + b"Content-Encoding: gzip\r\n\r\n" + BOMB[:-8], b"\0" * 65_536),
        "interim": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        "early-hints": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 100),
        "empty-lines": (b"", b"\r\n" * 1000),
        "nul-bytes": (b"", b"\0" * 65_536),
    }
    for name, (head, piece) in floods.items():
        yield Kind(f"endless-{name}", _flood(head, piece, 0), slow=True)


def _flood(head: bytes, piece: bytes, pause_s: float) -> Play:
    async def play(call: Call) -> None:
        await call.send(head)
        await call.endless(piece, pause_s=pause_s)

    return play


def _with_header(*lines: bytes) -> Written:
    """Return an answer that is fine but for some more header lines."""
    extra = b"".join(line + b"\r\n" for line in lines)
    return lambda call: OK + extra + b"Content-Length: %d\r\n\r\n" % len(call.body) + call.body


def _with_length(length: bytes) -> Written:
    return lambda call: OK + b"Content-Length: %s\r\n\r\n" % length + call.body


def _in_chunks(size: bytes) -> Written:
    return lambda call: CHUNKED + size + b"\r\n" + call.body + b"\r\n" + END_OF_CHUNKS


FRAMINGS: dict[str, Written] = {
    "20000-headers": _with_header(*(b"X-%d: y" % number for number in range(MOST_HEADERS))),
    "giant-header": _with_header(b"X: " + b"y" * HUGE),
    "giant-header-name": _with_header(b"x" * HUGE + b": y"),
    "giant-status-line": lambda call: b"HTTP/1.1 200 " + b"y" * HUGE + b"\r\n" + http(call.body)[17:],
    "header-without-colon": _with_header(b"hello"),
    "header-without-name": _with_header(b": hello"),
    "header-with-nul": _with_header(b"X: a\0b"),
    "header-name-with-blank": _with_header(b"X Y: z"),
    "two-lengths-that-differ": _with_header(b"Content-Length: 2"),
    "length-negative": _with_length(b"-5"),
    "length-no-number": _with_length(b"many"),
    "length-hexadecimal": _with_length(b"0x20"),
    "length-of-64-bits": _with_length(b"9" * 25),
    "length-too-long": _with_length(b"5000"),
    "length-a-terabyte": _with_length(b"1099511627776"),
    "length-too-short": _with_length(b"5"),
    "length-zero": _with_length(b"0"),
    "length-and-chunks": _with_header(b"Transfer-Encoding: chunked"),
    "chunk-size-garbage": _in_chunks(b"zz"),
    "chunk-size-negative": _in_chunks(b"-5"),
    "chunk-size-huge": _in_chunks(b"F" * 17),
    "chunk-size-too-short": _in_chunks(b"3"),
    "chunk-size-empty": _in_chunks(b""),
    "no-chunks-at-all": lambda call: CHUNKED + call.body,
    "garbage-behind-the-answer": lambda call: http(call.body) + b"\0\0garbage",
    "hundred-answers": lambda call: http(call.body) * 100,
    "empty": lambda _call: http(b""),
    "html": lambda _call: http(HTML, "200 OK", "Content-Type: text/html"),
}
FRAMINGS_THAT_HOLD: dict[str, Written] = {
    "body-up-to-the-end": lambda call: OK + b"\r\n" + call.body,
    "unknown-transfer-encoding": lambda call: OK + b"Transfer-Encoding: rot13\r\n\r\n" + call.body,
    "many-chunks": lambda call: CHUNKED + b"".join(b"1\r\n%c\r\n" % one for one in call.body) + END_OF_CHUNKS,
    "chunk-extensions": lambda call: _in_chunks(b"%x;a=b" % len(call.body))(call),
    "trailers": lambda call: CHUNKED + b"%x\r\n%s\r\n0\r\nX: y\r\n\r\n" % (len(call.body), call.body),
    "content-type-that-lies": _with_header(b"Content-Type: image/png"),
    "charset-that-lies": _with_header(b"Content-Type: text/html; charset=utf-16"),
    "cookies": _with_header(b"Set-Cookie: a=b; Domain=.com", b"Set-Cookie: \x01=\x02;;;", b"Set-Cookie: "),
    "keep-alive-that-lies": _with_header(b"Connection: keep-alive", b"Keep-Alive: timeout=99999"),
    "security-headers": _with_header(b"Strict-Transport-Security: max-age=1", b"Refresh: 0; url=//x"),
    "header-with-latin-1": _with_header(b"X: \xe4\xf6\xfc"),
    "answered-twice": lambda call: http(call.body) * 2,
    "refusal-behind-the-answer": lambda call: http(call.body) + http(b'{"code": -1, "message": "no"}'),
    "interim-first": lambda call: b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + http(call.body),
    "hints-first": lambda call: b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n" + http(call.body),
}


def _encoded(encoding: str, change: Callable[[bytes], bytes]) -> Written:
    return lambda call: http(change(call.body), "200 OK", f"Content-Encoding: {encoding}")


def _same(body: bytes) -> bytes:
    return body


def _raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


ENCODINGS: dict[str, Written] = {
    "gzip-bomb": _encoded("gzip", lambda _body: BOMB),
    "gzip-bomb-of-members": _encoded("gzip", lambda _body: gzip.compress(b"\0" * 2**16) * 5000),
    "deflate-bomb": _encoded("deflate", lambda _body: zlib.compress(b"\0" * 2**26)),
    "gzip-cut-short": _encoded("gzip", lambda body: gzip.compress(body)[:-12]),
    "gzip-wrong-checksum": _encoded("gzip", lambda body: gzip.compress(body)[:-8] + b"\0" * 8),
    "gzip-that-is-none": _encoded("gzip", _same),
    "deflate-that-is-none": _encoded("deflate", _same),
    "gzip-twice": _encoded("gzip, gzip", lambda body: gzip.compress(gzip.compress(body))),
    "gzip-twice-called-once": _encoded("gzip", lambda body: gzip.compress(gzip.compress(body))),
    "brotli": _encoded("br", lambda _body: b"\x8b\x02\x80{}\x03"),
    "zstandard": _encoded("zstd", lambda _body: b"\x28\xb5\x2f\xfd\x04\x00\x11\x00\x00{}"),
    "gzip-unnamed": lambda call: http(gzip.compress(call.body)),
}
ENCODINGS_THAT_HOLD: dict[str, Written] = {
    "gzip": _encoded("gzip", gzip.compress),
    "deflate": _encoded("deflate", zlib.compress),
    "deflate-raw": _encoded("deflate", _raw_deflate),
    "identity": _encoded("identity", _same),
    "encoding-nobody-knows": _encoded("x-own", _same),
}

PROTOCOLS: dict[str, Written] = {
    "http-0.9": lambda call: call.body,
    "http-2-preface": lambda _call: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http-2-frames": lambda _call: b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80",
    "http-3.0": lambda call: b"HTTP/3.0" + http(call.body)[8:],
    "request-instead": lambda _call: b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "status-of-letters": lambda call: http(call.body, "abc OK"),
    "status-of-two-digits": lambda call: http(call.body, "20 OK"),
    "status-of-four-digits": lambda call: http(call.body, "2000 OK"),
    "status-negative": lambda call: http(call.body, "-200 OK"),
    "status-missing": lambda call: b"HTTP/1.1\r\n\r\n" + call.body,
    "switching-protocols": lambda call: b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n" + call.body,
    "interim-only": lambda _call: b"HTTP/1.1 102 Processing\r\n\r\n",
    "ssh": lambda _call: b"SSH-2.0-OpenSSH_9.2\r\n",
    "smtp": lambda _call: b"220 mail.example.net ESMTP\r\n",
    "tls-alert": lambda _call: b"\x15\x03\x03\x00\x02\x02\x28",
    "nul-bytes": lambda _call: b"\0" * 4096,
    "random-bytes": lambda _call: bytes(range(256)) * 16,
    "websocket-frames": lambda _call: b"\x81\x05hello",
}
PROTOCOLS_THAT_HOLD: dict[str, Written] = {
    "http-1.0": lambda call: http(call.body).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "reason-with-control-characters": lambda call: http(call.body, "200 \x80\xff"),
    "reason-missing": lambda call: http(call.body, "200"),
}
