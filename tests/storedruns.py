"""Plans and runs on disk, as tests of the store and of what is rendered from it need them."""

from collections.abc import Iterable
from pathlib import Path

from anyio import run

from bulkip.model import Item, Problem, Purpose, Result
from bulkip.store import Attempt, Frozen, Outcome, RunHeader, RunWriter, Writing, freeze, open_writer

HEADER = RunHeader(
    id="20260901T031500-abc123",
    job_name="ptr-migration",
    job_path="jobs/ptr.yaml",
    job_digest="d1ge57",
    url="https://invapi.hostkey.com/ip.php",
    simulated=False,
    created_at=1_788_232_500.0,
    version="0",
)
WRITING = Writing(actions=frozenset({"update_ptr", "set_main"}), shown=frozenset({"update_ptr"}))
SENT_AT, ANSWERED_AT, SETTLED_AT = 1_788_232_501.0, 1_788_232_501.25, 1_788_232_501.5


def item(number: int) -> Item:
    """Return an update_ptr with an address and a chain of its own."""
    ip = f"203.0.{number // 200}.{number % 200}"
    form = {"ip": ip, "id": "4711", "ptr": f"host-{number}.example.net"}
    return Item(number, number, f"key-{number}", "1", "update_ptr", ip, form, f"rows.csv:{number + 1}")


def frozen(folder: Path, stream: Iterable[Item | Problem], header: RunHeader = HEADER) -> Frozen:
    """Freeze a plan into a folder."""
    return freeze(folder, header, stream, WRITING)


def attempt(number_of_item: int, number: int = 1, purpose: Purpose = Purpose.CALL, start: int = 1) -> Attempt:
    """Return an attempt about to be made."""
    return Attempt(number_of_item, number, start, purpose)


def outcome(*, in_doubt: bool = False, sent_at: float = SENT_AT) -> Outcome:
    """Return how a call ended, a quarter of a second after it was sent."""
    return Outcome(sent_at, sent_at + 0.25, "success", None, 200, None, in_doubt)


def nothing() -> None:
    """Want no news of a commit."""


async def settle(writer: RunWriter, one: Item, result: Result, generation: int = 0) -> None:
    """Settle an item half a second after the first call."""
    await writer.settle(one, generation, result, SETTLED_AT, nothing)


def settled(folder: Path, *pairs: tuple[Item, Result]) -> None:
    """Give items of a frozen plan their call and their result."""

    async def write() -> None:
        async with open_writer(folder) as writer:
            for one, result in pairs:
                await writer.record_attempt(attempt(one.number), outcome())
                await settle(writer, one, result)

    run(write)
