"""`bulkip doctor`: can a run be believed, and is this machine set up?"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import click

from bulkip.characters import FORBIDDEN
from bulkip.cli import suggestions
from bulkip.cli.options import EXISTING, Word, option, run_dir_option
from bulkip.errors import UsageError
from bulkip.model import JsonValue, Status
from bulkip.reports.output import STDOUT, write_report
from bulkip.reports.text import outcome
from bulkip.run.checkup import Checkup, checkup
from bulkip.run.findings import Finding, code_of
from bulkip.run.runs import find_run
from bulkip.run.setup import look_around

GRADE, SUBJECT = 7, 9
EPILOG = """\b
Examples:
  bulkip doctor
  bulkip doctor --job jobs/ptr-migration.yaml
  bulkip doctor --job jobs/several-accounts.yaml --offline
  bulkip doctor --offline
  bulkip doctor last
  bulkip doctor 20260901T0315 --format json
\b
Exit codes: 0 all is well (warnings too). Of a run: 3 a law is broken, 6 its store cannot be
read. Of the set-up: 2 the configuration is wrong, 6 the API cannot be reached, 7 it refuses
the token or is another server.
"""


@click.command(epilog=EPILOG)
@click.argument("run", required=False, shell_complete=suggestions.runs)
@option("--job", type=EXISTING, twin=False, help="Check the set-up for this job: its URL, its secret.")
@option("--offline", is_flag=True, twin=False, help="Leave out the one call to the API.")
@option("--format", "form", type=Word(("text", "json")), default="text", show_default=True, twin=False,
        help="How to print it.")  # fmt: skip
@run_dir_option
def doctor(run: str | None, job: Path | None, form: str, run_dir: Path, *, offline: bool) -> int:
    """Recount a run law by law from its store, and say what is wrong, where, and what to do.

    RUN is an id, a unique prefix, `last` or `last~1`. Without it the set-up is
    checked: Python, the run folder, the token, the API (one get_client_ip), the
    clock. Secrets are never shown.
    """
    if run is None:
        findings = tuple(look_around(run_dir, job, offline=offline))
        told: dict[str, JsonValue] = {}
        _print(form, told, findings, [])
        return code_of(findings)
    if job is not None or offline:
        raise UsageError("--job and --offline belong to the check of the set-up; leave RUN out")
    found = checkup(find_run(run_dir, run))
    _print(form, _told(found), found.findings, _next(found))
    return code_of(found.findings)


def _print(form: str, told: dict[str, JsonValue], findings: tuple[Finding, ...], after: list[str]) -> None:
    if form == "json":
        rows = [asdict(finding) for finding in findings]
        whole = {**told, "findings": rows, "exit_code": code_of(findings)}
        write_report(STDOUT, [json.dumps(whole, ensure_ascii=False, indent=2) + "\n"])
        return
    first = [f"{told['run']}: {told['job']}, {outcome(told)}"] if told else []
    lines = [*first, *_lines(findings), *after]
    write_report(STDOUT, [FORBIDDEN.sub("?", line) + "\n" for line in lines])


def _told(found: Checkup) -> dict[str, JsonValue]:
    sums = found.sums
    return {
        "run": found.header.id,
        "job": found.header.job_name,
        "simulated": found.header.simulated,
        "total": sums.items,
        "by_status": {status.value: found.counts.of(status) for status in Status if found.counts.of(status)},
        "calls": sums.calls,
        "next": [step.command for step in found.steps],
    }


def _lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield a line for each finding, below it its first places and the way out."""
    for finding in findings:
        yield f"{finding.grade:<{GRADE}}{finding.subject:<{SUBJECT}}{finding.text}"
        deeper = " " * (GRADE + SUBJECT + 2)
        for place in finding.places:
            yield deeper + place
        if finding.count > len(finding.places):
            yield f"{deeper}... and {finding.count - len(finding.places):,} more"
        if finding.way_out:
            yield f"{deeper}-> {finding.way_out}"


def _next(found: Checkup) -> list[str]:
    """Return the commands to go on with, each behind what it is for."""
    return [line for step in found.steps for line in (f"next   {step.purpose}:", f"  {step.command}")]
