"""Which URLs and secrets a job may name, and that a secret is never shown."""

import pytest

from tests.jobtexts import told

HEAD = "version: 1\ntargets: [203.0.113.7]\nactions: [{action: get_ip}]\n"


pytestmark = pytest.mark.usefixtures("empty_folder")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("http://example.com/ip.php", "is not encrypted", id="http"),
        pytest.param("http://127.0.0.1.example.com/", "is not encrypted", id="loopback-as-prefix"),
        pytest.param("http://127.1/", "is not encrypted", id="short-loopback"),
        pytest.param("http://localhost.example.com/", "is not encrypted", id="localhost-as-prefix"),
        pytest.param("HTTP://example.com/ip.php", "is not encrypted", id="upper-case"),
        pytest.param("http://2130706433/", "is not encrypted", id="decimal-loopback"),
        pytest.param("http://0x7f000001/", "is not encrypted", id="hexadecimal-loopback"),
        pytest.param("http://0177.0.0.1/", "is not encrypted", id="octal-loopback"),
        pytest.param("http://127.0.0.1./", "is not encrypted", id="loopback-with-dot"),
        pytest.param("http://localhost./", "is not encrypted", id="localhost-with-dot"),
        pytest.param("http://0.0.0.0/", "is not encrypted", id="any-address"),
        pytest.param("http://[::]/", "is not encrypted", id="any-ipv6-address"),
        pytest.param("http://[::1%25lo]/", "no valid host name", id="loopback-with-zone"),
        pytest.param("http://[::1]example.com/", "no valid host name", id="loopback-and-more"),
        pytest.param("http://[::1].example.com/", "no valid host name", id="loopback-and-domain"),
        pytest.param("http://[::1]:80.example.com/", "cannot be read", id="loopback-port-and-more"),
        pytest.param("http://127.0.0.1@example.com/", "must not hold a user", id="loopback-as-user"),
        pytest.param("http://S3CRET@127.0.0.1/", "must not hold a user", id="user"),
        pytest.param("http://127.0.0.1;@example.com/", "must not hold a user", id="semicolon"),
        pytest.param("http://127.0.0.1%40example.com/", "no valid host name", id="escaped-at-sign"),
        pytest.param("http://127.0.0.1#@example.com/", "query or fragment", id="loopback-before-fragment"),
        pytest.param("http://\uff11\uff12\uff17.0.0.1/", "plain ASCII", id="full-width-digits"),
        pytest.param("http://l\u043ecalhost/", "plain ASCII", id="cyrillic-localhost"),
        pytest.param("https://ex\xe4mple.net/", "plain ASCII", id="international-name"),
        pytest.param("https://example.com/ip.php?", "query or fragment", id="empty-query"),
        pytest.param("https://@example.com/", "must not hold a user", id="empty-user"),
        pytest.param("https://:443/", "is not an https URL", id="port-alone"),
        pytest.param("https://example.com:+443/", "cannot be read", id="port-with-sign"),
        pytest.param("https:example.com", "is not an https URL", id="no-slashes"),
        pytest.param("//example.com/", "is not an https URL", id="scheme-relative"),
        pytest.param("http://[::ffff:127.0.0.1]/", "no valid host name", id="mapped-loopback"),
        pytest.param("http://127.0.0.1%2eexample.com/", "no valid host name", id="escaped-host"),
        pytest.param("https://user:S3CRET@example.com/", "must not hold a user or password", id="password"),
        pytest.param("https://example.com/ip.php?token=S3CRET", "query or fragment", id="query"),
        pytest.param("https://example.com/#S3CRET", "query or fragment", id="fragment"),
        pytest.param("ftp://example.com/", "is not an https URL", id="ftp"),
        pytest.param("example.com/ip.php", "is not an https URL", id="no-scheme"),
        pytest.param("https:///ip.php", "is not an https URL", id="no-host"),
        pytest.param("https://example.com:99999/", "cannot be read", id="port-too-high"),
        pytest.param("https://example.com:0/", "has port 0", id="port-0"),
        pytest.param("https://[::1/", "cannot be read", id="broken-brackets"),
        pytest.param("https://exa mple.com/", "plain ASCII without spaces", id="space"),
        pytest.param(
            r"https://example.com\@evil/", "plain ASCII without spaces or backslashes", id="backslash"
        ),
    ],
)
def test_unsafe_url_is_refused_without_showing_secrets(url: str, expected: str) -> None:
    """A URL that would send the token in the clear, or carries a secret, is refused."""
    problems = told(f"{HEAD}api: {{url: '{url}'}}\n")

    assert len(problems) == 1
    assert expected in problems[0]
    assert "S3CRET" not in problems[0]


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/ip.php",
        "https://[2001:db8::1]:8443/",
        "http://127.9.9.9:1/",
        "http://[::1]:80/",
        "http://localhost:8080/ip.php",
        "HTTPS://API.EXAMPLE.COM/ip.php",
        "http://LOCALHOST/",
        "http://[0:0:0:0:0:0:0:1]/",
    ],
)
def test_https_and_loopback_urls_are_taken_as_they_are(url: str) -> None:
    """Https is allowed anywhere, plain http on the loopback alone."""
    assert told(f"{HEAD}api: {{url: '{url}'}}\n") == []


@pytest.mark.parametrize(
    "secret", ["S3CRET", "env:S3CRET-x", "env:", "file:", "Env:S3CRET", "[S3CRET]", "{S3CRET: 1}"]
)
def test_secret_in_a_job_file_is_refused_and_not_shown(secret: str) -> None:
    """A token that is no reference may be the secret itself, and is not repeated."""
    problems = told(f"{HEAD}api: {{token: {secret}}}\n")

    assert len(problems) == 1
    assert "S3CRET" not in problems[0]
