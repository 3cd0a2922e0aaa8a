"""Which actions there are: one module each, found by looking; an eighth is one more file with `ACTION`."""

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType

from bulkip.actions.action import Action


def _found() -> Iterator[Action]:
    for module in pkgutil.iter_modules(__path__):
        action = getattr(import_module(f"{__name__}.{module.name}"), "ACTION", None)
        if isinstance(action, Action):
            yield action


def _by_name() -> dict[str, Action]:
    found = sorted(_found(), key=lambda action: action.name)  # the vendor's page is alphabetical too
    by_name = {action.name: action for action in found}
    if len(by_name) < len(found):
        names = ", ".join(action.name for action in found)
        raise TypeError(f"two modules of bulkip.actions define one action; rename one of: {names}")
    return by_name


ACTIONS: Mapping[str, Action] = MappingProxyType(_by_name())
"""Every action by its API name, in the order of the vendor's page."""
