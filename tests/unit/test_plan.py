"""How targets and steps become items."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from bulkip.conflicts import MainAddresses, Told
from bulkip.keys import key_of
from bulkip.model import Item, Place, Problem, Step, Target
from bulkip.plan import Rules, items_of, items_without_ip
from bulkip.steps import Clock

CLOCK = Clock(datetime(2026, 9, 10, 12, tzinfo=UTC), ZoneInfo("Europe/Amsterdam"))
YESTERDAY = {"period_start": "1788904800", "period_stop": "1788991200"}
PTR = {"id": "{{ row.id }}", "ptr": "{{ ip.dashed }}.{{ vars.zone }}"}


def step(
    action: str,
    params: Mapping[str, str | tuple[str, ...]],
    when: str | None = None,
    period: str | None = None,
) -> Step:
    """Return a step of job.yaml whose parameters stand on lines of their own, from 10."""
    places = {f"with.{name}": Place("job.yaml", 10 + line, 9) for line, name in enumerate(params)}
    places |= {"when": Place("job.yaml", 30, 9), "period": Place("job.yaml", 31, 9)}
    return Step(0, "1", action, params, places, Place("job.yaml", 9, 3), when=when, period=period)


def target(ip: str = "203.0.113.7", line: int = 2, **fields: str) -> Target:
    """Return the target of a line of rows.csv."""
    return Target(ip, fields, Place("rows.csv", line))


def rules(*steps: Step) -> Rules:
    """Return the rules of steps with one variable."""
    return Rules.of(steps, CLOCK, {"zone": "example.net"})


def only_item(made: list[Item | Problem]) -> Item:
    """Return the single item, or fail."""
    (item,) = made
    assert isinstance(item, Item)
    return item


def only_problem(made: list[Item | Problem]) -> str:
    """Return the text of the single problem, or fail."""
    (problem,) = made
    assert isinstance(problem, Problem)
    return str(problem)


def test_target_becomes_an_item_with_everything_rendered() -> None:
    """An item carries exactly what is sent, and where it comes from."""
    item = only_item(items_of(rules(step("update_ptr", PTR)), target(id="4711"), 5, 3))

    assert item.form == {"ip": "203.0.113.7", "id": "4711", "ptr": "203-0-113-7.example.net"}
    assert (item.number, item.chain, item.step, item.source) == (5, 3, "1", "rows.csv:2")


def test_parameter_that_with_does_not_set_comes_from_the_row() -> None:
    """A row gives the parameters that `with` leaves out; an empty cell gives none."""
    row = target(id="4711", ptr="a.example.net", location="", other="x")

    item = only_item(items_of(rules(step("update_ptr", {})), row, 1, 1))

    assert item.form == {"ip": "203.0.113.7", "id": "4711", "ptr": "a.example.net"}


def test_steps_of_a_target_keep_their_order_and_chain() -> None:
    """Items of one address are numbered in the order of the steps and share their chain."""
    made = items_of(rules(step("get_ip", {}), step("update_ptr", PTR)), target(id="1"), 7, 4)

    found = [(one.number, one.chain, one.action) for one in made if isinstance(one, Item)]
    assert found == [(7, 4, "get_ip"), (8, 4, "update_ptr")]


def test_steps_without_address_run_once() -> None:
    """A step that needs no address gives no item for a target, and one for the job."""
    once = rules(step("list_free_ip", {"location": "nl"}))

    assert items_of(once, target(), 1, 1) == []
    item = only_item(items_without_ip(once))
    assert (item.ip, item.form, item.source) == (None, {"location": "NL"}, "job.yaml:9")


def test_when_that_says_no_skips_the_item_unrendered() -> None:
    """A skipped item keeps its place in the plan; its other templates are not rendered."""
    skipping = rules(step("update_ptr", {"ptr": "{{ row.missing }}"}, when="{{ row.role != 'retired' }}"))

    item = only_item(items_of(skipping, target(role="retired"), 1, 1))

    assert (item.skip, item.form) == ("when: {{ row.role != 'retired' }}", {})


def test_address_in_with_must_be_the_targets() -> None:
    """`ip` is the target's address; another one is a problem."""
    same, other = rules(step("get_ip", {"ip": "{{ ip }}"})), rules(step("get_ip", {"ip": "203.0.113.8"}))

    assert only_item(items_of(same, target(), 1, 1)).form == {"ip": "203.0.113.7"}
    assert "not the target's address 203.0.113.7" in only_problem(items_of(other, target(), 1, 1))


def test_bad_value_of_a_row_is_a_problem_of_the_row() -> None:
    """A problem that a row causes names its line, the parameter, the value and the step."""
    text = only_problem(items_of(rules(step("update_ptr", PTR)), target(line=14, id="x1"), 1, 1))

    assert text.startswith("rows.csv:14:1: update_ptr (step 1) for 203.0.113.7: id: 'x1' is no id")


def test_all_bad_values_of_a_row_are_told() -> None:
    """Every bad parameter of an item is a problem of its own."""
    made = items_of(rules(step("update_ptr", {})), target(id="x", ptr="-a.example"), 1, 1)

    assert [type(one) for one in made] == [Problem, Problem]


def test_field_that_rows_lack_is_told_once_at_the_step() -> None:
    """A template that asks for a field which no row has is told at the template, with the file."""
    told = only_problem(items_of(rules(step("update_ptr", PTR)), target(), 1, 1))

    assert told.startswith("job.yaml:10:9:")
    assert "no field 'id'" in told
    assert told.endswith("(rows of rows.csv)")


def test_bad_cell_of_a_condition_is_a_problem_of_the_row() -> None:
    """A `when` that cannot be read because of a cell is told at the row."""
    asking = rules(step("get_ip", {}, when="{{ row.active }}"))

    assert only_problem(items_of(asking, target(line=8, active="maybe"), 1, 1)).startswith("rows.csv:8:1:")


def test_value_that_grows_too_long_is_a_problem_of_the_row() -> None:
    """One huge cell is told at its row, not at the step."""
    text = only_problem(items_of(rules(step("update_ptr", PTR)), target(line=8, id="1" * 5000), 1, 1))

    assert text.startswith("rows.csv:8:1:")


def test_octets_of_ipv6_are_a_problem_of_the_target() -> None:
    """A template that asks an IPv6 address for octets is told at the address, with the way out."""
    octets = Rules.of(
        [step("update_ptr", {"id": "1", "ptr": "h{{ ip.o4 }}.example.net"})], CLOCK, {}, allow_ipv6=True
    )

    text = only_problem(items_of(octets, target("2001:db8::1"), 1, 1))

    assert text.startswith("rows.csv:2:1:")
    assert "use dashed, hex or exploded" in text


def test_template_of_the_wrong_kind_is_the_same_problem_for_every_row() -> None:
    """A template that mixes kinds fails at the step, with the same words for every row."""
    mixing = rules(step("update_ptr", {"id": "{{ row.id + 1 }}", "ptr": "a.example.net"}))

    texts = {only_problem(items_of(mixing, target(line=line, id=str(line)), 1, 1)) for line in (2, 3)}

    assert len(texts) == 1
    assert texts.pop().startswith("job.yaml:10:9:")


def test_broken_template_is_one_problem_of_the_step() -> None:
    """A template that cannot work is told once, where it stands."""
    broken = rules(step("update_ptr", {"id": "1", "ptr": "{{ ip.dahsed }}.example.net"}))

    assert [str(one.place) for one in broken.problems] == ["job.yaml:11:9"]
    assert "did you mean 'dashed'" in broken.problems[0].message
    assert items_of(broken, target(), 1, 1) == []


def test_bad_constant_is_the_same_problem_for_every_row() -> None:
    """A bad value that no row changes stands at the step, so that it can be told once."""
    bad = rules(step("get_ptr", {"id": "x"}))
    told = Told()

    made = [one for ip in ("10.0.0.1", "10.0.0.2") for one in items_of(bad, target(ip), 1, 1)]

    assert [str(one.place) for one in made if isinstance(one, Problem) and told.is_new(one)] == [
        "job.yaml:10:9"
    ]


def test_period_sets_start_and_stop() -> None:
    """A period may stand in the step, in `with` or in the row."""
    in_step = items_of(rules(step("get_traffic", {}, period="yesterday")), target(), 1, 1)
    in_with = items_of(rules(step("get_traffic", {"period": "yesterday"})), target(), 1, 1)
    in_row = items_of(rules(step("get_traffic", {})), target(period="yesterday"), 1, 1)

    for made in (in_step, in_with, in_row):
        assert YESTERDAY.items() <= only_item(made).form.items()


def test_period_is_a_name_of_templates() -> None:
    """Templates of a step see its period in the job's zone."""
    label = step("get_traffic", {}, when="{{ period.start.strftime('%d') == '09' }}", period="yesterday")

    assert only_item(items_of(rules(label), target(), 1, 1)).skip is None


def test_period_beside_its_ends_is_a_problem() -> None:
    """A period and period_start or period_stop say the same thing twice."""
    both = rules(step("get_traffic", {"period_start": "1788220800"}, period="yesterday"))
    twice = rules(step("get_traffic", {"period": "today"}, period="yesterday"))
    row = target(period="today", period_start="1788220800")

    assert "period_start" in both.problems[0].message
    assert "twice" in twice.problems[0].message
    assert "period_start" in only_problem(items_of(rules(step("get_traffic", {})), row, 1, 1))


def test_bad_period_is_a_problem_of_the_step() -> None:
    """A period that cannot be read is told where it stands."""
    assert str(rules(step("get_traffic", {}, period="01/02/2026")).problems[0].place) == "job.yaml:31:9"


def test_list_of_names_is_sent_as_lines() -> None:
    """A YAML list of names becomes several records; each name is a template."""
    several = rules(step("update_ptr", {"id": "1", "ptr": ("{{ ip.hex }}.example.net", "b.example.net")}))

    assert only_item(items_of(several, target(), 1, 1)).form["ptr"] == "cb007107.example.net\nb.example.net"


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.integers(1, 10**6))
def test_key_does_not_depend_on_position(number: int, chain: int, line: int) -> None:
    """The same content has the same key wherever it stands."""
    ready = rules(step("update_ptr", PTR))

    here = only_item(items_of(ready, target(id="1"), 1, 1))
    there = only_item(items_of(ready, target(line=line, id="1"), number, chain))

    assert here.key == there.key


@given(st.text(), st.none() | st.text(), st.dictionaries(st.text(), st.text()))
def test_key_is_a_digest_of_canonical_json(name: str, ip: str | None, params: dict[str, str]) -> None:
    """The key is SHA-256 over sorted, compact JSON: anyone can compute it again."""
    text = json.dumps([name, "get_ip", ip, params], sort_keys=True, separators=(",", ":"))

    assert key_of(name, "get_ip", ip, params) == sha256(text.encode()).hexdigest()[:32]


def test_two_main_addresses_of_one_server_are_a_problem() -> None:
    """Two `main: 1` for one server name both sources; the same address twice does not contradict."""
    ready, mains = rules(step("set_main", {"main": "1"})), MainAddresses()
    rows = (target("10.0.0.1", 2, id="1"), target("10.0.0.1", 3, id="1"), target("10.0.0.2", 4, id="1"))

    told = [str(one) for row in rows for one in mains.feed(only_item(items_of(ready, row, 1, 1)))]

    assert len(told) == 1
    assert told[0].startswith("rows.csv:4:1: ")
    assert "rows.csv:2 says 10.0.0.1" in told[0]
