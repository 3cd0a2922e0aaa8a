"""Where did each value of a run come from? Flag, environment, job file or default."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import click
from click.core import ParameterSource

from bulkip.cli.options import DURATION
from bulkip.jobfile import NodePath, Tree, scan_file
from bulkip.model import JsonValue
from bulkip.policy import ACCOUNTS
from bulkip.run.secret import DEFAULT as DEFAULT_TOKEN
from bulkip.settings import Job
from bulkip.settings.jsonentries import kind_of
from bulkip.settings.reportfields import Report
from bulkip.settings.schema import BLOCKS
from bulkip.settings.written import duration_text, written

DEFAULT = "default"
OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "limits.rate": "--rate",
        "limits.concurrency": "--concurrency",
        "limits.max_retry_after": "--max-retry-after",
        "retry.attempts": "--retries",
        "timeouts.connect": "--connect-timeout",
        "timeouts.attempt": "--timeout",
        "timeouts.item": "--item-timeout",
        "timeouts.job": "--max-duration",
        "safety.max_changes": "--max-changes",
        "safety.max_clears": "--max-clears",
        "safety.max_failed": "--max-failed",
        "reports": "--report",
        "vars": "--var",
    }
)
"""Which option stands above which setting of the job file."""

HOLDING_LOGIN = "limiter"
"""The option whose value may hold a password."""


def origin_lines(ctx: click.Context, job: Job) -> Iterator[str]:
    """Yield `limits.rate = 5/s (job.yaml:12)` for each setting of a job, then for each other option.

    `ctx` is that of the command which runs the job. Secrets are shown as the
    places where they are kept.
    """
    account = _Account(ctx, job)
    yield from account.settings()
    yield from account.variables()
    yield from account.options()


class _Account:
    """Answers, for one start of a command, where a value came from."""

    def __init__(self, ctx: click.Context, job: Job) -> None:
        self._ctx = ctx
        self._job = job
        tree = scan_file(job.path).tree
        self._tree: Tree | None = tree if tree and tree.digest == job.digest else None
        self._options = {
            max(option.opts, key=len): option
            for option in ctx.command.params
            if isinstance(option, click.Option)
        }

    def settings(self) -> Iterator[str]:
        job = self._job
        yield _line("name", job.name, self._origin(("name",)))
        yield _line("timezone", job.timezone, self._origin(("timezone",)))
        for block in BLOCKS:
            if not (block == "api" and job.accounts):
                yield from self._block((block,), getattr(job, block))
        for account in job.accounts:
            yield from self._block((ACCOUNTS, account.name, "api"), account.api)
            yield from self._block((ACCOUNTS, account.name, "limits"), account.limits)
        yield self._setting(("reports",), job.reports, Report)
        yield self._setting(("notify",), job.notify, None)

    def _block(self, path: tuple[str, ...], policy: object) -> Iterator[str]:
        """Yield the settings of a block, or of that of an account."""
        model = BLOCKS[path[-1]]
        for name, field in model.model_fields.items():
            value = getattr(policy, name)
            if name == "token" and value is None and getattr(policy, "key", None) is None:
                value = DEFAULT_TOKEN
            yield self._setting((*path, field.alias or name), value, kind_of(model, name))

    def _setting(self, path: tuple[str, ...], value: object, kind: object) -> str:
        """Return a setting; below one of an account stands that of the job, and the same option above."""
        name, general = ".".join(path), path[-2:]
        option = OPTIONS.get(".".join(general))
        if option and (chosen := self._chosen(option)):
            return _line(name, written(self._given(option), kind), chosen)
        is_own = self._stated(path) is not None or general[0] != "limits"
        return _line(name, written(value, kind), self._origin(path if is_own else general))

    def variables(self) -> Iterator[str]:
        """Yield the variables; one that is not as the job file has it was given by its caller."""
        for name, value in self._job.vars.items():
            told = self._stated(("vars", name))
            origin = self._origin(("vars", name)) if told in (None, value) else None
            yield _line(f"vars.{name}", value, origin or self._chosen(OPTIONS["vars"]) or DEFAULT)

    def options(self) -> Iterator[str]:
        """Yield what has no place in a job file."""
        for name, option in self._options.items():
            if name not in OPTIONS.values():
                yield _line(name, _shown(option, self._value(option)), self._chosen(name) or DEFAULT)

    def _value(self, option: click.Option) -> object:
        return self._ctx.params.get(option.name or "")

    def _given(self, name: str) -> object:
        """Return an option's value as the setting counts it: retries come after a first attempt."""
        value = self._value(self._options[name])
        return value + 1 if name == "--retries" and isinstance(value, int) else value

    def _chosen(self, name: str) -> str | None:
        """Return the flag or the variable that set an option, or None when nobody did."""
        option = self._options.get(name)
        source = self._ctx.get_parameter_source(option.name) if option and option.name else None
        if option is None or source not in {ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT}:
            return None
        return name if source is ParameterSource.COMMANDLINE else str(option.envvar)

    def _origin(self, path: NodePath) -> str:
        """Return the place in the job file, or that it does not say; null says nothing."""
        if self._tree is None:
            return f"{self._job.path}, which has changed since, or default"
        if self._stated(path) is None:
            return DEFAULT
        return f"{self._job.path}:{self._tree.place(path).line}"

    def _stated(self, path: NodePath) -> object:
        node: object = self._tree.root if self._tree else None
        for key in path:
            node = node.get(str(key)) if isinstance(node, dict) else None
        return node


def _line(name: str, value: JsonValue, origin: str) -> str:
    return f"{name} = {_told(value)} ({origin})"


def _told(value: JsonValue) -> str:
    match value:
        case None | []:
            return "none"
        case bool():
            return "true" if value else "false"
        case list():
            return ", ".join(_told(entry) for entry in value)
        case dict():
            return f"{{{', '.join(f'{name}: {_told(entry)}' for name, entry in value.items())}}}"
        case _:
            return str(value)


def _shown(option: click.Option, value: object) -> JsonValue:
    """Return the value of an option that no setting explains."""
    match value:
        case str() if option.name == HOLDING_LOGIN:
            return "set, not shown"
        case float() if option.type is DURATION:
            return duration_text(value)
        case None | bool() | int() | str():
            return value
        case Path():
            return str(value)
        case tuple() | list():
            return [str(entry) for entry in value]
        case _:
            return str(value)
