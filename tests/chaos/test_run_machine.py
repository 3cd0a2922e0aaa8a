"""What is true of a run in every order of starts, kills, retries, troubles, and interference."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bulkip.simulator import Fault
from tests.chaos.killswitch import KillSwitch
from tests.chaos.laws import moved, violations
from tests.chaos.length import LONG, patient
from tests.chaos.smallrun import DENIED, ELSEWHERE, PLAN, REFUSED, TOKEN, small_run
from tests.chaos.spellings import secrets_below

EXAMPLES, STEPS = (150, 20) if LONG else (5, 8)
KNOWN_ENDS = frozenset({0, 2, 3, 5, 6, 7, 9, -9})
"""How a command may end; 1 would be a bug."""
STEPS_OF_A_RUN = 160
WRONG_PAGE = f"<html>{TOKEN}</html>"
TROUBLES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "lost-but-done": {"action": "update_ptr", "reset": "after"},
        "lost": {"action": "update_ptr", "reset": "before"},
        "busy": {"action": "update_ptr", "status": 503},
        "busy-but-done": {"action": "update_ptr", "status": 503, "effect": True},
        "throttled": {"action": "*", "status": 429},
        "page": {"action": "update_ptr", "body": WRONG_PAGE},
        "page-but-done": {"action": "update_ptr", "body": WRONG_PAGE, "effect": True},
        "refused": {"action": "update_ptr", "json": REFUSED, "effect": False},
        "refused-but-done": {"action": "update_ptr", "json": REFUSED, "effect": True},
        "denied": {"action": "update_ptr", "json": DENIED},
        "token": {"action": "update_ptr", "json": {"code": -1, "message": f"invalid token {TOKEN}"}},
        "unread": {"action": "get_ptr", "status": 502},
        "unreadable": {"action": "get_ptr", "body": WRONG_PAGE},
        "cut": {"action": "*", "truncate": 9},
    }
)


class Life(RuleBasedStateMachine):
    """A run of eight writes, and what users, providers and other people do to it."""

    def __init__(self) -> None:
        """Write the job; nothing has been started."""
        super().__init__()
        self.open = ExitStack()
        self.folder = Path(self.open.enter_context(TemporaryDirectory(prefix="bulkip-life-")))
        self.run = self.open.enter_context(small_run(self.folder / "home", faults=(), read_again_after="0s"))
        self.others: set[str] = set()
        self.rows: list[dict[str, Any]] = []
        self.wrong: list[str] = []

    def go(self, *command: str, switch: KillSwitch | None = None) -> None:
        """Carry a command out."""
        code = self.run.go(*command, switch=switch)
        if code not in KNOWN_ENDS:
            self.wrong.append(f"{command} ended with {code}")

    @rule()
    def goes_on(self) -> None:
        """The run is begun, or resumed."""
        self.go(*self.run.next_command())

    @rule(number=st.integers(1, STEPS_OF_A_RUN), before=st.booleans())
    def is_killed(self, number: int, *, before: bool) -> None:
        """It goes on, and is killed on its way."""
        switch = KillSwitch(number, before=before, trace=self.folder / "trace")
        self.go(*self.run.next_command(), switch=switch)

    @rule(ip=st.sampled_from([*PLAN]), effect=st.booleans())
    def is_killed_while_a_write_is_under_way(self, ip: str, *, effect: bool) -> None:
        """It goes on, and is killed before the answer to a write comes."""
        self.run.cut_off(ip, effect=effect)

    @rule(number=st.none() | st.integers(1, STEPS_OF_A_RUN))
    def is_retried(self, number: int | None) -> None:
        """What failed is tried again, if there is a run, and that may be killed too."""
        self.rows = []  # what had ended may move now
        switch = None if number is None else KillSwitch(number, before=True, trace=self.folder / "trace")
        self.go("retry", "last", switch=switch)

    @rule(
        name=st.sampled_from(sorted(TROUBLES)),
        ip=st.none() | st.sampled_from([*PLAN]),
        times=st.integers(1, 12),
    )
    def meets_trouble(self, name: str, ip: str | None, times: int) -> None:
        """The provider will misbehave so many times."""
        self.run.api.fault(Fault(ip=ip, times=times, **TROUBLES[name]))

    @rule(ip=st.sampled_from([*PLAN]), agrees=st.booleans())
    def is_interfered_with(self, ip: str, *, agrees: bool) -> None:
        """Somebody else sets a name: one of his own, or the very one that is wanted."""
        self.others.add(ip)
        name = PLAN[ip] if agrees else f"other-{self.run.api.log.total}.example.org"
        self.run.api.state.set_ptr(ip, 4711, (name,), ELSEWHERE)

    @rule()
    def loses_its_store_for_a_while(self) -> None:
        """The folder of the run is away while somebody tries to resume it: nothing is sent."""
        run_dir, before = self.run.run_dir, self.run.api.log.total
        if run_dir is None:
            return
        aside = run_dir.rename(self.folder / "aside")
        self.go("resume", run_dir.name)
        aside.rename(run_dir)
        if self.run.api.log.total != before:
            self.wrong.append("a resume without its store sent calls")

    @invariant()
    def breaks_no_law(self) -> None:
        """The laws hold after every step."""
        if self.run.run_dir is None:
            assert [*self.wrong, *self.run.broken()] == []
            return
        evidence = replace(self.run.evidence(), others=frozenset(self.others))
        found = [*violations(evidence), *moved(self.rows, evidence.rows)]
        self.rows = [dict(row) for row in evidence.rows]
        assert [*self.wrong, *map(str, found), *secrets_below(self.run.home, TOKEN)] == []

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.open.close()


TestLife = patient(Life.TestCase)
# the moments of kills are not repeated to the microsecond, so a failure would not shrink
TestLife.settings = settings(
    phases=[Phase.generate],
    report_multiple_bugs=False,
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    derandomize=not LONG,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
