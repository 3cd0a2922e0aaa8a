"""What a job file may hold: every block and key of it, with the defaults of `policy`."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from bulkip.policy import Api, Breaker, Limits, RetryPolicy, Rollout, Safety, Timeouts, Verify
from bulkip.settings import alerts
from bulkip.settings import fields as f
from bulkip.settings.block import Block
from bulkip.settings.reportfields import Report
from bulkip.sources import LEFT_BEHIND

_API = Api()
_LIMITS = Limits()
_RETRY = RetryPolicy()
_BREAKER = Breaker()
_TIMEOUTS = Timeouts()
_SAFETY = Safety()
_ROLLOUT = Rollout()
_VERIFY = Verify()


class ApiBlock(Block):
    """Where the calls go, and where the secret is kept."""

    url: f.Url = _API.url
    token: f.Secret | None = None
    key: f.Secret | None = None


class LimitsBlock(Block):
    """How fast calls may go out."""

    rate: f.Rates = _LIMITS.rate
    headroom: f.Headroom = _LIMITS.headroom
    concurrency: f.Places = _LIMITS.concurrency
    adaptive: f.Flag = _LIMITS.adaptive
    max_retry_after_s: f.Wait = Field(default=_LIMITS.max_retry_after_s, alias="max_retry_after")


class AccountBlock(Block):
    """One of several accounts: its API and its secret, and how fast that may be called."""

    api: ApiBlock = ApiBlock()
    limits: LimitsBlock = LimitsBlock()


class RetryBlock(Block):
    """How often a call is tried."""

    attempts: f.Attempts = _RETRY.attempts
    base_s: f.PositiveTime = Field(default=_RETRY.base_s, alias="base")
    max_s: f.PositiveTime = Field(default=_RETRY.max_s, alias="max")
    budget: f.Count = _RETRY.budget


class BreakerBlock(Block):
    """When a silent server stops the calls."""

    after: f.Positive = _BREAKER.after
    give_up_s: f.PositiveTime = Field(default=_BREAKER.give_up_s, alias="give_up")


class TimeoutsBlock(Block):
    """How long each thing may take."""

    connect_s: f.PositiveTime = Field(default=_TIMEOUTS.connect_s, alias="connect")
    attempt_s: f.PositiveTime = Field(default=_TIMEOUTS.attempt_s, alias="attempt")
    item_s: f.OptionalTime = Field(default=_TIMEOUTS.item_s, alias="item")
    job_s: f.OptionalTime = Field(default=_TIMEOUTS.job_s, alias="job")


class SafetyBlock(Block):
    """What may be changed before someone has to be asked."""

    max_changes: f.OptionalShare = _SAFETY.max_changes
    min_existing: f.Count = _SAFETY.min_existing
    max_clears: f.Count = _SAFETY.max_clears
    max_failed: f.OptionalShare = _SAFETY.max_failed
    min_sample: f.Count = _SAFETY.min_sample
    max_targets: f.Count = _SAFETY.max_targets
    forward: f.ForwardMode = _SAFETY.forward
    read_again_after_s: f.Wait = Field(default=_SAFETY.read_again_after_s, alias="read_again_after")
    allow_ipv6: f.Flag = _SAFETY.allow_ipv6


class RolloutBlock(Block):
    """In which steps the plan is applied."""

    steps: f.Steps = _ROLLOUT.steps
    pause: f.Pause = _ROLLOUT.pause
    verify_between: f.Flag = _ROLLOUT.verify_between


class VerifyBlock(Block):
    """How writes are proved."""

    mode: f.Mode = _VERIFY.mode
    resolvers: f.Resolvers = _VERIFY.resolvers
    timeout_s: f.PositiveTime = Field(default=_VERIFY.timeout_s, alias="timeout")
    settle_s: f.Wait = Field(default=_VERIFY.settle_s, alias="settle")
    required: f.Flag = _VERIFY.required


class HooksBlock(Block):
    """What is called when a run begins, and when it has ended."""

    start: alerts.HookList = ()
    success: alerts.HookList = ()
    failure: alerts.HookList = ()
    always: alerts.HookList = ()


class ActionEntry(Block):
    """One entry of `actions`."""

    action: f.Line
    name: f.Line | None = None
    params: f.Parameters = Field(default_factory=dict, alias="with")
    when: f.Filled | None = None
    tags: f.Tags = frozenset()
    period: f.Line | None = None
    allow_empty: f.Flag = False
    allow_same: f.Flag = False
    allow_ipmi: f.Flag = False


class PlainEntry(BaseModel):
    """A target written as plain text: an address, a network, a range or an exclusion."""

    plain: f.Filled

    @model_validator(mode="before")
    @classmethod
    def _named(cls, node: Any) -> Any:
        return {"plain": node}


class RowEntry(Block):
    """A target whose further keys are the fields of its row."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, f.Text]

    def fields(self) -> dict[str, str]:
        """Return the fields of the row: all keys that say nothing about the target itself."""
        return dict(self.__pydantic_extra__)


class IpEntry(RowEntry):
    """One address with fields."""

    ip: f.Filled


class CidrEntry(RowEntry):
    """One network with fields."""

    cidr: f.Filled
    hosts: f.Hosts = "all"


class RangeEntry(RowEntry):
    """One range of addresses with fields."""

    range: f.Filled


class AccountEntry(Block):
    """A target that may say whose its addresses are; in a row that is a field."""

    account: f.Line | None = None


class CsvEntry(AccountEntry):
    """A CSV file of targets."""

    csv: f.Line
    delimiter: f.Delimiter = ","


class JsonlEntry(AccountEntry):
    """A file with one JSON object a line."""

    jsonl: f.Line


class TextEntry(AccountEntry):
    """A file with one address a line."""

    text: f.Line


class StdinEntry(AccountEntry):
    """Targets that are piped in."""

    stdin: f.StdinFormat
    delimiter: f.Delimiter | None = None


class FreeIpsBlock(Block):
    """What `list_free_ip` is asked for."""

    id: f.Filled | None = None
    location: f.Filled | None = None
    exclude_special: f.Filled | None = None


class FreeIpsEntry(AccountEntry):
    """The addresses that are free when the plan is made."""

    free_ips: FreeIpsBlock


class RunEntry(AccountEntry):
    """The addresses that an earlier run left at a status."""

    run: f.RunName
    status: f.Statuses = LEFT_BEHIND


ENTRIES: dict[str, type[Block]] = {
    "ip": IpEntry,
    "cidr": CidrEntry,
    "range": RangeEntry,
    "csv": CsvEntry,
    "jsonl": JsonlEntry,
    "text": TextEntry,
    "stdin": StdinEntry,
    "free_ips": FreeIpsEntry,
    "run": RunEntry,
}


def entry_kind(node: Any) -> str | None:
    """Return the kind of a target: that of the first key which names one."""
    if isinstance(node, dict):
        return next((key for key in node if key in ENTRIES), None)
    return "plain"


TargetEntry = Annotated[
    Annotated[PlainEntry, Tag("plain")]
    | Annotated[IpEntry, Tag("ip")]
    | Annotated[CidrEntry, Tag("cidr")]
    | Annotated[RangeEntry, Tag("range")]
    | Annotated[CsvEntry, Tag("csv")]
    | Annotated[JsonlEntry, Tag("jsonl")]
    | Annotated[TextEntry, Tag("text")]
    | Annotated[StdinEntry, Tag("stdin")]
    | Annotated[FreeIpsEntry, Tag("free_ips")]
    | Annotated[RunEntry, Tag("run")],
    Discriminator(entry_kind),
]


class JobFile(Block):
    """A whole job file."""

    version: f.Version
    name: f.Line | None = None
    api: ApiBlock = ApiBlock()
    accounts: dict[str, AccountBlock] = Field(default_factory=dict)
    vars: f.Variables = Field(default_factory=dict)
    timezone: f.Zone = "UTC"
    targets: tuple[TargetEntry, ...] = ()
    actions: tuple[ActionEntry, ...] = ()
    limits: LimitsBlock = LimitsBlock()
    retry: RetryBlock = RetryBlock()
    breaker: BreakerBlock = BreakerBlock()
    timeouts: TimeoutsBlock = TimeoutsBlock()
    safety: SafetyBlock = SafetyBlock()
    rollout: RolloutBlock = RolloutBlock()
    verify: VerifyBlock = VerifyBlock()
    reports: tuple[Report, ...] = ()
    hooks: HooksBlock = HooksBlock()
    notify: alerts.NoticeList = ()


BLOCKS: dict[str, type[Block]] = {
    "api": ApiBlock,
    "limits": LimitsBlock,
    "retry": RetryBlock,
    "breaker": BreakerBlock,
    "timeouts": TimeoutsBlock,
    "safety": SafetyBlock,
    "rollout": RolloutBlock,
    "verify": VerifyBlock,
    "hooks": HooksBlock,
}
