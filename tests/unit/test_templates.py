"""What templates become, and what they may not do."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.conditions import compile_condition
from bulkip.templates import Address, ItemFields, Row, Scope, TemplateError, compile_template

VARIABLES = {"zone": "example.net", "items": "a variable"}
SCOPE = Scope({"vars": VARIABLES})
VALUES: dict[str, object] = {
    "ip": Address("203.0.113.7"),
    "row": Row({"id": "4711", "role": "mail", "items": "a column", "empty": ""}),
    "item": ItemFields(3),
    "vars": VARIABLES,
}
PIECES = re.split(
    " +",
    "{{ }} {% %} {# #} ip row item vars . | ~ * ** % + - ( ) [ ] , ' 9 10**9 .dashed .role .__class__ "
    "for in if else endif endfor set = range default format split ['x'] .format self loop not",
)


def rendered(text: str) -> str:
    """Compile and render a template for the item above."""
    return compile_template(text, SCOPE).render(VALUES)


@pytest.mark.parametrize(
    ("ip", "field", "expected"),
    [
        pytest.param("203.0.113.7", "dashed", "203-0-113-7", id="dashed"),
        pytest.param("203.0.113.7", "reversed", "7.113.0.203", id="reversed"),
        pytest.param("203.0.113.7", "o1", "203", id="o1"),
        pytest.param("203.0.113.7", "o2", "0", id="o2"),
        pytest.param("203.0.113.7", "o3", "113", id="o3"),
        pytest.param("203.0.113.7", "o4", "7", id="o4"),
        pytest.param("10.0.0.7", "hex", "0a000007", id="hex"),
        pytest.param("203.0.113.7", "int", "3405803783", id="int"),
        pytest.param("203.0.113.7", "arpa", "7.113.0.203.in-addr.arpa", id="arpa"),
        pytest.param("203.0.113.7", "exploded", "203.0.113.7", id="exploded"),
        pytest.param("2001:db8::1", "dashed", "2001-0db8-0000-0000-0000-0000-0000-0001", id="dashed6"),
        pytest.param("2001:db8::1", "exploded", "2001:0db8:0000:0000:0000:0000:0000:0001", id="exploded6"),
        pytest.param("2001:db8::1", "reversed", ".".join("1" + "0" * 23 + "8bd01002"), id="reversed6"),
    ],
)
def test_address_offers_its_forms(ip: str, field: str, expected: str) -> None:
    """The forms of an address that names are made of; IPv6 ones are exploded."""
    template = compile_template(f"{{{{ ip.{field} }}}}", SCOPE)

    assert template.render({**VALUES, "ip": Address(ip)}) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("{{ ip }}", "203.0.113.7", id="address"),
        pytest.param("100%.{{ ip.dashed }}.{{ vars.zone }}", "100%.203-0-113-7.example.net", id="fields"),
        pytest.param("{{ row.items }}/{{ vars.items }}", "a column/a variable", id="column_wins_over_method"),
        pytest.param("{{ row['id'] }}{{ item.index }}", "47113", id="subscript_and_index"),
        pytest.param("{{ row.nope | default('x') }}", "x", id="default"),
        pytest.param("{{ row.role if row.id else 'none' }}", "mail", id="condition"),
        pytest.param("{{ '%03d' % item.index }}{{ '{:02x}'.format(255) }}", "003ff", id="formats"),
        pytest.param("{% for part in ip.split('.') %}{{ part }}{% endfor %}", "20301137", id="loop"),
        pytest.param("{% for i in range(3) %}{{ i }}{% endfor %}", "012", id="range"),
        pytest.param("{{ ip.o4|int + 1 }}", "8", id="arithmetic"),
        pytest.param("no braces }}", "no braces }}", id="constant"),
    ],
)
def test_template_is_rendered(text: str, expected: str) -> None:
    """Fields, filters, conditions and small loops are available."""
    assert rendered(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("{{ ip", "unexpected end", id="syntax"),
        pytest.param("\n{% if %}", "(line 2 of the template)", id="line_of_a_syntax_error"),
        pytest.param("{{ foo }}", "'foo' is not defined", id="unknown_name"),
        pytest.param("{{ vars.zon }}", "did you mean 'zone'", id="unknown_variable"),
        pytest.param("{{ ip.dahsed }}", "did you mean 'dashed'", id="unknown_form"),
        pytest.param("{{ row.rule }}", "no field 'rule'; it has 'id', 'role'", id="missing_field"),
        pytest.param("{{ ''.__class__.__mro__ }}", "unsafe", id="attribute_escape"),
        pytest.param("{{ row['__class__'] }}", "no field", id="subscript_escape"),
        pytest.param("{{ '{0.__class__}'.format(ip) }}", "unsafe", id="format_escape"),
        pytest.param("{{ ip|attr('__class__') }}", "No filter", id="attr_filter"),
        pytest.param("{% for i in range(10**9) %}x{% endfor %}", "loops more", id="huge_loop"),
        pytest.param("{{ 'a' * 10**9 }}", "4096", id="huge_text"),
        pytest.param("{{ ip ~ 10**9 * 'a' }}", "4096", id="huge_text_beside_an_address"),
        pytest.param("{{ ip.ljust(10**9) }}", "width", id="huge_padding"),
        pytest.param("{{ '%*d' % (10**9, 1) }}", "width", id="huge_percent_width"),
        pytest.param("{{ '{:{}}'.format(1, 10**9) }}", "width", id="huge_format_width"),
        pytest.param("{{ 9 ** 99999999 }}", "bits", id="huge_number"),
        pytest.param("{{ ([1] * 9)|length }}", "multiplying a list", id="list_times_number"),
        pytest.param(
            "{% for a in ip %}{% for b in ip %}{% for c in ip %}x{% endfor %}{% endfor %}{% endfor %}",
            "2 deep",
            id="three_loops_deep",
        ),
        pytest.param(
            "{% set a = [1] %}{% set b = [a, a] %}{{ b|length }}", "within a list", id="nested_lists"
        ),
        pytest.param("{% set a = ip ~ 'x' * 4000 %}{{ a ~ a }}", "characters", id="doubling"),
        pytest.param("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "`macro`", id="macro"),
        pytest.param("{% include 'x' %}", "`include`", id="include"),
        pytest.param("{{ " + "(" * 1500 + "ip" + ")" * 1500 + " }}", "too deeply", id="nesting"),
        pytest.param("{{ ip" + " " * 5000 + "}}", "characters", id="long_template"),
        pytest.param("{{ row }}", "no text", id="mapping_is_no_text"),
        pytest.param("{{ none }}", "none is no text", id="none_is_no_text"),
        pytest.param("{{ 1 // 0 }}", "division", id="division_by_zero"),
    ],
)
def test_bad_template_is_refused_quickly(text: str, reason: str) -> None:
    """What a template may not do is one clear error, at once."""
    began = time.perf_counter()

    with pytest.raises(TemplateError, match=re.escape(reason)):
        rendered(text)

    assert time.perf_counter() - began < 2


@given(st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join))
def test_only_template_errors_come_out_of_a_template(text: str) -> None:
    """Whatever stands between braces, it gives a text or a `TemplateError`."""
    for template in (text, f"{{{{ {text} }}}}"):
        try:
            assert isinstance(rendered(template), str)
        except TemplateError:
            continue


@given(st.text(max_size=30), st.text(max_size=30))
def test_short_way_gives_what_the_sandbox_gives(before: str, cell: str) -> None:
    """Filling in fields without evaluating gives the same text as evaluating."""
    before = before.replace("{", "")
    values = {**VALUES, "row": Row({"x": cell})}

    short = compile_template(before + "{{ row.x }}{{ ip.hex }}", SCOPE).render(values)
    long = compile_template(before + "{{ row.x ~ '' }}{{ ip.hex ~ '' }}", SCOPE).render(values)

    assert short == long


def test_template_that_uses_no_item_is_rendered_once() -> None:
    """A template over variables alone is a constant."""
    assert compile_template("{{ vars.zone|upper }}", SCOPE).constant


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("{{ row.role == 'mail' }}", True, id="comparison"),
        pytest.param("row.role != 'mail'", False, id="bare_expression"),
        pytest.param("{{ row.empty }}", False, id="empty_cell"),
        pytest.param("yes", True, id="yes"),
        pytest.param("NO", False, id="no"),
        pytest.param("1", True, id="one"),
        pytest.param("{% if ip.o4 == 7 %}true{% endif %}", True, id="statement"),
    ],
)
def test_condition_is_true_or_false(text: str, *, expected: bool) -> None:
    """`when` gives true, false, 1, 0, yes, no or nothing; braces may be left out."""
    assert compile_condition(text, SCOPE).holds(VALUES) is expected


def test_condition_that_is_neither_is_an_error() -> None:
    """A `when` that gives another text is refused, not guessed."""
    with pytest.raises(TemplateError, match="neither true nor false"):
        compile_condition("{{ row.role }}", SCOPE).holds(VALUES)
