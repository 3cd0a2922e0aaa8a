"""Which settings are in the contract, but not built yet: refused, never silently ignored."""

from collections.abc import Iterator, Mapping

from bulkip.jobfile import Tree
from bulkip.model import Problem
from bulkip.policy import REPORT_FORMATS
from bulkip.settings.fields import did_you_mean
from bulkip.settings.schema import BLOCKS, JobFile

NOT_YET: Mapping[str, tuple[str, ...]] = {
    "reports": (
        "junit",
        "sarif",
        "tap",
    ),
}


def not_yet(job: JobFile, tree: Tree) -> Iterator[Problem]:
    """Yield a problem for every setting that is not built yet and differs from its default."""
    for block, model in BLOCKS.items():
        for name, field in model.model_fields.items():
            key = field.alias or name
            if key in NOT_YET.get(block, ()) and getattr(getattr(job, block), name) != field.default:
                message = f"`{block}.{key}` is not built yet; remove it to keep the default"
                yield Problem(tree.key_place((block, key)), message)


def report_problem(format_name: str) -> str | None:
    """Return why a report format cannot be written, or None."""
    if format_name in REPORT_FORMATS:
        return None
    if format_name in NOT_YET["reports"]:
        return f"report format `{format_name}` is not built yet; known now: {', '.join(REPORT_FORMATS)}"
    known = [*REPORT_FORMATS, *NOT_YET["reports"]]
    return f"unknown report format `{format_name[:40]}`; {did_you_mean(format_name, known)}"
