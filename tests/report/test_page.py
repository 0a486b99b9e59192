"""The page: self-contained and inert, and in a real browser reachable by keys, on a phone, in the dark and in print."""

import base64
import hashlib
import os
import re
import shutil

import pytest

from mssim.report.document import Section, Table, Text
from mssim.report.page import page_of
from tests.report.pools import HOSTILE, MODELS, hostile_report

DRAWN = """() => [...document.querySelectorAll('.chart')].every((one) => !one.offsetParent || 'drawn' in one.dataset)"""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def test_scripts_and_styles_are_allowed_by_hash_alone():
    html = page_of("title", [], [Section("answer", "One", [])])
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)[1].replace("&#39;", "'")
    rules = {name: rest for name, *rest in (rule.split() for rule in policy.split(";"))}
    assert rules["default-src"] == ["'none'"]
    hashes = {}
    for tag, kind in (("script", "script-src"), ("style", "style-src")):
        found = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        hashes[kind] = {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in found}
        assert {f"'sha256-{one}'" for one in hashes[kind]} == set(rules[kind])
    assert len(hashes["script-src"]) == 2
    assert len(hashes["style-src"]) == 1
    markup = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    assert not re.search(r"<(?:script|img|link|iframe)[^>]*(?:src|href)=", markup)


def test_names_are_escaped_and_backticks_make_code():
    table = Table("a & b", ["<i>"], [["`<b>`"]])
    html = page_of("t", [], [Section("answer", "<u>", [Text(["1 < 2 `x<y`"]), table])])
    assert "&lt;u&gt;" in html
    assert "1 &lt; 2 <code>x&lt;y</code>" in html
    assert "<td><code>&lt;b&gt;</code></td>" in html
    assert '<th scope="col">&lt;i&gt;</th>' in html


# In a browser ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    hostile_report().save(path)
    assert path.stat().st_size < 2_000_000  # although a text has a million letters
    return path


@pytest.fixture(scope="module")
def browser():
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser is installed: none of {', '.join(BROWSERS)}")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield started
        started.close()


@pytest.fixture
def visit(browser, page_file):
    """Open the page; whatever it logs, asks for or violates is a failure."""
    contexts = []

    def visit(width=1280, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        wrong = []
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith("file:") else wrong.append(request.url))
        page.wrong = wrong
        page.goto(page_file.as_uri())
        if options.get("java_script_enabled", True):
            page.wait_for_function(DRAWN)
        return page

    yield visit
    for context in contexts:
        assert [wrong for page in context.pages for wrong in page.wrong] == []
        context.close()


@pytest.mark.slow
def test_hostile_names_and_texts_are_inert(visit):
    page = visit()
    for details in page.locator("#list > li > details > summary").all()[:5]:
        details.click()
    page.locator("#list .body").nth(4).wait_for()
    for summary in page.locator("#list .body details summary").all():
        summary.click()
    page.locator(".chart svg").first.hover()
    assert page.evaluate("window.hit") is None
    shown = page.locator("body").inner_text()
    assert all(text in shown for text in (HOSTILE[0], HOSTILE[1], HOSTILE[2], MODELS[0], "{{ 7 * 7 }}"))
    assert page.locator("b, i, img").count() == 0


@pytest.mark.slow
def test_the_quantity_and_the_limit_change_what_is_shown(visit):
    page = visit()
    assert page.locator(".choice:visible").count() == 1
    before = page.locator(".choice:visible").inner_text()
    page.locator("#limit").select_option("2 samples per question")
    after = page.locator(".choice:visible").inner_text()
    assert before.startswith("Within 4 samples")
    assert after.startswith("Within 2 samples")
    page.get_by_role("radio", name="tokens").check()
    page.wait_for_function("() => document.querySelector('[data-chart=chart-curves-tokens][data-drawn]')")
    assert "tokens per question" in page.locator(".choice:visible").inner_text()
    assert not page.locator("[data-chart=chart-curves-samples_used]").is_visible()
    assert page.locator("[data-chart=chart-curves-tokens] svg").is_visible()
    page.evaluate("for (const one of document.querySelectorAll('.choice')) one.dataset.limit = '8'")  # as written
    page.get_by_role("radio", name="samples").check()
    assert page.locator(".choice:visible").count() == 1


@pytest.mark.slow
def test_everything_is_reached_by_keys(visit):
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator("input[name=unit]").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("input[value=tokens]").is_checked()
    button = page.locator(".legend:visible button").first
    button.focus()
    lines = page.locator("[data-chart=chart-curves-tokens] .mark-line path")
    page.wait_for_function("() => document.querySelector('[data-chart=chart-curves-tokens][data-drawn]')")
    n = lines.count()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "false"
    page.wait_for_function(
        f"document.querySelectorAll('[data-chart=chart-curves-tokens] .mark-line path').length < {n}"
    )
    page.locator("#list summary").first.focus()
    page.keyboard.press("Enter")
    page.locator("#list .body").first.wait_for()  # details tell that they are open a moment later
    unnamed = """[...document.querySelectorAll('button, input, select, summary, a, [tabindex]')].filter((one) =>
        one.offsetParent && !(one.textContent.trim() || one.labels?.length || one.ariaLabel)).length"""
    assert page.evaluate(unnamed) == 0
    label = page.locator("[data-chart=chart-differences]").get_attribute("aria-label")
    assert re.fullmatch(r"Accuracy of .* minus that of [^`]*", label)


@pytest.mark.slow
def test_questions_are_searched_filtered_sorted_and_opened(visit):
    page = visit()
    found = page.locator("#found")
    assert found.inner_text() == "30 of 30 questions"
    assert page.locator("#list > li").count() == 25
    page.locator("#more").click()
    assert page.locator("#list > li").count() == 30
    page.locator("#groups select").select_option(HOSTILE[1])
    assert found.inner_text() == "10 of 30 questions"
    page.locator("#search").fill("q4 ")
    page.wait_for_function("() => document.querySelector('#found').textContent.startsWith('1 ')")
    page.locator("#list summary").first.click()
    body = page.locator("#list .body")
    assert "right answer: a4" in body.inner_text()
    assert body.locator("li.right .label").first.inner_text() == "\u2713 a4"
    assert body.locator("h4").count() == 3
    page.locator("#search").fill("")
    page.locator("#groups select").select_option("all")
    page.locator("#sort").select_option("order of the pool")
    ids = page.locator("#list .id").all_inner_texts()
    assert [text.split()[0] for text in ids] == [f"q{i}" for i in range(25)]


@pytest.mark.slow
def test_a_bar_opens_its_question(visit):
    page = visit()
    page.locator("[data-chart=chart-differences] .mark-rect path").first.click()
    assert page.locator("#found").inner_text() == "1 of 30 questions"
    page.locator("#list .body").wait_for()
    assert "points" in page.locator("#list summary").first.inner_text()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_scrolling_to_the_side(visit, scheme):
    page = visit(width=390, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    widths = page.evaluate(
        "[...document.querySelectorAll('.chart svg')].map((one) => one.getBoundingClientRect().width)"
    )
    assert len(widths) >= 5
    assert max(widths) <= 390
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")


@pytest.mark.slow
def test_print_is_light_and_without_controls(visit):
    page = visit(color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator(".controls").is_visible()
    assert page.locator(".choice:visible").count() == 1
    assert len(page.pdf()) > 20_000


@pytest.mark.slow
def test_texts_and_tables_need_no_script(visit):
    page = visit(java_script_enabled=False)
    assert page.locator(".choice:visible").count() == 3  # the first answer of every quantity
    assert "need JavaScript" in page.locator("noscript").inner_text()
    assert not page.locator("#units, #limit, #explorer").first.is_visible()
