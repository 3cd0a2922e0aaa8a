"""Which texts are host names that a PTR record may point to, and when are two answers the same names?

The door of idna.
"""

import re
import unicodedata
from collections.abc import Iterable

import idna

LONGEST_NAME = 253
LONGEST_LABEL = 63
_LONGEST_INPUT = 1024  # far beyond any name in Unicode; keeps idna's work small
_SHOWN = 60

_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_HOSTNAME = re.compile(rf"(?:{_LABEL}\.)+(?![0-9]+\Z){_LABEL}")
_LDH = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


def check_hostname(text: str) -> str:
    """Return a host name as it is sent: ASCII, without trailing dot, in its author's case.

    Letters, digits, hyphens and underscores (RFC 952, RFC 1123); other scripts
    become A-labels (UTS 46, IDNA 2008). A single label is refused: for a PTR it
    is nearly always half a name. Raises `ValueError` with the way out.
    """
    name = text.removesuffix(".")
    if len(name) <= LONGEST_NAME and _HOSTNAME.fullmatch(name):
        return name
    _refuse_unreadable(text)
    name = name if name.isascii() else _to_ascii(text).removesuffix(".")
    _refuse_bad_name(text, name)
    return name


def ptr_names(text: str) -> tuple[str, ...]:
    """Return the names of a PTR value, one a line, without blanks around, trailing dots and repeats."""
    lines = [line.strip(" \t\r").removesuffix(".") for line in text.split("\n")]
    if len(lines) == 1:  # nearly always
        return tuple(filter(None, lines))
    return tuple({name.lower(): name for name in lines if name}.values())


def same_names(left: Iterable[str], right: Iterable[str]) -> bool:
    """Say whether two sets of names are equal, whatever their order, case and trailing dots."""
    return _folded(left) == _folded(right)


def _folded(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.removesuffix(".").lower() for name in names)


def _refuse_unreadable(text: str) -> None:
    if not text:
        raise ValueError("a host name is empty; write one such as mail.example.net")
    if len(text) > _LONGEST_INPUT:
        raise ValueError(f"{_shown(text)} is too long; a host name has at most {LONGEST_NAME} characters")
    if any(unicodedata.category(letter)[0] in "CZ" for letter in text):
        raise ValueError(f"{_shown(text)} has white space or characters that do not print; remove them")


def _to_ascii(name: str) -> str:
    try:
        mapped = idna.uts46_remap(name, std3_rules=False, transitional=False)
        return ".".join(_label_to_ascii(label) for label in mapped.split("."))
    except (idna.IDNAError, UnicodeError) as refused:
        raise ValueError(
            f"{_shown(name)} is no international host name ({refused}); write its xn-- form"
        ) from refused


def _label_to_ascii(label: str) -> str:
    return label if label.isascii() else idna.alabel(label).decode("ascii")


def _refuse_bad_name(text: str, name: str) -> None:
    labels = name.split(".")
    for label in labels:
        if wrong := _label_fault(label):
            raise ValueError(f"{_shown(text)} {wrong}")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"{_shown(text)} has {len(name)} characters; a host name has at most {LONGEST_NAME}")
    if len(labels) == 1:
        raise ValueError(f"{_shown(text)} is a single label; write the full name, such as {name}.example.net")
    if labels[-1].isdigit():
        raise ValueError(f"{_shown(text)} ends in a number like an address; write a host name")


def _label_fault(label: str) -> str | None:
    if not label:
        return "has an empty label; write single dots between labels"
    if len(label) > LONGEST_LABEL:
        return f"has a label of {len(label)} characters; a label has at most {LONGEST_LABEL}"
    if not _LDH.fullmatch(label):
        return f"has {_bad_letters(label)}; use letters, digits, hyphens and underscores"
    if label.startswith("-") or label.endswith("-"):
        return f"has the label {label!r}, which begins or ends with a hyphen; remove that hyphen"
    return None


def _bad_letters(label: str) -> str:
    return " ".join(sorted({ascii(letter) for letter in label if not _LDH.fullmatch(letter)})[:5])


def _shown(text: str) -> str:
    quoted = repr(text) if text.isprintable() else ascii(text)
    return quoted if len(quoted) <= _SHOWN else f"{quoted[:_SHOWN]}… ({len(text)} characters)"
