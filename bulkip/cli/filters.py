"""The options that choose a part of a job: which addresses, which steps, which values of its variables."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from bulkip.addresses import Expression, parse_expression
from bulkip.characters import forbidden_text, quoted
from bulkip.cli.options import Quantity, option
from bulkip.errors import UsageError
from bulkip.inputfile import open_input
from bulkip.model import Problem, Target
from bulkip.plaintext import Broken
from bulkip.selection import Filters, selection_of
from bulkip.settings import fields
from bulkip.shards import parse_shard
from bulkip.sources import AddressSource
from bulkip.texttargets import text_targets

F = TypeVar("F", bound=Callable[..., Any])


def variable(text: str) -> tuple[str, str]:
    """Return name and value of `NAME=VALUE`; raises ValueError with the way out."""
    name, sign, value = text.partition("=")
    if not sign:
        raise ValueError(f"{quoted(text)} sets no variable; write it like zone=example.net")
    if wrong := forbidden_text(value):
        raise ValueError(f"variable {quoted(name)}: {wrong}")
    return fields.variable_name(name), fields.text(value)


class Variable(Quantity):
    """A `NAME=VALUE` option; in the environment there is one a line, because values may hold spaces."""

    def split_envvar_value(self, rv: str) -> list[str]:
        """Return the assignments of the twin in the environment."""
        return [line for line in rv.splitlines() if line.strip()]


VARIABLE = Variable("NAME=VALUE", variable)
SHARD = Quantity("K/N", parse_shard)


def filter_options(function: F) -> F:
    """Declare the filters; `filters_of` reads them."""
    declared = (
        option("--limit", "limit", multiple=True, metavar="EXPR",
               help="Only these: address, CIDR, range, a,b, !x (not this), @FILE; repeatable."),
        option("--tags", "tags", multiple=True, metavar="A,B", help="Only steps with any of these tags."),
        option("--sample", type=click.IntRange(min=1), metavar="N",
               help="Only N addresses, the same ones every time."),
        option("--shard", type=SHARD, metavar="K/N",
               help="Only part K of N equal ones, at 1/N of the rate; `bulkip merge` joins them."),
        option("--var", "variables", type=VARIABLE, multiple=True,
               help="Set a variable of the job; repeatable."),
    )  # fmt: skip
    for declare in reversed(declared):
        function = declare(function)
    return function


def filters_of(given: Mapping[str, Any]) -> Filters:
    """Return the filters that a command line asks for; raises UsageError with the way out."""
    limits = [*_expressions(given["limit"])]
    if given["limit"] and not limits:
        raise UsageError("--limit names no address; leave it out to mean all of them")
    return Filters(
        selection=selection_of(limits, given["sample"]),
        tags=tuple(_words(given["tags"])),
        variables=dict(given["variables"]),
        shard=given["shard"],
    )


def _words(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        words = [word.strip() for word in text.split(",")]
        if not any(words):
            raise UsageError("--tags names no tag; leave it out to mean all steps")
        yield from filter(None, words)


def _expressions(texts: Iterable[str]) -> Iterator[Expression]:
    for text in texts:
        words = [word for word in text.split(",") if word.strip()]
        if not words:
            raise UsageError("--limit names no address; leave it out to mean all of them")
        for word in map(str.strip, words):
            if word.startswith("@"):
                yield from _listed(Path(word[1:]))
            else:
                yield _expression(word, f"--limit {quoted(word)}")


def _expression(text: str, where: str) -> Expression:
    try:
        return parse_expression(text, allow_ipv6=True)
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from None


def _listed(path: Path) -> Iterator[Expression]:
    """Yield the expressions of a file: one a line, comments and blank lines between them."""
    opened = open_input(path)
    if isinstance(opened, str):
        raise UsageError(f"--limit: file {quoted(str(path))} {opened}")
    try:
        with opened:
            for found in text_targets(opened, str(path), allow_ipv6=True):
                match found:
                    case Problem():
                        raise UsageError(f"--limit: {found}")
                    case Target():
                        yield _expression(found.ip, str(found.place))
                    case AddressSource():
                        yield _expression(found.text, f"--limit: {found.place}")
                    case _:
                        continue
    except Broken as broken:
        raise UsageError(f"--limit: {broken.problem}") from None
