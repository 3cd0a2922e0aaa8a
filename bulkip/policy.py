"""What the author of a job decided: the settings that rules and engine take as arguments."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from bulkip.model import Rate

DEFAULT_RUN_DIR = ".bulkip"
"""Where runs are kept unless somebody says otherwise: below the working directory."""
API_URL = "https://invapi.hostkey.com/ip.php"


@dataclass(frozen=True, slots=True)
class Percent:
    """A share of something not counted yet; 5 means 5 %."""

    value: float

    def __str__(self) -> str:
        return f"{self.value:g}%"


Share: TypeAlias = Percent | int
"""A limit that is a percentage or a plain count."""


class SecretSource(StrEnum):
    """Where a secret is kept; never the secret itself."""

    ENV = "env"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is to be fetched from: the name of a variable or the path of a file."""

    source: SecretSource
    name: str

    def __str__(self) -> str:
        return f"{self.source}:{self.name}"


@dataclass(frozen=True, slots=True)
class Api:
    """Which API is called, and where its secret comes from; None when the job names no secret."""

    url: str = API_URL
    token: SecretRef | None = None
    key: SecretRef | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How fast calls may go out; every window of `rate` holds at once.

    `headroom` is a fraction: 0.03 aims 3 % below each rate.
    """

    rate: tuple[Rate, ...] = (Rate(5, 1.0),)
    headroom: float = 0.03
    concurrency: int = 4
    adaptive: bool = True
    max_retry_after_s: float = 600.0


ACCOUNTS = "accounts"
"""What the settings that a run keeps hold when its job has several accounts: each of them, in order."""


@dataclass(frozen=True, slots=True)
class Account:
    """One of the accounts of a job: what its targets call it, its API, and how fast that may be called."""

    name: str
    api: Api
    limits: Limits


SHARED_HEADROOM = 0.05
"""The default headroom where processes share a rate: their clocks differ a little."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a call is tried, and how long the waits between the tries may grow."""

    attempts: int = 5
    base_s: float = 0.3
    max_s: float = 20.0
    budget: int = 500


@dataclass(frozen=True, slots=True)
class Breaker:
    """When a server that no longer answers stops the calls, and when the run gives up on it."""

    after: int = 10
    give_up_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long each thing may take; None sets no end."""

    connect_s: float = 10.0
    attempt_s: float = 30.0
    item_s: float | None = 300.0
    job_s: float | None = None


class Forward(StrEnum):
    """What happens to a PTR name that does not resolve back to its address."""

    OFF = "off"
    WARN = "warn"
    REQUIRE = "require"


@dataclass(frozen=True, slots=True)
class Safety:
    """What may be changed before someone has to be asked; None sets no limit."""

    max_changes: Share | None = None
    min_existing: int = 10
    max_clears: int = 0
    max_failed: Share | None = Percent(5)
    min_sample: int = 20
    max_targets: int = 65536
    forward: Forward = Forward.WARN
    read_again_after_s: float = 300.0
    allow_ipv6: bool = False


@dataclass(frozen=True, slots=True)
class Rollout:
    """In which steps a plan is applied; `pause` is seconds between them, or a question."""

    steps: tuple[Share, ...] = (Percent(100),)
    pause: float | Literal["prompt"] = 0.0
    verify_between: bool = False


class VerifyMode(StrEnum):
    """Who is asked whether a write has arrived."""

    NONE = "none"
    API = "api"
    DNS = "dns"
    FCRDNS = "fcrdns"


@dataclass(frozen=True, slots=True)
class Verify:
    """How writes are proved; `resolvers` are address:port, and none means the zone's own servers.

    `settle_s` is waited before every read-back, whatever the mode.
    """

    mode: VerifyMode = VerifyMode.NONE
    resolvers: tuple[str, ...] = ()
    timeout_s: float = 120.0
    settle_s: float = 5.0
    required: bool = False

    @property
    def asks_dns(self) -> bool:
        """Whether name servers are asked for the proof."""
        return self.mode in {VerifyMode.DNS, VerifyMode.FCRDNS}


CHECK = "check"
"""What the settings that a run keeps hold when it is a check: whoever goes on with it never writes."""


@dataclass(frozen=True, slots=True)
class Check:
    """A job that only asserts what it would write: `verify` says whom it asks, and for how long.

    One that finds nothing to assert has failed, unless it may be empty.
    """

    allow_empty: bool = False


class OnExists(StrEnum):
    """What becomes of a file that stands where a report is to go."""

    SKIP = "skip"  # it stays, and the report is not written
    REPLACE = "replace"
    ERROR = "error"  # nothing is done at all


@dataclass(frozen=True, slots=True)
class ReportSpec:
    """A report to write at the end; path `-` is stdout, and may be a template until the plan is made.

    `on_exists` is about a file that is there before the run is.
    """

    format: str
    path: str
    on_exists: OnExists = OnExists.REPLACE


REPORT_FORMATS = (
    "jsonl", "csv", "json", "text", "failed-csv", "attempts", "traffic-csv", "traffic-jsonl", "parquet",
    "prometheus", "html", "github", "md", "junit", "sarif", "tap",
)  # fmt: skip
"""Every report format by the name that users write; `bulkip.reports` renders them."""
