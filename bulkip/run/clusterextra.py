"""Can this installation, and this PostgreSQL, be used for a cluster?"""

from typing import Final

from bulkip.errors import UsageError

OPTION: Final = "--cluster"
EXTRA: Final = "pip install 'bulkip[cluster]'"


def missing(option: str, error: ImportError) -> UsageError:
    """Return the error about an option whose packages are not installed."""
    return UsageError(f"{option} needs what the extra `cluster` brings ({error}); {EXTRA}")


def check_cluster(url: str, option: str = OPTION) -> None:
    """See that a cluster can be used; raises UsageError, or Halt when nobody is there."""
    try:
        from bulkip.cluster.setup import ensure  # noqa: PLC0415 -- an extra that few installations have
    except ImportError as error:
        raise missing(option, error) from error
    ensure(url, option)
