"""How a run is told to a URL: one POST of JSON, with a short patience and nothing of the answer read."""

import aiohttp

from bulkip.version import __version__

ANSWERED = 300
"""Below this an HTTP status means that the call was taken."""


async def post(url: str, body: bytes, timeout_s: float) -> str | None:
    """Post JSON and return why it was not taken, or None; no text in it shows the URL.

    No redirect is followed, and no proxy of the environment is used.
    """
    try:
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=timeout_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": f"bulkip/{__version__}", "Content-Type": "application/json"},
                trust_env=False,
            ) as session,
            session.post(url, data=body, allow_redirects=False) as answer,
        ):
            status = answer.status
    except TimeoutError:
        return f"no answer within {timeout_s:g} s"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return f"no connection ({_kind(error)})"
    return None if status < ANSWERED else f"answered HTTP {status}"


def _kind(error: Exception) -> str:
    """Return what went wrong without the error's own text, in which the URL may stand."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate does not verify"
        case aiohttp.ClientConnectorError():
            return error.strerror or "refused"
        case aiohttp.ClientConnectionError():
            return "it was closed"
        case _:
            return "no answer that could be read"
