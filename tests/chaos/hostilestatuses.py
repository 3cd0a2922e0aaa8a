"""How a server can misbehave by its status: pages without words, redirects, denied successes."""

from collections.abc import Iterator
from http import HTTPStatus

from tests.chaos.hostileserver import Call, Claim, Kind, http
from tests.chaos.hostilewire import HTML, Written, writes

WITHOUT_WORDS = (
    *(201, 202, 203, 204, 205, 206, 207, 208, 226, 299),
    *(300, 304, 305, 306, 310, 399),
    *(400, 402, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 421, 422),
    *(423, 424, 425, 426, 428, 431, 444, 451, 460, 499),
    *(500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511, 520, 521, 522, 523, 524, 525, 526, 530, 599),
    *(600, 799, 999),
)
"""Statuses under which a page of HTML proves nothing."""
AT_THE_DOOR = (401, 403, 429)
REDIRECTS = (301, 302, 303, 307, 308)


def status_kinds() -> Iterator[Kind]:
    """Yield every kind that is a matter of the status line and of Location."""
    yield from _redirects()
    for status in WITHOUT_WORDS:
        keeps = status not in {204, 205, 304}
        yield Kind(f"html-{status}", writes(_page(status)), _claim_of(status), keeps=keeps)
    for status in (201, 204, 206, 404, 500, 503):
        yield Kind(f"success-{status}", writes(_success_but(status)), keeps=status != 204)
    for status in AT_THE_DOOR:
        claim = Claim.DENIAL if status == HTTPStatus.UNAUTHORIZED else Claim.REFUSAL
        yield Kind(f"html-{status}", writes(_page(status)), claim, keeps=True)


def _claim_of(status: int) -> Claim:
    """Return what a page without words says by its status: what is temporary, or no error, denies nothing."""
    denies = (300 <= status < 500 and status not in {304, 408, 425}) or status == 501
    return Claim.DENIAL if denies else Claim.NOTHING


def _page(status: int) -> Written:
    reason = HTTPStatus(status).phrase if status in {*HTTPStatus} else "Hm"
    return lambda _call: http(HTML, f"{status} {reason}", "Content-Type: text/html")


def _success_but(status: int) -> Written:
    return lambda call: http(call.body, f"{status} Hm")


def _redirects() -> Iterator[Kind]:
    for status in REDIRECTS:
        yield Kind(f"redirect-{status}", writes(_redirect(status, "{trap}/ip.php")), Claim.DENIAL, keeps=True)
    odd = {
        "to-itself": "/ip.php",
        "nowhere": "",
        "to-a-file": "file:///etc/passwd",
        "to-a-script": "javascript:alert(1)",
        "to-credentials": "http://user:{token}@127.0.0.1:9/",
        "with-the-token": "{trap}/?token={token}",
        "with-the-token-as-host": "http://{token}.example.net/",
        "to-garbage": "http://[::1:99999/\x80\x9b31m",
    }
    for name, target in odd.items():
        yield Kind(f"redirect-{name}", writes(_redirect(302, target)), Claim.DENIAL, keeps=True)


def _redirect(status: int, target: str) -> Written:
    def answer(call: Call) -> bytes:
        location = target.replace("{token}", call.token).replace("{trap}", call.trap)
        return http(call.body, f"{status} Moved", f"Location: {location}")

    return answer
