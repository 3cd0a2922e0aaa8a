"""The short way from targets to items: the same items, and nothing where something is unusual."""

from collections.abc import Mapping
from dataclasses import FrozenInstanceError, fields, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.keys import key_of, keys_like
from bulkip.makers import maker_of
from bulkip.model import Heading, Item, Place, Step, Target
from bulkip.plan import Rules, items_of
from bulkip.steps import Clock

CLOCK = Clock(datetime(2026, 9, 15, 12, tzinfo=UTC), ZoneInfo("UTC"), over=1789473600)
HERE = Place("job.yaml", 9, 5)


def step(name: str, action: str, params: Mapping[str, str | tuple[str, ...]], **more: Any) -> Step:
    """Return a step of a job."""
    return replace(Step(1, name, action, params, {}, HERE), **more)


STEPS = (
    step("set", "update_ptr", {"id": "{{ row.id }}", "ptr": "{{ ip.dashed }}.example.net"}),
    step("row", "update_ptr", {}),
    step("50%", "update_ptr", {"id": "4711", "ptr": "{{ row.ptr }}", "location": "nl"}, allow_empty=True),
    step("index", "update_ptr", {"id": "7", "ptr": "h{{ item.index }}-{{ ip.o4 }}.{{ vars.zone }}"}),
    step(
        "upper", "update_ptr", {"id": "7", "ptr": "{{ row.ptr | upper }}", "location": "{{ row.location }}"}
    ),
    step("several", "update_ptr", {"id": "7", "ptr": ("a.example.net", "{{ row.ptr }}")}),
    step("fixed", "update_ptr", {"id": "7", "ptr": ("a.example.net", "b.example.net")}),
    step("some", "update_ptr", {"id": "7", "ptr": "a.example.net"}, when="{{ row.id != '7' }}"),
    step("wrong", "update_ptr", {"id": "x", "ptr": "{{ row.ptr }}"}),
    step("strange", "update_ptr", {"id": "7", "ptr": "a.example.net", "color": "red"}),
    step("own-ip", "get_ip", {"ip": "{{ row.ptr }}"}),
    step("look", "get_ip", {}),
    step("get", "get_ptr", {}),
    step("main", "set_main", {"id": "{{ row.id }}", "description": "{{ row.ptr }} 100%"}),
    step("ipmi", "set_main", {"main": "{{ row.main }}"}, allow_ipmi=True),
    step("traffic", "get_traffic", {"summary": "{{ row.main }}"}, period="yesterday"),
    step("today", "get_traffic", {}, period="today"),
    step("rows", "get_traffic", {"unbilled": "1"}),
    step("month", "get_traffic", {"period": "{{ row.period }}"}),
)
TEXTS = st.sampled_from([
    "", "4711", "7", "lookup", "x", "0", "1", "NL", "a.example.net", "A.example.net.", "-a.example.net",
    "é.example", "mail", "203.0.113.7", 'q"uote', "\x7f", "100%s", "2026-08", "yesterday", "1788220800",
    "1788307200", "9" * 300,
])  # fmt: skip
COLUMNS = ("id", "ptr", "location", "main", "description", "period", "period_start", "period_stop", "summary")
ROWS = st.dictionaries(st.sampled_from(COLUMNS), TEXTS)
ADDRESSES = st.sampled_from(["203.0.113.7", "0.0.0.0", "2001:db8::7"])  # noqa: S104 - an address like others


RULES = {
    (one.name, ipv6): Rules.of([one], CLOCK, {"zone": "example.net"}, allow_ipv6=ipv6)
    for one in STEPS
    for ipv6 in (False, True)
}
LONG = {"several", "wrong", "strange", "own-ip", "month"}
"""The steps that have no short way: a list or a period of the row, or what is wrong for every target."""


@pytest.mark.parametrize("name", [one.name for one in STEPS])
@given(ipv6=st.booleans(), ip=ADDRESSES, fields=ROWS)
def test_short_way_leads_where_the_long_way_does(
    name: str, *, ipv6: bool, ip: str, fields: dict[str, str]
) -> None:
    """An item that is made the short way is the item that the long way makes, problems included."""
    rules = RULES[name, ipv6]
    long = replace(rules, with_ip=tuple((ready, None) for ready, _ in rules.with_ip))
    target = Target(ip, fields, Place("rows.csv", 7))

    found, expected = items_of(rules, target, 3, 2), items_of(long, target, 3, 2)

    assert (found, list(map(order, found))) == (expected, list(map(order, expected)))


def order(one: object) -> tuple[object, ...]:
    """Return what equality does not look at: the order of the parameters, and whose item it is."""
    return (list(one.form), one.target) if isinstance(one, Item) else ()


@pytest.mark.parametrize("name", [one.name for one in STEPS])
def test_usual_steps_have_a_short_way(name: str) -> None:
    """What most jobs say goes the short way; without it the speed of planning would be gone unnoticed."""
    ((_, recipe),) = RULES[name, False].with_ip

    assert (recipe is None) == (name in LONG)


def test_usual_row_goes_the_short_way() -> None:
    """A row without anything unusual is never looked at twice."""
    ((_, recipe),) = RULES["set", False].with_ip
    target = Target("203.0.113.7", {"id": "4711"}, Place("rows.csv", 2))

    item = recipe.item(target, 1, 1) if recipe else None

    assert item is not None
    assert item.form == {"ip": "203.0.113.7", "id": "4711", "ptr": "203-0-113-7.example.net"}


@given(ip=ADDRESSES, first=TEXTS, second=TEXTS)
def test_shared_key_is_the_key_of_the_content(ip: str, first: str, second: str) -> None:
    """Knowing beforehand what keys have in common changes no key."""
    form = {"ip": ip, "a": first, "b": second, "c": "100% é"}

    found = keys_like("5%", "get_ip", {**form, "a": "", "ip": ""}, {"ip", "a"})(ip, form, "")

    assert found == key_of("5%", "get_ip", ip, form)


@pytest.mark.parametrize("kind", [Item, Target, Place])
def test_quickly_made_data_is_the_same_data(kind: type) -> None:
    """What a maker makes has the class, the fields, the defaults and the guard of the ordinary way."""
    values = [
        f"value {number}" for number, one in enumerate(fields(kind)) if one.name not in {"target", "known"}
    ]

    made, ordinary = maker_of(kind)(*values), kind(*values)

    assert (type(made), made, hash(made), repr(made)) == (kind, ordinary, hash(ordinary), repr(ordinary))
    with pytest.raises(FrozenInstanceError):
        setattr(made, fields(kind)[0].name, "another")


def test_quickly_made_data_takes_names_too() -> None:
    """A maker is called as the class is."""
    made = maker_of(Target)("203.0.113.7", {}, place=HERE, heading=Heading(("ip",), ","))

    assert (made.heading, made.cells) == (Heading(("ip",), ","), ())
