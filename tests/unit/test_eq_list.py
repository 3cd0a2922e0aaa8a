"""What eq/list says: the ids of servers, in whichever of the known shapes."""

from typing import Any

import pytest

from bulkip.actions.action import Allow, AnswerShapeError, ParameterError
from bulkip.actions.eq_list import LIST_ACTION, servers_in
from bulkip.actions.get_ptr import ACTION as GET_PTR
from bulkip.actions.list_free_ip import ACTION as LIST_FREE_IP
from bulkip.model import ErrorClass
from bulkip.retry import Found, Settled, found_in


@pytest.mark.parametrize(
    ("envelope", "servers"),
    [
        pytest.param({"servers": [4711, 815]}, ("4711", "815"), id="numbers"),
        pytest.param({"servers": ["4711"]}, ("4711",), id="texts"),
        pytest.param({"servers": [{"id": 4711, "name": "x"}]}, ("4711",), id="objects"),
        pytest.param({"data": {"servers": [4711]}}, ("4711",), id="below data"),
        pytest.param({"servers": [4711, "4711"]}, ("4711",), id="repeated"),
        pytest.param({"servers": []}, (), id="none"),
    ],
)
def test_ids_are_read_in_every_known_shape(envelope: dict[str, Any], servers: tuple[str, ...]) -> None:
    """Ids come as numbers, texts or in objects, at the top or below; each counts once."""
    assert servers_in(LIST_ACTION.parse(envelope)) == servers


@pytest.mark.parametrize(
    "envelope",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"servers": None}, id="null"),
        pytest.param({"servers": {"4711": {}}}, id="an object"),
        pytest.param({"servers": [True]}, id="true"),
        pytest.param({"servers": [47.11]}, id="a fraction"),
        pytest.param({"servers": [0]}, id="zero"),
        pytest.param({"servers": ["04711"]}, id="a leading zero"),
        pytest.param({"servers": ["lookup"]}, id="a word"),
        pytest.param({"servers": [10**10]}, id="too large"),
        pytest.param({"servers": [4711, None]}, id="one of them is none"),
        pytest.param({"servers": [{"name": "x"}]}, id="an object without id"),
    ],
)
def test_what_is_no_id_makes_the_answer_unusable(envelope: dict[str, Any]) -> None:
    """One entry that is no id makes the whole list doubtful: it could be the second server."""
    with pytest.raises(AnswerShapeError):
        LIST_ACTION.parse(envelope)


def test_only_one_server_is_found() -> None:
    """One is found; none and several end the item, each with its class."""
    nobody, several = found_in(()), found_in(tuple("123456789"))

    assert found_in(("4711",)) == Found("4711")
    assert isinstance(nobody, Settled)
    assert isinstance(several, Settled)
    assert (nobody.result.error_class, several.result.error_class) == (
        ErrorClass.NOT_FOUND,
        ErrorClass.INVALID,
    )
    assert several.result.message == "the address is on several servers: 1, 2, 3, 4, 5 and 4 more"


@pytest.mark.parametrize("text", ["Lookup", "lookup ", "look", "auto"])
def test_only_the_word_itself_asks_for_a_lookup(text: str) -> None:
    """What is nearly `lookup` is refused, and the message names the word."""
    with pytest.raises(ParameterError, match="`lookup` to have it found"):
        GET_PTR.build({"ip": "203.0.113.7", "id": text}, Allow())


def test_subnet_is_not_looked_up() -> None:
    """The id of list_free_ip is a subnet's; no address could say which."""
    with pytest.raises(ParameterError, match="is no id"):
        LIST_FREE_IP.build({"id": "lookup"}, Allow())
