"""What `accounts` of a job file means: several accounts, each with its API, its secrets and its limits."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from bulkip.characters import quoted
from bulkip.jobfile import NodePath, Tree
from bulkip.model import Problem
from bulkip.owners import FIELD, nameless, unknown
from bulkip.policy import ACCOUNTS, Account, Api, Limits, SecretRef
from bulkip.settings.alerts import located_secret
from bulkip.settings.schema import (
    AccountEntry,
    ApiBlock,
    CsvEntry,
    JobFile,
    JsonlEntry,
    LimitsBlock,
    PlainEntry,
    RowEntry,
    RunEntry,
    StdinEntry,
    TargetEntry,
)
from bulkip.sources import Format

NAME = "[a-z0-9][a-z0-9_-]{0,31}"
_NAME = re.compile(NAME)


def account_names(tree: Tree) -> tuple[str, ...]:
    """Return the names of the accounts of a job, also of those in which something is wrong."""
    entries = tree.root.get(ACCOUNTS) if isinstance(tree.root, dict) else None
    return tuple(entries) if isinstance(entries, dict) else ()


def account_problems(tree: Tree) -> Iterator[Problem]:
    """Yield what is wrong with the accounts of a job as a whole."""
    root = tree.root if isinstance(tree.root, dict) else {}
    if root.get(ACCOUNTS) == {}:
        yield Problem(tree.place((ACCOUNTS,)), "`accounts`: there is none; name one, or remove the key")
    for name in account_names(tree):
        if not _NAME.fullmatch(name):
            text = "use up to 32 of a-z, 0-9, `_` and `-`, a letter or digit first"
            yield Problem(tree.key_place((ACCOUNTS, name)), f"{quoted(name)} cannot name an account; {text}")
    if account_names(tree) and root.get("api") is not None:
        first = account_names(tree)[0]
        text = f"`api` stands beside `accounts`, each of which has its own; move it to `accounts.{first}.api`"
        yield Problem(tree.key_place(("api",)), text)


def accounts_of(file: JobFile, folder: Path) -> tuple[Account, ...]:
    """Return the accounts of a job; what their limits leave out is as in the limits of the job."""
    return tuple(
        Account(name, api_of(block.api, folder), _limits(file.limits, block.limits))
        for name, block in file.accounts.items()
    )


def api_of(block: ApiBlock, folder: Path) -> Api:
    """Return an API; where its secret is kept in a file, that is relative to the job file's folder."""
    return Api(block.url, _located(block.token, folder), _located(block.key, folder))


def _located(ref: SecretRef | None, folder: Path) -> SecretRef | None:
    return None if ref is None else located_secret(ref, folder)


def _limits(general: LimitsBlock, own: LimitsBlock) -> Limits:
    stated = {name: getattr(own, name) for name in own.model_fields_set}
    return Limits(**{**dict(general), **stated})


def account_of(entry: TargetEntry, tree: Tree, position: int, accounts: Sequence[str]) -> str | Problem:
    """Return the account of a target's addresses, "" where its rows may say it, or what is wrong with it."""
    path: NodePath = ("targets", position)
    named = _named(entry)
    if not accounts:
        if named is None or isinstance(entry, RowEntry):
            return ""
        text = "`account`: the job has no `accounts`; add them, or remove this key"
        return Problem(tree.key_place((*path, FIELD)), text)
    if named is not None:
        known = named.strip() in accounts
        return named.strip() if known else Problem(tree.place((*path, FIELD)), unknown(named, accounts))
    if len(accounts) == 1 or _needs_none(entry):
        return accounts[0] if len(accounts) == 1 else ""
    return Problem(tree.place(path), nameless(accounts) + _example(entry, accounts[0]))


def _named(entry: TargetEntry) -> str | None:
    match entry:
        case RowEntry():
            return entry.fields().get(FIELD)
        case AccountEntry():
            return entry.account
        case _:
            return None


def _needs_none(entry: TargetEntry) -> bool:
    """Say whether an entry need not name an account: its rows may, or it excludes addresses."""
    match entry:
        case CsvEntry() | JsonlEntry() | RunEntry():
            return True
        case StdinEntry():
            return entry.stdin is not Format.TEXT
        case PlainEntry():
            return entry.plain.lstrip().startswith("!")
        case _:
            return False


def _example(entry: TargetEntry, account: str) -> str:
    """Return how a target that is plain text is written so that it can name an account."""
    if not isinstance(entry, PlainEntry):
        return ""
    text = entry.plain.strip()[:60]
    key = "cidr" if "/" in text else "range" if "-" in text else "ip"
    return f", as in {{{key}: {text}, account: {account}}}"
