"""Which facts share a commit: as many as come before somebody waits for one, or the first has waited long."""

from collections.abc import Callable

from anyio import Event, move_on_after

from bulkip.errors import StoreError
from bulkip.store.statements import Statement

FULL = 500
"""So many statements are committed at once, although nobody waits for them."""
LINGER_S = 0.02
"""So long a fact that nobody waits for is held, so that more of them share its commit."""


class Group:
    """Owns statements that are committed together, and knows who waits for that."""

    def __init__(self) -> None:
        """Begin with nothing to commit."""
        self.statements: list[Statement] = []
        self.error: StoreError | None = None
        self._then: list[Callable[[], None]] = []
        self._urgent = Event()
        self._done = Event()

    def add(self, statement: Statement, then: Callable[[], None] | None) -> None:
        """Take in a statement; `then` is called once it is committed."""
        self.statements.append(statement)
        if then is not None:
            self._then.append(then)
        if len(self.statements) == FULL:
            self._urgent.set()

    def hurry(self) -> None:
        """Wait for no more statements."""
        self._urgent.set()

    async def complete(self) -> None:
        """Wait until it should be committed."""
        with move_on_after(LINGER_S):
            await self._urgent.wait()

    async def wait(self) -> None:
        """Wait until it is committed, or has failed to be."""
        self.hurry()
        await self._done.wait()

    def end(self, error: StoreError | None) -> None:
        """Tell those who wait how it went, and what is to be called when it went well."""
        self.error = error
        self._done.set()
        if error is None:
            for then in self._then:
                then()
