"""One PTR value for many addresses is refused until its author says that it is meant."""

from pathlib import Path

import pytest

from bulkip.errors import JobError
from bulkip.run.planning import check_job, now_utc
from bulkip.settings import load_job
from bulkip.store import Frozen

UPDATE = "{action: update_ptr, with: {id: 4711}}"
ALLOWED = "{action: update_ptr, with: {id: 4711}, allow_same: true}"

pytestmark = pytest.mark.usefixtures("empty_folder")


def check(rows: list[str], *actions: str) -> Frozen:
    """Check a job whose list has these rows of address and PTR value."""
    Path("rows.csv").write_text("ip,ptr\n" + "".join(f"{row}\n" for row in rows))
    Path("job.yaml").write_text(
        f"version: 1\ntargets: [{{csv: rows.csv}}]\nactions: [{', '.join(actions)}]\n"
    )
    return check_job(load_job("job.yaml"), now_utc())[0]


def told(rows: list[str], *actions: str) -> list[str]:
    """Return what is wrong with such a job."""
    with pytest.raises(JobError) as refused:
        check(rows, *actions)
    return [str(problem) for problem in refused.value.problems]


def same(count: int, value: str = "mail.example.net", first: int = 1) -> list[str]:
    """Return so many rows with one value."""
    return [f"203.0.113.{number},{value}" for number in range(first, first + count)]


def test_ten_addresses_may_get_one_value() -> None:
    """Ten are not more than ten; a row that is repeated is no further address."""
    rows = same(10)

    frozen = check([*rows, *rows], UPDATE)

    assert (frozen.items, frozen.repeated) == (10, 10)


def test_eleventh_address_with_one_value_is_refused() -> None:
    """The problem stands at the eleventh row, with value, count and the way out."""
    (problem,) = told(same(13), UPDATE)

    assert problem == (
        "rows.csv:12:1: update_ptr (step 1): `mail.example.net` is the PTR value of 13 addresses, "
        "this is number 11; if that is meant: allow_same: true in the action"
    )


def test_action_may_allow_one_value() -> None:
    """With `allow_same` any number of addresses may get the same value."""
    assert check(same(40), ALLOWED).items == 40


def test_every_value_that_too_many_get_is_told() -> None:
    """Two copied values are two problems, and what only looks alike is none."""
    rows = [*same(11, "A.example.net"), *same(11, "b.example.net", 21), *same(11, "x{}.example.net", 41)]
    unlike = [row.replace("{}", str(number)) for number, row in enumerate(rows)]

    assert [text.partition(" is")[0] for text in told(unlike, UPDATE)] == [
        "rows.csv:12:1: update_ptr (step 1): `a.example.net`",
        "rows.csv:23:1: update_ptr (step 1): `b.example.net`",
    ]


@pytest.mark.parametrize("case", [str.upper, str.lower], ids=["upper", "lower"])
def test_case_makes_no_other_value(case: type[str]) -> None:
    """DNS names that differ in case are one name."""
    rows = [*same(6), *same(5, case("mail.example.net"), 21)]

    assert len(told(rows, UPDATE)) == 1


def test_values_that_clear_are_no_values() -> None:
    """Any number of addresses may lose their names; another limit watches over that."""
    assert (
        check(same(20, ""), "{action: update_ptr, with: {id: 4711, ptr: ''}, allow_empty: true}").items == 20
    )


def test_value_of_other_actions_is_none() -> None:
    """Only what update_ptr writes is counted."""
    assert check(same(20), "{action: get_ptr, with: {id: 4711}}").items == 20


def test_list_of_names_is_one_value() -> None:
    """Several names for one address count as they are written together."""
    several = '{action: update_ptr, with: {id: 4711, ptr: [a.example.net, "{{ row.ptr }}"]}}'

    assert len(told(same(11), several)) == 1
    assert check([f"203.0.113.{n},b{n}.example.net" for n in range(20)], several).items == 20
