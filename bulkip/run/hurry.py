"""Is a run to stop? Then nobody waits long for a database that went away."""


class Hurry:
    """Owns the answer, for all who may wait on a thread."""

    def __init__(self) -> None:
        """Begin with all the time there is."""
        self.is_on = False

    def __call__(self) -> bool:
        """Say whether the run is to stop."""
        return self.is_on
