"""What an error class means for whoever must do something about it."""

from collections.abc import Mapping
from types import MappingProxyType

from bulkip.model import ErrorClass

HINTS: Mapping[str, str] = MappingProxyType(
    {
        ErrorClass.AUTH: "check the token and its rights",
        ErrorClass.PERMISSION: "is this an account key or the key of another server?",
        ErrorClass.INVALID: "check id and address of these rows",
        ErrorClass.NOT_FOUND: "check the address and the server id",
        ErrorClass.THROTTLED: "try again with a lower --rate",
        ErrorClass.SERVER: "the provider had trouble; try again later",
        ErrorClass.CONNECT: "is the API reachable from here?",
        ErrorClass.TIMEOUT: "the API was slow; try again later or raise --timeout",
        ErrorClass.NETWORK: "connections broke; try again later",
        ErrorClass.TLS: "check `api.url`",
        ErrorClass.DNS: "a host name does not resolve from here, or no name server answered",
        ErrorClass.PROTOCOL: "something between here and the API changes its answers; check `api.url`",
        ErrorClass.UNKNOWN_ANSWER: "the API gave an answer that its documentation does not have",
        ErrorClass.BUDGET: "too many calls had to be repeated; find out why before going on",
        ErrorClass.BREAKER: "the API stopped answering; go on when it is back",
        ErrorClass.DEADLINE: "raise `timeouts.item` or `timeouts.job`, or go on where it ended",
        ErrorClass.CANCELLED: "the run was stopped before these calls were answered",
        ErrorClass.INTERNAL: "a bug or a failing disk; nothing is wrong with these rows",
    }
)
