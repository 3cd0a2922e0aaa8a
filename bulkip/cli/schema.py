"""`bulkip schema`: what may stand in a job file, and what stands in a report or a plan?"""

import json

import click

from bulkip.cli.options import Word
from bulkip.model import JsonValue
from bulkip.reports.rowschema import plan_schema, row_schema

EPILOG = """\b
Examples:
  bulkip schema job > bulkip-job.schema.json
  bulkip schema report
\b
An editor with a YAML language server then completes and checks job files that begin with
  # yaml-language-server: $schema=./bulkip-job.schema.json
"""


@click.command(epilog=EPILOG)
@click.argument("kind", type=Word(("job", "report", "plan")))
def schema(kind: str) -> int:
    """Print the JSON Schema (2020-12) of a job file, of a row of a report, or of a plan file."""
    click.echo(json.dumps(_schema(kind), indent=2, ensure_ascii=False))
    return 0


def _schema(kind: str) -> dict[str, JsonValue]:
    match kind:
        case "report":
            return row_schema()
        case "plan":
            return plan_schema()
        case _:
            from bulkip.settings.jsonschema import job_schema  # noqa: PLC0415 -- the models take time to load

            return job_schema()
