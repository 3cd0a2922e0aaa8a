"""What a job's hooks lead to, and how they are called: their addresses, what they get, what they may see."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import anyio

from bulkip.alerts import Hook, Moment, WrittenUrl
from bulkip.errors import UsageError
from bulkip.hookcommand import CommandEnd, run_command
from bulkip.inputfile import read_input
from bulkip.policy import SecretRef, SecretSource
from bulkip.redact import Redactor
from bulkip.run.secret import DEFAULT, DEFAULT_KEY, read_secret
from bulkip.settings import Job, load_job
from bulkip.settings.alerts import origin_of
from bulkip.webhook import post

MOST_LINES, LONGEST_LINE = 20, 300
Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Line:
    """A hook that can be called: its moment, where it leads, and how it may be named."""

    moment: Moment
    hook: Hook
    url: str | None
    name: str


def lines_of(
    job: Job, environment: Mapping[str, str], warn: Warn, moments: Iterable[Moment]
) -> Iterator[Line]:
    """Yield the hooks that can be called, and warn of the others; raises UsageError for a required one."""
    for moment in moments:
        for hook in job.hooks.at(moment):
            name = f"hook {moment}: {hook}"
            try:
                yield Line(moment, hook, _url(hook, job, moment, environment, warn), name)
            except UsageError as error:
                if hook.required:
                    raise UsageError(f"{name}: {error}; it is required, so nothing was sent") from error
                warn(f"{name}: it will not be called: {error}")


def _url(hook: Hook, job: Job, moment: Moment, environment: Mapping[str, str], warn: Warn) -> str | None:
    match hook.target:
        case SecretRef() as ref:
            url = address_of(ref, environment, warn)
        case WrittenUrl(url=url) as written:
            url = url or _written_in(job, moment, written)
        case _:
            return None
    try:
        origin_of(url)
    except ValueError as error:
        raise UsageError(f"what it leads to {error}") from None
    return url


def address_of(ref: SecretRef, environment: Mapping[str, str], warn: Warn) -> str:
    """Return the address that a reference leads to; raises UsageError."""
    if ref.source is SecretSource.FILE:
        return read_secret(ref, environment, warn)
    address = environment.get(ref.name, "").strip()
    if not address:
        raise UsageError(f"{ref}: the variable is not set; `export {ref.name}=...`")
    return address


def _written_in(job: Job, moment: Moment, written: WrittenUrl) -> str:
    """Return a URL that only the job file holds, as long as that is the one that the run was planned from."""
    path = Path(job.path)
    try:
        is_same = hashlib.sha256(path.read_bytes()).hexdigest() == job.digest
    except OSError:
        is_same = False
    found = load_job(path).job if is_same else None
    known = job.hooks.at(moment)
    hooks = found.hooks.at(moment) if found is not None else ()
    for kept, hook in zip(known, hooks, strict=False):
        if kept.target is written and isinstance(hook.target, WrittenUrl):
            return hook.target.url
    raise UsageError(f"its URL stands in {path}, which is gone or was changed; keep it in env: or file:")


def call(line: Line, payload: bytes, job: Job, say: Warn) -> str | None:
    """Call a hook, pass on what a command says, and return why it failed, or None."""
    hook = line.hook
    if line.url is not None:
        return anyio.run(post, line.url, payload, hook.timeout_s)
    command = hook.target if isinstance(hook.target, tuple) else ()
    end = run_command(command, payload, without_secrets(job, os.environ), hook.timeout_s)
    for told in _told(end, Redactor(known_secrets(job, os.environ))):
        say(f"{line.name}: {told}")
    return end.problem


def _told(end: CommandEnd, redactor: Redactor) -> Iterator[str]:
    """Yield what a command said: the first lines, each cleaned and short."""
    lines = [line for line in end.output.decode("utf-8", "replace").splitlines() if line.strip()]
    yield from (redactor.clean(line, LONGEST_LINE) for line in lines[:MOST_LINES])
    if len(lines) > MOST_LINES:
        yield "..."


def without_secrets(job: Job, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a command: all but the variables in which the job's secrets are kept."""
    hidden = {ref.name for ref in _references(job) if ref.source is SecretSource.ENV}
    return {name: value for name, value in environment.items() if name not in hidden}


def known_secrets(job: Job, environment: Mapping[str, str]) -> list[str]:
    """Return the secrets of a job as far as they can be read, for taking them out of what is shown."""
    found = [hook.target.url for hook in job.hooks.all() if isinstance(hook.target, WrittenUrl)]
    for ref in _references(job):
        if ref.source is SecretSource.ENV:
            found.append(environment.get(ref.name, ""))
        elif isinstance(content := read_input(Path(ref.name), 4096), bytes):
            found.append(content.decode("utf-8", "replace"))
    return [secret.strip() for secret in found if secret.strip()]


def _references(job: Job) -> Iterator[SecretRef]:
    yield from (DEFAULT, DEFAULT_KEY)
    apis = [one.api for one in job.each()]
    yield from (ref for api in apis for ref in (api.token, api.key) if ref is not None)
    yield from (hook.target for hook in job.hooks.all() if isinstance(hook.target, SecretRef))
    yield from (notice.url for notice in job.notify)
