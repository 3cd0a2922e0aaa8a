"""The page as a whole: one file, whose policy allows its own styles and scripts and nothing else."""

import base64
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bulkip.reports.commands import command
from bulkip.reports.htmlpage.blocks import base_of, call_lines, facts_block, row_lines, stamp_lines
from bulkip.reports.htmlpage.embedded import cleaned, embedded
from bulkip.reports.htmlpage.overview import Overview, overview_of, told_items
from bulkip.reports.htmlpage.pace import Latency, latency
from bulkip.reports.htmlpage.sections import context, first_of
from bulkip.store import CallFigures, RunReader

if TYPE_CHECKING:
    from jinja2 import Environment

HERE: Final = Path(__file__).parent
SCRIPTS: Final = ("vendor/uPlot.iife.min.js", "page.js", "charts.js", "items.js", "start.js")
STYLES: Final = ("vendor/uPlot.min.css", "page.css")
LICENCE: Final = "vendor/LICENSE"
"""Of the charts; whoever passes a page on passes it on as well."""
POLICY: Final = "default-src 'none'; {}; {}; base-uri 'none'; form-action 'none'"
ADDRESS: Final = "ADDRESS"
"""Stands in the command that explains an address until a script knows which."""


def html_lines(reader: RunReader) -> Iterator[str]:
    """Yield the page piece by piece; the rows are gone through twice, and never held."""
    with CallFigures(reader.home) as figures:
        overview = overview_of(told_items(figures))
        took = latency(figures.latencies())
        shown = context(figures, overview, took, first_of(told_items(figures)))
        scripts, styles = [_asset(name) for name in SCRIPTS], [_asset(name) for name in STYLES]
        policy = POLICY.format(_source("script-src", scripts), _source("style-src", styles))
        assets = {"scripts": scripts, "styles": styles, "policy": policy, "licence": _asset(LICENCE)}
        template = _environment().get_template("page.html.j2")
        yield from template.generate(**shown, **assets, blocks=_blocks(figures, overview, took))


def _blocks(figures: CallFigures, overview: Overview, took: Latency) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield the blocks of JSON by their ids, each to be taken whole before the next."""
    explain = command("explain", figures.home, ADDRESS)
    yield "facts", [embedded(facts_block(figures, overview, took, explain))]
    base = base_of(figures)
    places: dict[tuple[int, ...], int] = {}
    yield "rows", row_lines(told_items(figures), overview, base, places)
    yield "stamps", stamp_lines(places)
    yield "calls", call_lines(figures, base)


@cache
def _asset(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _source(kind: str, texts: list[str]) -> str:
    """Return the directive that allows exactly these texts."""
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
    return f"{kind} " + " ".join(f"'sha256-{digest}'" for digest in digests)


@cache
def _environment() -> "Environment":
    """Return the environment of the page: everything is escaped that is not one of our own files."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 -- only who asks pays

    return Environment(
        autoescape=True,
        loader=FileSystemLoader(HERE),
        undefined=StrictUndefined,
        finalize=lambda value: cleaned(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
