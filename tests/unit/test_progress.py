"""What a user sees while a run goes on."""

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from bulkip.events import Event, ItemSettled, StageEnded, StageStarted, Stopping, ValueRead, Waiting
from bulkip.model import Counts, Item, Result, Status
from bulkip.progress import LINE_EVERY_S, Live, Plain, Silent, Tracker, progress_view

ITEM = Item(1, 1, "key", "1", "update_ptr", "203.0.113.7", {}, "rows.csv:2")
READ = ValueRead(ITEM)
BEGUN = StageStarted("applying", 1_000)
ENDED = StageEnded("applying", Counts())


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        """Begin at an arbitrary moment."""
        self.now = 1_000.0

    def __call__(self) -> float:
        """Return the moment that was set."""
        return self.now


def done(status: Status) -> ItemSettled:
    """Return the news that an item ended so."""
    return ItemSettled(ITEM, Result(status))


def tracked(*events: Event) -> Tracker:
    """Return a tracker that saw these events, ten seconds after the first."""
    clock = Clock()
    tracker = Tracker(clock)
    for event in events:
        tracker.count(event)
        clock.now = 1_010.0
    return tracker


def plain(*events: Event, every_s: float = 0) -> list[str]:
    """Return the lines written about events that are so many seconds apart."""
    clock, lines = Clock(), list[str]()
    view = Plain(lines.append, clock)
    for event in events:
        view.notice(event)
        clock.now += every_s
    return lines


@pytest.mark.parametrize(
    ("events", "count"),
    [
        pytest.param((BEGUN, done(Status.CHANGED), done(Status.FAILED)), 2, id="applying"),
        pytest.param((StageStarted("reading", 9), READ, READ), 2, id="reading"),
        pytest.param((StageStarted("reading", 9), done(Status.UNCHANGED), READ), 1, id="read-as-wanted"),
        pytest.param((StageStarted("reading", 9), done(Status.FAILED), READ), 2, id="unreadable"),
        pytest.param((StageStarted("applying", 9, done=4), done(Status.OK)), 5, id="resumed"),
        pytest.param((StageStarted("reading", 9), READ, BEGUN), 0, id="next-stage"),
    ],
)
def test_each_item_is_counted_once(events: tuple[Event, ...], count: int) -> None:
    """However an item ends, the stage has one item less to do."""
    assert tracked(*events).done == count


def test_rate_is_that_of_this_stage() -> None:
    """The rate is what was done since the stage began."""
    assert tracked(BEGUN, *[done(Status.CHANGED)] * 50).rate_per_s() == pytest.approx(5.0)


def test_rate_leaves_out_what_an_earlier_start_did() -> None:
    """A resumed run shows how fast it is now, not how much was done before."""
    resumed = StageStarted("applying", 1_000, done=900)

    assert tracked(resumed, *[done(Status.CHANGED)] * 50).rate_per_s() == pytest.approx(5.0)


def test_statuses_are_told_most_frequent_first() -> None:
    """The counts show at once how the run is going."""
    events = [done(Status.FAILED), *[done(Status.CHANGED)] * 1_200]

    assert tracked(BEGUN, *events).told() == "1,200 changed, 1 failed"


def test_pause_is_told_while_it_lasts() -> None:
    """Whoever watches sees why nothing moves, and for how long still."""
    tracker, clock = tracked(BEGUN), Clock()
    tracker.clock = clock
    tracker.count(Waiting("Retry-After", 60.0))

    told = []
    for clock.now in (1_015.0, 1_061.0):
        told.append(tracker.told())

    assert told == ["paused 45 s: Retry-After", ""]


@pytest.mark.parametrize(
    ("events", "lines"),
    [
        pytest.param((BEGUN,), ["applying: 1,000 items"], id="begin"),
        pytest.param(
            (Stopping("SIGINT received"),),
            ["stopping: SIGINT received; waiting for the calls in flight"],
            id="stop",
        ),
    ],
)
def test_log_keeps_what_matters(events: tuple[Event, ...], lines: list[str]) -> None:
    """Without a terminal a stage and a stop have a line of their own."""
    assert plain(*events) == lines


def test_log_is_not_flooded() -> None:
    """Without a terminal items have no lines of their own, however many there are."""
    assert len(plain(BEGUN, *[done(Status.CHANGED)] * 1_000, ENDED)) == 2


def test_log_shows_that_a_long_run_lives() -> None:
    """Every 30 seconds a line says how far the run has come."""
    lines = plain(BEGUN, *[done(Status.CHANGED)] * 10, every_s=LINE_EVERY_S)

    assert len(lines) == 11
    assert lines[-1].startswith("applying: 10 of 1,000, ")


def on_a_terminal(*events: Event) -> str:
    """Return what a terminal was sent for these events."""
    screen, clock = io.StringIO(), Clock()
    with Live(Console(file=screen, force_terminal=True, width=100), clock) as view:
        for event in events:
            view.notice(event)
            clock.now += 1
    return screen.getvalue()


def test_terminal_shows_how_far_the_run_is() -> None:
    """A live line shows the stage and the counts."""
    shown = on_a_terminal(BEGUN, *[done(Status.CHANGED)] * 3)

    assert "applying" in shown
    assert "/1000" in shown


def test_reason_of_a_stop_is_text_and_not_markup() -> None:
    """What a server says cannot colour or hide the terminal's line."""
    assert "[red]gone[/nothing]" in on_a_terminal(BEGUN, Stopping("[red]gone[/nothing]"))


def test_terminal_survives_any_order_of_events() -> None:
    """A view never breaks a run, whatever it hears and when."""
    shown = on_a_terminal(ENDED, READ, BEGUN, ENDED, done(Status.OK), BEGUN, Waiting("throttled", 1.0), ENDED)

    assert "applying" in shown


@pytest.mark.parametrize(
    ("kind", "view"),
    [
        pytest.param("none", Silent, id="none"),
        pytest.param("plain", Plain, id="plain"),
        pytest.param("tty", Live, id="tty"),
        pytest.param("auto", Plain, id="auto-without-terminal"),
    ],
)
def test_view_is_chosen_by_name(
    kind: str, view: type[object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--progress` names the view; `auto` draws on terminals only."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)

    made = progress_view(kind, lambda _line: None, colour=False)

    assert type(made) is view
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("event", [BEGUN, READ, done(Status.OK), Stopping("x"), Waiting("x", 1.0), ENDED])
def test_silence_is_silent(event: Event, capsys: pytest.CaptureFixture[str]) -> None:
    """With `-q` no event leaves a trace."""
    notice: Callable[[Event], None] = Silent().notice

    notice(event)

    assert capsys.readouterr() == ("", "")
