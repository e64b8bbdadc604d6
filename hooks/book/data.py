"""Loads the facts in data/, checks each file against its schema, and names the line that is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from pybtex.database import BibliographyData, Entry, parse_string
from pybtex.exceptions import PybtexError
from pybtex.richtext import Text

from .paths import DATA, LANGUAGES, SCHEMAS, relative
from .problems import BadInput, Problem, problems
from .source import read_source, read_text


def _load_json(path: Path) -> Any:
    """JSON read as JSON: to YAML 1e-06 is a text."""
    try:
        return json.loads(read_text(path))
    except ValueError as error:
        raise BadInput(
            Problem(relative(path), getattr(error, "lineno", 0), f"is not JSON ({error})", "run `make labs`")
        ) from None


def _load_yaml(path: Path) -> Any:
    text = read_text(path)
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise BadInput(
            Problem(
                relative(path),
                mark.line + 1 if mark else 0,
                f"is not YAML ({getattr(error, 'problem', None) or error})",
                "mend it; strings with ': ' or '#' need quotes",
            )
        ) from None


_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where it is there: ten times faster


class _Loader(_FAST):  # type: ignore[misc, valid-type]
    """YAML whose dates and year-months stay strings, as the schemas want them."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def line_of_path(path: Path, steps: list[str | int]) -> int:
    """The line of a YAML file on which the value at `steps` (keys and indices) begins."""
    node = yaml.compose(read_text(path), Loader=_FAST)
    line = 1
    for step in steps:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(step):
                    line, node = key.start_mark.line + 1, value
                    break
            else:
                return line
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            return line
    return line


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(read_text(SCHEMAS / f"{schema}.json")))


def load(path: Path, schema: str) -> Any:
    """The file's content, checked against data/schemas/<schema>.json.

    Each violation is reported as a problem with its line; raises BadInput if the file is not YAML (or JSON).
    """
    content = _load_json(path) if path.suffix == ".json" else _load_yaml(path)
    for error in sorted(_validator(schema).iter_errors(content), key=lambda e: list(map(str, e.path))):
        steps = list(error.path)
        where = "/".join(map(str, steps)) or "the file"
        message = error.message if len(error.message) < 160 else error.message[:157] + "…"
        problems.add(
            path,
            line_of_path(path, steps),
            f"{where}: {message}",
            f"see CONTRIBUTING.md and data/schemas/{schema}.json",
        )
    return content


def _unique(path: Path, entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Entries by their id; a second one with the same id is a problem."""
    found: dict[str, dict[str, Any]] = {}
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or "id" not in entry:
            continue
        if entry["id"] in found:
            problems.add(
                path, line_of_path(path, [index]), f"duplicate id {entry['id']!r}", "give each entry its own id"
            )
        found[entry["id"]] = entry
    return found


class Facts:
    """Everything in data/, loaded once.

    A file that does not parse or does not satisfy its schema is reported in
    `book.problems.problems`; what can be used of it is kept, so that one run shows every problem.
    """

    def __init__(self, root: Path = DATA) -> None:
        self.root = root
        self.references: dict[str, Entry] = {}
        self.glossary: dict[str, dict[str, Any]] = {}
        self.errata: dict[str, dict[str, Any]] = {}
        self.topics: dict[str, dict[str, Any]] = {}
        self.questions: dict[str, dict[str, Any]] = {}
        self.models: dict[str, dict[str, Any]] = {}
        self.results: dict[str, dict[str, Any]] = {}
        self.datasets: dict[str, dict[str, Any]] = {}
        self.predictions: dict[str, dict[str, Any]] = {}
        parts: list[Callable[[], None]] = [self._references]
        parts += [partial(self._list, name) for name in ("glossary", "errata", "datasets", "predictions")]
        parts += [self._topics, self._questions, self._models, self._results]
        for part in parts:
            try:
                part()
            except BadInput as error:
                found = error.problem
                problems.add(found.path, found.line, found.what, found.todo)
        self._check_sources()

    def _references(self) -> None:
        path = self.root / "references.bib"
        try:
            bibliography: BibliographyData = parse_string(read_text(path), "bibtex")
        except PybtexError as error:
            line = getattr(error, "lineno", 0) or 0
            raise BadInput(
                Problem(relative(path), line, f"BibTeX does not parse ({error})", "mend the entry on this line")
            ) from None
        self.references = dict(bibliography.entries.items())

    def _list(self, name: str) -> None:
        """A file that is a list of entries, each with its id."""
        path = self.root / f"{name}.yml"
        setattr(self, name, _unique(path, load(path, name)))

    def _topics(self) -> None:
        content = load(self.root / "topics.yml", "topics")
        entries = content["topics"] if isinstance(content, dict) else content
        self.topics = {entry["slug"]: entry for entry in entries}

    def _questions(self) -> None:
        for folder in sorted((self.root / "questions").iterdir()):
            if not folder.is_dir():
                continue
            meta = dict(load(folder / "meta.yml", "question"), id=folder.name)
            if meta.get("topic") not in self.topics:
                problems.add(
                    folder / "meta.yml",
                    line_of_path(folder / "meta.yml", ["topic"]),
                    f"unknown topic {meta.get('topic')!r}",
                    "use a slug of data/topics.yml",
                )
            for language in LANGUAGES:
                path = folder / f"{language}.md"
                if not path.exists():
                    problems.add(path, 0, "is missing", "write the question in this language too")
                    continue
                source = read_source(path)
                first = source.body.lstrip().split("\n", 1)[0]
                if not first.startswith("# "):
                    problems.add(
                        path, 1, "does not begin with the question", "write `# The question { #question }` first"
                    )
                meta[language] = {"path": path, "title": title_of(first), "body": source.body}
            self.questions[folder.name] = meta

    def _models(self) -> None:
        for path in sorted((self.root / "models").glob("*.yml")):
            model = load(path, "model")
            if not isinstance(model, dict):
                continue
            if model.get("id") != path.stem:
                problems.add(path, 1, f"id {model.get('id')!r} is not the file's name", f"write `id: {path.stem}`")
            self.models[path.stem] = model

    def _results(self) -> None:
        for path in sorted((self.root / "results").glob("*.json")):
            self.results[path.stem] = load(path, "results")

    def _check_sources(self) -> None:
        """Every source that data names must be an entry of the bibliography (or an address)."""

        def check(path: Path, steps: list[str | int], key: Any) -> None:
            if isinstance(key, str) and "://" not in key and key not in self.references:
                problems.add(
                    path,
                    line_of_path(path, steps),
                    f"unknown source {key!r}",
                    "add it to data/references.bib or correct the key",
                )

        path = self.root / "errata.yml"
        for index, erratum in enumerate(self.errata.values()):
            for number, key in enumerate(erratum.get("sources") or []):
                check(path, [index, "sources", number], key)
        for question in self.questions.values():
            path = self.root / "questions" / question["id"] / "meta.yml"
            for number, key in enumerate(question.get("sources") or []):
                check(path, ["sources", number], key)
        path = self.root / "datasets.yml"
        for index, dataset in enumerate(self.datasets.values()):
            for name in ("size", "licence"):
                check(path, [index, name, "source"], (dataset.get(name) or {}).get("source"))
            for number, problem in enumerate(dataset.get("problems") or []):
                check(path, [index, "problems", number, "source"], problem.get("source"))
            for number, key in enumerate(dataset.get("references") or []):
                check(path, [index, "references", number], key)
        path = self.root / "predictions.yml"
        for index, prediction in enumerate(self.predictions.values()):
            for number, key in enumerate(prediction.get("sources") or []):
                check(path, [index, "sources", number], key)
            for number, key in enumerate((prediction.get("judged") or {}).get("sources") or []):
                check(path, [index, "judged", "sources", number], key)
        for model in self.models.values():
            path = self.root / "models" / f"{model.get('id')}.yml"
            for name, fact in (model.get("facts") or {}).items():
                if isinstance(fact, dict):
                    check(path, ["facts", name, "source"], fact.get("source"))
            for number, key in enumerate(model.get("references") or []):
                check(path, ["references", number], key)


def title_of(heading: str) -> str:
    """A heading line's text: without its hashes and its `{ #id }`."""
    text = heading.lstrip("#").strip()
    return text[: text.rindex("{")].strip() if text.endswith("}") and "{" in text else text


def authors(entry: Entry, language: str) -> str:
    """How a citation names its authors: `Radford et al.` or `Radford 等`."""
    people = entry.persons.get("author", [])
    if not people:
        return entry.fields.get("organization") or entry.fields.get("title", "").strip("{}")
    names = [" ".join(person.prelast_names + person.last_names).strip("{}") for person in people]
    if len(names) == 1:
        return names[0]
    if len(names) == 2 and "others" not in names[1]:
        return f"{names[0]} 和 {names[1]}" if language == "zh" else f"{names[0]} and {names[1]}"
    return f"{names[0]} 等" if language == "zh" else f"{names[0]} et al."


@cache
def plain(text: str) -> str:
    """BibTeX text without its braces and the few TeX accents that the bibliography uses."""
    if "\\" not in text:
        return text.replace("{", "").replace("}", "")
    try:
        return str(Text.from_latex(text))
    except Exception:
        return text.replace("{", "").replace("}", "")
