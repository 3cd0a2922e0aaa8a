"""How a backfill is carried out before the user's eyes: run after run, until one of them stops."""

import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import click

from bulkip.cli.running import told
from bulkip.errors import BulkipError
from bulkip.exitcode import ExitCode, worst
from bulkip.logs import JsonLog
from bulkip.quantities import counted
from bulkip.run.alarms import Case
from bulkip.run.backfill import Night
from bulkip.run.carry import Desk
from bulkip.run.ending import Conclusion
from bulkip.run.signals import Signals

GOES_ON = frozenset({ExitCode.OK, ExitCode.ITEMS_FAILED, ExitCode.EXPECTATION})
"""A night that ended so does not stop those after it."""
Carry = Callable[[Night, Signals, Desk], Conclusion]


def carry_nights(given: dict[str, Any], nights: Sequence[Night], carry: Carry) -> int:
    """Carry one run after the other out, and return the gravest of their exit codes.

    One that halts is the last; what is left then is said, quiet or not.
    """
    codes: list[int] = []
    signals = Signals()
    say = JsonLog().info if given["log_format"] == "json" else partial(click.echo, err=True)
    if not given["quiet"]:
        say(f"backfill: {counted(len(nights), 'run')}, {_range(nights)}")
    for number, night in enumerate(nights, start=1):
        try:
            case = Case(night.loaded.job, given["simulate"] or given["faults"] is not None)
            codes.append(told(given, case, partial(carry, night, signals)))
        except (BulkipError, KeyboardInterrupt):
            if codes:  # before the first run there is nothing to go on with
                _tell_left(nights[number - 1 :], say)
            raise
        if signals.held is not None:
            codes.append(128 + signals.held)
        if codes[-1] not in GOES_ON:
            _tell_left(nights[number - 1 :], say)
            break
    return worst(codes)


def _range(nights: Sequence[Night]) -> str:
    return " .. ".join(dict.fromkeys((nights[0].period, nights[-1].period)))


def _tell_left(left: Sequence[Night], say: Callable[[str], None]) -> None:
    """Say which periods are left, and how to go on."""
    again = shlex.join(["bulkip", *sys.argv[1:]])
    say(f"backfill stopped; left: {_range(left)} ({counted(len(left), 'run')})")
    say(f"  the same command goes on, and asks nothing twice: {again}")
