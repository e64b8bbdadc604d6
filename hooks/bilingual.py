"""One command builds both languages, and a failed build leaves the last good site as it was.

Building or serving mkdocs.yml (Chinese) also builds mkdocs.en.yml into <site>/en, in a process of
its own (book/english.py). Both are made in a folder beside the site, which takes the site's place
only when both are whole. While serving, an edit to the text of a page makes that page again and
nothing else; every other change makes the whole site again.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

from book import current, english
from book.paths import DOCS, LANGUAGES, ROOT
from book.problems import problems
from book.source import read_source
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort, PluginError
from mkdocs.plugins import event_priority
from mkdocs.utils import CountHandler

log = logging.getLogger("mkdocs.bilingual")

#: What a build reads; a change to any of it shows in the browser while serving.
INPUTS = ("docs", "data", "notebooks", "overrides", "mkdocs.yml", english.CONFIG)

_pool: ProcessPoolExecutor | None = None
_pending: Future | None = None
_target: Path | None = None  # where the finished site goes


def _is_english(config) -> bool:
    return config.extra["language"] == "en"


def on_startup(command: str, dirty: bool) -> None:
    current.serving = command == "serve"
    for folder in (str(ROOT), str(ROOT / "hooks")):  # tools/ and book/; MkDocs forgets hooks/ once they are loaded
        if folder not in sys.path:
            sys.path.insert(0, folder)


@event_priority(100)
def on_config(config):
    global _target
    problems.clear()
    config.nav = _in_language(config.nav, config.extra["language"])
    config.extra["root_url"] = config.site_url.removesuffix("en/") if _is_english(config) else config.site_url
    if not _is_english(config) and not current.partial:
        _target = Path(config.site_dir)
        config.site_dir = str(_target.with_name(f".{_target.name}.building"))
    return config


def _in_language(nav, language: str):
    """The navigation with each `Chinese | English` title in one language."""
    if isinstance(nav, list):
        return [_in_language(item, language) for item in nav]
    if isinstance(nav, dict):
        return {
            title.split(" | ")[LANGUAGES.index(language)] if " | " in title else title: _in_language(value, language)
            for title, value in nav.items()
        }
    return nav


@event_priority(100)
def on_pre_build(config) -> None:
    global _pool, _pending
    if _is_english(config) or current.partial:
        return
    if _pool is None:
        _pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    _pending = _pool.submit(english.build_english, config.site_dir + ".en", config.site_url, current.serving)


def on_env(env, config, files):
    """Gives each page the place of its twin: the same page in the other language, or its nearest parent."""
    other = {str(path.relative_to(DOCS / _other(config)).as_posix()) for path in (DOCS / _other(config)).rglob("*.md")}
    for file in files.documentation_pages():
        page, parts = file.page, file.page.url.strip("/").split("/")
        here = "" if page.is_homepage else page.url
        if file.generated_by or file.src_uri in other or file.src_uri.endswith(".ipynb") or "/posts/" in file.src_uri:
            page.twin = page.switch = here
            continue
        while parts and f"{'/'.join(parts)}/index.md" not in other:
            parts.pop()
        page.switch = f"{'/'.join(parts)}/" if parts else ""
    return env


def _other(config) -> str:
    return "zh" if _is_english(config) else "en"


@event_priority(-100)
def on_post_build(config) -> None:
    if not _is_english(config) and not current.partial:
        result = _wait()
        _report(result)
        if result.error and not result.problems:
            raise PluginError(f"the English site did not build: {result.error}")
    if problems:
        count = len(problems)
        raise PluginError(
            f"{count} problem{'s' if count > 1 else ''} to mend, named above; the last good site is untouched"
        )
    if _is_english(config) or current.partial or (config.strict and _warned()):
        return
    shutil.move(config.site_dir + ".en", os.path.join(config.site_dir, "en"))
    _swap(Path(config.site_dir), _target)


def _wait() -> english.Result:
    global _pending
    pending, _pending = _pending, None
    return pending.result()


def _report(result: english.Result) -> None:
    for problem in result.problems:
        problems.add(problem.path, problem.line, problem.what, problem.todo)
    if not result.problems:  # or they are told already
        for message in result.warnings:
            log.warning(f"[en] {message}")
    log.info(f"English documentation built in {result.seconds:.2f} seconds")


def _warned() -> bool:
    """Whether --strict is going to abort this build."""
    return any(
        handler.get_counts() for handler in logging.getLogger("mkdocs").handlers if isinstance(handler, CountHandler)
    )


def _swap(made: Path, target: Path) -> None:
    """Puts the finished site in the old one's place: two renames, so that no half of it is ever seen."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    made.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def on_build_error(error) -> None:
    if _pending is not None:
        _report(_wait())
    _clean()


def on_shutdown() -> None:
    global _pool
    if _pool is not None:
        _pool.shutdown()
        _pool = None
    _clean()


def _clean() -> None:
    if _target is not None:
        for name in (f".{_target.name}.building", f".{_target.name}.building.en", f".{_target.name}.old"):
            shutil.rmtree(_target.with_name(name), ignore_errors=True)


# --- serving ---------------------------------------------------------------------------------


def on_serve(server, config, builder):
    for name in INPUTS:
        server.watch(str(ROOT / name))
    server.builder = _Rebuild(server.builder, config.config_file_path, str(_target), config.site_url)
    return server


def _stamps() -> dict[Path, int]:
    stamps = {}
    for name in INPUTS:
        top = ROOT / name
        for path in [top] if top.is_file() else top.rglob("*"):
            if path.is_file():
                stamps[path] = path.stat().st_mtime_ns
    return stamps


def _outline(path: Path) -> object:
    """What other pages take from this one: its front matter and headings. None for pages that feed lists."""
    if "blog" in path.parts:
        return None
    source = read_source(path)
    return repr(source.meta), [line for line in source.body.split("\n") if line.startswith("#")]


class _Rebuild:
    """What MkDocs calls when a file has changed: makes one page again where that is enough.

    It never raises: MkDocs would answer no request until the next build succeeds.
    """

    def __init__(self, full, config_file: str, site_dir: str, site_url: str) -> None:
        self.full, self.config_file, self.site_dir, self.site_url = full, config_file, site_dir, site_url
        self.broken = False
        self.remember()

    def remember(self) -> None:
        self.stamps = _stamps()
        self.outlines = {path: _outline(path) for language in LANGUAGES for path in (DOCS / language).rglob("*.md")}

    def __call__(self) -> None:
        stamps = _stamps()
        changed = {path for path in stamps.keys() | self.stamps.keys() if stamps.get(path) != self.stamps.get(path)}
        try:
            if self.broken or not all(self._is_text(path) for path in changed):
                self.broken = True  # until a full build succeeds
                self.full()
            else:
                self.broken = True
                self._partial({path.relative_to(DOCS).parts[0] for path in changed})
            self.broken = False
        except Abort:
            log.error("The last good site is still being served; mend the above and save.")
        except Exception:
            log.exception("The last good site is still being served")
        finally:
            self.remember_safely()

    def remember_safely(self) -> None:
        try:
            self.remember()
        except Exception:  # a file that cannot be read: the next change makes everything again
            self.stamps = _stamps()
            self.broken = True

    def _is_text(self, path: Path) -> bool:
        """Whether only the text between the headings of a page has changed."""
        known = self.outlines.get(path)
        return known is not None and path.exists() and _outline(path) == known

    def _partial(self, languages: set[str]) -> None:
        start = time.monotonic()
        current.partial = True
        try:
            waiting = None
            if "en" in languages:
                waiting = _pool.submit(
                    english.build_english, os.path.join(self.site_dir, "en"), self.site_url, True, True
                )
            if "zh" in languages:
                config = load_config(self.config_file, site_dir=self.site_dir)
                config.site_url = self.site_url
                build(config, serve_url=self.site_url, dirty=True)
            if waiting is not None:
                result = waiting.result()
                _report(result)
                if result.error:
                    raise Abort(result.error)
        finally:
            current.partial = False
        log.info(f"Changed pages made again in {time.monotonic() - start:.2f} seconds")
