"""Which scripts the simulated provider serves, and which actions they know."""

from collections.abc import Mapping
from types import MappingProxyType

from bulkip.simulator import ip_php
from bulkip.simulator.pages import Script

SCRIPTS: Mapping[str, Script] = MappingProxyType({"ip.php": ip_php.answer})
ACTIONS = tuple(sorted(ip_php.METHODS))
