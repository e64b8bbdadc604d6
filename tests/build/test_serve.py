"""`mkdocs serve`: both languages, an edit shows, an error is told and survived."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PATIENCE = 30  # seconds; how long it takes is for the benchmark to say


class Server:
    def __init__(self, book: Path, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.book, self.log, self.root = book, log, f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mkdocs", "serve", "-a", f"127.0.0.1:{port}"],
            cwd=book,
            env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
        )
        self.until(lambda: "Serving on" in self.said())

    def said(self) -> str:
        return self.log.read_text("utf-8")

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.root + path, timeout=PATIENCE) as answer:
            return answer.read().decode()

    def until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not true():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.1)

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.book / name
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")


@pytest.fixture
def server(book: Path, tmp_path: Path) -> Iterator[Server]:
    server = Server(book, tmp_path / "serve.log")
    yield server
    server.process.send_signal(signal.SIGINT)
    server.process.wait(PATIENCE)


@pytest.mark.parametrize(
    ("name", "old", "new", "path"),
    [
        ("docs/zh/principles/fusion.md", "怎样把", "如何把", "/principles/fusion/"),
        ("docs/en/principles/fusion.md", "How do two", "How shall two", "/en/principles/fusion/"),
        ("docs/zh/principles/fusion.md", "## 算子", "## 算符", "/principles/fusion/"),
        ("data/questions/q1/en.md", "do not interact", "never interact", "/en/interview/q/q1/"),
        ("docs/assets/figures/fusion-two.svg", "| Text<", "| Words<", "/en/principles/fusion/"),
    ],
)
def test_an_edit_shows(server: Server, name: str, old: str, new: str, path: str):
    shown = re.sub(r"[#|<> ]+", "", new) if "<" in new or "#" in new else new
    assert shown not in server.get(path)
    server.edit(name, old, new)
    server.until(lambda: shown in server.get(path))
    assert "livereload" in server.get(path)


def test_an_edit_keeps_the_rest_of_the_site(server: Server):
    before = server.get("/search/index.json"), server.get("/en/search/index.json")
    server.edit("docs/zh/principles/fusion.md", "怎样把", "如何把")
    server.until(lambda: "如何把" in server.get("/principles/fusion/"))
    after = server.get("/search/index.json"), server.get("/en/search/index.json")
    assert after == (before[0].replace("怎样把", "如何把"), before[1])
    for path in ("/", "/en/", "/interview/q/q1/", "/en/reference/errata/", "/blog/", "/assets/katex/katex.css"):
        assert server.get(path)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_error_is_told_and_survived(server: Server, language: str):
    prefix = "" if language == "zh" else "/en"
    name = f"docs/{language}/principles/fusion.md"
    server.edit(name, "[@doe2020fusion]", "[@nobody2020]")
    server.until(lambda: f"{name}:7: citation of unknown reference 'nobody2020'" in server.said())
    server.until(lambda: "The last good site is still being served" in server.said())
    assert "Doe" in server.get(f"{prefix}/principles/fusion/")
    server.edit(name, "[@nobody2020]", "[@roe2021attention]")
    server.until(lambda: server.get(f"{prefix}/principles/fusion/").count("#roe2021attention") == 2)


def test_nothing_is_left_behind(book: Path, tmp_path: Path):
    server = Server(book, tmp_path / "serve.log")
    site = re.search(r"(\S*mkdocs_\w+)", server.said())
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(PATIENCE) == 0
    assert site is None or not list(Path(site[1]).parent.glob(f"*{Path(site[1]).name}*"))
    assert [p.name for p in book.iterdir() if p.name.startswith(".site")] == []


def test_an_error_in_a_figure_stays_one_until_it_is_mended(server: Server):
    figure = "docs/assets/figures/fusion-two.svg"
    told = f"{figure}:4: <script> is not allowed in a figure"
    server.edit(figure, "<path", "<script>alert(1)</script><path")
    server.until(lambda: told in server.said())
    count = server.said().count(told)
    server.edit("docs/zh/index.md", "读起", "开始读")
    server.until(lambda: server.said().count(told) > count)
    assert "alert(1)" not in server.get("/principles/fusion/")
    assert "开始读" not in server.get("/")
