"""How tests call a command that only prints, without the price of a process: argv in, text out."""

import io
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path

from bulkip.cli import exit_code_of
from tests.program import Ended


def called(*arguments: str, cwd: Path) -> Ended:
    """Call a command in this process, as if it had been started in a folder."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True), io.StringIO()
    with chdir(cwd), redirect_stdout(out), redirect_stderr(err):
        code = exit_code_of(list(arguments))
    out.seek(0)
    return Ended(code, out.read(), err.getvalue())
