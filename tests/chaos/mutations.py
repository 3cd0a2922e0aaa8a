"""How honest files are spoiled at random: lines lost, repeated and moved, words replaced, bytes thrown in."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.chaos.length import LONG

Change = Callable[[list[str]], list[str]]

PATIENCE = timedelta(seconds=30)
"""An example that takes longer hangs, whatever the machine does besides."""
MOST_CHANGES = 4
WORD = re.compile(r"[^\s,:\[\]{}\"]+")


def examples(short: int, long: int) -> settings:
    """Return how long to search: always the same few examples in `make test`, fresh ones in `make chaos`."""
    return settings(
        max_examples=long if LONG else short,
        derandomize=not LONG,
        deadline=PATIENCE,
        print_blob=True,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.filter_too_much,
        ],
    )


def spoiled(texts: Mapping[str, str], splinters: Sequence[str]) -> st.SearchStrategy[bytes]:
    """Return the texts with a few changes each; `splinters` are what is put into them."""
    return _changed(texts, splinters) | st.binary(max_size=80)


def _changed(texts: Mapping[str, str], splinters: Sequence[str]) -> st.SearchStrategy[bytes]:
    changes = st.lists(_changes(splinters), min_size=1, max_size=MOST_CHANGES)
    shots = st.none() | st.tuples(st.integers(0, 10_000), st.binary(max_size=6))
    return st.builds(_spoil, st.sampled_from(sorted(texts.values())), changes, shots)


def _spoil(text: str, changes: Sequence[Change], shot: tuple[int, bytes] | None) -> bytes:
    """Return a text with changes of its lines, and then perhaps with some bytes shot into it."""
    lines = text.splitlines(keepends=True)
    for change in changes:
        lines = change(lines) if lines else [""]
    content = "".join(lines).encode("utf-8", "surrogatepass")
    if shot is None:
        return content
    at, thrown_in = shot[0] % (len(content) + 1), shot[1]
    return content[:at] + thrown_in + content[at + len(thrown_in) :]


def _changes(splinters: Sequence[str]) -> st.SearchStrategy[Change]:
    spot, splinter = st.integers(0, 10_000), st.sampled_from(list(splinters))
    return st.one_of(
        st.builds(_without, spot),
        st.builds(_moved, spot, spot),
        st.builds(_repeated, spot, spot),
        st.builds(_indented, spot, st.sampled_from(["", " ", "  ", "\t"])),
        st.builds(_replaced, spot, spot, splinter),
        st.builds(_inserted, spot, spot, splinter),
    )


def _without(spot: int) -> Change:
    return lambda lines: [line for place, line in enumerate(lines) if place != spot % len(lines)]


def _moved(spot: int, to: int) -> Change:
    def change(lines: list[str]) -> list[str]:
        line = lines[spot % len(lines)]
        rest = _without(spot)(lines)
        return [*rest[: to % len(lines)], line, *rest[to % len(lines) :]]

    return change


def _repeated(spot: int, to: int) -> Change:
    return lambda lines: [*lines[: to % len(lines)], lines[spot % len(lines)], *lines[to % len(lines) :]]


def _indented(spot: int, blank: str) -> Change:
    return _rewritten(spot, lambda line: blank + line.lstrip(" "))


def _replaced(spot: int, nth: int, splinter: str) -> Change:
    def rewrite(line: str) -> str:
        words = list(WORD.finditer(line))
        if not words:
            return splinter + line
        word = words[nth % len(words)]
        return line[: word.start()] + splinter + line[word.end() :]

    return _rewritten(spot, rewrite)


def _inserted(spot: int, column: int, splinter: str) -> Change:
    def rewrite(line: str) -> str:
        at = column % (len(line) + 1)
        return line[:at] + splinter + line[at:]

    return _rewritten(spot, rewrite)


def _rewritten(spot: int, rewrite: Callable[[str], str]) -> Change:
    def change(lines: list[str]) -> list[str]:
        place = spot % len(lines)
        return [rewrite(line) if place == here else line for here, line in enumerate(lines)]

    return change
