"""What a user sees while a run goes on."""

import io
from datetime import UTC
from threading import Event as Happened

import pytest

from bulkip.events import (
    CallSent,
    Event,
    ItemParked,
    ItemSettled,
    RateSet,
    StageEnded,
    StageStarted,
    Stopping,
    ValueRead,
    Waiting,
)
from bulkip.model import Counts, Item, Rate, Result, Status
from bulkip.progress import Clocks, Plain, Silent, Tracker, progress_view
from bulkip.progress.heartbeat import Heartbeat
from bulkip.progress.lines import log_line, screen_lines
from bulkip.progress.live import Live, Screen
from bulkip.progress.plain import LINE_EVERY_S
from bulkip.progress.terminal import PIPELINES

BEGUN = StageStarted("applying", 1_000)
READING = StageStarted("reading", 9)
ENDED = StageEnded("applying", Counts())
FIVE = RateSet((Rate(5, 1.0),))
AFTER = Waiting("Retry-After", 42.0)
NOON = 1_788_264_000.0  # 2026-09-01 12:00:00 UTC


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        """Begin at an arbitrary moment."""
        self.now = 1_000.25

    def __call__(self) -> float:
        """Return the moment that was set."""
        return self.now

    def wall(self) -> float:
        """Return the time of day that belongs to this moment."""
        return NOON + self.now - 1_000.25


def item(number: int = 1) -> Item:
    """Return an item with this number."""
    return Item(number, number, f"key-{number}", "1", "update_ptr", "203.0.113.7", {}, "rows.csv:2")


READ = ValueRead(item())


def done(status: Status, number: int = 1) -> ItemSettled:
    """Return the news that an item ended so."""
    return ItemSettled(item(number), Result(status))


def parked(number: int, reason: str = "back-off", seconds: float = 12.0) -> ItemParked:
    """Return the news that an item waits."""
    return ItemParked(item(number), reason, seconds)


def steady(event: Event, times: int, every_s: float) -> list[Event | float]:
    """Return an event that comes so many times, each after the same while."""
    return [every_s, event] * times


class Watched:
    """A tracker that saw a script of events and of seconds that passed between them."""

    def __init__(self, *script: Event | float) -> None:
        """Follow the script."""
        self.clock = Clock()
        self.tracker = Tracker(self.clock)
        for one in script:
            if isinstance(one, float):
                self.clock.now += one
            else:
                self.tracker.count(one)

    def screen(self, width: int = 80) -> list[str]:
        """Return what a terminal shows now."""
        return screen_lines(self.tracker.standing(), self.clock.wall(), UTC, width)

    def log(self) -> str:
        """Return the line of a log that is written now."""
        return log_line(self.tracker.standing(), self.clock.wall(), UTC)


@pytest.mark.parametrize(
    ("events", "count"),
    [
        pytest.param((BEGUN, done(Status.CHANGED), done(Status.FAILED)), 2, id="applying"),
        pytest.param((READING, READ, READ), 2, id="reading"),
        pytest.param((READING, done(Status.UNCHANGED), READ), 1, id="read-as-wanted"),
        pytest.param((READING, done(Status.FAILED), READ), 2, id="unreadable"),
        pytest.param((StageStarted("applying", 9, done=4), done(Status.OK)), 5, id="resumed"),
        pytest.param((READING, READ, BEGUN), 0, id="next-stage"),
    ],
)
def test_each_item_is_counted_once(events: tuple[Event, ...], count: int) -> None:
    """However an item ends, the stage has one item less to do."""
    assert Watched(*events).tracker.standing().done == count


def test_screen_tells_how_far_how_fast_and_how_it_goes() -> None:
    """Two lines hold done of total, rate now against limit, what is left, and the counts by status."""
    watched = Watched(FIVE, BEGUN, *steady(done(Status.CHANGED), 99, 0.25), done(Status.FAILED))

    assert watched.screen() == [
        "applying  [#.................]  100 of 1,000  10%  4.0/s of 5/s  3 min 50 s left",
        "99 changed, 1 failed",
    ]


def test_pause_is_told_with_its_reason_and_its_end() -> None:
    """Whoever watches sees why nothing moves, for how long still, and at what time of day it goes on."""
    watched = Watched(FIVE, BEGUN, AFTER, 2.5)

    assert watched.screen()[-1] == "paused 40 s: Retry-After, resumes 12:00:42"


def test_pause_over_midnight_names_the_day() -> None:
    """A time that is not today's comes with its date."""
    watched = Watched(BEGUN, Waiting("Retry-After", 86_400.0))

    assert watched.screen()[-1] == "paused 1 d: Retry-After, resumes 2026-09-02 12:00:00"


def test_pause_ends_by_itself() -> None:
    """No event is needed for a pause to be over."""
    assert "paused" not in Watched(FIVE, BEGUN, AFTER, 42.5).log()


def test_longer_pause_within_a_pause_prolongs_it() -> None:
    """Of two pauses at once the later end holds, with its reason."""
    watched = Watched(BEGUN, Waiting("throttled", 10.0), 4.0, Waiting("Retry-After", 30.0), 1.0)

    assert watched.screen()[-1] == "paused 29 s: Retry-After, resumes 12:00:34"


def test_rate_is_that_of_now() -> None:
    """The rate is of the last ten seconds, so that a run that has become slow says so."""
    watched = Watched(FIVE, BEGUN, *steady(done(Status.OK), 100, 0.2), *steady(done(Status.OK), 12, 1.0))

    assert " 1.0/s of 5/s" in watched.log()


def test_rate_never_seems_to_break_the_limit_that_is_kept() -> None:
    """Calls at just the rate are told at no more than the rate, at whatever moment one looks."""
    watched = Watched(FIVE, BEGUN, done(Status.OK))

    told = []
    for _ in range(100):
        watched.clock.now += 0.2
        watched.tracker.count(done(Status.OK))
        told.append(watched.tracker.standing().rate_per_s)

    assert max(told[5:]) <= 5.01
    assert min(told[60:]) >= 4.99


def test_rate_counts_calls_where_they_are_told() -> None:
    """The limit is one of calls, and so is the rate: repeated calls and read-backs are in it."""
    twice: list[Event | float] = [0.4, CallSent(), CallSent(), done(Status.OK)] * 50

    assert " 5.0/s of 5/s" in Watched(FIVE, BEGUN, *twice).log()


def test_rate_leaves_pauses_out() -> None:
    """After a pause the rate is that of work, and not of waiting."""
    watched = Watched(
        FIVE, BEGUN, *steady(done(Status.OK), 60, 0.2), AFTER, 42.0, *steady(done(Status.OK), 5, 0.2)
    )

    assert " 5.0/s of 5/s" in watched.log()


def test_rate_leaves_out_what_an_earlier_start_did() -> None:
    """A resumed run shows how fast it is now, not how much was done before."""
    resumed = StageStarted("applying", 1_000, done=900)

    assert "920 of 1,000 (92%), 1.8/s" in Watched(resumed, *steady(done(Status.OK), 20, 0.5)).log()


def test_rest_is_estimated_beyond_the_pause() -> None:
    """What is left is the work at the speed of work, and the pause on top."""
    watched = Watched(StageStarted("applying", 150), *steady(done(Status.OK), 50, 0.2), AFTER)
    later = Watched(StageStarted("applying", 150), *steady(done(Status.OK), 50, 0.2), AFTER, 21.0)

    left = [one.tracker.standing().left_s for one in (watched, later)]

    assert left == [pytest.approx(62, abs=1), pytest.approx(41, abs=1)]


def test_rest_lasts_at_least_as_long_as_a_back_off() -> None:
    """The last items of a stage are not done before their wait is over."""
    script = [*steady(done(Status.OK), 8, 0.5), parked(9, seconds=20.0)]

    assert Watched(READING, *script).tracker.standing().left_s == pytest.approx(20)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param((BEGUN, 0.5, done(Status.OK)), id="too-early"),
        pytest.param((BEGUN, 60.0), id="nothing-done"),
        pytest.param((BEGUN, *steady(done(Status.OK), 9, 1.0), 12.0), id="silent-server"),
        pytest.param((BEGUN, *steady(done(Status.OK), 9, 1.0), Stopping("SIGINT received")), id="stopping"),
        pytest.param((StageStarted("applying", 1), 9.0, done(Status.OK)), id="all-done"),
        pytest.param((StageStarted("applying", 0), 9.0), id="nothing-to-do"),
    ],
)
def test_nothing_is_estimated_out_of_thin_air(script: tuple[Event | float, ...]) -> None:
    """Where nobody can know how long the rest takes, nothing is said."""
    assert "left" not in Watched(*script).log()


@pytest.mark.parametrize(
    ("script", "told"),
    [
        pytest.param(
            (parked(1), parked(2), parked(3), 4.0),
            "waiting for 3 items in back-off; the next goes on in 8 s",
            id="back-off",
        ),
        pytest.param(
            (parked(1, "settle", 5.0), 3.0),
            "waiting for 1 item in settle time; the next goes on in 2 s",
            id="settle",
        ),
        pytest.param(
            (parked(1), parked(2), parked(3, "settle", 5.0), 3.0),
            "waiting for 3 items (2 in back-off, 1 in settle time); the next goes on in 2 s",
            id="both",
        ),
        pytest.param((11.0,), "waiting for an answer; the last news came 11 s ago", id="silent-server"),
    ],
)
def test_quiet_stage_says_what_it_waits_for(script: tuple[Event | float, ...], told: str) -> None:
    """When nothing moves although nobody is paused, the items in back-off or the server are named."""
    assert Watched(FIVE, READING, *script).screen()[-1] == told


def test_windows_may_be_what_a_quiet_stage_waits_for() -> None:
    """Where a long window may be used up, the server alone is not blamed."""
    watched = Watched(RateSet((Rate(5, 1.0), Rate(200, 60.0))), READING, 12.0)

    assert watched.screen()[-1] == "waiting for an answer or for the rate; the last news came 12 s ago"


@pytest.mark.parametrize(
    "script",
    [
        pytest.param((parked(1), 1.0), id="just-parked"),
        pytest.param((parked(1), 4.0, done(Status.OK, 2)), id="others-go-on"),
        pytest.param((parked(1), 11.0, done(Status.OK, 1), 3.0), id="came-back"),
        pytest.param((RateSet((Rate(1, 60.0),)), 50.0), id="slow-by-rate"),
    ],
)
def test_stage_that_goes_on_is_not_said_to_wait(script: tuple[Event | float, ...]) -> None:
    """A wait of single items, or one that the rate itself demands, is no news."""
    assert "waiting" not in Watched(READING, *script).log()


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        pytest.param(RateSet((Rate(5, 1.0), Rate(200, 60.0))), "0/s of 5/s and 200/m", id="windows"),
        pytest.param(RateSet((Rate(30, 60.0),)), "0/m of 30/m", id="per-minute"),
        pytest.param(RateSet((Rate(5, 1.0),), 2.5), "0/s of 2.5/s (slowed down from 5/s)", id="adapted"),
    ],
)
def test_limit_is_told_as_it_was_written(limit: RateSet, told: str) -> None:
    """The rate is told in the unit of the limit, and beside all its windows."""
    assert told in Watched(limit, BEGUN).log()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
def test_no_line_is_wider_than_the_screen(width: int) -> None:
    """Lines break between facts and between words, also with long counts and many statuses."""
    many = StageStarted("reading", 123_456_789, done=99_999_999)
    statuses = [done(status) for status in Status for _ in range(1_200)]

    lines = Watched(FIVE, many, 3.0, *statuses, AFTER).screen(width)

    assert [line for line in lines if len(line) > width] == []


def test_long_counts_are_shortened_on_the_screen() -> None:
    """Millions are told in three digits and never rounded up, so that the end is not told too early."""
    assert "99.99M of 123.45M" in Watched(StageStarted("applying", 123_456_789, done=99_999_999)).screen()[0]


def test_screen_is_plain_ascii() -> None:
    """Nothing on the screen needs an encoding or a font."""
    watched = Watched(FIVE, BEGUN, *steady(done(Status.OK), 30, 0.2), AFTER)

    assert "\n".join(watched.screen()).isascii()


def plain(*script: Event | float, width: int | None = None) -> list[str]:
    """Return the lines written about a script of events and of seconds that passed between them."""
    clock, lines = Clock(), list[str]()
    view = Plain(lines.append, Clocks(clock, clock.wall, UTC), width)
    for one in script:
        if isinstance(one, float):
            clock.now += one
            view.beat()
        else:
            view.notice(one)
    return lines


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        pytest.param((BEGUN,), ["2026-09-01 12:00:00 applying: 1,000 items"], id="begin"),
        pytest.param(
            (BEGUN, 10.0, done(Status.OK), ENDED),
            [
                "2026-09-01 12:00:00 applying: 1,000 items",
                "2026-09-01 12:00:10 applying: 1 of 1,000 in 10.0 s, 0.1/s; 1 ok",
            ],
            id="end",
        ),
        pytest.param(
            (Stopping("SIGINT received"),),
            ["2026-09-01 12:00:00 stopping: SIGINT received; waiting for the calls in flight"],
            id="stop",
        ),
    ],
)
def test_log_keeps_what_matters(script: tuple[Event | float, ...], lines: list[str]) -> None:
    """Without a terminal a stage and a stop have lines of their own, each with its time."""
    assert plain(*script) == lines


def test_log_is_not_flooded() -> None:
    """Without a terminal items and pauses have no lines of their own, however many there are."""
    events: list[Event] = [done(Status.CHANGED), Waiting("throttled", 0.1)] * 1_000

    assert len(plain(BEGUN, *events, ENDED)) == 2


def test_log_shows_that_a_paused_run_lives() -> None:
    """Every 30 seconds a line says how far the run has come and why it waits, even if nothing happens."""
    lines = plain(
        FIVE, BEGUN, *steady(done(Status.CHANGED), 20, 0.25), Waiting("Retry-After", 90.0), 25.0, 30.0
    )

    assert [line.split(" ", 2)[2] for line in lines[1:]] == [
        f"applying: 20 of 1,000 (2%), {left} left; 20 changed; paused {pause}: Retry-After, resumes 12:01:35"
        for left, pause in (("5 min 40 s", "1 min 5 s"), ("5 min 10 s", "35 s"))
    ]


def test_log_is_silent_between_stages() -> None:
    """While the user is asked, no line says how far a stage is that has ended."""
    assert len(plain(BEGUN, ENDED, LINE_EVERY_S, LINE_EVERY_S)) == 2


def test_plain_lines_break_between_words_on_a_terminal() -> None:
    """`--progress plain` on a terminal breaks lines itself, below the text."""
    lines = plain(Stopping("SIGINT received"), width=60)

    assert lines == [
        "2026-09-01 12:00:00 stopping: SIGINT received; waiting for\n                    the calls in flight"
    ]


def refuse(_line: str) -> None:
    """Be a log that takes no more."""
    raise BrokenPipeError


def test_run_goes_on_when_nobody_reads_its_progress() -> None:
    """A closed stderr is no reason for a run to end."""
    view = Plain(refuse)

    view.notice(BEGUN)
    view.notice(ENDED)


class LostTerminal(io.StringIO):
    """A terminal whose window was closed."""

    def write(self, _text: str) -> int:
        """Fail as the kernel does."""
        raise OSError(5, "Input/output error")


def test_run_goes_on_when_its_terminal_is_gone() -> None:
    """What cannot be drawn is left out; the run does not notice."""
    with Live(Screen(file=LostTerminal(), force_terminal=True, width=80)) as view:
        for event in (BEGUN, done(Status.OK), Stopping("SIGHUP received"), ENDED):
            view.notice(event)
            view.beat()


def on_a_terminal(*events: Event, width: int = 80, encoding: str = "utf-8") -> str:
    """Return what a terminal was sent for these events."""
    screen, clock = io.TextIOWrapper(io.BytesIO(), encoding, errors="backslashreplace"), Clock()
    console = Screen(file=screen, force_terminal=True, width=width, no_color=True)
    view = Live(console, Clocks(clock, clock.wall, UTC))
    for event in events:
        view.notice(event)
        view.beat()
        clock.now += 1
    view.__exit__(None, None, None)
    screen.flush()
    screen.seek(0)
    return screen.read()


def test_terminal_shows_how_far_the_run_is() -> None:
    """The drawn lines show the stage, the counts and the pause."""
    shown = on_a_terminal(FIVE, BEGUN, *[done(Status.CHANGED)] * 3, AFTER)

    assert "3 of 1,000" in shown
    assert "paused 42 s: Retry-After, resumes 12:00:47" in shown


def test_terminal_keeps_a_line_of_each_stage() -> None:
    """What was drawn is wiped when a stage ends, and its last line stays."""
    shown = on_a_terminal(BEGUN, done(Status.CHANGED), ENDED)

    assert shown.endswith("applying: 1 of 1,000 in 2.0 s, 0.5/s; 1 changed\n")


def test_cursor_is_never_left_hidden() -> None:
    """A run that is killed while it draws leaves a terminal with a cursor."""
    shown = on_a_terminal(BEGUN)

    assert shown.count("\x1b[?25h") >= shown.count("\x1b[?25l") > 0
    assert shown.index("\x1b[?25h") < shown.index("applying")


def test_terminal_without_unicode_gets_what_it_can_show() -> None:
    """Text from outside that the encoding lacks is escaped, not a crash."""
    assert "caf\\xe9" in on_a_terminal(BEGUN, Stopping("café"), encoding="ascii")


def test_reason_of_a_stop_is_text_and_not_markup() -> None:
    """What a server says cannot colour or hide the terminal's line."""
    assert "[red]gone[/nothing]" in on_a_terminal(BEGUN, Stopping("[red]gone[/nothing]"))


def test_terminal_survives_any_order_of_events() -> None:
    """A view never breaks a run, whatever it hears and when."""
    shown = on_a_terminal(ENDED, READ, BEGUN, ENDED, done(Status.OK), BEGUN, AFTER, parked(1), BEGUN, ENDED)

    assert "applying" in shown


def test_heart_beats_until_it_is_stopped() -> None:
    """A view is woken while nothing happens, and left alone after its end."""
    beaten = Happened()
    heart = Heartbeat(beaten.set, 0.001)

    heart.start()
    alive = beaten.wait(5)
    heart.stop()
    beaten.clear()

    assert (alive, beaten.is_set()) == (True, False)


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Give a test an environment that says nothing about terminals."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "TERM", "CI", *PIPELINES):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("kind", "env", "view"),
    [
        pytest.param("none", {}, Silent, id="none"),
        pytest.param("plain", {}, Plain, id="plain"),
        pytest.param("tty", {}, Live, id="tty"),
        pytest.param("tty", {"TERM": "dumb"}, Plain, id="tty-dumb"),
        pytest.param("tty", {"CI": "true"}, Live, id="tty-asked-for-in-a-pipeline"),
        pytest.param("auto", {}, Plain, id="auto-without-terminal"),
        pytest.param("auto", {"FORCE_COLOR": "1"}, Plain, id="auto-in-ci-with-colours"),
    ],
)
@pytest.mark.usefixtures("capsys")
def test_view_is_chosen_by_name(
    kind: str, env: dict[str, str], view: type[object], bare_environment: pytest.MonkeyPatch
) -> None:
    """`--progress` names the view; `auto` draws on terminals only, and nobody draws on a dumb one."""
    for name, value in env.items():
        bare_environment.setenv(name, value)

    made = progress_view(kind, lambda _line: None, colour=False)

    assert type(made) is view


@pytest.mark.parametrize("event", [BEGUN, READ, done(Status.OK), Stopping("x"), AFTER, parked(1), ENDED])
def test_silence_is_silent(event: Event, capsys: pytest.CaptureFixture[str]) -> None:
    """With `-q` no event leaves a trace."""
    Silent().notice(event)

    assert capsys.readouterr() == ("", "")


NL, US = RateSet((Rate(5, 1.0),), account="nl"), RateSet((Rate(2, 1.0),), account="us")


def test_each_of_several_accounts_has_its_limit() -> None:
    """Where there are several accounts, the limit of each stands beside its name, slowed down or not."""
    slowed = RateSet((Rate(2, 1.0),), 1.0, "us")

    lines = Watched(NL, US, slowed, BEGUN, *steady(CallSent(), 20, 0.25)).screen(120)

    assert "of nl 5/s, us 1.0/s (slowed down from 2/s)" in lines[0]


def test_pause_of_one_account_is_told_as_such_and_stops_no_clock() -> None:
    """An account that pauses is named with its reason and its end; the rate of the others is shown on."""
    told = Watched(NL, US, BEGUN, *steady(CallSent(), 20, 0.25), Waiting("Retry-After", 42.0, "nl"))

    assert "account nl paused 42 s: Retry-After, resumes 12:00:47" in told.screen(120)
    assert "/s of nl 5/s, us 2/s" in told.log()


def test_several_pauses_of_accounts_are_told_together_and_end_by_themselves() -> None:
    """Each account that pauses is told, as long as it does."""
    told = Watched(BEGUN, Waiting("throttled", 5.0, "nl"), Waiting("no answer", 30.0, "us"))
    both = told.log()
    told.clock.now += 10

    assert both.endswith(
        "account nl paused 5 s: throttled, resumes 12:00:05; "
        "account us paused 30 s: no answer, resumes 12:00:30"
    )
    assert told.log().endswith("; account us paused 20 s: no answer, resumes 12:00:30")


def test_account_that_stops_is_told_without_stopping_the_others() -> None:
    """A log has a line for an account that stops; the stage itself goes on."""
    lines = plain(BEGUN, Stopping("the token is refused", "nl"), done(Status.OK), ENDED)

    assert "account nl stops: the token is refused; what it has left is not run" in lines[1]
    assert "stopping" not in lines[2]
