"""Is the API there, does it take the secret, and do the clocks agree? One get_client_ip tells."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
from anyio import current_time, move_on_after

from bulkip.access import CLIENT_IP_REQUEST
from bulkip.errors import Locked, UsageError
from bulkip.exitcode import ExitCode
from bulkip.model import Purpose
from bulkip.policy import Api, Breaker, Limits, RetryPolicy, Rollout, Safety, Timeouts, Verify
from bulkip.retryafter import unix_time
from bulkip.run.asking import Line, line_to
from bulkip.run.endpoints import endpoint_of, refuse_same
from bulkip.run.engine import Endpoint
from bulkip.run.findings import Finding, doubtful, fine, wrong
from bulkip.run.judging import judge_of
from bulkip.run.locking import Account, Claim, Locks
from bulkip.run.options import RunOptions
from bulkip.run.secret import DEFAULT, DEFAULT_KEY
from bulkip.settings import Job
from bulkip.stops import Stop, StopKind
from bulkip.store import Attempt
from bulkip.wire import Answer, ApiRequest, Reply, Verdict, VerdictKind

PATIENCE_S = 60.0
"""So long is waited at most, a login included."""
SKEW_S = 30.0
"""Clocks that differ by more than this are told: tokens expire by the clock, and so do periods."""
ONE_TRY = RetryPolicy(attempts=1)
NO_WAIT = Breaker(after=1, give_up_s=0)
CERTIFICATE = "check `api.url` and the certificates of this machine"
OUTAGE = "check `api.url`, name resolution and firewall; or the provider is down"
FOREIGN = "check `api.url`: something answers there that is not this API"


@dataclass(frozen=True, slots=True)
class Question:
    """For which job the API is asked; `stated` says that a user named it, `offline` that nothing is sent."""

    job: Job
    run_dir: Path
    stated: bool
    offline: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """A reply with its verdict, and when it came, in Unix seconds."""

    reply: Reply
    verdict: Verdict
    at: float


@dataclass(frozen=True, slots=True)
class Told:
    """How the asking ended: what was heard, the last of it last, how long it took, and what stopped it."""

    heard: tuple[Heard, ...]
    took_s: float
    stop: Stop | None

    @property
    def last(self) -> Heard | None:
        """The last thing that was heard."""
        return self.heard[-1] if self.heard else None


def plain_job(api: Api) -> Job:
    """Return a job that states nothing but its API."""
    return Job(
        name="doctor",
        path=Path(),
        digest="",
        api=api,
        vars={},
        timezone="UTC",
        steps=(),
        sources=(),
        limits=Limits(),
        retry=RetryPolicy(),
        breaker=Breaker(),
        timeouts=Timeouts(),
        safety=Safety(),
        rollout=Rollout(),
        verify=Verify(),
        reports=(),
    )


def api_findings(question: Question, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is found about secret, API and clock, of each account where there are several."""
    for account in question.job.accounts:
        own = replace(question, job=question.job.of_account(account))
        for found in _account_findings(own, environment):
            yield replace(found, text=f"account {account.name}: {found.text}")
    if not question.job.accounts:
        yield from _account_findings(question, environment)
        return
    with suppress(UsageError):  # of a secret that is missing, which was told
        accounts = question.job.accounts
        yield from _same([endpoint_of(one.api, environment, _deaf, name=one.name)[1] for one in accounts])


def _same(accounts: Sequence[Account]) -> Iterator[Finding]:
    """Yield that two accounts are one, if they are."""
    try:
        refuse_same(accounts)
    except UsageError as error:
        yield wrong("secret", str(error), "a run would stop here, before anything is sent", ExitCode.USAGE)


def _deaf(_warning: str) -> None:
    """Let a warning pass that was told before."""


def _account_findings(question: Question, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is found about a secret, an API and the clock; nothing is sent without a secret."""
    api, warnings = question.job.api, list[str]()
    try:
        endpoint, account = endpoint_of(api, environment, warnings.append)
    except UsageError as error:
        yield _no_secret(str(error), question, environment)
        return
    yield _secret(api, endpoint)
    for warning in warnings:
        yield doubtful("secret", warning, "a secret that others can read is none")
    if question.offline:
        yield fine("api", f"{api.url} was not asked (--offline)")
        return
    yield from _asked(question, endpoint, account)


def _no_secret(text: str, question: Question, environment: Mapping[str, str]) -> Finding:
    """Return that no secret can be had: wrong where a user named one, or set one that cannot be right."""
    is_set = any(environment.get(ref.name, "").strip() for ref in (DEFAULT, DEFAULT_KEY))
    if question.stated or is_set:
        return wrong("secret", text, "a run would stop here, before anything is sent", ExitCode.USAGE)
    return doubtful("secret", text, "until then only rehearsals (--simulate) run")


def _secret(api: Api, endpoint: Endpoint) -> Finding:
    """Return what kind of secret there is and where it comes from, never the secret."""
    if endpoint.purse.key:
        return fine("secret", f"an API key from {api.key or DEFAULT_KEY}")
    return fine("secret", f"a token from {api.token or DEFAULT}")


def _asked(question: Question, endpoint: Endpoint, account: Account) -> Iterator[Finding]:
    """Yield what one call tells, made under the account's lock like every other."""
    notes: list[str] = []
    options = RunOptions(run_dir=question.run_dir)
    try:
        with Locks(Claim("doctor", question.job.name, options, notes.append, notes.append)) as locks:
            locks.take_accounts([account])
            told = anyio.run(_told, question.job, endpoint, backend_options={"use_uvloop": True})
    except Locked as error:
        yield doubtful("api", f"not asked: {error}", "ask again when that run has ended")
        return
    yield _api(endpoint.url, told)
    yield from _clock(told)


async def _told(job: Job, endpoint: Endpoint) -> Told:
    """Make one call as a run does, with a login and a logout around it where there is a key."""
    heard: list[Heard] = []
    job = replace(job, retry=ONE_TRY, breaker=NO_WAIT)
    judge = judge_of(endpoint.purse, job)

    def hear(request: ApiRequest, reply: Reply, now: float) -> Verdict:
        verdict = judge.verdict(request, reply, now)
        heard.append(Heard(reply, verdict, now))
        return verdict

    began = current_time()
    async with line_to(job, endpoint, replace(judge, verdict=hear)) as line:
        with move_on_after(PATIENCE_S):
            await _call(line)
        told = Told(tuple(heard), current_time() - began, line.brake.stop)
        if line.brake.stop is None:
            await line.access.log_out()
    return told


async def _call(line: Line) -> None:
    attempt = Attempt(0, 1, 0, Purpose.PROBE)
    await line.access.call(CLIENT_IP_REQUEST, attempt, again=True)


def _api(url: str, told: Told) -> Finding:
    """Return what the answer says about the API, with the exit code that a run would end with."""
    stop, last = told.stop, told.last
    if stop is not None and stop.kind is StopKind.ACCESS:
        return wrong("api", f"{url}: {stop.reason}", "nothing else is sent until then", ExitCode.ACCESS)
    if last is None:
        text = f"{url}: no answer within {PATIENCE_S:.0f} s"
        return wrong("api", text, OUTAGE, ExitCode.HALTED)
    return _answered(url, last.verdict, told.took_s)


def _answered(url: str, verdict: Verdict, took_s: float) -> Finding:
    match verdict.kind:
        case VerdictKind.SUCCESS:
            return fine("api", f"{url} takes the secret; {_seen_as(verdict)} ({took_s * 1000:.0f} ms)")
        case VerdictKind.THROTTLE | VerdictKind.IMPATIENT:
            return doubtful("api", f"{url} answers: {verdict.message}", "wait, or run with a lower --rate")
        case VerdictKind.TRANSIENT | VerdictKind.BLOCKED:
            return wrong("api", f"{url}: {verdict.message}", OUTAGE, ExitCode.HALTED)
        case _ if not verdict.readable:
            return wrong("api", f"{url}: {verdict.message}", FOREIGN, ExitCode.ACCESS)
        case _:
            way_out = "check the rights of the account"
            return wrong("api", f"{url} refuses get_client_ip: {verdict.message}", way_out, ExitCode.ACCESS)


def _seen_as(verdict: Verdict) -> str:
    match verdict.value:
        case {"ip": str(ip)}:
            return f"it sees you as {ip}"
        case _:
            return "it answers"


def _clock(told: Told) -> Iterator[Finding]:
    """Yield how far our clock is off, by the date of the answer; nothing where the answer has none."""
    last = told.last
    date = last.reply.headers.get("date", "") if last and isinstance(last.reply, Answer) else ""
    if last is None or (theirs := unix_time(date)) is None:
        return
    ahead_s = last.at - theirs
    if abs(ahead_s) <= SKEW_S:
        yield fine("clock", f"within {SKEW_S:.0f} s of the API's")
        return
    way = "ahead of" if ahead_s > 0 else "behind"
    text = f"{abs(ahead_s):,.0f} s {way} the API's: tokens expire and periods end at the wrong time"
    yield doubtful("clock", text, "set the clock of this machine, with NTP for example")
