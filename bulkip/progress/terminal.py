"""What may be shown, and whether somebody may be asked: terminals, pipelines, colours."""

import os
import sys
from collections.abc import Mapping

NARROWEST, USUAL = 20, 80
NO = frozenset({"", "0", "false", "no", "off"})
PIPELINES = (
    "GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI", "TF_BUILD", "JENKINS_URL", "TEAMCITY_VERSION",
    "BITBUCKET_BUILD_NUMBER", "CODEBUILD_BUILD_ID", "DRONE", "TRAVIS", "APPVEYOR",
)  # fmt: skip
"""What services set that run pipelines; most of them set CI too."""


def in_pipeline(env: Mapping[str, str] | None = None) -> bool:
    """Tell whether a pipeline runs us, where nobody answers and everything shown is a log.

    `CI` decides where it is set, so that `CI=false` says no to everybody;
    else any variable of a known service does.
    """
    env = os.environ if env is None else env
    if "CI" in env:
        return _says_yes(env["CI"])
    return any(_says_yes(env.get(name, "")) for name in PIPELINES)


def colours_wanted(env: Mapping[str, str] | None = None) -> bool:
    """Tell whether what is drawn may be coloured.

    As no-color.org and bixense.com/clicolors say: NO_COLOR beats
    CLICOLOR_FORCE (or FORCE_COLOR), which beats CLICOLOR=0.
    """
    env = os.environ if env is None else env
    if env.get("NO_COLOR"):
        return False
    forced = any(_says_yes(env.get(name, "")) for name in ("CLICOLOR_FORCE", "FORCE_COLOR"))
    return forced or env.get("CLICOLOR") != "0"


def _says_yes(value: str) -> bool:
    return value.strip().lower() not in NO


def on_terminal() -> bool:
    """Tell whether stderr is a terminal."""
    return sys.stderr is not None and not sys.stderr.closed and sys.stderr.isatty()


def can_ask() -> bool:
    """Tell whether somebody sits there who can answer; a pipeline's terminal has nobody before it."""
    return not in_pipeline() and sys.stdin.isatty() and on_terminal()


def line_width() -> int | None:
    """Return how wide lines on stderr may be; None where they go into a log."""
    if in_pipeline() or not on_terminal():
        return None
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    return max(columns, NARROWEST) if columns else USUAL
