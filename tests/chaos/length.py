"""Whether the tests of this folder run at full length, as `make chaos` wants it, or in `make test`."""

import os

import pytest

LONG = os.environ.get("BULKIP_CHAOS") == "1"

long_only = pytest.mark.skipif(not LONG, reason="takes minutes; `make chaos` runs it (BULKIP_CHAOS=1)")
"""Marks a test that has no short version."""

patient = pytest.mark.timeout(1800 if LONG else 120)
"""Marks a test that has as long as it needs on a busy machine, and yet may not hang."""
