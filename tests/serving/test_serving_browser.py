"""The web app as a person meets it, in Chromium: choose, submit, read; wrong input; keyboard; a phone; no script."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

sync_api = pytest.importorskip("playwright.sync_api")

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page
    from served_environment import Environment

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(params=[1280, 390], ids=["wide", "phone"])
def page(browser: Browser, site: Environment, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The app at a desk and on a phone; anything the browser complains about fails the test."""
    context = browser.new_context(viewport={"width": request.param, "height": 800}, base_url=site.url)
    opened = context.new_page()
    complaints = list[str]()
    opened.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
    opened.on("pageerror", lambda e: complaints.append(str(e)))
    yield opened
    context.close()
    assert [c for c in complaints if "422" not in c] == []


def fits(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def follow(page: Page, what: Locator) -> None:
    with page.expect_navigation():
        what.click()


def test_choose_submit_read(page: Page) -> None:
    page.goto("/")
    assert page.get_by_text("DEMO APPROVAL").is_visible()
    page.get_by_label("Product").fill("A1")
    page.get_by_label("Date").fill("2011-10-20")
    follow(page, page.get_by_role("button", name="Forecast"))
    answer = page.locator("#answer")
    assert answer.get_by_role("heading", name="White hanging heart").is_visible()
    number = float(answer.locator("output").inner_text())
    low, high = (float(x) for x in re.findall(r"\d+\.?\d*", answer.locator(".interval p").inner_text()))
    assert low < number < high
    assert answer.get_by_role("img", name=re.compile("Forecast for 2011-10-20")).filter(visible=True).count() == 1
    assert answer.get_by_text("A1 sold on").is_visible()
    assert fits(page)
    follow(page, page.get_by_role("link", name="Evidence", exact=True))
    assert page.get_by_role("heading", name="Evidence").is_visible()
    page.go_back()
    follow(page, page.get_by_role("link", name="Release", exact=True))
    assert page.get_by_text("c0ffee").is_visible()
    assert fits(page)


def test_a_name_is_as_good_as_a_code(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Product").fill("jam making set")
    page.get_by_label("Date").fill("2011-10-20")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.locator("#answer").get_by_role("heading", name="Jam making set").is_visible()


def test_a_closed_day_says_why_before_and_after(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Product").fill("A1")
    page.get_by_label("Date").fill("2011-10-23")
    assert page.locator(".closed").inner_text() == "The shop is closed on Sundays."
    follow(page, page.get_by_role("button", name="Forecast"))
    assert page.locator("#answer output").inner_text() == "0"
    assert page.locator("#answer .note").inner_text() == "The shop is closed on Sundays."


def test_an_invalid_date_is_explained_beside_its_field(page: Page) -> None:
    page.goto("/")
    date = page.get_by_label("Date")
    assert (date.get_attribute("min"), date.get_attribute("max")) == ("2011-10-16", "2011-11-17")
    page.get_by_label("Product").fill("A1")
    date.fill("2012-03-01")
    follow(page, page.get_by_role("button", name="Forecast"))
    error = page.locator("#e-date")
    assert error.inner_text() == "Date must be from Sun 16 Oct 2011 to Thu 17 Nov 2011."
    assert page.get_by_label("Date").get_attribute("aria-invalid") == "true"
    assert "e-date" in (page.get_by_label("Date").get_attribute("aria-describedby") or "")
    assert page.get_by_label("Product").input_value() == "A1"
    assert page.locator("#answer").count() == 0
    assert page.get_by_role("alert").is_visible()
    assert fits(page)


def test_an_unknown_product_leads_to_the_one_meant(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Product").fill("hanging")
    page.get_by_label("Date").fill("2011-10-20")
    follow(page, page.get_by_role("button", name="Forecast"))
    assert "There is no product “hanging”" in page.locator("#e-product").inner_text()
    assert fits(page)
    follow(page, page.get_by_role("link", name="A1 White hanging heart"))
    assert page.locator("#answer").get_by_role("heading", name="White hanging heart").is_visible()


def test_nothing_typed_names_both_fields(page: Page) -> None:
    page.goto("/?product=&date=")
    assert page.locator("#e-product").inner_text() == "Product is missing."
    assert page.locator("#e-date").inner_text() == "Date is missing."


def test_by_keyboard_alone(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "f-product":
            break
    page.keyboard.type("C3")
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "f-date"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.type("10202011")
    for _ in range(5):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "BUTTON":
            break
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("product=C3"))
    assert page.locator("#answer output").is_visible()


def test_every_control_has_a_name_and_text_enough_contrast(page: Page) -> None:
    page.goto("/?product=A1&date=2011-10-20")
    unnamed = page.evaluate(
        "[...document.querySelectorAll('input')].filter(i => !i.labels.length).map(i => i.outerHTML)"
    )
    assert unnamed == []
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("h1").count() == 1
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(LOW_CONTRAST) == []


def test_without_script_it_works_the_same(browser: Browser, site: Environment) -> None:
    context = browser.new_context(java_script_enabled=False, base_url=site.url)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Product").fill("a1")
    page.get_by_label("Date").fill("2011-10-20")
    follow(page, page.get_by_role("button", name="Forecast"))
    assert page.locator("#answer output").is_visible()
    page.goto("/?product=heart&date=2012-01-01")
    assert page.locator("#e-product").is_visible()
    assert page.locator("#e-date").is_visible()
    context.close()


# WCAG 2 contrast of every element with text of its own against the nearest painted background behind it.
LOW_CONTRAST = """() => {
  const rgb = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = (c) => { const [r, g, b] = c.slice(0, 3).map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b; };
  const behind = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] > 0) return c; } return [255, 255, 255]; };
  const bad = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.getClientRects().length) continue;
    const style = getComputedStyle(e), text = e.namespaceURI.includes("svg") ? style.fill : style.color;
    const [a, b] = [light(rgb(text)), light(behind(e))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) bad.push(e.outerHTML.slice(0, 90));
  }
  return bad;
}"""
