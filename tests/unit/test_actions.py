"""What each action sends and which answers it takes."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.actions import ACTIONS
from bulkip.actions.action import Allow, AnswerShapeError, ParameterError, Rendered
from bulkip.model import JsonValue
from bulkip.wire import ApiRequest

IP = "203.0.113.7"
BASE = {"ip": IP, "id": "4711"}
SPAN = {"ip": IP, "period_start": "1788220800", "period_stop": "1788307200"}
NET: dict[str, JsonValue] = {
    "network": "192.168.0.0",
    "netmask": "255.255.255.0",
    "gateway": "192.168.0.1",
    "broadcast": "192.168.0.255",
}
ROW: dict[str, JsonValue] = {
    "timestamp": "2024-05-20T12:00:00Z",
    "in": Decimal("1.25"),
    "out": Decimal("0.850"),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["ip", "in", "out"]), inner),
    max_leaves=6,
)


def test_actions_are_those_of_the_page_in_its_order() -> None:
    """Every module with an action is found, in the order of the vendor's page."""
    assert list(ACTIONS) == [
        "get_client_ip",
        "get_ip",
        "get_ptr",
        "get_traffic",
        "list_free_ip",
        "set_main",
        "update_ptr",
    ]


def test_two_actions_write_and_set_main_is_not_replayed() -> None:
    """Only set_main and update_ptr change anything; only set_main must not be sent again."""
    assert [one.name for one in ACTIONS.values() if one.writes] == ["set_main", "update_ptr"]
    assert [one.name for one in ACTIONS.values() if not one.replayable] == ["set_main"]
    assert [one.name for one in ACTIONS.values() if not one.needs_ip] == ["get_client_ip", "list_free_ip"]


@pytest.mark.parametrize(
    ("action", "values", "form"),
    [
        pytest.param("get_client_ip", {}, {}, id="get_client_ip"),
        pytest.param("get_ip", {"ip": IP}, {"ip": IP}, id="get_ip"),
        pytest.param(
            "get_ptr", {**BASE, "location": "nl"}, {"id": "4711", "ip": IP, "location": "NL"}, id="get_ptr"
        ),
        pytest.param("get_ptr", {**BASE, "location": ""}, {"id": "4711", "ip": IP}, id="get_ptr_no_location"),
        pytest.param("get_traffic", SPAN, {**SPAN, "summary": "0", "unbilled": "0"}, id="get_traffic"),
        pytest.param(
            "get_traffic",
            {**SPAN, "summary": "true", "unbilled": "1"},
            {**SPAN, "summary": "1", "unbilled": "1"},
            id="get_traffic_flags",
        ),
        pytest.param("list_free_ip", {}, {}, id="list_free_ip"),
        pytest.param(
            "list_free_ip",
            {"id": "15", "location": "nl", "exclude_special": "true"},
            {"exclude_special": "1", "location": "NL", "id": "15"},
            id="list_free_ip_all",
        ),
        pytest.param("set_main", {**BASE, "main": "1"}, {"id": "4711", "ip": IP, "main": "1"}, id="set_main"),
        pytest.param(
            "set_main", {**BASE, "main": IP}, {"id": "4711", "ip": IP, "main": IP}, id="set_main_by_address"
        ),
        pytest.param(
            "update_ptr", {**BASE, "ptr": "a.example."}, {**BASE, "ptr": "a.example"}, id="update_ptr"
        ),
        pytest.param(
            "update_ptr",
            {**BASE, "ptr": ("a.example", "b.example", "a.example")},
            {**BASE, "ptr": "a.example\nb.example"},
            id="update_ptr_list",
        ),
    ],
)
def test_form_is_canonical_and_in_documented_order(
    action: str, values: dict[str, Rendered], form: dict[str, str]
) -> None:
    """What goes out is canonical and stands in the order of the vendor's page."""
    assert list(ACTIONS[action].build(values, Allow()).items()) == list(form.items())


@pytest.mark.parametrize(
    ("action", "values", "bad", "reason"),
    [
        pytest.param("get_ip", {}, "ip", "required", id="no_address"),
        pytest.param("get_ip", {"ip": "010.0.0.1"}, "ip", "no address", id="leading_zero"),
        pytest.param("get_ip", {"ip": "fe80::1%eth0"}, "ip", "zone", id="zone_id"),
        pytest.param("get_ip", {"ip": "::ffff:1.2.3.4"}, "ip", "write 1.2.3.4", id="mapped"),
        pytest.param("get_ip", {"ip": "2001:db8::1"}, "ip", "allow_ipv6", id="ipv6"),
        pytest.param("get_client_ip", {"x": "1"}, "x", "no parameter", id="unknown_parameter"),
        pytest.param("get_ptr", {"ip": IP, "id": "0"}, "id", "no id", id="id_zero"),
        pytest.param("get_ptr", {"ip": IP, "id": "010"}, "id", "no id", id="id_leading_zero"),
        pytest.param("get_ptr", {"ip": IP, "id": "12345678901"}, "id", "no id", id="id_of_11_digits"),
        pytest.param("get_ptr", {"ip": IP, "id": "٣"}, "id", "no id", id="id_in_other_digits"),
        pytest.param("get_ptr", {"ip": IP, "id": ("1", "2")}, "id", "is a list", id="id_list"),
        pytest.param("get_ptr", {**BASE, "location": "N L"}, "location", "no location", id="location"),
        pytest.param("get_traffic", {"ip": IP}, "period_start", "required", id="no_period"),
        pytest.param(
            "get_traffic",
            {**SPAN, "period_stop": "1788220800"},
            "period_stop",
            "not after",
            id="empty_period",
        ),
        pytest.param(
            "get_traffic",
            {**SPAN, "period_start": "1788220800000"},
            "period_start",
            r"milliseconds \(2026-09-01T00:00:00Z\)",
            id="milliseconds",
        ),
        pytest.param(
            "get_traffic",
            {**SPAN, "period_start": "20260901"},
            "period_start",
            "the date 2026-09-01",
            id="date",
        ),
        pytest.param("get_traffic", {**SPAN, "summary": "2"}, "summary", "neither 1 nor 0", id="flag"),
        pytest.param("set_main", BASE, "main", "required", id="main_not_stated"),
        pytest.param("set_main", {**BASE, "main": "0"}, "main", "allow_ipmi", id="main_ipmi"),
        pytest.param("set_main", {**BASE, "main": "203.0.113.8"}, "main", "neither", id="main_other_address"),
        pytest.param(
            "set_main",
            {**BASE, "main": "1", "description": "a\x1b"},
            "description",
            "print",
            id="description",
        ),
        pytest.param("update_ptr", BASE, "ptr", "required", id="no_ptr"),
        pytest.param("update_ptr", {**BASE, "ptr": ""}, "ptr", "allow_empty", id="empty_ptr"),
        pytest.param("update_ptr", {**BASE, "ptr": ()}, "ptr", "allow_empty", id="empty_ptr_list"),
        pytest.param("update_ptr", {**BASE, "ptr": "a.b\nc.d"}, "ptr", "YAML list", id="newline"),
        pytest.param("update_ptr", {**BASE, "ptr": ("a.b\nc.d",)}, "ptr", "print", id="newline_in_list"),
        pytest.param("update_ptr", {**BASE, "ptr": ("a.b", "")}, "ptr", "empty", id="empty_name_in_list"),
    ],
)
def test_bad_parameter_is_refused(action: str, values: dict[str, Rendered], bad: str, reason: str) -> None:
    """A bad value is refused by name before anything is sent."""
    with pytest.raises(ParameterError, match=reason) as refused:
        ACTIONS[action].build(values, Allow())

    assert bad in {name for name, _ in refused.value.problems}


def test_all_problems_of_an_item_come_at_once() -> None:
    """Every bad parameter is named in one error."""
    with pytest.raises(ParameterError) as refused:
        ACTIONS["update_ptr"].build({"ip": "x", "id": "x", "ptr": "x", "location": " "}, Allow())

    assert [name for name, _ in refused.value.problems] == ["ip", "id", "ptr", "location"]


def test_what_the_author_allows_is_sent() -> None:
    """Clearing a PTR, touching IPMI and IPv6 go out once they are allowed."""
    allow = Allow(empty=True, ipmi=True, ipv6=True)

    assert ACTIONS["update_ptr"].build({**BASE, "ptr": ""}, allow)["ptr"] == ""
    assert ACTIONS["set_main"].build({**BASE, "main": "0"}, allow)["main"] == "0"
    assert ACTIONS["get_ip"].build({"ip": "2001:DB8::0:1"}, allow) == {"ip": "2001:db8::1"}


@pytest.mark.parametrize(
    ("action", "envelope", "value"),
    [
        pytest.param("get_client_ip", {"ip": IP}, {"ip": IP}, id="client_ip_flat"),
        pytest.param("get_client_ip", {"data": {"ip": IP}}, {"ip": IP}, id="client_ip_nested"),
        pytest.param("get_ip", {"data": NET}, NET, id="get_ip"),
        pytest.param(
            "get_ip",
            {"data": {**NET, "gateway": None, "ip": IP, "location": "nl", "status": "used", "x": [1]}},
            {**NET, "gateway": None, "ip": IP, "location": "NL", "status": "used"},
            id="get_ip_extras",
        ),
        pytest.param("get_ptr", {"message": "a.example."}, {"ptr": "a.example"}, id="ptr"),
        pytest.param("get_ptr", {"message": "a.b\nc.d"}, {"ptr": ["a.b", "c.d"]}, id="ptrs"),
        pytest.param("get_ptr", {"message": ""}, {"ptr": None}, id="ptr_empty"),
        pytest.param("get_ptr", {"message": None}, {"ptr": None}, id="ptr_null"),
        pytest.param("get_traffic", {"traffic": [ROW]}, {"traffic": [ROW]}, id="traffic"),
        pytest.param("get_traffic", {"traffic": []}, {"traffic": []}, id="traffic_no_rows"),
        pytest.param(
            "get_traffic", {"traffic": [{"in": 1, "out": 2}]}, {"in": 1, "out": 2}, id="summary_one_row"
        ),
        pytest.param(
            "get_traffic", {"traffic": {"in": 1, "out": 2}}, {"in": 1, "out": 2}, id="summary_object"
        ),
        pytest.param("get_traffic", {"in": 1, "out": 2}, {"in": 1, "out": 2}, id="summary_top_level"),
        pytest.param(
            "get_traffic",
            {"in": "1.250", "out": Decimal("1.5E3")},
            {"in": Decimal("1.250"), "out": 1500},
            id="traffic_quoted_and_exponent",
        ),
        pytest.param(
            "list_free_ip",
            {"ip": ["192.168.1.1 NL", "10.0.0.5"]},
            {"ips": [{"ip": "192.168.1.1", "location": "NL"}, {"ip": "10.0.0.5", "location": None}]},
            id="free",
        ),
        pytest.param("list_free_ip", {"ip": []}, {"ips": []}, id="free_none"),
        pytest.param("set_main", {"message": "whatever"}, None, id="set_main"),
        pytest.param("update_ptr", {"message": ""}, None, id="update_ptr"),
    ],
)
def test_every_success_shape_gives_a_typed_answer(
    action: str, envelope: dict[str, JsonValue], value: JsonValue
) -> None:
    """Each shape of a success that is known becomes the action's answer."""
    assert ACTIONS[action].parse({"result": "OK", **envelope}) == value


@pytest.mark.parametrize(
    ("action", "envelope"),
    [
        pytest.param("get_client_ip", {}, id="client_ip_missing"),
        pytest.param("get_client_ip", {"ip": "x"}, id="client_ip_no_address"),
        pytest.param("get_client_ip", {"ip": IP, "data": {"ip": "10.0.0.1"}}, id="client_ip_two"),
        pytest.param("get_ip", {}, id="get_ip_no_data"),
        pytest.param("get_ip", {"data": []}, id="get_ip_list"),
        pytest.param("get_ip", {"data": {**NET, "network": None}}, id="get_ip_no_network"),
        pytest.param("get_ip", {"data": {**NET, "gateway": {"a": 1}}}, id="get_ip_nested"),
        pytest.param("get_ip", {"data": {**NET, "status": 10**400}}, id="get_ip_status_number"),
        pytest.param("get_ptr", {}, id="ptr_missing"),
        pytest.param("get_ptr", {"message": ["a.b"]}, id="ptr_list"),
        pytest.param("get_ptr", {"message": "no PTR here"}, id="ptr_sentence"),
        pytest.param("get_ptr", {"message": "<b>a.b</b>"}, id="ptr_markup"),
        pytest.param("get_ptr", {"message": "a.b\n" * 100_000}, id="ptr_huge"),
        pytest.param("get_traffic", {}, id="traffic_missing"),
        pytest.param("get_traffic", {"traffic": "x"}, id="traffic_text"),
        pytest.param("get_traffic", {"traffic": [{**ROW, "in": "1,5"}]}, id="traffic_text_number"),
        pytest.param("get_traffic", {"traffic": [{**ROW, "in": True}]}, id="traffic_bool"),
        pytest.param("get_traffic", {"traffic": [{**ROW, "in": Decimal("1E+999999")}]}, id="traffic_endless"),
        pytest.param("get_traffic", {"traffic": [{**ROW, "in": Decimal("1E-999999")}]}, id="traffic_tiny"),
        pytest.param("get_traffic", {"traffic": [{**ROW, "in": Decimal("0E+999999")}]}, id="traffic_nil"),
        pytest.param("get_traffic", {"traffic": [{**ROW, "in": 10**12}]}, id="traffic_13_digits"),
        pytest.param("get_traffic", {"traffic": [{**ROW, "in": "1e5"}]}, id="traffic_text_exponent"),
        pytest.param(
            "get_traffic", {"traffic": [{**ROW, "timestamp": "0001-01-01T00:00:00+14:00"}]}, id="before_time"
        ),
        pytest.param("get_traffic", {"traffic": [{**ROW, "in": Decimal("NaN")}]}, id="traffic_nan"),
        pytest.param("get_traffic", {"traffic": [{**ROW, "in": Decimal("Infinity")}]}, id="traffic_infinite"),
        pytest.param("get_traffic", {"traffic": [{**ROW, "in": 10**5000}]}, id="traffic_huge"),
        pytest.param("get_traffic", {"traffic": [{**ROW, "in": -1}]}, id="traffic_negative"),
        pytest.param("get_traffic", {"traffic": [{**ROW, "timestamp": "soon"}]}, id="traffic_time"),
        pytest.param("get_traffic", {"traffic": [{"in": 1, "out": 1}] * 2}, id="traffic_two_without_time"),
        pytest.param("get_traffic", {"traffic": {"in": 1}}, id="summary_half"),
        pytest.param("list_free_ip", {}, id="free_missing"),
        pytest.param("list_free_ip", {"ip": IP}, id="free_text"),
        pytest.param("list_free_ip", {"ip": [["a"]]}, id="free_nested"),
        pytest.param("list_free_ip", {"ip": ["x NL"]}, id="free_no_address"),
        pytest.param("list_free_ip", {"ip": [f"{IP} NL more"]}, id="free_three_parts"),
    ],
)
def test_answer_of_another_shape_is_refused(action: str, envelope: dict[str, JsonValue]) -> None:
    """A success that does not hold the action's own answer is none."""
    with pytest.raises(AnswerShapeError):
        ACTIONS[action].parse({"result": "OK", **envelope})


@given(
    st.sampled_from(sorted(ACTIONS)),
    st.dictionaries(st.sampled_from(["ip", "data", "message", "traffic", "in", "out"]), JSON),
)
def test_any_envelope_gives_an_answer_or_a_shape_error(action: str, envelope: dict[str, JsonValue]) -> None:
    """Parsers raise nothing but `AnswerShapeError`."""
    try:
        ACTIONS[action].parse(envelope)
    except AnswerShapeError:
        return


def test_update_ptr_is_read_back_with_get_ptr() -> None:
    """A write of a name is read back for the same server, address and location."""
    read_back = ACTIONS["update_ptr"].read_back
    assert read_back is not None

    request = read_back.request({**BASE, "ptr": "a.example", "location": "NL"})

    assert request == ApiRequest("get_ptr", {"id": "4711", "ip": IP, "location": "NL"})


def test_request_carries_the_form_and_says_whether_it_writes() -> None:
    """An action's request is its name, its form and whether the server may change something."""
    assert ACTIONS["update_ptr"].request(BASE) == ApiRequest("update_ptr", BASE, writes=True)
