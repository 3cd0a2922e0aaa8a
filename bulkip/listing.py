"""How a list of targets is opened and read, whatever its format and wherever it comes from."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import BinaryIO, TypeAlias, assert_never

from bulkip.addresses import Block, parse_expression
from bulkip.characters import quoted
from bulkip.csvtargets import csv_targets
from bulkip.inputfile import open_input
from bulkip.jsonltargets import jsonl_targets
from bulkip.model import Problem, Target
from bulkip.owners import owner_of
from bulkip.plaintext import Broken
from bulkip.sources import (
    AddressSource,
    CsvSource,
    Format,
    JsonlSource,
    ListSource,
    SourceError,
    StdinSource,
    TextSource,
)
from bulkip.tally import Idle
from bulkip.texttargets import text_targets

OpenStdin: TypeAlias = Callable[[], BinaryIO]
Found: TypeAlias = Target | AddressSource | Problem | Idle

STDIN = "<stdin>"


def label_of(source: ListSource) -> str:
    """Return how places and books name a list."""
    return STDIN if isinstance(source, StdinSource) else str(source.path)


def read_list(
    source: ListSource, open_stdin: OpenStdin | None, accounts: Sequence[str] = (), *, allow_ipv6: bool
) -> Iterator[Found]:
    """Yield one thing for each line of a list; raises `Broken` when it cannot be read, or not on.

    With several `accounts`, each target has one of them.
    """
    file, owner = label_of(source), owner_of(accounts, source.account)
    with _opened(source, open_stdin) as content:
        match _format(source):
            case Format.CSV:
                delimiter = source.delimiter if isinstance(source, CsvSource | StdinSource) else ","
                yield from csv_targets(content, file, delimiter, owner, allow_ipv6=allow_ipv6)
            case Format.JSONL:
                yield from jsonl_targets(content, file, owner, allow_ipv6=allow_ipv6)
            case Format.TEXT:
                yield from text_targets(content, file, source.account, allow_ipv6=allow_ipv6)


def excluded_in(source: ListSource, open_stdin: OpenStdin | None) -> Iterator[Block]:
    """Yield what the lines of a text list exclude; whatever is wrong there is told when it is read."""
    if _format(source) is not Format.TEXT:
        return
    try:
        for found in read_list(source, open_stdin, allow_ipv6=True):
            if isinstance(found, AddressSource) and (block := excluded_by(found)):
                yield block
    except Broken:
        return


def excluded_by(source: AddressSource) -> Block | None:
    """Return what an entry excludes; None when it excludes nothing, or is wrong."""
    if source.form != "plain" or not source.text.lstrip().startswith("!"):
        return None
    try:
        return parse_expression(source.text, allow_ipv6=True).block
    except ValueError:
        return None


def _format(source: ListSource) -> Format:
    match source:
        case CsvSource():
            return Format.CSV
        case JsonlSource():
            return Format.JSONL
        case TextSource():
            return Format.TEXT
        case StdinSource():
            return source.format
        case _:
            assert_never(source)


def _opened(source: ListSource, open_stdin: OpenStdin | None) -> AbstractContextManager[BinaryIO]:
    if isinstance(source, StdinSource):
        return nullcontext(_piped(source, open_stdin))
    opened = open_input(source.path)
    if isinstance(opened, str):
        raise Broken(source.place, f"file {quoted(str(source.path))} {opened}")
    return opened


def _piped(source: StdinSource, open_stdin: OpenStdin | None) -> BinaryIO:
    if open_stdin is None:
        raise Broken(source.place, "stdin cannot be read here; save the targets to a file and name that")
    try:
        return open_stdin()
    except SourceError as error:
        raise Broken(source.place, str(error)) from None
