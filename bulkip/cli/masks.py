"""Which secrets a pipeline's log must never show? GitHub is told before anything else is written."""

import os

from bulkip.reports.github import command
from bulkip.reports.output import STDOUT, write_report
from bulkip.run.hooks import known_secrets
from bulkip.settings import Job

ACTIONS = "GITHUB_ACTIONS"
"""The variable that GitHub sets in its own runs; elsewhere nothing of a secret is written."""


def mask_secrets(form: str | None, job: Job | None) -> None:
    """Name the secrets of a job to GitHub, which hides them from then on, if annotations go to stdout."""
    if form == "github" and job is not None and os.environ.get(ACTIONS) == "true":
        write_report(STDOUT, (command("add-mask", secret, {}) for secret in known_secrets(job, os.environ)))
