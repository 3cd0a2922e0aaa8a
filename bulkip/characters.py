"""Which characters no input may hold, because they lie to its reader."""

import re
import unicodedata

_UNSEEN = "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and line feed, DEL, C1
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_BREAKS = "\u2028\u2029"  # a line end for YAML, but not for an editor
_SHOWN = 60
_BROKEN = "\ud800-\udfff\ufeff\ufffe\uffff"
FORBIDDEN = re.compile(f"[{_UNSEEN}{_BIDI}{_BREAKS}{_BROKEN}]")


def describe_character(character: str) -> str:
    """Return the code point and, where it has one, the Unicode name: `U+202E RIGHT-TO-LEFT OVERRIDE`."""
    code = f"U+{ord(character):04X}"
    kinds = {"Cs": "surrogate", "Cc": "control character", "Cn": "not a character"}
    name = kinds.get(unicodedata.category(character)) or unicodedata.name(character, "")
    return f"{code} {name}".rstrip()


def forbidden_text(text: str) -> str | None:
    """Return what is wrong with the characters of a text, or None when they are all fine."""
    if (text.isascii() and text.isprintable()) or not (found := FORBIDDEN.search(text)):
        return None
    return f"{describe_character(found[0])} is not allowed here; remove it"


def quoted(text: str) -> str:
    """Return a value as messages show it: in backticks, in one short line, without hidden characters."""
    line = FORBIDDEN.sub("?", text).replace("\n", " ")
    return f"`{line if len(line) <= _SHOWN else line[: _SHOWN - 1] + '…'}`"
