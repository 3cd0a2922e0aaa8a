"""What does a call look like as form data? The bytes of `application/x-www-form-urlencoded`."""

import re
from collections.abc import Mapping
from urllib.parse import quote_plus

_AS_IT_IS = re.compile(r"[A-Za-z0-9_.~-]*")  # nearly every value; quoting it would cost ten times as much


def encoded(action: str, form: Mapping[str, str], token: str | None) -> bytes:
    """Return the body of a call: its action, its parameters in their order, and the token if it needs one."""
    fields = {"action": action, **form}
    if token is not None:
        fields["token"] = token
    if not _AS_IT_IS.fullmatch("".join(fields.values())):
        fields = {name: quote_plus(value) for name, value in fields.items()}
    return "&".join([f"{name}={value}" for name, value in fields.items()]).encode("ascii")
