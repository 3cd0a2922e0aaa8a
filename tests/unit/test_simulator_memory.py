"""What the simulated provider forgets, so that it stays as small as it was."""

from bulkip.simulator.account import Account, Outcome, Question, Written, unfinished
from bulkip.simulator.callbacks import KEPT as CALLBACKS_KEPT
from bulkip.simulator.callbacks import Callbacks, Finish
from bulkip.simulator.curtain import Curtain
from bulkip.simulator.dialects import Refusal, Success
from bulkip.simulator.pages import Call
from bulkip.simulator.sessions import KEPT as SESSIONS_KEPT
from bulkip.simulator.sessions import Session, Sessions
from bulkip.simulator.state import Effect, SimulatorState


def call(**form: str) -> Call:
    """Return a call to auth.php at the beginning of time."""
    return Call(0.0, 0.0, "POST", "auth.php", form, "127.0.0.1", 1)


def login(sessions: Sessions) -> str:
    """Return the token of a new login."""
    session = sessions.login(call(key="a-known-key"))
    assert isinstance(session, Session)
    return session.token


def test_oldest_tokens_are_forgotten() -> None:
    """Behind 10,000 younger tokens a token is unknown; the ready one always stays."""
    sessions = Sessions("ready", ["a-known-key"], 3600.0, None)

    tokens = [login(sessions) for _ in range(SESSIONS_KEPT + 1)]

    assert sessions.look(call(token=tokens[0])) == Refusal("invalid token")
    assert isinstance(sessions.look(call(token=tokens[1])), Session)
    assert isinstance(sessions.look(call(token="ready")), Session)


def test_oldest_callback_makes_room() -> None:
    """Of 10,001 unfinished writes the first is handed back, to be finished, and its key is unknown."""
    callbacks = Callbacks()
    writes = [Finish(checks=1).pending({}, ("ptr", str(n)), 0.0) for n in range(CALLBACKS_KEPT + 1)]

    keys = [callbacks.open(write) for write in writes]

    assert callbacks.overflow() is writes[0]
    assert callbacks.overflow() is None
    assert [callbacks.check(key) is None for key in keys[:2]] == [True, False]


def test_write_that_made_room_is_seen() -> None:
    """A write whose callback was forgotten hides no longer from readers."""
    state = SimulatorState()
    account = Account(state, Sessions("ready", [], 1.0, None), Curtain(), Callbacks())
    question = Question(call(), account)

    for n in range(CALLBACKS_KEPT + 1):
        written = Written(Effect(0.0, "update_ptr", str(n), 1, (), ()), ("ptr", str(n)), ("old",))
        unfinished(Outcome(Success({}), written), question, Finish(checks=1))
    state.close()

    assert [account.curtain.shown(("ptr", ip), 0.0) for ip in ("0", "1")] == [None, ("old",)]


def test_risen_curtains_are_swept_away() -> None:
    """Curtains that nobody looks at any more do not pile up."""
    curtain = Curtain()

    for second in range(20_000):
        curtain.drop(("ptr", str(second)), ("old",), float(second), for_s=10.0)

    assert len(curtain) <= 2000
    assert curtain.shown(("ptr", "19999"), 20_000.0) == ("old",)
    assert curtain.shown(("ptr", "19999"), 20_009.0) is None
