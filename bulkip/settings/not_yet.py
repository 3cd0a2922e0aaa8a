"""Which settings are in the contract, but not built yet: refused, never silently ignored."""

from collections.abc import Iterator, Mapping

from bulkip.jobfile import Tree
from bulkip.model import Problem
from bulkip.settings.fields import did_you_mean
from bulkip.settings.schema import BLOCKS, JobFile, PlainEntry, RowEntry, entry_kind

NOT_YET: Mapping[str, tuple[str, ...]] = {
    "api": ("key",),
    "retry": ("budget",),
    "breaker": ("after", "give_up"),
    "timeouts": ("item", "job"),
    "safety": ("max_failed", "min_sample", "forward"),
    "rollout": ("steps", "pause", "verify_between"),
    "verify": ("mode", "resolvers", "timeout", "required"),
    "targets": ("jsonl", "text", "stdin", "free_ips", "run"),
    "reports": (
        "html",
        "junit",
        "sarif",
        "github",
        "md",
        "tap",
        "parquet",
        "prometheus",
        "failed-csv",
        "attempts",
    ),
}
REPORTS = ("jsonl", "csv", "json", "text")

_WAY_OUT: Mapping[str, str] = {"key": "use `token: env:NAME`"}


def not_yet(job: JobFile, tree: Tree) -> Iterator[Problem]:
    """Yield a problem for every setting that is not built yet and differs from its default."""
    for block, model in BLOCKS.items():
        for name, field in model.model_fields.items():
            key = field.alias or name
            if key in NOT_YET.get(block, ()) and getattr(getattr(job, block), name) != field.default:
                way_out = _WAY_OUT.get(key, "remove it to keep the default")
                message = f"`{block}.{key}` is not built yet; {way_out}"
                yield Problem(tree.key_place((block, key)), message)


def late_target(entry: object, node: object) -> str | None:
    """Return why a valid target cannot be used yet, or None."""
    if isinstance(entry, PlainEntry | RowEntry) or (kind := entry_kind(node)) not in NOT_YET["targets"]:
        return None
    return f"target kind `{kind}` is not built yet; list the addresses in a CSV file: `csv: PATH`"


def report_problem(format_name: str) -> str | None:
    """Return why a report format cannot be written, or None."""
    if format_name in REPORTS:
        return None
    if format_name in NOT_YET["reports"]:
        return f"report format `{format_name}` is not built yet; known now: {', '.join(REPORTS)}"
    known = [*REPORTS, *NOT_YET["reports"]]
    return f"unknown report format `{format_name[:40]}`; {did_you_mean(format_name, known)}"
