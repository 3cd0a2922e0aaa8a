"""How values get into a page: as JSON that no parser takes for markup, without hidden characters."""

import json
from collections.abc import Mapping
from types import MappingProxyType

from bulkip.characters import FORBIDDEN
from bulkip.model import JsonValue

LONGEST = 1000
"""So much of a text is shown; the other reports have the rest."""
_ESCAPED: Mapping[int, str] = MappingProxyType({ord(char): f"\\u{ord(char):04x}" for char in "<>&"})


def cleaned(text: str) -> str:
    """Return a text without the characters that lie to its reader: a source may be named by anybody."""
    return text if text.isascii() and text.isprintable() else FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


def embedded(value: JsonValue) -> str:
    """Return a value as JSON for a `<script>`: no `</script>` or `<!--` can end or change it.

    Texts are shortened: a browser takes seconds to draw thousands of accents on one letter.
    """
    return json.dumps(_cleaned(value), ensure_ascii=False, separators=(",", ":")).translate(_ESCAPED)


def _cleaned(value: JsonValue) -> JsonValue:
    match value:
        case str():
            return cleaned(value if len(value) <= LONGEST else f"{value[:LONGEST]}…")
        case list():
            return [_cleaned(one) for one in value]
        case dict():
            return {cleaned(name): _cleaned(one) for name, one in value.items()}
        case _:
            return value
