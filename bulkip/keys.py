"""What makes two items the same item? A digest of what they do, never of where they stand."""

from collections.abc import Mapping
from hashlib import sha256
from json.encoder import encode_basestring_ascii as quoted

KEY_LENGTH = 32


def key_of(step: str, action: str, ip: str | None, params: Mapping[str, str]) -> str:
    """Return the key of an item: SHA-256 over the canonical JSON of its content, 32 hex digits of it.

    Canonical is what ``json.dumps([step, action, ip, params], sort_keys=True,
    separators=(",", ":"))`` writes; put together here, it costs a third.
    """
    address = "null" if ip is None else quoted(ip)
    pairs = ",".join([f"{quoted(name)}:{quoted(params[name])}" for name in sorted(params)])
    text = f"[{quoted(step)},{quoted(action)},{address},{{{pairs}}}]"
    return sha256(text.encode("ascii")).hexdigest()[:KEY_LENGTH]
