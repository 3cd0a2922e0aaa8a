"""Which addresses a job is for: its sources, expanded and read as a stream, mistakes among them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from bulkip.addresses import Block, Exclusions, Expression, canonical_ip, parse_expression
from bulkip.characters import quoted
from bulkip.listing import OpenStdin, excluded_by, excluded_in, label_of, read_list
from bulkip.makers import maker_of
from bulkip.model import Place, Problem, Target
from bulkip.owners import Owner, owner_of
from bulkip.plaintext import Broken
from bulkip.policy import Safety
from bulkip.selection import Selection, sampled
from bulkip.sources import (
    AddressSource,
    CsvSource,
    FreeIpsSource,
    JsonlSource,
    ListSource,
    RunSource,
    Source,
    SourceError,
    StdinSource,
    TextSource,
)
from bulkip.tally import ADDRESSES, ENTRIES, Fate, Idle, Tally
from bulkip.texttargets import fields_of

_target = maker_of(Target)


@dataclass(frozen=True, slots=True)
class Doors:
    """Who is asked for what stands in no file; each raises SourceError when there is nothing to be had.

    Without `ask_free_ips` free addresses are left open, because nobody may use the network.
    """

    open_stdin: OpenStdin | None = None
    left_behind: Callable[[RunSource], Iterable[Target]] | None = None
    ask_free_ips: Callable[[FreeIpsSource], Sequence[str]] | None = None


class TargetReader:
    """Owns one reading of a job's sources; iterating again reads them again from the start.

    Files may be read more than once on the way: exclusions come first, and a
    sample is drawn before it is given. Free addresses are asked for once.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        safety: Safety,
        selection: Selection | None = None,
        doors: Doors | None = None,
        accounts: Sequence[str] = (),
    ) -> None:
        """Read these sources and keep what is selected; where there are `accounts`, each target has one."""
        self._sources = sources
        self._accounts = accounts
        self._safety = safety
        self._selection = selection or Selection()
        self._doors = doors or Doors()
        self._exclusions: Exclusions | None = None
        self._filter: Selection | None = None
        self._answers: dict[Place, Sequence[str]] = {}
        self._left = 0
        self._tallies: list[Tally] = []

    @property
    def tallies(self) -> tuple[Tally, ...]:
        """What was read so far: first the entries of the job itself, then one tally for each source."""
        return tuple(self._tallies)

    def __iter__(self) -> Iterator[Target | Problem]:
        excluded = Exclusions(self._excluded_blocks())
        self._exclusions = excluded or None
        selection = self._selection
        if selection.sample is not None:
            candidates = self._read(replace(selection, sample=None))
            chosen = sampled((one.ip for one in candidates if isinstance(one, Target)), selection.sample)
            selection = replace(selection, chosen=chosen)
        yield from self._read(selection)

    def _excluded_blocks(self) -> Iterator[Block]:
        """Yield what is excluded, wherever it stands: an exclusion holds for the whole job."""
        for source in self._sources:
            if isinstance(source, AddressSource):
                block = excluded_by(source)
                yield from (block,) if block else ()
            elif isinstance(source, TextSource | StdinSource):
                yield from excluded_in(source, self._doors.open_stdin)

    def _read(self, selection: Selection) -> Iterator[Target | Problem]:
        self._left = self._safety.max_targets
        self._filter = None if selection.everything else selection
        entries = next((source for source in self._sources if isinstance(source, AddressSource)), None)
        own = Tally(entries.place.file if entries else "", ENTRIES)
        self._tallies = [own] if entries else []
        for source in self._sources:
            yield from self._one(source, own)

    def _one(self, source: Source, own: Tally) -> Iterator[Target | Problem]:
        match source:
            case AddressSource():
                own.lines += 1
                return self._entry(source, own)
            case CsvSource() | JsonlSource() | TextSource() | StdinSource():
                return self._list(source, self._tally(label_of(source)))
            case RunSource():
                return self._earlier(source, self._asked(f"run {source.run}", source.place))
            case FreeIpsSource():
                return self._free(source, self._asked("free_ips", source.place))
            case _:
                assert_never(source)

    def _tally(self, label: str) -> Tally:
        self._tallies.append(Tally(label))
        return self._tallies[-1]

    def _asked(self, what: str, place: Place) -> Tally:
        self._tallies.append(Tally(f"{what} ({place.file}:{place.line})", ADDRESSES))
        return self._tallies[-1]

    def _list(self, source: ListSource, tally: Tally) -> Iterator[Target | Problem]:
        allow_ipv6 = self._safety.allow_ipv6
        found = read_list(source, self._doors.open_stdin, self._accounts, allow_ipv6=allow_ipv6)
        try:
            everything = self._exclusions is None and self._filter is None
            for one in found:
                tally.lines += 1
                if isinstance(one, Target):
                    if everything:
                        tally.listed.targets += 1
                        yield one
                    elif self._keeps(one.ip, tally.listed):
                        yield one
                elif isinstance(one, Idle):
                    tally.skip(one)
                elif isinstance(one, Problem):
                    tally.wrong += 1
                    yield one
                else:
                    yield from self._entry(one, tally)
        except Broken as broken:
            yield broken.problem

    def _keeps(self, ip: str, fate: Fate) -> bool:
        """Say whether an address is a target, and count it either way."""
        if self._exclusions is not None and ip in self._exclusions:
            fate.excluded += 1
            return False
        if self._filter is not None and not self._filter.admits(ip):
            fate.left_out += 1
            return False
        fate.targets += 1
        return True

    def _entry(self, source: AddressSource, tally: Tally) -> Iterator[Target | Problem]:
        try:
            expression = _expression(source, allow_ipv6=self._safety.allow_ipv6)
            self._check_size(expression, source)
        except ValueError as error:
            tally.wrong += 1
            yield Problem(source.place, str(error))
            return
        if expression.excluded:
            tally.exclusions += 1
            return
        tally.blocks += not expression.listed
        fate = tally.listed if expression.listed else tally.expanded
        own, account = fields_of(source.account), source.account
        fields = {**source.fields, **own} if source.fields else own
        for ip in expression.block.addresses():
            if self._keeps(ip, fate):
                yield _target(ip, fields, source.place, None, (), account)

    def _check_size(self, expression: Expression, source: AddressSource) -> None:
        """Count what is about to be expanded; raises ValueError when it would be too much."""
        if not expression.listed and not expression.excluded:
            self._claim(expression.block.count, quoted(source.text))

    def _claim(self, count: int, what: str) -> None:
        if count > self._left:
            raise ValueError(
                f"{what} is {count:,} addresses; with those before it that is more than "
                f"`safety.max_targets` ({self._safety.max_targets:,}); raise it, or list them in a file"
            )
        self._left -= count

    def _earlier(self, source: RunSource, tally: Tally) -> Iterator[Target | Problem]:
        if self._doors.left_behind is None:
            yield Problem(source.place, "earlier runs cannot be read here; list the addresses in a file")
            return
        owner = owner_of(self._accounts, source.account)
        try:
            for target in self._doors.left_behind(source):
                yield from self._named(target if owner is None else _owned(target, owner), tally)
        except SourceError as error:
            yield Problem(source.place, str(error))

    def _free(self, source: FreeIpsSource, tally: Tally) -> Iterator[Target | Problem]:
        if self._doors.ask_free_ips is None:
            tally.unasked = True
            return
        try:
            if source.place not in self._answers:
                self._answers[source.place] = self._doors.ask_free_ips(source)
            addresses = tuple(dict.fromkeys(self._answers[source.place]))
            self._claim(len(addresses), "the answer to `free_ips`")
        except (SourceError, ValueError) as error:
            yield Problem(source.place, f"free_ips: {error}")
            return
        account = source.account
        for ip in addresses:
            yield from self._named(Target(ip, fields_of(account), source.place, account=account), tally)

    def _named(self, target: Target, tally: Tally) -> Iterator[Target | Problem]:
        """Yield an address that somebody else named, if it is one and is kept."""
        tally.lines += 1
        try:
            ip = canonical_ip(target.ip, allow_ipv6=self._safety.allow_ipv6)
        except ValueError as error:
            tally.wrong += 1
            yield Problem(target.place, str(error))
            return
        if self._keeps(ip, tally.listed):
            yield replace(target, ip=ip)


def _owned(target: Target, owner: Owner) -> Target:
    """Return what an earlier run left as a target of its account; raises SourceError."""
    fields = dict(target.fields)
    try:
        return replace(target, account=owner(fields), fields=fields)
    except ValueError as error:
        raise SourceError(f"{target.ip}: {error}") from error


def _expression(source: AddressSource, *, allow_ipv6: bool) -> Expression:
    """Return what an entry means; raises ValueError when it is not what its key says."""
    text = source.text.strip()
    if source.form != "plain" and text.startswith("!"):
        raise ValueError(f'an exclusion has no fields; write it as plain text: "{text[:60]}"')
    if source.form == "ip":
        if "/" in text:
            raise ValueError(f"{quoted(text)} is a network; write `cidr:` instead of `ip:`")
        text = canonical_ip(text, allow_ipv6=allow_ipv6)
    if source.form == "range" and "-" not in text:
        raise ValueError(f"{quoted(text)} is no range, like 203.0.113.32-203.0.113.47")
    if source.form == "cidr" and "/" not in text:
        raise ValueError(f"{quoted(text)} is no network in prefix form, like 203.0.113.0/28")
    return parse_expression(text, allow_ipv6=allow_ipv6, usable=source.usable)
