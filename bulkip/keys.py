"""What makes two items the same item? A digest of what they do, never of where they stand."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from hashlib import sha256
from json.encoder import encode_basestring_ascii as quoted

KEY_LENGTH = 32


def key_of(step: str, action: str, ip: str | None, params: Mapping[str, str], account: str = "") -> str:
    """Return the key of an item: SHA-256 over the canonical JSON of its content, 32 hex digits of it.

    Canonical is what ``json.dumps([step, action, ip, params], sort_keys=True,
    separators=(",", ":"))`` writes; put together here, it costs a third. The
    account is a fifth entry, where the job has accounts.
    """
    address = "null" if ip is None else quoted(ip)
    pairs = ",".join([f"{quoted(name)}:{quoted(params[name])}" for name in sorted(params)])
    text = f"[{quoted(step)},{quoted(action)},{address},{{{pairs}}}]"
    return _digest(_of_account(text, account) if account else text)


def keys_like(
    step: str, action: str, params: Mapping[str, str], varying: Iterable[str]
) -> Callable[[str, Mapping[str, str], str], str]:
    """Return what gives the keys of items that differ in `varying` parameters alone, `ip` among them.

    An item need not have all of `params`; what it has stands in their order.
    """
    different = frozenset(varying)

    @cache
    def shape(*names: str) -> tuple[str, tuple[str, ...]]:
        pairs = ",".join(
            f"{_literal(name)}:{'%s' if name in different else _literal(params[name])}"
            for name in sorted(names)
        )
        pattern = f"[{_literal(step)},{_literal(action)},%s,{{{pairs}}}]"
        return pattern, tuple(sorted(different.intersection(names)))

    def key(ip: str, form: Mapping[str, str], account: str) -> str:
        pattern, names = shape(*form)
        text = pattern % (quoted(ip), *[quoted(form[name]) for name in names])
        return _digest(_of_account(text, account) if account else text)

    return key


def _of_account(text: str, account: str) -> str:
    """Return the canonical content of an item with its account behind it."""
    return f"{text[:-1]},{quoted(account)}]"


def _literal(text: str) -> str:
    return quoted(text).replace("%", "%%")


def _digest(text: str) -> str:
    return sha256(text.encode("ascii")).hexdigest()[:KEY_LENGTH]
