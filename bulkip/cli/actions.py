"""`bulkip actions`: what can a job do?"""

import difflib

import click

from bulkip.actions import ACTIONS
from bulkip.actions.action import Action
from bulkip.cli import suggestions
from bulkip.errors import UsageError

EPILOG = """\b
Examples:
  bulkip actions
  bulkip actions update_ptr
"""


@click.command(epilog=EPILOG)
@click.argument("name", required=False, shell_complete=suggestions.actions)
def actions(name: str | None) -> int:
    """List the actions of the API, or explain one: parameters, answer, and how a write is read back."""
    if name is None:
        for action in ACTIONS.values():
            click.echo(f"{action.name:<15} {'write' if action.writes else 'read':<6} {action.summary}")
        return 0
    if name not in ACTIONS:
        near = difflib.get_close_matches(name, ACTIONS, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(ACTIONS)}"
        raise UsageError(f"no action `{name}`; {hint}")
    _explain(ACTIONS[name])
    return 0


def _explain(action: Action) -> None:
    click.echo(f"{action.name}: {action.summary}\n")
    click.echo("Parameters (`with`, or columns of the row):")
    for parameter in action.parameters:
        need = "required" if parameter.required else f"default {parameter.default or 'not sent'}"
        click.echo(f"  {parameter.name:<16} {parameter.help} ({need})")
    if not action.parameters:
        click.echo("  none")
    click.echo(f"\nAnswer:    {action.answer}")
    click.echo(f"Runs:      {'once for each address' if action.needs_ip else 'once, whatever the targets'}")
    click.echo(f"Changes:   {'writes' if action.writes else 'nothing, it reads'}")
    replay = "yes" if action.replayable else "no: a call whose outcome is unknown is never sent again"
    click.echo(f"Replayed:  {replay}")
    click.echo(f"Read back: {action.read_back_help}")
    click.echo(f"\nExample:\n{action.example}")
