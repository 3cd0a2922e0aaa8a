"""Which addresses were named before, however many there are."""

from hypothesis import given
from hypothesis import strategies as st

from bulkip.store.sightings import Sightings


@given(st.lists(st.integers(0, 9)))
def test_first_place_of_every_address_is_known(named: list[int]) -> None:
    """Each address is told where it was named first, and counted once."""
    places: dict[str, str] = {}

    with Sightings() as seen:
        for line, number in enumerate(named, start=1):
            ip, place = f"203.0.113.{number}", f"rows.csv:{line}"
            assert seen.first(ip, place) == places.get(ip)
            places.setdefault(ip, place)

    assert seen.count == len(places)
