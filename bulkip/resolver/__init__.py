"""What do name servers say at this moment? Asked over the wire, one by one; the only door to dnspython."""

from bulkip.resolver.resolver import Resolver

__all__ = ["Resolver"]
