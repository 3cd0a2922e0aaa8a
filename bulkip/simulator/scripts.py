"""Which scripts the simulated provider serves, and which actions they know."""

from collections.abc import Mapping
from types import MappingProxyType

from bulkip.simulator import auth_php, eq_callback_php, eq_php, ip_php
from bulkip.simulator.account import Script

SCRIPTS: Mapping[str, Script] = MappingProxyType(
    {
        "auth.php": auth_php.answer,
        "eq.php": eq_php.answer,
        "eq_callback.php": eq_callback_php.answer,
        "ip.php": ip_php.answer,
    }
)
ACTIONS = tuple(sorted({*ip_php.METHODS, *auth_php.METHODS, *eq_php.METHODS, *eq_callback_php.METHODS}))
WRITES = ("set_main", "update_ptr")
