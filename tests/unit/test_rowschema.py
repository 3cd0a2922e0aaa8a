"""The schema of a report's row names what stands there."""

from typing import Any

from bulkip.model import ErrorClass, Status
from bulkip.reports.rows import FIELDS
from bulkip.reports.rowschema import row_schema


def test_row_schema_has_the_fields_of_a_row() -> None:
    """The fields of a row stand in their order, and all of them always."""
    schema: Any = row_schema()

    assert tuple(schema["properties"]) == FIELDS
    assert schema["required"] == list(FIELDS)


def test_row_schema_has_the_closed_sets() -> None:
    """Every status and every error class may stand in a row, and no other word."""
    properties: Any = row_schema()["properties"]

    assert set(properties["status"]["enum"]) == set(Status)
    assert set(properties["error_class"]["enum"]) == {*ErrorClass, None}
