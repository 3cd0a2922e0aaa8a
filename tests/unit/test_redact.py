"""What leaves `redact`: no secret in any form, nothing that attacks a reader, nothing endless."""

import base64
import html
import json
import pickle
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.redact import REDACTED, Redactor, clean

SECRET = 'aB3+/x9Zq&7"kLm0Q='

FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper case": str.upper,
    "percent": lambda s: quote(s, safe=""),
    "percent in lower case": lambda s: quote(s, safe="").replace("%2B", "%2b").replace("%2F", "%2f"),
    "percent twice": lambda s: quote(quote(s, safe=""), safe=""),
    "every character percent": lambda s: "".join(f"%{ord(c):02X}" for c in s),
    "form": quote_plus,
    "JSON": lambda s: json.dumps(s)[1:-1],
    "JSON with slashes escaped": lambda s: json.dumps(s)[1:-1].replace("/", "\\/"),
    "JSON twice": lambda s: json.dumps(json.dumps(s))[2:-2],
    "JSON, all escaped": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "HTML": html.escape,
    "HTML decimal": lambda s: "".join(f"&#{ord(c)};" for c in s),
    "HTML hexadecimal": lambda s: "".join(f"&#x{ord(c):X};" for c in s),
    "hex": lambda s: s.encode().hex(),
    "hex in upper case": lambda s: s.encode().hex().upper(),
    "hex with colons": lambda s: s.encode().hex(":"),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 url-safe": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "base64 one byte in": lambda s: base64.b64encode(b"x" + s.encode() + b"y").decode(),
    "base64 two bytes in": lambda s: base64.b64encode(b"xy" + s.encode() + b"yz").decode(),
    "base64 of user and secret": lambda s: base64.b64encode(f"root:{s}".encode()).decode(),
    "reversed": lambda s: s[::-1],
    "split by zero-width spaces": "\u200b".join,
    "split by many zero-width spaces": ("\u200b" * 9).join,
    "split by escape characters": "\x1b".join,
    "wrapped": lambda s: s[:7] + "\r\n  " + s[7:],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_secret_is_redacted_in_every_form(form: Callable[[str], str]) -> None:
    """Whatever form the server echoes a secret in, a marker stands in its place."""
    text = f"malformed IP=1.2.3.4 for token {form(SECRET)} (again)"

    cleaned = clean(text, [SECRET])

    assert REDACTED in cleaned
    assert not {SECRET[i : i + 6].casefold() for i in range(len(SECRET) - 5)} & {
        cleaned[i : i + 6].casefold() for i in range(len(cleaned) - 5)
    }


@given(st.text(min_size=8, max_size=40).filter(lambda s: len(s.strip()) >= 8), st.text(), st.text())
def test_any_secret_is_redacted_wherever_it_stands(secret: str, before: str, after: str) -> None:
    """A secret of any characters is found between any texts."""
    secret = secret.strip()

    redacted = Redactor([secret]).redact(before + secret + after)

    assert REDACTED in redacted


def test_longer_secret_goes_first() -> None:
    """Of two secrets of which one is a part of the other, nothing of the longer survives."""
    cleaned = clean("token abcd1234-tail here", ["abcd1234", "abcd1234-tail"])

    assert cleaned == f"token {REDACTED} here"


@pytest.mark.parametrize(
    ("secret", "text", "expected"),
    [
        pytest.param("ab", "abc ab cab", f"abc {REDACTED} cab", id="word of its own"),
        pytest.param("7", "HTTP 17 at 7", f"HTTP 17 at {REDACTED}", id="digit"),
        pytest.param("", "nothing", "nothing", id="empty"),
        pytest.param("   ", "a   b", "a b", id="blank"),
    ],
)
def test_short_secret_is_redacted_only_as_a_word(secret: str, text: str, expected: str) -> None:
    """A secret of less than four characters does not riddle every other word with holes."""
    assert clean(text, [secret]) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a\x1b[31mb", "a\ufffd[31mb", id="escape sequence"),
        pytest.param("a\x9b31mb", "a\ufffd31mb", id="C1 control"),
        pytest.param("a\x7fb", "a\ufffdb", id="DEL"),
        pytest.param("a\x00b", "a\ufffdb", id="NUL"),
        pytest.param("a\u202eb\u2066c\u061cd", "abcd", id="bidi"),
        pytest.param("a\u200b\u200d\ufeff\u2060b", "ab", id="zero width"),
        pytest.param("a\u2028b\u2029c\x85d", "a b c d", id="line separators"),
        pytest.param("a\ud800b\udfffc", "a\ufffdb\ufffdc", id="surrogates"),
        pytest.param("a\uffff\ufffeb", "a\ufffd\ufffdb", id="not characters"),
        pytest.param("a\U000e0041b", "ab", id="tags"),
        pytest.param("a\U000103ffb", "a\ufffdb", id="unassigned"),
        pytest.param(" a \t\r\n b ", "a b", id="white space"),
        pytest.param("Grüße, 東京 ✓", "Grüße, 東京 ✓", id="letters of the world"),
    ],
)
def test_characters_that_attack_a_reader_are_taken_out(text: str, expected: str) -> None:
    """Controls become visible, invisible characters go, white space becomes one space."""
    assert clean(text, []) == expected


@given(st.text(alphabet=st.characters(), max_size=400), st.integers(1, 50))
def test_cleaned_text_is_printable_and_short(text: str, limit: int) -> None:
    """Nothing that leaves is longer than asked for, unprintable or impossible to encode."""
    cleaned = clean(text, ["secret-0123"], limit)

    assert len(cleaned) <= limit
    assert cleaned.encode().decode() == cleaned
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in cleaned)


def test_long_text_says_that_it_goes_on() -> None:
    """A text over the limit ends with an ellipsis."""
    assert clean("x" * 400, [], 10) == "x" * 9 + "…"


@pytest.mark.parametrize("gap", ["", "\u200b", "\u200b" * 9], ids=["whole", "split", "split widely"])
@pytest.mark.parametrize("lead", range(0, 4000, 97))
def test_a_cut_leaves_no_half_of_a_secret(lead: int, gap: str) -> None:
    """Wherever a long text is cut, the piece of a secret before the cut is not shown."""
    text = "\u200b" * lead + gap.join("k9X2w7Vp4Tq1") + "." * 20_000

    cleaned = Redactor(["k9X2w7Vp4Tq1"]).clean(text, 60)

    assert "k9X2" not in cleaned


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        pytest.param("aB3+x9Zq7kLm0Q12", "aB3+x9Zq7kLm0Q1" * 600_000, id="almost the secret"),
        pytest.param("\\" * 40, "\\" * 2**23, id="backslashes"),
        pytest.param("%" * 40, "%25" * 2**21, id="percent signs"),
        pytest.param("aB3+x9Zq7kLm0Q12", "\u200b" * 2**23, id="invisible"),
        pytest.param("k9" * 1000, "k9" * 2**22, id="long secret"),
    ],
)
def test_hostile_text_costs_little_time(secret: str, text: str) -> None:
    """Eight mebibytes made to be slow are cleaned in well under a second."""
    redactor = Redactor([secret])
    started = time.perf_counter()

    redactor.clean(text)

    assert time.perf_counter() - started < 0.5


def test_values_are_cleaned_inside() -> None:
    """Texts inside a typed answer lose secrets and controls; host names and numbers stay as they are."""
    redactor = Redactor(["secret-0123", "mail"])
    value = redactor.clean_value(
        {
            "ptr": ["mail.example.net"],
            "note": "a\x1bb secret-0123",
            "in": 1.5,
            "x\x07": None,
            "deep": [[True]],
        }
    )

    assert value == {
        "ptr": ["mail.example.net"],
        "note": f"a\ufffdb {REDACTED}",
        "in": 1.5,
        "x\ufffd": None,
        "deep": [[True]],
    }


def test_secret_inside_a_host_name_is_redacted() -> None:
    """A long secret does not hide in a host name."""
    assert Redactor(["secret-0123"]).clean_value("secret-0123.example.net") == f"{REDACTED}.example.net"


def test_redactor_is_a_value() -> None:
    """Two redactors of the same secrets are equal, survive pickling, and never show the secrets."""
    redactor = Redactor([SECRET, "other-secret"])

    assert pickle.loads(pickle.dumps(redactor)) == Redactor(["other-secret", SECRET])  # noqa: S301 - our own
    assert SECRET not in repr(redactor)
