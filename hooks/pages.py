"""What every page owes its reader: a twin in the other language, ids of its own, and a warning when it is behind."""

from __future__ import annotations

import re
from collections import Counter
from urllib.parse import urlsplit

from book import current
from book.paths import DOCS
from book.problems import line_of, problems
from book.source import read_source, read_text
from mkdocs.plugins import event_priority

_ID = re.compile(r'<(?:h[1-6]|a|div|figure|p|span|tr|td|li|section|dt)\b[^>]*?\sid="([^"]+)"')
_PRE = re.compile(r"<pre\b.*?</pre>|<code\b.*?</code>|<svg\b.*?</svg>", re.S)


@event_priority(-50)
def on_files(files, config):
    other = "zh" if current.language == "en" else "en"
    for path in sorted((DOCS / current.language).rglob("*.md")):
        uri = path.relative_to(DOCS / current.language)
        if not (DOCS / other / uri).exists():
            problems.add(
                path, 0, f"has no twin docs/{other}/{uri.as_posix()}", "write the page in the other language too"
            )
    return files


@event_priority(-90)
def on_page_content(html, page, config, files):
    if not hasattr(page, "file") or type(page).__name__ == "View":
        return html
    for name, count in Counter(_ID.findall(_PRE.sub("", html))).items():
        if count > 1:
            path = current.source_of(page.file.src_uri)
            text = read_text(path)
            first = line_of(text, f"#{name} ")
            line = line_of("\n".join(text.split("\n")[first:]), f"#{name} ", first + 1) or first
            problems.add(path, line, f"duplicate id '{name}'", "give one of the two another id")
    return html


def on_template_context(context, template_name, config):
    """The page for a missing page can be shown at any depth: its links start at the site's root."""
    root = urlsplit(config.extra["root_url"]).path
    context["twin_url"] = root if current.language == "en" else f"{root}en/"
    return context


def on_page_context(context, page, config, nav):
    """Tells the template when an English page was made from an older Chinese text, and the home page what was last posted."""
    # not through the `url` filter, which swallows the `../`
    context["twin_url"] = f"{context['base_url']}/{'..' if current.language == 'en' else 'en'}/{page.switch}"
    if current.language == "en" and (recorded := page.meta.get("source_hash")):
        twin = DOCS / "zh" / page.file.src_uri
        if twin.exists() and read_source(twin).hash != recorded:
            context["behind"] = True
    if page.is_homepage and (blog := config.plugins.get("material/blog")):
        context["latest"] = blog.blog.posts[:3]
    return context
