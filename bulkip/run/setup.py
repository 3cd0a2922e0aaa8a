"""Is this machine set up for a run? From Python to the disk, and at last one call to the API."""

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from bulkip.errors import StoreError
from bulkip.exitcode import ExitCode
from bulkip.lock import account_locks
from bulkip.policy import Api
from bulkip.quantities import counted
from bulkip.run.findings import Finding, doubtful, fine, wrong
from bulkip.run.reachability import Question, api_findings, plain_job
from bulkip.run.runs import DamagedRun, kept_runs
from bulkip.settings import load_job
from bulkip.store.schema import store_path
from bulkip.store.trial import commit_s, sqlite_version

OLDEST = (3, 11)
MIB = 2**20
LEAST_FREE, ROOMY = 16 * MIB, 256 * MIB
SLOW_COMMIT_S = 0.25
REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:>=([0-9.]+))?")
PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def look_around(run_dir: Path, job_file: Path | None, *, offline: bool) -> Iterator[Finding]:
    """Yield what was found, one thing after the other; the API is called last, unless `offline`."""
    yield _python()
    yield _packages()
    yield from _storage(run_dir)
    yield from _left_over(run_dir)
    yield _locks(os.environ)
    yield from _environment(os.environ)
    job = plain_job(Api()) if job_file is None else load_job(job_file).job
    if job is None:
        yield _wrong_job(job_file)
        return
    if job_file is not None:
        yield fine("job", f"{job_file} can be read; `bulkip validate {job_file}` checks its targets too")
    question = Question(job, run_dir, stated=job_file is not None, offline=offline)
    yield from api_findings(question, os.environ)


def _python() -> Finding:
    text = f"Python {sys.version.split()[0]}, SQLite {sqlite_version()}"
    if sys.version_info < OLDEST:
        return wrong("python", text, "install Python 3.11 or newer", ExitCode.USAGE)
    return fine("python", text)


def _packages() -> Finding:
    """Compare the packages that are there with those that bulkip needs."""
    way_out = "install bulkip again: pip install --upgrade bulkip"
    try:
        wanted = [line for line in requires("bulkip") or [] if "extra ==" not in line]
    except PackageNotFoundError:
        return doubtful("packages", "bulkip runs from its source folder, not installed", "pip install .")
    found = [_package(line) for line in wanted]
    if wrongs := [text for text, good in found if not good]:
        return wrong("packages", ", ".join(wrongs), way_out, ExitCode.USAGE)
    return fine("packages", ", ".join(text for text, _ in found))


def _package(requirement: str) -> tuple[str, bool]:
    """Return a package with its version, and whether it is new enough."""
    match = REQUIREMENT.match(requirement.replace(" ", ""))
    name, least = (match[1], match[2] or "") if match else (requirement, "")
    try:
        there = version(name)
    except PackageNotFoundError:
        return f"{name} is missing", False
    good = _numbers(there) >= _numbers(least)
    return (f"{name} {there}", True) if good else (f"{name} {there} is older than {least}", False)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text.partition("+")[0])[:3])


def _storage(run_dir: Path) -> Iterator[Finding]:
    """Yield whether runs can be kept: the folder, its room, and how long a commit takes."""
    folder = next((one for one in (run_dir, *run_dir.absolute().parents) if one.exists()), run_dir)
    where = str(run_dir) if folder == run_dir else f"{run_dir} (not there yet; tried in {folder})"
    way_out = "check its permissions, or name another folder with --run-dir"
    if not folder.is_dir():
        yield wrong("storage", f"{folder} is no folder", "name another one with --run-dir", ExitCode.HALTED)
        return
    try:
        seconds, free = commit_s(folder), shutil.disk_usage(folder).free
    except (StoreError, OSError) as error:
        yield wrong("storage", f"{where}: runs cannot be kept: {error}", way_out, ExitCode.HALTED)
        return
    yield _speed(where, seconds)
    yield _room(folder, free)


def _speed(where: str, seconds: float) -> Finding:
    text = f"{where} can be written to; a commit takes {seconds * 1000:.1f} ms"
    if seconds > SLOW_COMMIT_S:
        return doubtful("storage", text, "every write waits for a commit: use a faster disk with --run-dir")
    return fine("storage", text)


def _room(folder: Path, free: int) -> Finding:
    text = f"{free // MIB:,} MiB free in {folder}"
    way_out = "make room; an item takes about 1 KiB"
    if free < LEAST_FREE:
        return wrong("room", text, way_out, ExitCode.HALTED)
    return fine("room", text) if free >= ROOMY else doubtful("room", text, way_out)


def _left_over(run_dir: Path) -> Iterator[Finding]:
    """Yield the runs that cannot be read, and what is left of plans that were killed while they were made."""
    try:
        damaged = [run for run in kept_runs(run_dir) if isinstance(run, DamagedRun)]
    except StoreError as error:
        yield wrong("runs", str(error), "check its permissions", ExitCode.HALTED)
        return
    for run in damaged:
        yield doubtful("runs", run.reason, f"keep a copy if it matters, then remove {run.folder}")
    partial = store_path(Path()).with_suffix(".partial").name
    for left in sorted(run_dir.glob(f"runs/*/{partial}")):
        if not store_path(left.parent).exists():
            text = f"{left.parent} is a plan that was killed while it was made; nothing was sent for it"
            yield doubtful("runs", text, f"when nothing is being planned now: rm -r {left.parent}")


def _locks(environment: Mapping[str, str]) -> Finding:
    try:
        folder = account_locks(environment)
    except StoreError as error:
        return doubtful("locks", str(error), "until then locks lie in the --run-dir, and hold only there")
    return fine("locks", f"{folder} can be used")


def _environment(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what of the environment a user may expect to count."""
    proxies = sorted(name for name, value in environment.items() if name.lower() in PROXIES and value)
    if proxies:
        text = f"{', '.join(proxies)}: proxies of the environment are ignored, calls go out directly"
        yield doubtful("proxy", text, "if only a proxy leads out of here, the API cannot be reached")
    own = sorted(name for name, value in environment.items() if name.startswith("BULKIP_") and value)
    if own:
        text = f"{counted(len(own), 'setting')} from the environment: {', '.join(own)}"
        yield fine("settings", f"{text}; `bulkip run JOB -vv` says what they set")


def _wrong_job(job_file: Path | None) -> Finding:
    problems = load_job(str(job_file)).problems
    text = f"{counted(len(problems), 'problem')}, the first: {problems[0]}"
    return wrong("job", text, f"bulkip validate {job_file}", ExitCode.USAGE)
