"""What is told about where a redirect leads."""

import pytest

from bulkip.redact import REDACTED, Redactor
from bulkip.redirects import clean_origin

SECRET = "Tk/4f3c:2b9d@7e5a"


@pytest.mark.parametrize(
    ("location", "origin"),
    [
        pytest.param(f"https://{SECRET}.example/", f"https://{REDACTED}.example", id="host"),
        pytest.param(f"https://{SECRET}/x", f"https://{REDACTED}", id="whole-host"),
        pytest.param(f"https://example.net/{SECRET}", "https://example.net", id="path"),
        pytest.param(f"{SECRET}://example.net/", f"{REDACTED}://example.net", id="scheme"),
        pytest.param("https://" + "x" * 10_000 + SECRET, "https://" + "x" * 191 + "…", id="long"),
    ],
)
def test_no_half_of_a_secret_is_taken_for_a_host(location: str, origin: str) -> None:
    """A secret with characters that mean something in a URL is taken out before the URL is taken apart."""
    assert clean_origin(location, Redactor([SECRET])) == origin
