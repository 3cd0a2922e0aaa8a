"""How does a text from outside become safe to store, print and mail?

First every secret is redacted, whatever form the server echoes it in; then what
could attack a terminal or a file is taken out; only then the text is shortened.
"""

import base64
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from bulkip.model import JsonValue

REDACTED = "[redacted]"
ELLIPSIS = "…"
REPLACEMENT = "\ufffd"
SHORT_SECRET = 4  # below this a secret is a syllable: only as a word of its own
SURE_SECRET = 8  # from here on nobody's ordinary word: redacted in every form
ESCAPED_LENGTH = 128  # of a longer secret, this much is known by heart and the rest of the word goes with it
VALUE_LIMIT = 4096
VALUE_DEPTH = 32
KEY_LIMIT = 100

_INVISIBLE_CHARS = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff"
)
_INVISIBLE = re.compile(f"[{_INVISIBLE_CHARS}]+")
_COMMAND = re.compile(r"##(?=\[)|(?<!\S)::(?=[a-z][a-z-]*(?:::| ))")
"""What a pipeline's log would take for a command, at the beginning of a line or anywhere: broken up."""
_HOLDING_TEXT = (str, list, dict)
_VISIBLE_WORD = re.compile(r"[!-~]+")
_BLANK = re.compile(r"\s+")  # takes in NEL, the line separators and no-break spaces
_JUNK = rf"(?>[\s\x00-\x1f\x7f-\x9f\ud800-\udfff{_INVISIBLE_CHARS}]{{0,3}})"
_WIDEST_CHAR = 48  # what one character of a secret may take, in any form, junk included
_HOSTNAME = re.compile(r"[A-Za-z0-9_.*/-]{1,253}\Z")
_NOTHING = re.compile(r"(?!)")


@dataclass(frozen=True, slots=True)
class Redactor:
    """The secrets of a run, compiled once into patterns of all their forms."""

    secrets: Sequence[str] = field(default=(), repr=False)
    _any: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _sure: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _shortest: int = field(init=False, repr=False, compare=False)
    _widest: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # longest first: a secret may be a part of another one
        secrets = tuple(sorted({s.strip() for s in self.secrets if s.strip()}, key=lambda s: (-len(s), s)))
        object.__setattr__(self, "secrets", secrets)
        object.__setattr__(self, "_any", _compiled(secrets))
        object.__setattr__(self, "_sure", _compiled([s for s in secrets if len(s) >= SURE_SECRET]))
        object.__setattr__(self, "_shortest", min(map(len, secrets), default=0))
        object.__setattr__(self, "_widest", max(map(len, secrets), default=0) * _WIDEST_CHAR)

    def redact(self, text: str) -> str:
        """Replace every secret in a text, in any form that a server may echo."""
        if not self.secrets or len(text) < self._shortest:
            return text
        return self._any.sub(REDACTED, text)

    def clean(self, text: str, limit: int = 300) -> str:
        """Redact, then make visible or drop what attacks a reader, then shorten to `limit`.

        Only the head of a long text is looked at, so the time is bounded. The
        end of the head, where a secret may be cut in half, is not shown.
        """
        head = text[: 4 * limit + 64 + self._widest]
        # dropping what is invisible may join the pieces of a secret: look twice
        cleaned = self.redact(_folded(self.redact(head)))
        if len(head) < len(text):
            return cleaned[: max(len(cleaned) - self._widest, 0)][: limit - 1].rstrip() + ELLIPSIS
        return cleaned if len(cleaned) <= limit else cleaned[: limit - 1].rstrip() + ELLIPSIS

    def blank(self, text: str, mark: str) -> str:
        """Replace the secrets that cannot be ordinary words, so that a pattern does not match inside them."""
        return self._sure.sub(mark, text)

    def clean_value(self, value: JsonValue, depth: int = 0) -> JsonValue:
        """Clean every text inside a typed answer; host names stay as they are."""
        return self._cleaned(value, depth, {})

    def _cleaned(self, value: JsonValue, depth: int, keys: dict[str, str]) -> JsonValue:
        """Clean a value; `keys` are those cleaned so far, for an answer has the same ones in every row."""
        if isinstance(value, str):
            return value if self._is_harmless(value) else self._clean_text(value)
        if not isinstance(value, (list, dict)):
            return value
        if depth >= VALUE_DEPTH:
            return None
        if isinstance(value, list):
            return [self._cleaned(each, depth + 1, keys) for each in value]
        for key in value:
            if key not in keys:
                keys[key] = self._clean_key(key)
        deeper = depth + 1
        return {
            keys[key]: self._cleaned(each, deeper, keys) if isinstance(each, _HOLDING_TEXT) else each
            for key, each in value.items()
        }

    def _clean_key(self, key: str) -> str:
        return key if self._is_harmless(key) else self.clean(key, KEY_LIMIT)

    def _is_harmless(self, text: str) -> bool:
        """Say whether a text is surely clean: an answer may hold a hundred thousand times of day."""
        return len(text) < self._shortest and _VISIBLE_WORD.fullmatch(text) is not None

    def _clean_text(self, text: str) -> str:
        if _HOSTNAME.match(text):
            return self._sure.sub(REDACTED, text) if len(text) >= self._shortest else text
        plain = (
            len(text) <= VALUE_LIMIT
            and _VISIBLE_WORD.fullmatch(text)
            and "::" not in text
            and "##[" not in text
        )
        return text if plain and self.redact(text) == text else self.clean(text, VALUE_LIMIT)


def clean(text: str, secrets: Sequence[str], limit: int = 300) -> str:
    """Return a text from outside without secrets, control characters and excess length."""
    return Redactor(secrets).clean(text, limit)


def _folded(text: str) -> str:
    text = _BLANK.sub(" ", _INVISIBLE.sub("", text)).strip()
    text = text if text.isprintable() else "".join(c if c.isprintable() else REPLACEMENT for c in text)
    return _COMMAND.sub(lambda found: " ".join(found[0]), text) if "::" in text or "##[" in text else text


def _compiled(secrets: Sequence[str]) -> re.Pattern[str]:
    forms = [form for secret in secrets for form in _forms(secret)]
    return re.compile("|".join(forms), re.IGNORECASE) if forms else _NOTHING


def _forms(secret: str) -> list[str]:
    """List patterns of a secret: as it is, escaped character by character, base64, hex, reversed."""
    plain = re.escape(secret)
    if len(secret) < SHORT_SECRET:
        return [rf"(?<!\w){plain}(?!\w)"]
    forms = [plain, _escaped(secret)]
    if len(secret) >= SURE_SECRET:
        forms += [re.escape(secret[::-1])]
    octets = secret.encode("utf-8", "surrogatepass")
    return [*forms, *(_base64(octets, offset) for offset in range(3)), _hex(octets)]


def _escaped(secret: str) -> str:
    """Match each character plain, or percent-, JSON-, HTML- or backslash-escaped, in any mixture.

    Pieces split by white space or invisible characters match too. Everything
    is atomic, so a hostile text costs no backtracking.
    """
    joint = "" if any(c.isspace() for c in secret) or len(secret) < SURE_SECRET else _JUNK
    rest = rf"[^\s\"'<>]{{0,{len(secret) * _WIDEST_CHAR}}}+" if len(secret) > ESCAPED_LENGTH else ""
    return joint.join(_escaped_char(c) for c in secret[:ESCAPED_LENGTH]) + rest


def _escaped_char(char: str) -> str:
    code = ord(char)
    octets = char.encode("utf-8", "surrogatepass")
    units = char.encode("utf-16-be", "surrogatepass")
    forms = [
        "".join(f"%(?:25){{0,2}}{octet:02x}" for octet in octets),
        "".join(rf"\\{{1,4}}u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2)),
        "".join(rf"\\{{1,4}}x{octet:02x}" for octet in octets),
        rf"&(?:amp;)?\#(?:0{{0,5}}{code}|x0{{0,5}}{code:x});?",
        re.escape(html.escape(char)),
        rf"\\{{0,4}}{re.escape(char)}" if not char.isalnum() else re.escape(char),
    ]
    if char == " ":
        forms.append(r"\+")
    return f"(?>{'|'.join(forms)})"


def _base64(octets: bytes, offset: int) -> str:
    """Match the base64 text of anything that holds the secret `offset` bytes into a group of three.

    The first and last characters also carry bits of their neighbours, so only
    the ones between are known; one more on each side is taken along.
    """
    encoded = base64.b64encode(b"\0" * offset + octets).decode().rstrip("=")
    known = encoded[-(-offset * 8 // 6) : (offset + len(octets)) * 8 // 6]
    either = {"+": r"(?:[+-]|%2b)", "/": r"(?:\\?/|_|%2f)"}
    core = "".join(either.get(char, char) for char in known)
    return rf"[\w+/-]?{core}(?:[\w+/-](?:=|%3d){{0,2}})?(?:=|%3d){{0,2}}"


def _hex(octets: bytes) -> str:
    return r"[:\s-]?".join(f"{octet:02x}" for octet in octets)
