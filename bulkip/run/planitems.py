"""The items of a saved plan as a run wants them: each must be one that a plan could have made."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from bulkip.actions import ACTIONS
from bulkip.actions.action import Allow, ParameterError, Rendered
from bulkip.actions.checks import LOOKUP, server_id
from bulkip.addresses import canonical_ip
from bulkip.errors import UsageError
from bulkip.model import Before, ErrorClass, Item, Known, Result, Status
from bulkip.planfile import PlanFile
from bulkip.policy import ACCOUNTS
from bulkip.reports.changes import Change

T = TypeVar("T")
ALLOWED = Allow(empty=True, ipmi=True, ipv6=True)
"""What a job has to allow was allowed when the plan was made."""
MOST = 2**53
"""More items than any plan has; larger numbers are not exact in every reader of JSON."""


def planned_items(path: Path, plan: PlanFile, *, anew: bool = False) -> Iterator[Item]:
    """Yield the items of a plan with what was seen; `anew` leaves that out, so that all values are read.

    Raises UsageError when an item is none that a plan could have made.
    """
    last, chain, accounts = 0, 0, _accounts(plan)
    for place, found in enumerate(plan.items(), start=1):
        try:
            item = _with_server(replace(_item(found), known=_known(found, anew=anew)), found)
            _check_place(item, last, chain)
            _check_account(item, accounts)
            last, chain = item.number, item.chain
            yield item
        except (KeyError, TypeError, ValueError, ParameterError, OverflowError) as error:
            raise UsageError(f"{path}: item {place} of the plan is damaged ({_told(error)}); make it again"
                             ) from error  # fmt: skip


def _accounts(plan: PlanFile) -> tuple[str, ...]:
    """Return the accounts that items of a plan may have; without several it is none."""
    kept = plan.head.settings.get(ACCOUNTS)
    return (
        tuple(str(one["name"]) for one in kept if isinstance(one, dict)) if isinstance(kept, list) else ("",)
    )


def _with_server(item: Item, found: Mapping[str, Any]) -> Item:
    """Return an item as its job had it: one whose server was looked up has its key from before that."""
    if not _typed(found, "server_found", bool):
        return item
    known = replace(item.known or Known(), server=server_id(item.form["id"]))
    return replace(item, form={**item.form, "id": LOOKUP}, known=known)


def _check_place(item: Item, last: int, chain: int) -> None:
    if not (last < item.number < MOST and chain <= item.chain <= item.number):
        raise ValueError("it stands in the wrong place")


def _check_account(item: Item, accounts: tuple[str, ...]) -> None:
    if item.account not in accounts:
        raise ValueError("it is of none of the plan's accounts")


def _told(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)


def _item(found: Mapping[str, Any]) -> Item:
    form = {_text(name): _text(value) for name, value in _typed(found, "params", dict).items()}
    ip, skip = found["ip"], found["skip"]
    item = Item(
        number=_typed(found, "number", int),
        chain=_typed(found, "chain", int),
        key=_text(found["key"]),
        step=_text(found["step"]),
        action=_text(found["action"]),
        ip=None if ip is None else canonical_ip(_text(ip), allow_ipv6=True),
        form=form,
        source=_text(found["source"]),
        skip=None if skip is None else _text(skip),
        account=_text(found.get("account", "")),
    )
    action = ACTIONS[item.action]
    if item.skip is None and (action.build(_rendered(form), ALLOWED) != form or form.get("ip") != item.ip):
        raise ValueError("its parameters are not those of its action")
    return item


def _rendered(form: Mapping[str, str]) -> dict[str, Rendered]:
    """Return a form as a job would give it: several names are a list."""
    return {name: tuple(text.split("\n")) if "\n" in text else text for name, text in form.items()}


def _typed(found: Mapping[str, Any], name: str, kind: type[T]) -> T:
    value = found[name]
    if type(value) is not kind:  # a bool is an int to isinstance
        raise TypeError(f"its `{name}` is no {kind.__name__}")
    return value


def _text(value: object) -> str:
    """Return a text that a run store can keep."""
    if not isinstance(value, str):
        raise TypeError("what should be a text is none")
    value.encode()  # half a surrogate pair is no text, says the ValueError
    return value


def _known(found: Mapping[str, Any], *, anew: bool) -> Known | None:
    """Return what a plan knows of an item: the value before, or that nothing is to be done."""
    before = _before(found)
    match Change(_text(found["change"])):
        case Change.LEFT_OUT if found["skip"] is None:
            text = f"left out of the plan: {found['message']}"
            return Known(before, Result(Status.FAILED, ErrorClass.INVALID, message=_text(text)))
        case _ if anew:
            return None
        case Change.SEND if (reason := found.get("unread")) is not None:
            return Known(unread=_text(reason))
        case _ if before is None:
            return None
        case Change.NONE:
            note = "as wanted when it was planned"
            return Known(before, Result(Status.UNCHANGED, names=before.names, note=note))
        case _:
            return Known(before)


def _before(found: Mapping[str, Any]) -> Before | None:
    if found["before"] is None:
        return None
    names = tuple(map(_text, _typed(found, "before", list)))
    return Before(names, _typed(found, "read_at", float))
