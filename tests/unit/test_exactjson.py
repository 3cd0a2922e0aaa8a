"""Figures stay what the server wrote, to the last digit, from its answer to the report."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.envelope import UnreadableError, read_envelope
from bulkip.exactjson import exact_text, exact_value
from bulkip.model import JsonValue

AMOUNTS = st.decimals(min_value=0, max_value=10**12, places=26) | st.integers(0, 10**12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.text() | AMOUNTS,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(), inside, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "digits", ["1.10", "0.00000000000000000000000001", "123456789012.12345678901234567890123456", "0.30", "7"]
)
def test_digits_are_written_as_they_were_read(digits: str) -> None:
    """No digit is lost, added or rounded between reading and writing."""
    assert exact_text(exact_value(f'{{"in": {digits}}}')) == f'{{"in": {digits}}}'


@given(value=VALUES, indent=st.none() | st.just(2), close=st.booleans())
def test_what_was_written_is_read_again(value: JsonValue, indent: int | None, *, close: bool) -> None:
    """Whatever stands around the decimals, a reader gets back what was written."""
    assert exact_value(exact_text(value, close=close, indent=indent)) == value


@given(value=VALUES)
def test_layout_is_that_of_the_standard_writer(value: JsonValue) -> None:
    """A value with decimals looks as one without: the same spaces, the same line ends."""
    whole = json.loads(exact_text(value), parse_float=lambda _digits: 5)
    shown = json.loads(exact_text(value, indent=2), parse_float=lambda _digits: 5)

    assert shown == whole
    assert exact_text([Decimal("1.5"), {"a": [], "b": {}}], indent=2) == json.dumps(
        [1.5, {"a": [], "b": {}}], indent=2
    )


def test_text_for_a_terminal_is_ascii_beside_decimals_too() -> None:
    """What a terminal might obey is escaped, also where the slower writer has to write it."""
    assert exact_text({"é": ["\u202e", Decimal("1.5")]}, ascii_only=True) == '{"\\u00e9": ["\\u202e", 1.5]}'


@pytest.mark.parametrize(
    "number", ["1e999999", "1e99999999999999999999", "1E-99999999999999999999", "1" * 400]
)
def test_endless_number_is_no_answer(number: str) -> None:
    """A number whose digits would fill the memory is refused where the answer is read."""
    with pytest.raises(UnreadableError, match="endless"):
        read_envelope(f'{{"result": "OK", "in": {number}}}'.encode())


@pytest.mark.parametrize(("code", "fails"), [("0.0", False), ("-1.5", True), ("1E-999999", False)])
def test_code_with_a_fraction_is_still_a_code(code: str, *, fails: bool) -> None:
    """The codes of an envelope are judged by their value, however they are written."""
    envelope = read_envelope(f'{{"result": "OK", "code": {code}}}'.encode())

    assert envelope is not None
    assert envelope.claims_failure is fails


def test_infinity_is_not_written() -> None:
    """What JSON has no word for is a bug of ours and never reaches a file."""
    with pytest.raises(ValueError, match="no number"):
        exact_text([Decimal("Infinity")])
