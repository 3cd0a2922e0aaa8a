"""The command line: argv in, exit code out."""

import errno
import gc
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from bulkip.cli.commands import bulkip
from bulkip.cli.standardstreams import fill_closed, take_any_text
from bulkip.cli.stderrlines import error_writer, tell_bugs_as_json, wants_json
from bulkip.errors import BulkipError
from bulkip.exitcode import code_of_error

GARBAGE = 10_000
"""So many new objects make Python look for circles among them; a start makes 200,000, and hardly a circle."""
REFUSED = ("--token", "--key", "--api-key", "--password")
WHERE_FROM = "there is no {option}: secrets come from HOSTKEY_TOKEN, HOSTKEY_API_KEY, or what the job names"
HALTED = 6
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG})
"""What a stdout says that cannot take more; every other file has errors of its own."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code."""
    gc.set_threshold(GARBAGE)
    fill_closed()
    take_any_text()
    tell_bugs_as_json(sys.argv[1:] if arguments is None else arguments)
    sys.exit(exit_code_of(list(sys.argv[1:] if arguments is None else arguments)))


def exit_code_of(arguments: list[str]) -> int:
    """Run one command and return its exit code; errors are told in one line each, on stderr."""
    try:
        code = bulkip.main(arguments, prog_name="bulkip", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.ClickException as error:
        if isinstance(error, click.NoSuchOption) and error.option_name in REFUSED:
            error = click.UsageError(WHERE_FROM.format(option=error.option_name), error.ctx)
        if wants_json(arguments):
            error_writer(arguments)(error.format_message())
        else:
            error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        return _stopped(arguments, error.__cause__ or error)  # `Commands` says Abort for a signal
    except BrokenPipeError:  # whoever read our stdout left; that is his right
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in FULL:
            raise
        with suppress(OSError):
            error_writer(arguments)(f"stdout cannot be written to: {error.strerror}")
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return HALTED
    except BulkipError as error:
        error_writer(arguments)(str(error))
        return code_of_error(error)
    return int(code or 0)


def _stopped(arguments: list[str], cause: BaseException) -> int:
    """Tell that a signal or the user ended the command, and return the exit code for that."""
    if isinstance(cause, KeyboardInterrupt) and not wants_json(arguments):
        click.echo(err=True)  # a terminal shows ^C
    error_writer(arguments)("stopped")
    return 128 + int(getattr(cause, "number", signal.SIGINT))
