"""What does a call look like as form data? The bytes of `application/x-www-form-urlencoded`."""

import re
from collections.abc import Mapping
from urllib.parse import quote_plus

_AS_IT_IS = re.compile(r"[A-Za-z0-9_.~-]*")  # nearly every value; quoting it would cost ten times as much


def encoded(action: str, form: Mapping[str, str], token: str | None) -> bytes:
    """Return the body of a call: its action, its parameters in their order, and the token if it needs one."""
    pairs = [f"action={_quoted(action)}", *(f"{name}={_quoted(value)}" for name, value in form.items())]
    if token is not None:
        pairs.append(f"token={_quoted(token)}")
    return "&".join(pairs).encode("ascii")


def _quoted(text: str) -> str:
    return text if _AS_IT_IS.fullmatch(text) else quote_plus(text)
