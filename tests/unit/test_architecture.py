"""The floors of the house: imports point down, doors are few, and nothing grows without being noticed.

A new top-level module needs a line in `FLOORS`, a new third-party package one in `DOORS`.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "bulkip"
FLOORS: Mapping[str, int] = {
    # words
    "alerts": 0, "errors": 0, "events": 0, "frozen": 0, "makers": 0, "model": 0, "policy": 0, "version": 0,
    "wire": 0,
    # rules
    "actions": 1, "addresses": 1, "answers": 1, "askedperiods": 1, "breaker": 1, "budget": 1, "ceiling": 1,
    "characters": 1, "classify": 1, "conditions": 1, "conflicts": 1, "course": 1, "csvfile": 1, "envelope": 1,
    "exactjson": 1, "exitcode": 1, "expectations": 1, "farclock": 1, "followups": 1, "formdata": 1,
    "hostnames": 1, "keys": 1, "leases": 1, "linefile": 1, "lockname": 1, "logins": 1, "nextcall": 1,
    "nights": 1, "orders": 1, "owners": 1, "periodlabels": 1, "periods": 1, "plaintext": 1, "plan": 1,
    "proof": 1, "quantities": 1, "queues": 1, "recipes": 1, "redact": 1, "redirects": 1, "reportpaths": 1,
    "retry": 1, "retryafter": 1, "rollout": 1, "safety": 1, "schedules": 1, "selection": 1, "shards": 1,
    "steps": 1, "stops": 1, "tally": 1, "templates": 1, "tolerance": 1,
    # doors
    "clock": 2, "cluster": 2, "connections": 2, "csvtargets": 2, "hookcommand": 2, "inputfile": 2,
    "jobfile": 2, "jsonltargets": 2, "limiter": 2, "listing": 2, "lock": 2, "logs": 2, "losses": 2,
    "notices": 2, "pipedinput": 2, "planfile": 2, "progress": 2, "queueing": 2, "reports": 2, "resolver": 2,
    "room": 2, "settings": 2, "sharedpacer": 2, "simulator": 2, "sources": 2, "store": 2, "targets": 2,
    "texttargets": 2, "transport": 2, "webhook": 2,
    # engine
    "access": 3, "allowance": 3, "brake": 3, "checker": 3, "client": 3, "feeds": 3, "gate": 3, "inquiry": 3,
    "looker": 3, "outage": 3, "purse": 3, "scheduler": 3, "tracer": 3, "verifier": 3, "worker": 3,
    "workrules": 3,
    # house, street
    "run": 4, "__init__": 5, "__main__": 5, "cli": 5,
}  # fmt: skip
DOORS: Mapping[str, tuple[str, ...]] = {
    "aiohttp": ("connections", "losses", "transport", "webhook"),
    "aiohttp.web": ("simulator",),
    "aiolimiter": ("limiter",),
    "apprise": ("notices",),
    "asyncio": ("clock", "connections"),  # the loop's clock; types of the protocol that aiohttp lets us be
    "click": ("cli",),
    "dns": ("resolver", "simulator"),
    "duckdb": ("reports",),
    "idna": ("hostnames",),
    "jinja2": ("templates", "reports"),
    "junitparser": ("reports",),
    "msgspec": ("frozen",),
    "prometheus_client": ("reports",),
    "procrastinate": ("cluster",),
    "psycopg": ("cluster",),
    "psycopg_pool": ("cluster",),
    "pydantic": ("settings",),
    "pydantic_core": ("settings",),
    "rich": ("progress",),
    "sqlite3": ("store", "simulator"),
    "structlog": ("logs",),
    "yaml": ("jobfile",),
    "yarl": ("transport",),
}
IMPURE = frozenset(
    {"anyio", "asyncio", "glob", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets"}
    | {"select", "selectors", "shutil", "signal", "sqlite3", "ssl", "subprocess", "sys", "tempfile"}
    | {"threading", "time", "urllib.request", "uuid"}
)
HARMLESS = frozenset({"random.Random"})  # a type of an argument
IMPURE_CALLS = frozenset({"open", "print", "input", "now", "today", "utcnow"})
LOOSE_TASKS = frozenset({"create_task", "ensure_future", "gather"})
LONGEST_MODULE, LONGEST_FUNCTION, MOST_CATCH_ALLS = 300, 50, 3


def modules() -> dict[str, str]:
    """Return the source of every module of the package by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path.read_text(encoding="utf-8")
    return found


SOURCES = modules()
TREES = {name: ast.parse(source) for name, source in SOURCES.items()}


def place(module: str) -> str:
    """Return the line of `FLOORS` that a module stands on."""
    return [*module.split("."), "__init__"][1]


def floor(module: str) -> int:
    """Return the floor of a module."""
    return FLOORS[place(module)]


def imports(module: str, tree: ast.AST) -> Iterator[str]:
    """Yield what a module imports, wherever the import stands: `package.module.name` for each name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: -node.level] if node.level else []
            start = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{start}.{alias.name}" for alias in node.names)


def as_module(name: str) -> str | None:
    """Return the module of ours that an imported name is, or is a part of."""
    while name.startswith("bulkip"):
        if name in SOURCES or name == "bulkip":
            return name
        name = name.rpartition(".")[0]
    return None


def calls(tree: ast.AST) -> Iterator[str]:
    """Yield the last name of everything that is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield node.func.id if isinstance(node.func, ast.Name) else node.func.attr


def listed(name: str, table: Mapping[str, object] | frozenset[str]) -> str | None:
    """Return the longest entry of a table that a dotted name is or begins with."""
    parts = name.split(".")
    heads = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return next((head for head in heads if head in table), None)


def upward(module: str, tree: ast.AST) -> list[str]:
    """Return the imports from higher floors."""
    found = [as_module(name) for name in imports(module, tree)]
    return [f"{module} imports {name}" for name in found if name and floor(name) > floor(module)]


def forced_doors(module: str, tree: ast.AST) -> list[str]:
    """Return the imports of packages from outside that do not stand at their door."""
    return [f"{module} imports {name}" for name in imports(module, tree) if not allowed(module, name)]


def allowed(module: str, name: str) -> bool:
    """Tell whether a module may import this name, as far as doors go."""
    package = name.partition(".")[0]
    if package == "anyio":
        return floor(module) >= FLOORS["limiter"]
    entry = listed(name, DOORS)
    if entry is not None:
        return place(module) in DOORS[entry]
    return package == "bulkip" or (package in sys.stdlib_module_names and package != "asyncio")


def impurities(module: str, tree: ast.AST) -> list[str]:
    """Return what a rule or a word must not have: async, clock, randomness, files, environment."""
    if floor(module) > FLOORS["plan"]:
        return []
    found = [f"imports {name}" for name in imports(module, tree) if listed(name, IMPURE)]
    found += [f"calls {name}" for name in calls(tree) if name in IMPURE_CALLS]
    found += ["is async" for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef | ast.Await)]
    return [f"{module} {one}" for one in found if one.removeprefix("imports ") not in HARMLESS]


def loose_tasks(module: str, tree: ast.AST) -> list[str]:
    """Return the tasks that nobody owns."""
    return [f"{module} calls {name}" for name in calls(tree) if name in LOOSE_TASKS]


def long_functions(module: str, tree: ast.AST) -> list[str]:
    """Return the functions that are longer than a page."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [
        f"{module}.{one.name} has {length} lines"
        for one in functions
        if (length := (one.end_lineno or one.lineno) - one.lineno + 1) > LONGEST_FUNCTION
    ]


def catch_alls(module: str, tree: ast.AST) -> list[str]:
    """Return the handlers that catch every exception, a bug included."""
    handlers = [node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)]
    caught = [{"Exception"} if one.type is None else names_in(one.type) for one in handlers]
    return [f"{module} catches Exception" for names in caught if "Exception" in names]


def names_in(node: ast.AST) -> set[str]:
    """Return the names of an expression, the last ones of dotted names included."""
    names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    return names | {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)}


def cycle(trees: Mapping[str, ast.AST]) -> list[str]:
    """Return the modules of one import cycle, or nothing."""
    graph = {
        module: {found for name in imports(module, tree) if (found := as_module(name)) not in {None, module}}
        for module, tree in trees.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(module) for module in error.args[1]]
    return []


def all_found(check: str) -> list[str]:
    """Return what a check finds in the whole package."""
    return [fault for module, tree in TREES.items() for fault in CHECKS[check](module, tree)]


CHECKS = {one.__name__: one for one in (upward, forced_doors, impurities, loose_tasks, long_functions)}


@pytest.mark.parametrize("module", SOURCES)
def test_every_module_stands_on_a_floor(module: str) -> None:
    """A new module says on which floor it stands before it may be imported."""
    assert place(module) in FLOORS


def test_table_of_floors_holds_no_ghosts() -> None:
    """A line of the table stands for something that is there."""
    assert set(FLOORS) - {place(module) for module in SOURCES} == set()


@pytest.mark.parametrize("check", CHECKS)
def test_house_keeps_its_laws(check: str) -> None:
    """Imports point down, doors hold, rules are pure, tasks have owners, functions fit a page."""
    assert all_found(check) == []


def test_modules_import_each_other_in_no_circle() -> None:
    """Every module can be understood after those that it imports."""
    assert cycle(TREES) == []


@pytest.mark.parametrize("module", SOURCES)
def test_module_is_short_enough_to_be_read(module: str) -> None:
    """A module that outgrows 300 lines is split by noun."""
    assert len(SOURCES[module].splitlines()) <= LONGEST_MODULE


def test_everything_is_caught_in_few_places() -> None:
    """A handler that would swallow bugs is a rare and explained thing."""
    found = [fault for module, tree in TREES.items() for fault in catch_alls(module, tree)]

    assert len(found) <= MOST_CATCH_ALLS, found


@pytest.mark.parametrize(
    ("check", "module", "source"),
    [
        pytest.param("upward", "bulkip.retry", "from bulkip.store import RunWriter", id="rule-imports-door"),
        pytest.param("upward", "bulkip.retry", "from bulkip import worker", id="by-its-package"),
        pytest.param("upward", "bulkip.retry", "from .store import RunWriter", id="relative"),
        pytest.param("upward", "bulkip.store.writer", "from ..run import runs", id="relative-from-package"),
        pytest.param("upward", "bulkip.model", "import bulkip.retry", id="word-imports-rule"),
        pytest.param("upward", "bulkip.worker", "def f():\n    import bulkip.run.execute", id="in-function"),
        pytest.param(
            "upward", "bulkip.gate", "if TYPE_CHECKING:\n    from bulkip.cli import main", id="for-types"
        ),
        pytest.param("forced_doors", "bulkip.worker", "import aiohttp", id="http-beside-its-door"),
        pytest.param("forced_doors", "bulkip.transport", "from aiohttp import web", id="server-in-transport"),
        pytest.param("forced_doors", "bulkip.simulator.server", "import aiohttp", id="client-in-simulator"),
        pytest.param("forced_doors", "bulkip.reports.rows", "import sqlite3", id="sqlite-in-report"),
        pytest.param("forced_doors", "bulkip.limiter", "from yaml import load", id="door-in-door"),
        pytest.param("forced_doors", "bulkip.run.execute", "import uvloop", id="package-without-door"),
        pytest.param("forced_doors", "bulkip.gate", "import asyncio", id="asyncio"),
        pytest.param("forced_doors", "bulkip.retry", "import anyio", id="anyio-in-rule"),
        pytest.param("impurities", "bulkip.retry", "from time import monotonic", id="clock"),
        pytest.param("impurities", "bulkip.retry", "import random", id="randomness"),
        pytest.param("impurities", "bulkip.plan", "from datetime import datetime\ndatetime.now()", id="now"),
        pytest.param("impurities", "bulkip.csvfile", "open('x')", id="file"),
        pytest.param("impurities", "bulkip.policy", "from os import environ", id="environment"),
        pytest.param("impurities", "bulkip.classify", "async def f(): ...", id="async"),
        pytest.param("loose_tasks", "bulkip.worker", "loop.create_task(f())", id="task-without-owner"),
        pytest.param("loose_tasks", "bulkip.worker", "gather(f(), g())", id="gather"),
        pytest.param(
            "long_functions", "bulkip.worker", "def f():\n" + "    x = 1\n" * 50, id="long-function"
        ),
    ],
)
def test_planted_violation_is_found(check: str, module: str, source: str) -> None:
    """A guard that finds nothing where something is planted guards nothing."""
    assert CHECKS[check](module, ast.parse(source)) != []


@pytest.mark.parametrize(
    ("check", "module", "source"),
    [
        pytest.param("upward", "bulkip.worker", "from bulkip.gate import Gate", id="same-floor"),
        pytest.param(
            "upward", "bulkip.worker", "from bulkip.version import __version__", id="name-of-the-root"
        ),
        pytest.param("forced_doors", "bulkip.simulator.server", "from aiohttp import web", id="own-door"),
        pytest.param("impurities", "bulkip.retry", "from random import Random", id="type-of-randomness"),
        pytest.param("impurities", "bulkip.gate", "import time", id="clock-of-the-engine"),
        pytest.param("loose_tasks", "bulkip.worker", "create_task_group()", id="owned-tasks"),
        pytest.param("long_functions", "bulkip.worker", "def f():\n" + "    x = 1\n" * 49, id="a-page"),
    ],
)
def test_honest_code_is_left_alone(check: str, module: str, source: str) -> None:
    """What the floors allow is not reported."""
    assert CHECKS[check](module, ast.parse(source)) == []


def test_planted_cycle_is_found() -> None:
    """Two modules that import each other are found, in-function imports included."""
    planted = {
        "bulkip.retry": ast.parse("from bulkip.stops import Stop"),
        "bulkip.stops": ast.parse("def f():\n    from bulkip import retry"),
    }

    assert set(cycle(planted)) == set(planted)


@pytest.mark.parametrize(
    "handler", ["except Exception:", "except (OSError, Exception):", "except:", "except builtins.Exception:"]
)
def test_planted_catch_all_is_found(handler: str) -> None:
    """A handler of everything is found, however it is written."""
    source = f"try:\n    f()\n{handler}\n    pass"

    assert len(catch_alls("bulkip.worker", ast.parse(source))) == 1
