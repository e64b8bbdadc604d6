"""Makes pages of data: bibliography, glossary, data sets, errata, one page a question and a model; and lists in pages.

Each is written as Markdown from a template in hooks/templates/, so that it passes through everything
that prose passes through.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

from book import current, facts, uses
from book.data import authors, plain, title_of
from book.labs import labs
from book.paths import CACHE, DATA, DOCS, ROOT
from book.source import read_source
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateNotFound
from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

_COUNT = re.compile(r"\{\{ count:(references|glossary|errata|questions|models|datasets|predictions) \}\}")
#: A line of a page that a template takes the place of: hooks/templates/<kind>-<name>.md
_LIST = re.compile(r"^\{\{ (labs|questions|predictions):([a-z-]+) \}\}$", re.M)


def _environment(language: str) -> Environment:
    def pick(value):
        """The language's own text of a `{zh, en}` pair."""
        return value[language] if isinstance(value, dict) and language in value else value

    environment = Environment(
        loader=FileSystemLoader(ROOT / "hooks" / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # `{{ q:id }}` in the text belongs to references.py; templates use other brackets
        variable_start_string="<<",
        variable_end_string=">>",
    )
    environment.filters.update(
        json=lambda text: json.dumps(text, ensure_ascii=False),  # a quoted YAML string
        pick=pick,
        plain=plain,
        value=lambda value: facts.value_text(value, language),
        authors=lambda entry: authors(entry, language),
        everyone=lambda entry: "; ".join(plain(str(person)) for person in entry.persons.get("author", [])),
        title=lambda question: facts.title(question, language),
        cell=lambda text: str(text).replace("|", "\\|").replace("\n", " "),
    )
    environment.globals.update(
        heading=lambda page: _heading(page, language),
        language=language,
        zh=language == "zh",
        t=lambda zh, en: zh if language == "zh" else en,
    )
    return environment


@event_priority(50)
def on_files(files: Files, config) -> Files:
    if not current.facts_are_sound:  # pages made of broken facts would only add noise
        raise PluginError("data/ has problems, named above; the last good site is untouched")
    known = current.facts
    environment = _environment(current.language)

    def add(uri: str, source: Path, template: str, **context) -> None:
        text = environment.get_template(template).render(facts=known, **context)
        path = CACHE / "generated" / current.language / uri
        if not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        current.sources[uri] = source
        file = File.generated(config, uri, abs_src_path=str(path))
        files.append(file)

    cited = uses.citations(known, current.language)
    used = uses.terms(known, current.language)
    add(
        "reference/bibliography.md",
        DATA / "references.bib",
        "bibliography.md",
        references=known.references,
        cited=cited,
    )
    add("reference/glossary.md", DATA / "glossary.yml", "glossary.md", terms=_by_initial(current.language), used=used)
    add("reference/datasets.md", DATA / "datasets.yml", "datasets.md", datasets=known.datasets.values())
    add("reference/errata.md", DATA / "errata.yml", "errata.md", errata=known.errata.values())
    for name, question in known.questions.items():
        if current.language in question:
            add(
                f"interview/q/{name}.md",
                DATA / "questions" / name / f"{current.language}.md",
                "question.md",
                question=question,
            )
    for name, model in known.models.items():
        add(f"models/m/{name}.md", DATA / "models" / f"{name}.yml", "model.md", model=model)
    return files


def _heading(target: str, language: str) -> str:
    """What a link to `page.md#id` is called: the heading there."""
    page, _, anchor = target.partition("#")
    path = DOCS / language / page
    if path.exists():
        for line in read_source(path).body.split("\n"):
            if line.startswith("#") and (not anchor or f"#{anchor} " in line):
                return title_of(line)
    return page


def _by_initial(language: str) -> dict[str, list[dict]]:
    """Terms under the first letter of their English name: one order for both languages."""
    groups: dict[str, list[dict]] = {}
    for term in sorted(current.facts.glossary.values(), key=lambda term: term["en"].lower()):
        initial = term["en"][0].upper()
        groups.setdefault(initial if initial.isalpha() else "0–9", []).append(term)
    return groups


@event_priority(50)
def on_page_markdown(markdown, page, config, files):
    markdown = _COUNT.sub(lambda match: str(len(getattr(current.facts, match[1]))), markdown)
    return _LIST.sub(_list, markdown)


def _list(match: re.Match[str]) -> str:
    kind, name = match.groups()
    try:
        template = _environment(current.language).get_template(f"{kind}-{name}.md")
    except TemplateNotFound:
        current.mend(match[0], f"no list is called '{kind}:{name}'", "see CONTRIBUTING.md for the names")
        return ""
    return template.render(**_LISTS[kind]())


def _topics() -> dict[str, Any]:
    """The topics that have questions, and the questions of each."""
    by_topic: dict[str, list[dict]] = {}
    for question in current.facts.questions.values():
        by_topic.setdefault(question["topic"], []).append(question)
    return {
        "topics": [topic for slug, topic in current.facts.topics.items() if slug in by_topic],
        "questions": by_topic,
    }


def _predictions() -> dict[str, Any]:
    """The register: what is open, the next due first, then what was judged, the last first."""
    every = sorted(current.facts.predictions.values(), key=lambda one: (one["due"], one["id"]))
    judged = [one for one in every if one["state"] != "open"]
    return {
        "open": [one for one in every if one["state"] == "open"],
        "judged": sorted(judged, key=lambda one: one["judged"]["on"], reverse=True),
        "brier": facts.brier(every),
        "today": date.today().isoformat(),
    }


_LISTS: dict[str, Callable[[], dict[str, Any]]] = {
    "labs": lambda: {"labs": labs(current.language)},
    "questions": _topics,
    "predictions": _predictions,
}


_sections: dict[str, object] = {}


def on_nav(nav, config, files):
    """Remembers the chapters of the navigation that generated pages belong to."""
    for section in nav.items:
        for page in getattr(section, "children", None) or []:
            if getattr(page, "file", None) is not None and page.file.src_uri.endswith("index.md"):
                _sections[page.file.src_uri.removesuffix("index.md")] = section
    return nav


@event_priority(50)
def on_env(env, config, files):
    """A question's or a model's page belongs to its chapter, and leads on to the next of its kind."""
    for chapter, folder in (("interview/", "interview/q/"), ("models/", "models/m/")):
        pages = [files.get_file_from_path(f"{folder}{name}.md").page for name in _order(folder)]
        for before, after in pairwise(pages):
            before.next_page, after.previous_page = after, before
        for page in pages:
            page.parent = _sections.get(chapter)
    return env


def _order(folder: str) -> list[str]:
    """Questions as the bank lists them, models by name."""
    if folder == "models/m/":
        return sorted(current.facts.models, key=lambda name: current.facts.models[name]["name"].lower())
    topics = list(current.facts.topics)
    return sorted(
        current.facts.questions, key=lambda name: (topics.index(current.facts.questions[name]["topic"]), name)
    )
