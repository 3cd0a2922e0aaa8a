"""How a message reaches people: chat, mail and the other services of apprise. The door of apprise."""

import logging
from importlib.util import find_spec
from threading import Thread

LOUD = ("apprise", "urllib3", "requests")
"""Whose own log lines could show the address of a message, which is a secret."""


def is_installed() -> bool:
    """Say whether the package that carries messages is there, without importing it."""
    return find_spec("apprise") is not None


def send(url: str, title: str, body: str, timeout_s: float) -> str | None:
    """Send a message, and return why it did not arrive, or None; takes no longer than `timeout_s`.

    It runs in a thread of its own, because a service may take as long as it likes.
    """
    found: list[str | None] = []

    def deliver() -> None:
        try:
            found.append(_delivered(url, title, body))
        except Exception:  # noqa: BLE001 -- a hundred services raise what they like, and it may show the address
            found.append("the service failed in a way that apprise does not know")

    sender = Thread(target=deliver, name="notice", daemon=True)
    sender.start()
    sender.join(timeout_s)
    if sender.is_alive():
        return f"no answer within {timeout_s:g} s"
    return found[0]


def _delivered(url: str, title: str, body: str) -> str | None:
    for name in LOUD:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    import apprise  # noqa: PLC0415 -- heavy, and an extra

    service = apprise.Apprise()
    if not service.add(url):
        return "its address means no service that apprise knows"
    sent = service.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT)
    return None if sent else "the service did not take it"
