"""Where does a redirect lead, as far as that may be told?"""

from urllib.parse import urlsplit

from bulkip.redact import REDACTED, Redactor

ORIGIN_LIMIT = 200
LOCATION_LIMIT = 8192  # no header is longer
_HOLE = "x--redacted--x"  # stands in a URL for a secret, where brackets would be an address


def clean_origin(location: str, redactor: Redactor) -> str:
    """Return scheme, host and port of a header Location, for a sentence.

    The rest is left out, because it may hold anything. Secrets go first: half
    of one may stand in what is taken for the host.
    """
    whole = redactor.redact(location[:LOCATION_LIMIT]).replace(REDACTED, _HOLE)
    return redactor.clean(_origin(whole).replace(_HOLE, REDACTED), ORIGIN_LIMIT)


def _origin(location: str) -> str:
    try:
        parts = urlsplit(location.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return "no valid URL"
    if not host:
        return "another path" if location.strip() else "nowhere"
    host = f"[{host}]" if ":" in host else host
    scheme = f"{parts.scheme}://" if parts.scheme else "//"
    return f"{scheme}{host}" if port is None else f"{scheme}{host}:{port}"
