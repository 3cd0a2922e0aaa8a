"""What the entries of `targets` mean: a source each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import assert_never

from bulkip.actions import ACTIONS
from bulkip.actions.action import Allow, ParameterError
from bulkip.jobfile import NodePath, Tree
from bulkip.model import Place, Problem
from bulkip.owners import FIELD
from bulkip.settings.jobaccounts import account_of
from bulkip.settings.schema import (
    CidrEntry,
    CsvEntry,
    FreeIpsBlock,
    FreeIpsEntry,
    IpEntry,
    JsonlEntry,
    PlainEntry,
    RangeEntry,
    RunEntry,
    StdinEntry,
    TargetEntry,
    TextEntry,
)
from bulkip.sources import (
    AddressSource,
    CsvSource,
    Format,
    FreeIpsSource,
    JsonlSource,
    RunSource,
    Source,
    StdinSource,
    TextSource,
)


def sources_of(
    targets: Mapping[int, TargetEntry], tree: Tree, job: str, accounts: Sequence[str] = ()
) -> Iterator[Source | Problem]:
    """Yield what each target names, and what is wrong with it.

    Input files are relative to the job file's folder; `job` is the name by
    which earlier runs of the job are known, `accounts` are those it has.
    """
    stdin: Place | None = None
    for position, entry in targets.items():
        if isinstance(entry, StdinEntry):
            place = tree.place(("targets", position, "stdin"))
            if stdin is not None:
                message = f"stdin can be read by one target only; the first is in line {stdin.line}"
                yield Problem(place, message)
                continue
            stdin = place
        account = account_of(entry, tree, position, accounts)
        if isinstance(account, Problem):
            yield account
        else:
            for source in _source(entry, tree, position, job):
                yield source if isinstance(source, Problem) else _owned(source, account)


def _owned(source: Source, account: str) -> Source:
    """Return a source of an account, which is no field of its row then; a job without keeps that."""
    if not account:
        return source
    if isinstance(source, AddressSource) and source.fields is not None:
        own = {name: value for name, value in source.fields.items() if name != FIELD}
        return replace(source, fields=own, account=account)
    return replace(source, account=account)


def _source(entry: TargetEntry, tree: Tree, position: int, job: str) -> Iterator[Source | Problem]:
    path: NodePath = ("targets", position)
    match entry:
        case PlainEntry():
            yield AddressSource(entry.plain, tree.place(path))
        case IpEntry():
            yield AddressSource(entry.ip, tree.place((*path, "ip")), "ip", fields=entry.fields())
        case CidrEntry():
            place, usable = tree.place((*path, "cidr")), entry.hosts == "usable"
            yield AddressSource(entry.cidr, place, "cidr", usable, entry.fields())
        case RangeEntry():
            yield AddressSource(entry.range, tree.place((*path, "range")), "range", fields=entry.fields())
        case CsvEntry() | JsonlEntry() | TextEntry():
            yield _list(entry, tree, path)
        case StdinEntry():
            yield from _stdin(entry, tree, path)
        case FreeIpsEntry():
            yield from _free_ips(entry.free_ips, tree, (*path, "free_ips"))
        case RunEntry():
            yield RunSource(entry.run, entry.status, job, tree.place((*path, "run")))
        case _:
            assert_never(entry)


def _list(entry: CsvEntry | JsonlEntry | TextEntry, tree: Tree, path: NodePath) -> Source:
    folder = Path(tree.place(path).file).parent
    match entry:
        case CsvEntry():
            return CsvSource(folder / entry.csv, tree.place((*path, "csv")), entry.delimiter)
        case JsonlEntry():
            return JsonlSource(folder / entry.jsonl, tree.place((*path, "jsonl")))
        case TextEntry():
            return TextSource(folder / entry.text, tree.place((*path, "text")))
        case _:
            assert_never(entry)


def _stdin(entry: StdinEntry, tree: Tree, path: NodePath) -> Iterator[Source | Problem]:
    if entry.delimiter is not None and entry.stdin is not Format.CSV:
        message = f"`delimiter` belongs to csv, not to {entry.stdin}; remove it"
        yield Problem(tree.key_place((*path, "delimiter")), message)
    yield StdinSource(entry.stdin, tree.place((*path, "stdin")), entry.delimiter or ",")


def _free_ips(block: FreeIpsBlock, tree: Tree, path: NodePath) -> Iterator[Source | Problem]:
    given = {name: value for name, value in dict(block).items() if value is not None}
    try:
        yield FreeIpsSource(ACTIONS["list_free_ip"].build(given, Allow()), tree.place(path))
    except ParameterError as refused:
        for name, message in refused.problems:
            yield Problem(tree.place((*path, name)), f"`free_ips.{name}`: {message}")
