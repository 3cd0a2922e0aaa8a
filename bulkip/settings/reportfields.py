"""How a report stands in a job file: `csv=PATH`, or with keys; and what is wrong with its path."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from bulkip.characters import quoted
from bulkip.policy import OnExists, ReportSpec
from bulkip.reportpaths import is_template, names_in
from bulkip.settings.fields import choice_of, did_you_mean, line
from bulkip.templates import TemplateError

KEYS = ("format", "path", "on_exists")


def _report(node: Any) -> ReportSpec:
    """Return a report to write; without a path it goes to stdout."""
    if isinstance(node, dict):
        return _with_keys(node)
    name, sign, path = line(node).partition("=")
    if sign and not path.strip():
        raise ValueError(f"{quoted(name)} has no path after `=`; write it like csv=report.csv")
    return ReportSpec(name.strip(), path.strip() or "-")


def _with_keys(node: Mapping[str, Any]) -> ReportSpec:
    for key in node:
        if key not in KEYS:
            raise ValueError(f"unknown key {quoted(str(key))}; {did_you_mean(str(key), [*KEYS])}")
    given = {key: value for key, value in node.items() if value is not None}
    if "format" not in given:
        raise ValueError("the key `format` is missing; write it like {format: csv, path: report.csv}")
    on_exists = choice_of(OnExists)(given.get("on_exists", OnExists.REPLACE.value))
    return ReportSpec(line(given["format"]).strip(), line(given.get("path", "-")).strip(), on_exists)


def path_problem(path: str, *, has_period: bool) -> str | None:
    """Return what is wrong with the path of a report, as far as the job file alone tells, or None."""
    try:
        names = names_in(path) if is_template(path) else frozenset[str]()
    except TemplateError as wrong:
        return f"report path {quoted(path)}: {wrong}"
    if "period" in names and not has_period:
        return f"report path {quoted(path)}: the job reads no traffic, so there is no `period`"
    return None


Report = Annotated[ReportSpec, BeforeValidator(_report)]
