"""May this run go on now? The locks of its account and of its own folder (design.md §5)."""

import os
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from bulkip.characters import quoted
from bulkip.errors import Locked, StoreError
from bulkip.lock import ROOT, Holder, Lock, account_locks, holder_of, private_folder, take
from bulkip.run.options import RunOptions
from bulkip.settings.written import duration_text

FILE_NAME = "run.lock"
LONGEST_NAME = 200
POLL_S = 0.1
LOOKS, LOOK_S = 5, 0.02
"""How often, and how long after each other, a lock is looked at whose holder has not signed it yet."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a lock guards: the account behind a secret, by the name of its lock, at a URL.

    Of several accounts of a job each has its `name` there.
    """

    url: str
    lock_name: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """Which command wants locks for which job, and how it hears of them.

    `pause` waits so many seconds; it may raise to give up waiting.
    """

    command: str
    job: str
    options: RunOptions
    say: Callable[[str], None]
    warn: Callable[[str], None]
    pause: Callable[[float], None] = time.sleep


class Locks:
    """Owns the locks of one execution, from before its first call until its reports are written."""

    def __init__(self, claim: Claim) -> None:
        """Hold nothing yet; the time that the claim waits begins now."""
        self._claim = claim
        self._until = time.monotonic() + claim.options.lock_timeout_s
        self._holder = Holder(
            claim.command, claim.job[:LONGEST_NAME], os.getpid(), socket.gethostname(), time.time()
        )
        self._open = ExitStack()
        self._accounts: list[Lock] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._open.close()

    def take_accounts(self, accounts: Iterable[Account]) -> None:
        """Let nobody else call the API for these accounts; a simulator has none, which is nobody else's.

        All take them in one order, so that two runs never wait for each other.
        Raises Locked when another run has one.
        """
        for account in sorted(accounts, key=lambda one: one.lock_name):
            self._take_account(account)

    def _take_account(self, account: Account) -> None:
        whose = f"account `{account.name}`" if account.name else "this account"
        guarded = f"{account.url}: another run holds the lock of {whose}"
        try:
            lock = self._taken(account_locks(os.environ) / account.lock_name, guarded)
        except StoreError as error:
            folder = self._claim.options.run_dir / "locks"
            self._claim.warn(
                f"{error}; the lock lies in {folder}, where only runs with this --run-dir look for it"
            )
            root = ROOT if folder.is_absolute() else Path()
            lock = self._taken(private_folder(folder, below=root) / account.lock_name, guarded)
        self._accounts.append(lock)
        self._holder = replace(self._holder, since=time.time())

    def take_run(self, folder: Path) -> None:
        """Let nobody else go on with a run, simulated or not; from now on the locks of accounts name it.

        Raises Locked when somebody does.
        """
        self._holder = replace(self._holder, run=folder.name)
        self._taken(folder / FILE_NAME, f"{folder.name}: another command holds the lock of this run")
        for lock in self._accounts:
            lock.sign(self._holder)

    def _taken(self, path: Path, guarded: str) -> Lock:
        told = False
        while (lock := take(path, replace(self._holder, since=time.time()))) is None:
            left_s = self._until - time.monotonic()
            if left_s <= 0:
                raise Locked(f"{guarded}: {self._named(path)}; {self._way_out()}")
            if not told:
                told = True
                wait = duration_text(self._claim.options.lock_timeout_s)
                self._claim.say(f"{guarded}: {self._named(path)}; waiting up to {wait} for it to end")
            self._claim.pause(min(POLL_S, left_s))
        return self._open.enter_context(lock)

    def _named(self, path: Path) -> str:
        """Return who holds a lock, in words."""
        for _look in range(LOOKS):
            if (holder := holder_of(path)) is not None:
                return in_words(holder)
            self._claim.pause(LOOK_S)
        return "its lock does not say which"

    def _way_out(self) -> str:
        waited_s = self._claim.options.lock_timeout_s
        if waited_s:
            return f"waited {duration_text(waited_s)}; wait longer with `--lock-timeout`, or end that one"
        return "wait for it with `--lock-timeout 5m`, or end that one"


def in_words(holder: Holder) -> str:
    """Return who holds a lock as a user knows it: run or job, command, process, and since when."""
    job = f"job {quoted(holder.job)}"
    what = job if holder.run is None else f"run {quoted(holder.run).strip('`')} of {job}"
    since = f"{datetime.fromtimestamp(holder.since, UTC):%Y-%m-%d %H:%M:%S} UTC"
    host = quoted(holder.host).strip("`")
    return f"{what} ({quoted(holder.command)}, pid {holder.pid} on {host}, since {since})"
