"""What stands in a page: formulas, figures, notebooks, the banner of a page that is behind, print."""

from __future__ import annotations

import base64
import json
import re
import shutil
from functools import partial
from pathlib import Path

import pytest
from lxml import html

from tests.book_fixture import build, make_book
from tests.browser.axe import dress
from tests.site import SCHEMES, grouped, new_context, pages, serving, site_url, visit

NOTEBOOK = "labs/01-data-loader/"

# --- formulas --------------------------------------------------------------------------------


def test_formulas_need_no_script(browser, site) -> None:
    with new_context(browser, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{site.url}principles/fusion/")
        assert page.locator("main .katex").count() > 10
        assert page.locator("main .katex math").count() == page.locator("main .katex").count(), (
            "no MathML to be read out"
        )
        assert page.locator(".formula .katex").first.bounding_box()["height"] > 10
        text = page.locator("main").inner_text()
        assert not re.search(r"\\\(|\\\[|\\frac|\\mathrm|\$\$", text)


def test_no_line_begins_with_the_punctuation_after_a_formula(browser, site) -> None:
    with new_context(browser, viewport={"width": 390, "height": 800}) as context:
        page = context.new_page()
        page.goto(f"{site.url}principles/fusion/")
        ends = page.locator("main .formula-end")
        assert ends.count() > 10
        assert not page.evaluate(
            "[...document.querySelectorAll('main .formula-end')].filter((e) => e.getClientRects().length > 1)"
            ".map((e) => e.textContent)"
        )


def test_no_page_shows_tex(folder: Path) -> None:
    wrong = []
    for name in pages(folder):
        file = folder / name
        tree = html.parse(str(file / "index.html" if file.is_dir() else file), html.HTMLParser(encoding="utf-8"))
        for gone in tree.xpath("//annotation | //script | //style | //code | //pre | //head"):
            gone.drop_tree()
        text = tree.getroot().text_content()
        if found := re.search(r"\\[(\[]|\\[a-z]{2,}|arithmatex|\$\$|\{\{|\[@[a-z]|\(figure:", text):
            wrong.append(f"{name or '/'}: …{text[max(0, found.start() - 20) : found.end() + 30].strip()}…")
    assert not wrong, "\n".join(wrong)


def test_formulas_are_set_in_their_own_fonts(page, site) -> None:
    """The fonts that are cut at build time hold every glyph that a formula needs."""
    page.goto(f"{site.url}principles/fusion/")
    page.evaluate("document.fonts.ready.then(() => true)")
    fonts = page.evaluate(
        "[...document.fonts].filter((f) => f.family.startsWith('KaTeX')).map((f) => [f.family, f.status])"
    )
    assert ["KaTeX_Main", "loaded"] in fonts
    assert ["KaTeX_Math", "loaded"] in fonts
    assert not [family for family, status in fonts if status == "error"]


# --- figures ---------------------------------------------------------------------------------


def that_move(folder: Path) -> list[tuple[str, str]]:
    """Each figure that readers can move, with its page, in both languages."""
    found = []
    for name in pages(folder):
        if not name.endswith("404.html"):
            text = (folder / name / "index.html").read_text("utf-8")
            found += [(name, figure) for figure in re.findall(r'data-try="([^"]+)"', text)]
    return found


def note(wrong: list[str], where: str, error) -> None:
    wrong.append(f"{where}: {error}")


def test_figures_that_readers_can_move(browser, site, folder: Path) -> None:
    """Each answers to the keyboard: every control changes what is said, and nothing fails or sticks out."""
    every = that_move(folder)
    assert {figure for _, figure in every} == {path.stem for path in (folder / "assets/try").glob("*-*.js")}
    wrong = []
    with new_context(browser, viewport={"width": 390, "height": 800}) as context:
        for name, figure in every:
            page = context.new_page()
            page.on("pageerror", partial(note, wrong, f"{name} {figure}"))
            page.goto(site.url + name)
            box = page.locator(f"#figure-{figure}")
            box.scroll_into_view_if_needed()
            result = box.locator(".try__result")
            result.wait_for()
            for control in box.locator(".try :is(input, select)").all():
                assert control.evaluate("(e) => e.labels.length") == 1
                said, drawn = result.inner_text(), box.locator("svg").evaluate("(e) => e.outerHTML")
                assert said.strip(), f"{name} {figure} says nothing"
                control.focus()
                kind, lowest = control.get_attribute("type"), control.get_attribute("min") == control.input_value()
                way = "ArrowRight" if lowest else "ArrowLeft"
                page.keyboard.press({"checkbox": "Space", "range": way}.get(kind, "ArrowDown"))
                if (said, drawn) == (result.inner_text(), box.locator("svg").evaluate("(e) => e.outerHTML")):
                    wrong.append(f"{name} {figure}: {control.get_attribute('name')} changes nothing")
                if re.search(r"NaN|undefined|Infinity", result.inner_text() + box.inner_text()):
                    wrong.append(f"{name} {figure}: {result.inner_text()}")
            out = box.evaluate(
                "(f) => [...f.querySelectorAll('svg text, .try *')].filter((e) => e.getBoundingClientRect().right >"
                " document.documentElement.clientWidth).map((e) => e.textContent)"
            )
            wrong += [f"{name} {figure}: sticks out: {text}" for text in out]
            page.close()
    assert not wrong, "\n".join(wrong)


def test_a_moved_figure_begins_with_the_numbers_of_the_text(browser, site) -> None:
    with new_context(browser) as context:
        page = context.new_page()
        page.goto(f"{site.url}principles/alignment/")
        page.locator("#figure-alignment-matrix").scroll_into_view_if_needed()
        result = page.locator("#figure-alignment-matrix .try__result")
        result.wait_for()
        assert "0.0885" in result.inner_text()
        assert "0.73" in result.inner_text()


def with_a_figure(folder: Path) -> list[str]:
    every = [name for name in pages(folder) if not name.endswith("404.html")]
    return [name for name in every if "<figure" in (folder / name / "index.html").read_text("utf-8")]


def test_every_figure_has_a_text_alternative(folder: Path) -> None:
    count = 0
    wrong = []
    for name in pages(folder):
        file = folder / name
        tree = html.parse(str(file / "index.html" if file.is_dir() else file), html.HTMLParser(encoding="utf-8"))
        for svg in tree.xpath("//main//figure//svg"):
            count += 1
            if svg.get("role") != "img" or len((svg.get("aria-label") or "").strip()) < 10:
                wrong.append(f"{name or '/'}: {svg.getparent().get('id')}")
            if name.startswith("en/") and re.search(r"[\u4e00-\u9fff]", svg.text_content()):
                wrong.append(f"{name}: {svg.getparent().get('id')} has Chinese text in it")
        wrong += [f"{name or '/'}: {i.get('src')}" for i in tree.xpath("//main//img") if not i.get("alt")]
    assert count > 40
    assert not wrong, "\n".join(wrong)


#: Text of figures: how it stands out from what is behind it (the topmost opaque shape of the figure, or the page).
CONTRAST = """() => {
  const channel = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b)
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true})
  canvas.canvas.width = canvas.canvas.height = 1
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1)
    canvas.fillStyle = color
    canvas.fillRect(0, 0, 1, 1)
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data
    return [r, g, b, a / 255]
  }
  const over = ([r, g, b, a], under) => [r, g, b].map((c, i) => c * a + under[i] * (1 - a))
  const paper = (e) => {
    for (let p = e; p; p = p.parentElement) {
      const color = rgba(getComputedStyle(p).backgroundColor)
      if (color[3] > 0.99) return color
    }
    return [255, 255, 255]
  }
  const out = []
  for (const text of document.querySelectorAll("main figure svg text")) {
    const box = text.getBoundingClientRect()
    if (!box.width) continue
    const x = box.left + box.width / 2, y = box.top + box.height / 2
    let under = paper(text.closest("figure"))
    for (const shape of text.ownerSVGElement.querySelectorAll("rect, circle, ellipse, path, polygon")) {
      if (shape.compareDocumentPosition(text) & Node.DOCUMENT_POSITION_PRECEDING || shape.closest("defs")) continue
      const style = getComputedStyle(shape)
      if (style.fill === "none" || !shape.isPointInFill) continue
      const point = new DOMPoint(x, y).matrixTransform(shape.getScreenCTM().inverse())
      if (!shape.isPointInFill(point)) continue
      const color = rgba(style.fill)
      color[3] *= parseFloat(style.fillOpacity) * parseFloat(style.opacity)
      under = over(color, under)
    }
    const ink = over(rgba(getComputedStyle(text).fill), under)
    const [a, b] = [light(ink), light(under)].sort((m, n) => n - m)
    const ratio = (a + 0.05) / (b + 0.05)
    if (ratio < 4.5) out.push(`${text.closest("figure").id}: "${text.textContent.trim()}" ${ratio.toFixed(2)}`)
  }
  return {count: document.querySelectorAll("main figure svg text").length, out}
}"""


def test_text_of_figures_stands_out(browser, site, folder: Path) -> None:
    """Contrast of at least 4.5 to 1, in light and in dark. (How figures look on a phone: test_crawl.py.)"""
    with_figures = [name for name in with_a_figure(folder) if not name.startswith("en/")]
    assert len(with_figures) > 15
    wrong, count = [], 0
    with new_context(browser, reduced_motion="reduce") as context:
        for address, page, _ in visit(context, [site.url + name for name in with_figures]):
            for scheme in SCHEMES:
                dress(page, scheme, "wide")
                found = page.evaluate(CONTRAST)
                count += found["count"]
                wrong += [(f"{address.removeprefix(site.url)} ({scheme})", line) for line in found["out"]]
    assert count > 400
    assert not wrong, grouped(wrong)


def test_dark_is_dark(browser, site) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        with new_context(browser, color_scheme=scheme, reduced_motion="reduce") as context:
            page = context.new_page()
            page.goto(f"{site.url}principles/fusion/")
            seen[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = {name: sum(map(int, re.findall(r"\d+", color)[:3])) for name, color in seen.items()}
    assert brightness["light"] > 600
    assert brightness["dark"] < 150


# --- the notebook ----------------------------------------------------------------------------


@pytest.mark.parametrize(("prefix", "lang"), [("", "zh"), ("en/", "en")])
def test_notebook_download(page, site, folder: Path, prefix: str, lang: str) -> None:
    page.goto(site.url + prefix + NOTEBOOK)
    with page.expect_download() as download:
        page.locator("main a[download]").click()
    assert download.value.suggested_filename == "01-data-loader.ipynb"
    notebook = json.loads(Path(download.value.path()).read_text("utf-8"))
    assert notebook["nbformat"] == 4
    assert {cell["cell_type"] for cell in notebook["cells"]} == {"markdown", "code"}
    for cell in notebook["cells"]:
        assert {"cell_type", "metadata", "source"} <= cell.keys()
        if cell["cell_type"] == "code":
            assert isinstance(cell["outputs"], list)
    prose = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    prose = re.sub(r"`[^`]*`", "", prose)
    han, latin = len(re.findall(r"[\u4e00-\u9fff]", prose)), len(re.findall(r"[A-Za-z]", prose))
    assert (han > latin * 0.4) if lang == "zh" else (han == 0)


@pytest.mark.parametrize("prefix", ["", "en/"])
def test_links_of_every_downloaded_notebook_lead_into_the_site(folder: Path, prefix: str) -> None:
    root = site_url(folder)
    notebooks = sorted((folder / prefix / "labs").glob("*/*.ipynb"))
    assert notebooks
    for path in notebooks:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        prose = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        prose = re.sub(r"```.*?```|`[^`]*`", "", prose, flags=re.S)
        links = re.findall(r"\]\(([^)\s]+)\)", prose)
        inside = [link.removeprefix(root) for link in links if link.startswith(root)]
        assert inside, f"{path.name}: no link leads back to the site"
        for link in links:
            assert link.startswith(("http://", "https://", "#")), (
                f"{path.name}: {link} leads nowhere on a reader's machine"
            )
        for link in inside:
            page, _, anchor = link.partition("#")
            assert page.startswith("en/") == (prefix == "en/"), f"{path.name}: {link} changes the language"
            body = (folder / page / "index.html").read_text("utf-8")
            assert not anchor or f'id="{anchor}"' in body, f"{path.name}: {link} has no such place"


@pytest.mark.parametrize("prefix", ["", "en/"])
def test_notebook_page_is_a_page_of_the_book(page, site, prefix: str) -> None:
    page.goto(site.url + prefix + NOTEBOOK)
    assert page.locator("main h2[id]").count() >= 3
    assert page.locator("main .highlight code").count() >= 3
    assert page.locator("main .nb-output").count() >= 2
    assert page.locator(".jp-Cell, .jp-Notebook, .jupyter-wrapper").count() == 0
    assert page.locator("main").get_by_text(re.compile(r"^(In|Out)\s?\[\d*\]")).count() == 0
    if prefix:
        prose = page.evaluate("""() => {
          const main = document.querySelector("main").cloneNode(true)
          for (const e of main.querySelectorAll("code, pre, [lang]")) e.remove()
          return main.textContent
        }""")
        assert not re.search(r"[\u4e00-\u9fff]", re.sub(r"[“\"(（][^”\")）]*[”\")）]", "", prose))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_plots_fit_the_scheme(browser, site, folder: Path, scheme: str) -> None:
    """Every picture of the notebook is shown once, and on no white sheet where the page is dark."""
    notebook = json.loads((folder / NOTEBOOK / "01-data-loader.ipynb").read_text("utf-8"))
    plots = [c for c in notebook["cells"] if any("image/svg+xml" in o.get("data", {}) for o in c.get("outputs", []))]
    wrong = []
    with new_context(browser, color_scheme=scheme, reduced_motion="reduce") as context:
        page = context.new_page()
        page.goto(site.url + NOTEBOOK)
        images = page.locator("main .nb-output img:visible, main .nb-output svg:visible")
        assert images.count() == len(plots) >= 1
        for index in range(images.count()):
            images.nth(index).scroll_into_view_if_needed()
            page.wait_for_timeout(150)
            corners = page.evaluate(CORNERS, base64.b64encode(images.nth(index).screenshot()).decode())
            if (max(corners) > 160) if scheme == "dark" else (min(corners) < 160):
                wrong.append(f"picture {index + 1} has corners {corners} in the {scheme} scheme")
    assert not wrong, "\n".join(wrong)


#: How light the four corners of a picture are, 0 to 255.
CORNERS = """async (png) => {
  const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob())
  const {width, height} = bitmap, canvas = new OffscreenCanvas(width, height).getContext("2d")
  canvas.drawImage(bitmap, 0, 0)
  return [2, width - 3].flatMap((x) => [2, height - 3].map((y) => {
    const [r, g, b] = canvas.getImageData(x, y, 1, 1).data
    return Math.round((r + g + b) / 3)
  }))
}"""


# --- an English page that is behind -------------------------------------------------------------


def test_a_page_that_is_behind_says_so(page, tmp_path: Path) -> None:
    book = make_book(tmp_path / "book")
    stale, fresh = book / "docs/en/principles/fusion.md", book / "docs/en/principles/index.md"
    text = stale.read_text("utf-8")
    line = f"source_hash: {'ab' * 32}\n"
    text = re.sub(r"^source_hash:.*\n", "", text, flags=re.M)
    stale.write_text(
        text.replace("---\n", f"---\n{line}", 1) if text.startswith("---") else f"---\n{line}---\n{text}", "utf-8"
    )
    done = build(book)
    assert done.returncode == 0, done.stdout
    with serving(book / "site") as server:
        page.goto(f"{server.url}en/principles/fusion/")
        banner = page.locator(".behind")
        assert banner.is_visible()
        assert banner.bounding_box()["y"] < 500
        banner.get_by_role("link").click()
        page.wait_for_url(f"{server.url}principles/fusion/")
        assert page.locator(".behind").count() == 0
        page.goto(f"{server.url}en/principles/")
        assert page.locator(".behind").count() == 0, f"{fresh} is not behind"
    shutil.rmtree(book)


# --- print -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["principles/fusion/", "en/interview/q/seed-1/", NOTEBOOK])
def test_print(page, site, path: str) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(site.url + path)
    for part in ("header.md-header", ".md-tabs", ".md-sidebar", "footer", ".md-search", ".headerlink", ".md-top"):
        assert page.locator(f"{part}:visible").count() == 0, f"{part} is printed"
    ink, paper = page.evaluate("""() => {
      const content = document.querySelector(".md-content")
      let p = content
      while (p && getComputedStyle(p).backgroundColor === "rgba(0, 0, 0, 0)") p = p.parentElement
      return [getComputedStyle(content.querySelector("p:not([class])")).color, p ? getComputedStyle(p).backgroundColor : "rgb(255, 255, 255)"]
    }""")
    light = [sum(map(int, re.findall(r"\d+", color)[:3])) for color in (ink, paper)]
    assert light[0] < 250, f"a dark page prints with {ink}"
    assert light[1] > 700, f"a dark page prints on {paper}"
    answers = page.locator("details > :not(summary)")
    assert all(answers.nth(i).is_visible() for i in range(answers.count())), "collapsed answers are not printed"
    assert page.pdf(format="A4").startswith(b"%PDF")


# --- lists and home --------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "en/"])
def test_home_leads_everywhere(page, site, folder: Path, prefix: str) -> None:
    """In the first screen: what this is, and where to go."""
    page.goto(site.url + prefix)
    heading = page.locator("h1")
    assert heading.bounding_box()["y"] < 600
    links = page.locator("main a[href]").evaluate_all(
        "all => all.filter((a) => a.getBoundingClientRect().top < innerHeight && a.getBoundingClientRect().height).map((a) => a.href)"
    )
    assert len([link for link in links if link.startswith(site.url + prefix)]) >= 2
    everywhere = set(page.locator("a[href]").evaluate_all("all => all.map((a) => a.href.split('#')[0])"))
    for part in ("principles/", "applications/", "models/", "interview/", "labs/", "blog/", "reference/errata/"):
        assert site.url + prefix + part in everywhere, f"the home page does not lead to {part}"


@pytest.mark.parametrize("prefix", ["", "en/"])
def test_glossary_terms_carry_a_tooltip(page, site, prefix: str) -> None:
    page.goto(f"{site.url}{prefix}principles/fusion/")
    term = page.locator("main a.term").first
    words = term.get_attribute("title") or ""
    if not words:  # Material takes the title away and shows a tooltip of its own
        term.hover()
        page.wait_for_timeout(500)
        words = page.locator(".md-tooltip2, .md-tooltip").last.inner_text()
    assert re.search(r"[A-Za-z]{3}", words)
    assert re.search(r"[\u4e00-\u9fff]{2}", words)
    href = term.evaluate("(e) => e.href")
    assert href.startswith(f"{site.url}{prefix}reference/glossary/#")
    page.goto(href)
    assert page.locator(f"[id='{href.partition('#')[2]}']").is_visible()


@pytest.mark.parametrize("prefix", ["", "en/"])
def test_citations_lead_to_the_bibliography(page, site, prefix: str) -> None:
    page.goto(f"{site.url}{prefix}principles/fusion/")
    href = page.locator("main .cite a").first.evaluate("(e) => e.href")
    assert href.startswith(f"{site.url}{prefix}reference/bibliography/#")
    page.goto(href)
    assert page.locator(f"[id='{href.partition('#')[2]}']").is_visible()
