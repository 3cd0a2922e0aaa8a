"""`bulkip completion`: the script that lets a shell complete what one types."""

import click
from click.shell_completion import get_completion_class

from bulkip.cli.options import Word
from bulkip.errors import UsageError

SHELLS = ("bash", "zsh", "fish")
EPILOG = """\b
Examples:
  eval "$(bulkip completion bash)"
  bulkip completion bash > ~/.local/share/bash-completion/completions/bulkip
  bulkip completion zsh > ~/.zfunc/_bulkip
  bulkip completion fish > ~/.config/fish/completions/bulkip.fish
"""


@click.command(epilog=EPILOG)
@click.argument("shell", type=Word(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> int:
    """Print the completion script of a shell: commands, options, files, actions and runs."""
    kind = get_completion_class(shell)
    if kind is None:
        raise UsageError(f"this click knows no completion for {shell}; upgrade click")
    program = ctx.find_root().command
    click.echo(kind(program, {}, "bulkip", "_BULKIP_COMPLETE").source())
    return 0
