"""The HTML report in a real browser: one page, offline, true to the rows, and harmless."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.chromium import NEEDS_CHROMIUM, Look, chromium
from tests.reportsite import (
    DRAWN,
    LARGEST,
    MANY,
    MIGRATION,
    MIGRATION_FAULTS,
    TEXTS,
    TRAFFIC,
    TRAFFIC_FAULTS,
    Site,
    click,
    json_lines,
    rehearse,
    search,
    shown,
    store_hostile,
    store_many,
    texts,
)

pytestmark = [NEEDS_CHROMIUM, pytest.mark.anyio, pytest.mark.xdist_group("chromium")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return pages of a migration, of a night of traffic, of hostile texts and of many items."""
    folder = tmp_path_factory.mktemp("site")
    rehearse(folder / "migration", MIGRATION, MIGRATION_FAULTS)
    rehearse(folder / "traffic", TRAFFIC, TRAFFIC_FAULTS)
    store_hostile(folder / "hostile")
    store_many(folder / "many")
    with chromium() as browser:
        yield Site(browser, folder)


@pytest.mark.parametrize("name", ["migration", "traffic", "hostile", "many"])
@pytest.mark.parametrize(
    "look",
    [
        pytest.param(Look(), id="light"),
        pytest.param(Look(dark=True), id="dark"),
        pytest.param(Look(width=375, height=700), id="phone"),
        pytest.param(Look(width=800), id="tablet"),
    ],
)
async def test_page_is_quiet_offline_and_fits(site: Site, name: str, look: Look) -> None:
    """Nothing is complained about, nothing asked for but the file itself, nothing runs out to the right."""
    async with site.open(name, look) as tab:
        await click(tab, "button.opener")
        await tab.value(DRAWN)
        wide = await tab.value("document.documentElement.scrollWidth")

        assert (tab.complaints(), tab.requests()) == ([], [site.path(name).as_uri()])
        assert wide <= look.width


async def test_page_of_many_items_opens_fast_and_is_small(site: Site) -> None:
    """Ten thousand items take less than 5 MB, and the page is there in a moment."""
    async with site.open("many") as tab:
        took_ms = await tab.value("performance.getEntriesByType('navigation')[0].loadEventEnd")

    assert site.path("many").stat().st_size < LARGEST
    assert took_ms < 10_000  # it is less than 500 on a quiet machine; two thousand is the promise


@pytest.mark.parametrize("name", ["migration", "traffic", "hostile", "many"])
async def test_tiles_say_what_the_rows_say(site: Site, name: str) -> None:
    """The count of each status is that of the JSON lines."""
    async with site.open(name) as tab:
        told = await tab.value(
            "Object.fromEntries([...document.querySelectorAll('.tile')].map((e) => "
            "[e.dataset.status, +e.querySelector('.count').textContent.replaceAll(',', '')]))"
        )

    assert told == Counter(row["status"] for row in site.rows(name))


async def test_errors_say_what_the_rows_say(site: Site) -> None:
    """Each error class has its count and its messages as examples, shown as text."""
    async with site.open("migration") as tab:
        told = dict(
            zip(await texts(tab, ".errors th[scope=row]"), await texts(tab, ".errors td.number"), strict=True)
        )
        said = await texts(tab, ".errors .said")

    rows = site.rows("migration")
    assert told == {
        kind: str(count) for kind, count in Counter(r["error_class"] for r in rows).items() if kind
    }
    assert "permission denied, <b>ask</b> support" in said


async def test_traffic_adds_up_to_the_last_digit(site: Site) -> None:
    """The totals of a period are the exact sums of the JSON lines."""
    async with site.open("traffic") as tab:
        (inbound,), (outbound,) = await texts(tab, ".total-in"), await texts(tab, ".total-out")

    points = [point for row in site.rows("traffic") for point in (row["data"] or {}).get("traffic", ())]
    assert Decimal(inbound.replace(",", "")) == sum(Decimal(point["in"]) for point in points) > 0
    assert Decimal(outbound.replace(",", "")) == sum(Decimal(point["out"]) for point in points)


async def test_course_of_one_address_is_drawn(site: Site) -> None:
    """Where an address is chosen, its own figures are drawn, hour by hour."""
    async with site.open("traffic") as tab:
        await tab.value(
            "(() => { const s = document.getElementById('course-of'); s.value = '0';"
            "s.dispatchEvent(new Event('change')); })()"
        )
        label = await tab.value("document.getElementById('course').getAttribute('aria-label')")
        charts = await tab.value("document.querySelectorAll('#course canvas').length")

    assert (label, charts) == ("Traffic over time, 24 points, 2026-09-01 00:00 to 2026-09-01 23:00 UTC", 1)


async def test_top_talker_is_found_in_the_table(site: Site) -> None:
    """A click on the address with the most traffic opens its item."""
    totals = {
        row["ip"]: sum(point["in"] + point["out"] for point in (row["data"] or {}).get("traffic", ()))
        for row in site.rows("traffic")
    }
    async with site.open("traffic") as tab:
        (top, *_) = await texts(tab, ".talkers th[scope=row]")
        await click(tab, ".talkers button")
        opened = await texts(tab, "tr.opened button.opener")

    assert totals[top] == max(totals.values())
    assert [text[1:] for text in opened] == [top]


async def test_search_finds_in_every_text(site: Site) -> None:
    """All words must stand somewhere in an item: address, name, message, status."""
    async with site.open("many") as tab:
        await search(tab, "HOST-77 changed", "110 of 10,000 items")

        found = await shown(tab)

    wanted = [n for n in range(1, MANY + 1) if "host-77" in f"host-{n}" and n % 100]
    assert found == wanted[:50]


async def test_status_is_filtered(site: Site) -> None:
    """A click on a tile leaves the items at that status."""
    async with site.open("many") as tab:
        await click(tab, ".tile[data-status=failed]")

        found = await shown(tab)

    assert found == [*range(100, 5001, 100)]


async def test_error_class_is_filtered(site: Site) -> None:
    """A click on an error class leaves its items."""
    async with site.open("migration") as tab:
        await click(tab, "button[data-class=permission]")

        found = await shown(tab)

    wanted = [n for n, row in enumerate(site.rows("migration"), 1) if row["error_class"] == "permission"]
    assert found == wanted


@pytest.mark.parametrize(
    ("clicks", "order"),
    [
        pytest.param(1, "ascending", id="once"),
        pytest.param(2, "descending", id="twice"),
        pytest.param(3, "none", id="thrice"),
    ],
)
async def test_table_is_sorted(site: Site, clicks: int, order: str) -> None:
    """A heading sorts, sorts the other way, and gives the order of the plan back; addresses as numbers."""
    async with site.open("many") as tab:
        for _ in range(clicks):
            await click(tab, "th[data-column=ip] button")

        found = await shown(tab)
        told = await tab.value("document.querySelector('th[data-column=ip]').getAttribute('aria-sort')")

    assert told == order
    assert found == ([*range(MANY, MANY - 50, -1)] if order == "descending" else [*range(1, 51)])


async def test_pages_follow_each_other(site: Site) -> None:
    """The next page goes on where the first one ended."""
    async with site.open("many") as tab:
        await click(tab, "#next")

        assert await shown(tab) == [*range(51, 101)]


async def test_opened_item_shows_every_call(site: Site) -> None:
    """The history of an item has a line for each call on the wire, in order, with its purpose and end."""
    calls = json_lines(site.folder / "migration" / "calls.jsonl")
    retried = [(c["purpose"], str(c["http_status"])) for c in calls if c["ip"] == "203.0.113.8"]
    async with site.open("migration") as tab:
        await click(tab, "tr[data-number='9'] button.opener")

        purposes, codes = (
            await texts(tab, ".calls td:nth-child(2)"),
            await texts(tab, ".calls td:nth-child(5)"),
        )

    assert ("call", "503") in retried
    assert [*zip(purposes, codes, strict=True)] == retried


@pytest.mark.parametrize(
    ("number", "told"),
    [
        pytest.param(2, ["→ new-203-0-113-1.example.net", "✓ verified"], id="verified"),
        pytest.param(10, ["→ new-203-0-113-9.example.net", "✕ not verified"], id="not-verified"),
        pytest.param(6, ["→ new-203-0-113-5.example.net (wanted)", "\N{EN DASH} not asked"], id="refused"),
    ],
)
async def test_names_are_shown_before_and_after_with_their_proof(
    site: Site, number: int, told: list[str]
) -> None:
    """A row says what was, what is or was wanted, and whether anybody looked again."""
    names, verified = told
    async with site.open("migration") as tab:
        (before_after,) = await texts(tab, f"tr[data-number='{number}'] td[data-column=names]")
        (proof,) = await texts(tab, f"tr[data-number='{number}'] td[data-column=verified]")

    assert before_after == f"{site.rows('migration')[number - 1]['before']}{names}".replace("→ ", "→")
    assert proof == verified


async def test_hostile_texts_are_only_text(site: Site) -> None:
    """Whatever stands in a message is shown as it is, and makes no element and no hidden character."""
    async with site.open("hostile") as tab:
        await tab.value(
            "[...document.querySelectorAll('button.opener')].forEach((_, at) => "
            "document.querySelectorAll('button.opener')[at].click())"
        )

        whole = await tab.value("document.body.textContent")
        made = await tab.value(
            "document.querySelectorAll('img, iframe, link, [onmouseover], [onerror]').length"
        )

    assert TEXTS["html"] in whole
    assert (
        made,
        set(TEXTS["bidi"] + TEXTS["line-separators"]) & set(whole) - set("evil onetwothreefour"),
    ) == (0, set())


async def test_policy_lets_nothing_else_run(site: Site) -> None:
    """Even what got into the page would not be carried out, nor loaded, nor sent."""
    async with site.open("migration") as tab:
        refused = await tab.value("""new Promise((done) => {
            const seen = new Set();
            document.addEventListener("securitypolicyviolation", (event) => {
                seen.add(event.effectiveDirective);
                if (seen.size === 4) done([...seen].sort());
            });
            const script = document.createElement("script");
            script.textContent = "window.hacked = true";
            document.body.append(script);
            const style = document.createElement("style");
            style.textContent = "body { display: none }";
            document.body.append(style);
            new Image().src = "http://127.0.0.1:9/x.png";
            fetch("http://127.0.0.1:9/").catch(() => {});
        })""")

        assert refused == ["connect-src", "img-src", "script-src-elem", "style-src-elem"]
        assert await tab.value("window.hacked === undefined")


async def test_page_is_readable_without_scripts(site: Site) -> None:
    """Where scripts are off, counts and errors are there, and the first rows, with a note."""
    async with site.open("migration", Look(scripts=False)) as tab:
        tree = await tab.ask("Accessibility.getFullAXTree")

    words = " ".join(str(node.get("name", {}).get("value", "")) for node in tree["nodes"])
    assert "need JavaScript" in words
    assert "permission denied, <b>ask</b> support" in words
    assert "203.0.113.49" in words


async def test_colours_are_switched(site: Site) -> None:
    """The button shows the page in the other colours, whatever the system prefers."""
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    async with site.open("migration", Look(dark=True)) as tab:
        dark = await tab.value(paper)
        await click(tab, "#theme")

        assert await tab.value(paper) != dark


async def test_paper_shows_no_controls(site: Site) -> None:
    """What is printed is light, and has no fields and buttons to press."""
    hidden = "['theme', 'search', 'previous'].every((id) => !document.getElementById(id).checkVisibility())"
    async with site.open("migration", Look(dark=True)) as tab:
        await tab.ask("Emulation.setEmulatedMedia", media="print")

        assert await tab.value(hidden)
        assert await tab.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
