"""Which commands there are; a command's module is imported when it is asked for."""

import difflib
import gettext
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from bulkip.version import __version__

COMMANDS = {
    "validate": "check job files without a network: every problem at once",
    "targets": "print the addresses a job is for, and where they come from",
    "plan": "read every present value and show what would change",
    "run": "carry a job out: plan, ask, apply, report",
    "apply": "carry a saved plan out, item by item compare-and-set",
    "check": "assert that everything is as a job says, without writing",
    "verify": "look again whether what a run wrote is there",
    "resume": "finish a run: everything that is not terminal",
    "retry": "run once more what failed",
    "undo": "take back what a run changed, where it is still ours",
    "runs": "list the kept runs and plans, the newest first",
    "show": "show what is known of one run, and what to do next",
    "explain": "tell every call that was made for one address",
    "diff": "tell what is different between two runs",
    "report": "render a report of a run again",
    "merge": "join the runs of shards into one",
    "actions": "list the actions of the API, or explain one",
    "schema": "print the JSON Schema of a job, a report or a plan",
    "init": "write a first job that runs as it is",
    "schedule": "print what runs a job every night: cron, systemd or GitHub",
    "worker": "work on the runs of a cluster",
    "cluster": "prepare, show and stop what several machines share",
    "simulate": "serve a simulated API on this machine",
    "doctor": "recount a run law by law, or check the set-up",
    "completion": "print the completion script of a shell",
}
EPILOG = """\b
Examples:
  bulkip init ptr
  bulkip validate jobs/ptr-migration.yaml
  bulkip run jobs/ptr-migration.yaml --simulate --yes --rate 200/s
  bulkip run jobs/ptr-migration.yaml --report csv=ptr.csv
  bulkip report last -f jsonl
  bulkip explain last 203.0.113.7
  bulkip doctor last
\b
Statuses: changed, unchanged, ok, match, mismatch, unverified, failed, unknown, conflict,
skipped, not_run.
\b
Exit codes: 0 done, 2 invalid input (nothing was sent), 3 some items failed, 4 not as expected,
5 safety stop before the first write, 6 halted, 7 access refused, 8 another run holds the lock,
9 a write's outcome is unknown, 130 Ctrl-C.
"""


class Commands(click.Group):
    """A group whose commands are imported lazily, and that knows what a typing error meant."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """Return the commands in the order of their use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- as above
        """Import a command by its name."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(f"bulkip.cli.{cmd_name}"), cmd_name)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- as above
        """List the commands without importing them."""
        with formatter.section(gettext.gettext("Commands")):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands that begin with what is typed, without importing them, and the options."""
        found = [
            CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find a command, or say which one was probably meant."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(COMMANDS)}"
            ctx.fail(f"no such command `{args[0]}`; {hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; click would write an empty line for an interrupt, which is no JSON."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise click.Abort from error


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="bulkip %(version)s")
def bulkip() -> None:
    """Bulk operations on a hosting provider's IP API: a job file in, one report row per item out."""
