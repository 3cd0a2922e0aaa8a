"""Which texts may become PTR names."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.hostnames import check_hostname, ptr_names, same_names

INDEPENDENT = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))+")
L63 = "a" * 63
N253 = f"{L63}.{L63}.{L63}.{'a' * 61}"


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        pytest.param("mail.example.net", "mail.example.net", id="plain"),
        pytest.param("Mail.Example.NET", "Mail.Example.NET", id="case_is_kept"),
        pytest.param("mail.example.net.", "mail.example.net", id="trailing_dot_is_dropped"),
        pytest.param("_dmarc.example.net", "_dmarc.example.net", id="underscore"),
        pytest.param("203-0-113-7.example.net", "203-0-113-7.example.net", id="digits_and_hyphens"),
        pytest.param("münchen.example", "xn--mnchen-3ya.example", id="idna"),
        pytest.param("_x.münchen.example", "_x.xn--mnchen-3ya.example", id="idna_beside_underscore"),
        pytest.param("例え。テスト。", "xn--r8jz45g.xn--zckzah", id="ideographic_dots"),
        pytest.param(N253, N253, id="longest"),
    ],
)
def test_host_name_is_sent_in_ascii(text: str, sent: str) -> None:
    """A host name goes out in ASCII, in its author's case and without trailing dot."""
    assert check_hostname(text) == sent


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param(".", "empty label", id="root"),
        pytest.param("a..example", "empty label", id="two_dots"),
        pytest.param("a.example..", "empty label", id="two_trailing_dots"),
        pytest.param("localhost", "single label", id="single_label"),
        pytest.param("203.0.113.7", "ends in a number", id="address"),
        pytest.param("-a.example", "hyphen", id="begins_with_hyphen"),
        pytest.param("a-.example", "hyphen", id="ends_with_hyphen"),
        pytest.param(f"{L63}a.example", "label of 64", id="label_of_64"),
        pytest.param(f"{N253}a", "254 characters", id="name_of_254"),
        pytest.param("a b.example", "white space", id="blank"),
        pytest.param("a.example\n", "white space", id="newline"),
        pytest.param("a.exa\u202emple", "do not print", id="bidi"),
        pytest.param("a.exa\ud800mple", "do not print", id="surrogate"),
        pytest.param("*.example.net", "'*'", id="wildcard"),
        pytest.param("a/b.example", "'/'", id="slash"),
        pytest.param("℀.example", "'/'", id="maps_to_slash"),
        pytest.param("x" * 100_000, "too long", id="huge"),
    ],
)
def test_bad_host_name_is_refused_with_the_reason(text: str, reason: str) -> None:
    """What is no host name is refused before anything is sent."""
    with pytest.raises(ValueError, match=re.escape(reason)):
        check_hostname(text)


@given(st.one_of(st.text(max_size=80), st.from_regex(r"[A-Za-z0-9_.ü。-]{1,80}", fullmatch=True)))
def test_accepted_host_name_passes_an_independent_pattern(text: str) -> None:
    """Whatever is accepted consists of LDH labels, and is accepted again unchanged."""
    try:
        sent = check_hostname(text)
    except ValueError:
        return

    assert INDEPENDENT.fullmatch(sent)
    assert len(sent) <= 253
    assert check_hostname(sent) == sent


def test_several_lines_are_several_names() -> None:
    """A PTR value holds one name a line; blanks, trailing dots and repeats do not count."""
    assert ptr_names("a.example.\r\n\n b.example \nA.EXAMPLE") == ("A.EXAMPLE", "b.example")
    assert ptr_names("") == ()


def test_names_compare_as_sets_without_case_and_trailing_dot() -> None:
    """Order, case and trailing dots make no difference between PTR values."""
    assert same_names(["A.example.", "b.example"], ("B.EXAMPLE", "a.example"))
    assert not same_names(["a.example"], ["a.example", "b.example"])
