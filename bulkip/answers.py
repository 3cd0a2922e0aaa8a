"""Which refusals does the API word in which way? The table of texts, and how a text is matched."""

import re
from collections.abc import Collection, Iterable, Iterator

from bulkip.frozen import Struct
from bulkip.model import ErrorClass
from bulkip.redact import Redactor
from bulkip.wire import VerdictKind

LONGEST_MATCHED = 2000  # a refusal is a sentence; what follows is not read
MARK = "\u25a1"  # stands where a value that we sent was
WORD_LENGTH = 4  # shorter words, such as the location IS, are part of too many sentences
_DIGIT_OR_DOT = re.compile(r"[\d.:@]")
_BEFORE_ECHO = frozenset("\"'`([{<=:«“\u2018")


class Row(Struct, frozen=True):
    """One row of the table of answers: its number decides which comes first."""

    number: int
    kind: VerdictKind
    error_class: ErrorClass | None
    pattern: re.Pattern[str] | None = None
    beats_status: bool = True


def _row(
    number: int,
    kind: VerdictKind,
    error_class: ErrorClass | None,
    *patterns: str,
    beats_status: bool = True,
) -> Row:
    return Row(number, kind, error_class, re.compile("|".join(patterns)), beats_status)


NO_TRAFFIC = _row(1, VerdictKind.EMPTY, None, r"^no significant traffic detected")
AUTH = _row(
    7,
    VerdictKind.AUTH,
    ErrorClass.AUTH,
    r"auth(entication|orization) required",
    r"invalid (api |session )?token",
    r"invalid hash",
    r"(token|session).*(expired|invalid|revoked)",
)
FORBIDDEN = _row(
    8,
    VerdictKind.PERMANENT,
    ErrorClass.PERMISSION,
    r"permission denied",
    r"access denied",
    r"forbidden",
    r"no permissions",
)
THROTTLED = _row(
    9,
    VerdictKind.THROTTLE,
    ErrorClass.THROTTLED,
    r"too many requests",
    r"rate.?limit",
    r"throttl",
    r"quota exceeded",
    beats_status=False,
)
TROUBLED = _row(
    10,
    VerdictKind.TRANSIENT,
    ErrorClass.SERVER,
    r"try again",
    r"temporar",
    r"time(d )?.?out",
    r"deadlock",
    r"gone away",
    r"\bconnection \S",
    r"internal (server )?error",
    r"maintenance",
    r"overload",
    beats_status=False,
)
NOT_FOUND = _row(12, VerdictKind.PERMANENT, ErrorClass.NOT_FOUND, r"not found", r"no such", r"does not exist")
REFUSED = Row(13, VerdictKind.REFUSED, ErrorClass.UNKNOWN_ANSWER, beats_status=False)
UNKNOWN = Row(14, VerdictKind.UNKNOWN, ErrorClass.UNKNOWN_ANSWER, beats_status=False)

TEXT_ROWS = (
    NO_TRAFFIC,
    _row(2, VerdictKind.PERMANENT, ErrorClass.INVALID, r"^malformed ip", r"^invalid ip address"),
    _row(3, VerdictKind.PERMANENT, ErrorClass.INVALID, r"^ip (\S+ )?is not assigned (for|to) server"),
    _row(4, VerdictKind.PERMANENT, ErrorClass.INVALID, r"\(id or ip mismatch\)"),
    _row(5, VerdictKind.PERMANENT, ErrorClass.INVALID, r"^illegal ip subnet"),
    _row(
        6,
        VerdictKind.AUTH_FATAL,
        ErrorClass.AUTH,
        r"no[_ ]appropriate[_ ]servers",
        r"incorrect api key format",
        r"api key.*(empty|not found|disabled|expired)",
        r"invalid (api )?key",
        r"ip not allowed",
    ),
    AUTH,
    FORBIDDEN,
    THROTTLED,
    TROUBLED,
    _row(
        11,
        VerdictKind.PERMANENT,
        ErrorClass.INVALID,
        r"invalid request",
        r"missing required",
        r"unknown (action|method)",
    ),
    NOT_FOUND,
)


def match_text(texts: Iterable[str], sent: Collection[str], redactor: Redactor) -> tuple[Row, str] | None:
    """Return the first row that one of the texts matches, and that text.

    The texts are searched twice, because the server echoes what we sent: first
    without anything of ours; then with our ordinary words put back unless
    they stand like a quotation, for a server that says "not found" means it,
    whatever the item's description is.
    """
    values = _pieces(sent)
    folded = [(fold(redactor.blank(text[:LONGEST_MATCHED], MARK)), text) for text in texts]
    for blank in (_blank_all, _blank_echoes):
        blanked = [(blank(text, values), original) for text, original in folded]
        for row in TEXT_ROWS:
            for text, original in blanked:
                if row.pattern and row.pattern.search(text):
                    return row, original
    return None


def fold(text: str) -> str:
    """Return the head of a text in lower case, its white space folded."""
    return " ".join(text[:LONGEST_MATCHED].lower().split())


def _pieces(sent: Collection[str]) -> list[str]:
    """Return the values that we sent, and each of their lines, longest first."""
    whole = {fold(value) for value in sent}
    lines = {fold(line) for value in sent for line in value.splitlines()}
    return sorted((whole | lines) - {""}, key=lambda piece: (-len(piece), piece))


def _blank_all(text: str, values: Iterable[str]) -> str:
    for value in values:
        if len(value) >= WORD_LENGTH or _DIGIT_OR_DOT.search(value):
            text = _replaced(text, value, _occurrences(text, value))
    return text


def _blank_echoes(text: str, values: Iterable[str]) -> str:
    for value in values:
        found = _occurrences(text, value)
        if not _DIGIT_OR_DOT.search(value):
            found = (at for at in found if len(value) >= WORD_LENGTH and _is_quoted(text, at))
        text = _replaced(text, value, found)
    return text


def _occurrences(text: str, value: str) -> Iterator[int]:
    """Yield where a value stands as words of its own: the id 1 is no part of 10."""
    at = text.find(value)
    while at >= 0:
        end = at + len(value)
        if not text[at - 1 : at].isalnum() and not text[end : end + 1].isalnum():
            yield at
            at = end - 1
        at = text.find(value, at + 1)


def _is_quoted(text: str, at: int) -> bool:
    return text[:at].rstrip()[-1:] in _BEFORE_ECHO if at else False


def _replaced(text: str, value: str, positions: Iterable[int]) -> str:
    for at in reversed(list(positions)):
        text = text[:at] + MARK + text[at + len(value) :]
    return text
