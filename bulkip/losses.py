"""Where on its way was a call lost? What aiohttp and the system say of it, in our own words."""

import os
from ssl import SSLCertVerificationError, SSLError

import aiohttp
from aiohttp.http_exceptions import ContentLengthError, HttpProcessingError, TransferEncodingError

from bulkip.connections import StaleConnectionError
from bulkip.policy import Timeouts
from bulkip.wire import Failure, FailureKind

LOST_BY = (aiohttp.ClientError, HttpProcessingError, OSError, ValueError)  # TimeoutError is an OSError
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")  # OpenSSL's words for it
_CUT_SHORT = (ContentLengthError, TransferEncodingError)


def before_sending(error: Exception, timeouts: Timeouts) -> Failure:
    """Translate what kept a call from being sent; our own words only, for the server's may hold the token."""
    match error:
        case aiohttp.ClientConnectorDNSError() | UnicodeError():
            kind, text = FailureKind.DNS, "the host name does not resolve"
        case aiohttp.ClientConnectorCertificateError():
            kind, text = FailureKind.CERTIFICATE, _distrust(error.certificate_error)
        case aiohttp.ClientSSLError() if _speaks_no_tls(error.os_error):
            kind, text = FailureKind.NO_TLS, "the server does not speak TLS on this port"
        case aiohttp.ClientSSLError():
            kind, text = FailureKind.TLS, "the TLS handshake failed"
        case TimeoutError():
            kind, text = FailureKind.CONNECT, f"no connection within {timeouts.connect_s:g} s"
        case aiohttp.ClientConnectorError():
            kind, text = FailureKind.CONNECT, f"no connection: {_reason(error.os_error)}"
        case StaleConnectionError():
            kind, text = FailureKind.NETWORK, "the server did not wait for the request; nothing was sent"
        case OSError():
            kind, text = FailureKind.CONNECT, f"no connection: {_reason(error)}"
        case _:
            kind, text = FailureKind.CONNECT, "the URL of the API cannot be called; check `api.url`"
    return Failure(kind, sent=False, message=text)


def after_sending(error: Exception, timeouts: Timeouts, *, answered: bool) -> Failure:
    """Translate what ended a call that had left; `answered` says that a status line had come."""
    match error:
        case TimeoutError():
            kind, text = FailureKind.TIMEOUT, f"no complete answer within {timeouts.attempt_s:g} s"
        case aiohttp.ClientPayloadError() if isinstance(error.__cause__, _CUT_SHORT):
            kind, text = FailureKind.NETWORK, "the connection ended in the middle of the answer"
        case aiohttp.ServerDisconnectedError():
            kind, text = FailureKind.NETWORK, "the server closed the connection without an answer"
        case OSError():
            kind, text = FailureKind.NETWORK, f"the connection broke: {_reason(error)}"
        case aiohttp.ClientConnectionError():
            kind, text = FailureKind.NETWORK, "the connection broke"
        case _:
            kind, text = FailureKind.PROTOCOL, "the answer is not valid HTTP"
    return Failure(kind, sent=True, message=text, answered=answered)


def _speaks_no_tls(error: OSError) -> bool:
    return isinstance(error, SSLError) and error.reason in _NO_TLS


def _distrust(error: Exception) -> str:
    reason = error.verify_message if isinstance(error, SSLCertVerificationError) else "not valid"
    return f"the server's certificate is not trusted: {reason}"


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else type(error).__name__
