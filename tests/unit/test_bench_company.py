"""How the bench knows whether it was alone."""

import pytest

from tests.bench.company import told, worked_s


def test_work_is_all_that_is_neither_idle_nor_waiting() -> None:
    """User, nice, system, interrupts and stolen time are work; idle and disk waits are not."""
    line = "cpu  100 20 30 9999 8888 4 6 40 7 7"

    assert worked_s(line, 100) == 2.0


@pytest.mark.parametrize(
    ("cores", "text"),
    [
        pytest.param(0.04, "0.04 cores on the average; quiet", id="alone"),
        pytest.param(1.2, "1.20 cores on the average; NOT quiet: measure again when it is", id="in company"),
        pytest.param(None, "unknown", id="no such figures here"),
    ],
)
def test_company_is_told_with_what_it_means(cores: float | None, text: str) -> None:
    """Whoever reads the figures learns whether to trust them."""
    assert told(cores) == text
