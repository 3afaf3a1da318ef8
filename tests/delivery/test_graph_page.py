"""The graph's page: the same bytes for the same survey, nothing from outside, every text escaped, usable by hand and by eye."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from lockgate.delivery.drawing import text as graph_text
from lockgate.delivery.drawing.page import render

from delivery.graph_scene import EVIL, large, scene

GOLDEN = Path(__file__).parents[1] / "golden"
CHROMIUM = Path(os.environ.get("LOCKGATE_CHROMIUM", "/usr/bin/chromium"))


def golden(name: str, text: str) -> None:
    """Rewrite it with LOCKGATE_GOLDEN=write."""
    path = GOLDEN / name
    if os.environ.get("LOCKGATE_GOLDEN") == "write":
        path.write_text(text)
    assert path.read_text() == text


def test_the_page_is_the_golden_one() -> None:
    golden("graph_page.html", render(scene()))


def test_the_list_and_the_mermaid_text_are_the_golden_ones() -> None:
    from lockgate.cli.render import table

    listed = graph_text.title(scene()) + "\n\n" + table(graph_text.rows(scene()), header=graph_text.HEADER) + "\n"
    assert max(map(len, listed.splitlines())) <= 100
    golden("graph.txt", listed)
    golden("graph.mmd", graph_text.mermaid(scene()))


class Elements(HTMLParser):
    """What a browser would see."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_nothing_comes_from_outside_and_only_our_script_may_run() -> None:
    page = render(scene())
    seen = Elements(page).seen
    assert [t for t, _ in seen if t in ("script", "style")] == ["style", "script"]
    assert not {"img", "link", "iframe", "object", "embed", "base", "form"} & {t for t, _ in seen}
    for _, attributes in seen:
        assert not {"src", "srcset", "style", "action"} & set(attributes)
        assert not [a for a in attributes if a.startswith("on")]
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in page
    assert "@import" not in page
    policy = next(a["content"] for t, a in seen if t == "meta" and "http-equiv" in a) or ""
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        text = page.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_names_and_docstrings_are_text() -> None:
    page = render(scene())
    assert EVIL not in page
    assert "alert(1)" in page
    assert "\u202e" not in page
    assert "⟨U+202E⟩" in page
    assert "<script>alert" not in graph_text.mermaid(scene())


def test_everything_is_said_without_a_script() -> None:
    """Each box links to a text about it, with state, cause, age against as-of, cost and size."""
    page = render(scene())
    ids = {a["id"] for _, a in Elements(page).seen if "id" in a}
    links = [str(a["href"])[1:] for t, a in Elements(page).seen if t == "a"]
    assert set(links) <= ids
    for words in (
        "Of 5 steps, 2 are up to date; 1 would run; 1 may, if what is read changes; 1 cannot: something is missing.",
        "would run: parameter lag 1 → 2", "accepted by ada (ledger entry 7) because: only a rename", "3 hours ago, for this as-of day",
        "3 hours ago, for as-of 8 January 2030: 7 days before this one", "1 min 15 s", "1.2 MB", "43.0 MB", "live in production",
        "reads the project&#x27;s day", "published", "4 minutes ago",
    ):  # fmt: skip
        assert words in page, words


def test_an_empty_project_has_a_page() -> None:
    assert "No steps yet." in render(large(0))


def test_mermaid_names_every_box_and_arrow_but_the_releases() -> None:
    text = graph_text.mermaid(scene())
    assert text.startswith("flowchart TD\n")
    assert len(re.findall(r" --> ", text)) == 9
    assert "0123456789ab" not in text
    assert text.count("subgraph") == text.count("  end\n") == 1


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip("no Chromium")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM))
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "graph.html"
    path.write_text(render(scene()))
    return path.as_uri()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_lineage_on_click_and_by_keyboard(browser, page_file: str, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page, errors = context.new_page(), []
    page.on("console", lambda m: errors.append(m.text))
    page.on("pageerror", lambda e: errors.append(str(e)))
    page.goto(page_file)
    names = "[...document.querySelectorAll('.box.on')].filter(b => b.getClientRects().length).map(b => b.querySelector('.name').textContent).sort()"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator(".box:visible", has_text="windows").click()
    lineage = ["0123456789ab", "ba9876543210", "features", "forecast", "history", "model", "sales", "windows"]
    assert page.evaluate(names) == sorted(lineage)
    assert page.locator("#panel").is_visible()
    assert "only a rename" in page.locator("#panel").inner_text()
    page.locator("#panel a", has_text="features").click()
    assert "1 min 15 s" in page.locator("#panel").inner_text()
    page.keyboard.press("ArrowDown")
    assert page.locator("#panel h3").inner_text() == "model"
    page.keyboard.press("Escape")
    assert page.evaluate(names) == []
    assert not page.locator("#panel").is_visible()
    page.locator(".box:visible", has_text="climate").focus()
    page.keyboard.press("Enter")
    assert page.evaluate(names) == ["climate", "history", "sales", "weather"]
    assert errors == []
    context.close()


@pytest.mark.browser
def test_without_a_script_a_box_leads_to_its_text(browser, page_file: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_file)
    page.locator(".box:visible", has_text="features").click()
    assert page.url.endswith("#b4")
    assert page.locator("#b4").is_visible()
    context.close()
