"""Which addresses a job is for: its sources, expanded and read as a stream, mistakes among them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from bulkip.addresses import Block, Exclusions, Expression, canonical_ip, parse_expression
from bulkip.characters import quoted
from bulkip.csvtargets import csv_targets
from bulkip.model import Problem, Target
from bulkip.plaintext import Broken
from bulkip.policy import Safety
from bulkip.sources import AddressSource, CsvSource, Source

_NO_FIELDS: Mapping[str, str] = MappingProxyType({})


@dataclass(slots=True)
class Tally:
    """What became of the lines of one source.

    `lines` counts rows or entries, without a header. Of a file it is the sum of
    targets, blanks, excluded and wrong ones; an entry may stand for many targets.
    """

    label: str
    lines: int = 0
    targets: int = 0
    blanks: int = 0
    excluded: int = 0
    wrong: int = 0


class TargetReader:
    """Owns one reading of a job's sources; iterating again reads them again from the start."""

    def __init__(self, sources: Sequence[Source], *, safety: Safety) -> None:
        """Collect the exclusions, which apply to every source wherever they stand."""
        self._sources = sources
        self._safety = safety
        self._exclusions = Exclusions(_excluded_blocks(sources))
        self._left = 0
        self._tallies: list[Tally] = []

    @property
    def tallies(self) -> tuple[Tally, ...]:
        """What was read so far: first the entries of the job itself, then one tally for each file."""
        return tuple(self._tallies)

    def __iter__(self) -> Iterator[Target | Problem]:
        self._left = self._safety.max_targets
        entries = next((source for source in self._sources if isinstance(source, AddressSource)), None)
        own = Tally(entries.place.file if entries else "")
        self._tallies = [own] if entries else []
        for source in self._sources:
            if isinstance(source, CsvSource):
                yield from self._file(source)
            else:
                yield from self._entry(source, own)

    def _file(self, source: CsvSource) -> Iterator[Target | Problem]:
        tally = Tally(str(source.path))
        self._tallies.append(tally)
        try:
            for found in csv_targets(source, allow_ipv6=self._safety.allow_ipv6):
                tally.lines += 1
                if found is None:
                    tally.blanks += 1
                elif isinstance(found, Problem):
                    tally.wrong += 1
                    yield found
                elif self._counts(found.ip, tally):
                    yield found
        except Broken as broken:
            yield broken.problem

    def _counts(self, ip: str, tally: Tally) -> bool:
        """Say whether an address is a target, and count it either way."""
        if self._exclusions and ip in self._exclusions:
            tally.excluded += 1
            return False
        tally.targets += 1
        return True

    def _entry(self, source: AddressSource, tally: Tally) -> Iterator[Target | Problem]:
        tally.lines += 1
        try:
            expression = _expression(source, allow_ipv6=self._safety.allow_ipv6)
            self._check_size(expression, source)
        except ValueError as error:
            tally.wrong += 1
            yield Problem(source.place, str(error))
            return
        if expression.excluded:
            return
        fields = source.fields or _NO_FIELDS
        for ip in expression.block.addresses():
            if self._counts(ip, tally):
                yield Target(ip, fields, source.place)

    def _check_size(self, expression: Expression, source: AddressSource) -> None:
        """Count what is about to be expanded; raises ValueError when it would be too much."""
        if expression.listed or expression.excluded:
            return
        count = expression.block.count
        if count > self._left:
            raise ValueError(
                f"{quoted(source.text)} is {count:,} addresses; with those before it that is more than "
                f"`safety.max_targets` ({self._safety.max_targets:,}); raise it, or list them in a file"
            )
        self._left -= count


def _excluded_blocks(sources: Sequence[Source]) -> Iterator[Block]:
    """Yield what is excluded; an exclusion that is wrong becomes a problem when it is read."""
    for source in sources:
        if (
            isinstance(source, AddressSource)
            and source.form == "plain"
            and source.text.lstrip().startswith("!")
        ):
            try:
                yield parse_expression(source.text, allow_ipv6=True).block
            except ValueError:
                continue


def _expression(source: AddressSource, *, allow_ipv6: bool) -> Expression:
    """Return what an entry means; raises ValueError when it is not what its key says."""
    text = source.text.strip()
    if source.form != "plain" and text.startswith("!"):
        raise ValueError(f'an exclusion has no fields; write it as plain text: "{text[:60]}"')
    if source.form == "ip":
        if "/" in text:
            raise ValueError(f"{quoted(text)} is a network; write `cidr:` instead of `ip:`")
        text = canonical_ip(text, allow_ipv6=allow_ipv6)
    if source.form == "cidr" and "/" not in text:
        raise ValueError(f"{quoted(text)} is no network in prefix form, like 203.0.113.0/28")
    return parse_expression(text, allow_ipv6=allow_ipv6, usable=source.usable)
