"""Which lock guards an account."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.lockname import lock_name, same_url

URL = "https://invapi.example.com/ip.php"
SECRET = "0123456789abcdef"


@pytest.mark.parametrize(
    "spelling",
    [
        pytest.param("https://invapi.example.com/ip.php", id="itself"),
        pytest.param("HTTPS://invapi.example.com/ip.php", id="scheme"),
        pytest.param("https://INVAPI.Example.COM/ip.php", id="case-of-the-host"),
        pytest.param("https://invapi.example.com./ip.php", id="root-of-the-name"),
        pytest.param("https://invapi.example.com:443/ip.php", id="default-port"),
        pytest.param("https://invapi.example.com:/ip.php", id="empty-port"),
        pytest.param("https://invapi.example.com/ip.php/", id="trailing-slash"),
        pytest.param("https://invapi.example.com//ip.php", id="two-slashes"),
        pytest.param("https://invapi.example.com/x/.././ip.php", id="dots"),
        pytest.param("https://invapi.example.com/ip%2Ephp", id="percent"),
    ],
)
def test_spelling_of_a_url_does_not_matter(spelling: str) -> None:
    """However a job writes the URL, its account has one lock."""
    assert lock_name(spelling, SECRET) == lock_name(URL, SECRET)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("http://[::1]:8080/ip.php", "http://[0:0:0:0:0:0:0:1]:8080/ip.php", id="ipv6"),
        pytest.param("http://127.0.0.1/ip.php", "http://127.0.0.1:80/ip.php", id="plain-http"),
        pytest.param("https://example.com", "https://example.com/", id="no-path"),
    ],
)
def test_addresses_and_ports_have_one_form(one: str, other: str) -> None:
    """What every resolver and client takes for the same is the same."""
    assert same_url(one) == same_url(other)


@pytest.mark.parametrize(
    ("url", "secret", "shard"),
    [
        pytest.param(URL, SECRET + "0", "", id="another-secret"),
        pytest.param("https://invapi.example.ru/ip.php", SECRET, "", id="another-portal"),
        pytest.param("https://invapi.example.com:8443/ip.php", SECRET, "", id="another-port"),
        pytest.param("http://invapi.example.com/ip.php", SECRET, "", id="another-scheme"),
        pytest.param("https://invapi.example.com/IP.php", SECRET, "", id="case-of-the-path"),
        pytest.param(URL, SECRET, "1/4", id="a-shard"),
    ],
)
def test_other_account_has_another_lock(url: str, secret: str, shard: str) -> None:
    """Another secret, another place or another shard does not wait for this one."""
    assert lock_name(url, secret, shard) != lock_name(URL, SECRET)


def test_name_is_no_plain_digest_of_the_secret() -> None:
    """Guessing the secret from the name costs what PBKDF2 makes it cost, for each URL anew."""
    name = lock_name(URL, SECRET)

    quick = [hashlib.sha256(text.encode()).hexdigest() for text in (SECRET, URL + SECRET, SECRET + URL)]
    assert SECRET not in name
    assert not any(digest.startswith(name) for digest in quick)
    assert name != lock_name("https://invapi.example.com/other.php", SECRET)


@given(path=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40))
def test_any_path_of_a_url_has_a_form(path: str) -> None:
    """No path that a job may name is too strange, and its form is stable."""
    url = f"https://example.com/{path.replace('?', '').replace('#', '')}"

    assert same_url(url) == same_url(f"{url}/")
