"""Copies what both languages share (docs/assets) into the site, makes style sheets and scripts small, leaves out what no reader fetches."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import rcssmin
import rjsmin
from book import current
from book.node import node, package
from book.paths import ASSETS, OVERRIDES
from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority

#: Shipped with the theme, never asked for by a page: source maps, and the stemmers of another search engine.
UNUSED = ("assets/javascripts/lunr", "assets/javascripts/workers", "assets/images/favicon.png", "assets/images/social")


def on_env(env, config, files):
    """Pages without the blank lines that template tags leave."""
    env.trim_blocks = env.lstrip_blocks = True
    return env


@event_priority(-30)
def on_post_build(config) -> None:
    site = Path(config.site_dir)
    for path in site.glob("assets/**/*.map"):
        path.unlink()
    for name in UNUSED:
        path = site / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for source in (OVERRIDES / "assets").rglob("*"):
        target = site / source.relative_to(OVERRIDES)
        if source.suffix == ".css":
            target.write_text(rcssmin.cssmin(source.read_text("utf-8")), "utf-8")
        elif source.suffix == ".js":
            target.write_text(rjsmin.jsmin(source.read_text("utf-8")), "utf-8")
    if current.language == "zh":
        ignore = shutil.ignore_patterns("figures", "*.md")
        shutil.copytree(ASSETS, site / "assets", ignore=ignore, dirs_exist_ok=True)
    if not current.serving:  # an edit may bring in a rule that no page used before
        _purge(site)


def _purge(site: Path) -> None:
    """Takes out of Material's style sheets what no page uses: about a third of their weight as sent."""
    package("purgecss")
    program = str(Path(__file__).with_name("purge.cjs"))
    done = subprocess.run([node(), program, str(site)], capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise PluginError(f"the style sheets cannot be purged:\n{done.stderr}")
