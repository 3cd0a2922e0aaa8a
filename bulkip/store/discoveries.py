"""What a run finds out before its first write, as statements: servers, what they hold, where names lead."""

from collections.abc import Iterable, Iterator

from bulkip.model import Item
from bulkip.proof import Lead, Leading
from bulkip.store.questions import ITEMS, UNTRACED
from bulkip.store.statements import HOLDING, LEAD, SERVER, SERVERS, SHOWN, UNREAD, Statement

NOT_LED = f"""
INSERT INTO lead SELECT item.number, '{Leading.UNKNOWN}', ? {ITEMS}
WHERE {UNTRACED} AND item.account = ? ON CONFLICT DO NOTHING
"""


def found_server(item: Item, server: str) -> Statement:
    """Return that the address of an item is on a server; it holds for all that its address is to get."""
    return SERVER, (server, item.ip), item


def account_servers(account: int, servers: Iterable[str]) -> Iterator[Statement]:
    """Yield which servers an account has."""
    yield from ((SERVERS, (account, server), None) for server in servers)


def held_addresses(account: int, server: str, addresses: Iterable[str]) -> Iterator[Statement]:
    """Yield which addresses a server has, and that it was asked: in this order."""
    yield from ((HOLDING, (account, ip, server), None) for ip in addresses)
    yield SHOWN, (account, server), None


def left_unread(item: Item, reason: str) -> Statement:
    """Return that a write goes on without its value before, and why that is not to be had."""
    return UNREAD, (item.number, reason), item


def found_lead(item: Item, lead: Lead) -> Statement:
    """Return where the names of a write lead."""
    return LEAD, (item.number, lead.leading, lead.reason), item


def no_more_leads(reason: str, account: int) -> Statement:
    """Return that nobody is asked about the names of an account that are left, and why."""
    return NOT_LED, (reason, account), None
