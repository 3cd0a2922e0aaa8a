"""Whose address is it? In a job of several accounts, a target names one of them, itself or by its entry."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import TypeAlias

from bulkip.characters import quoted

FIELD = "account"
"""The field in which a row names its account."""
Owner: TypeAlias = Callable[[dict[str, str]], str]
"""Returns the account of a row with these fields, and puts it among them; raises ValueError."""


def owner_of(known: Sequence[str], named: str) -> Owner | None:
    """Return what tells the account of rows below an entry that is `named` for one, or for none ("").

    A job without accounts has nobody to tell it: there the field is one like others.
    """
    if not known:
        return None

    def owner(fields: dict[str, str]) -> str:
        own = fields.get(FIELD, "").strip()
        if own and own not in known:
            raise ValueError(unknown(own, known))
        if own and named and own != named:
            raise ValueError(f"the row names account `{own}`, its entry names `{named}`; keep one of them")
        if not (own or named):
            raise ValueError(nameless(known))
        fields[FIELD] = own or named
        return own or named

    return owner


def unknown(word: str, known: Sequence[str]) -> str:
    """Return what is wrong with the name of an account that the job does not have."""
    near = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    hint = f"did you mean `{near[0]}`?" if near else f"its accounts are {', '.join(known)}"
    return f"the job has no account {quoted(word)}; {hint}"


def nameless(known: Sequence[str]) -> str:
    """Return what is wrong with a target that names none of several accounts."""
    return f"the target names no account; give it `account:` with one of {', '.join(known)}"
