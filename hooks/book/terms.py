"""Finds the glossary's terms in a text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any


def _any_of(forms: list[str]) -> str:
    """A pattern that matches the longest of the forms, as a tree of their letters: many times faster than a list."""
    if not forms:
        return r"(?!)"
    tree: dict = {}
    for form in forms:
        node = tree
        for char in form:
            node = node.setdefault(char, {})
        node[""] = {}

    def pattern(node: dict) -> str:
        ends = "" in node
        branches = [re.escape(char) + pattern(after) for char, after in node.items() if char]
        if not branches:
            return ""
        joined = branches[0] if len(branches) == 1 and not ends else f"(?:{'|'.join(branches)})"
        return f"{joined}?" if ends else joined

    return f"(?:{pattern(tree)})"


class Terms:
    """All forms of all terms in one language, as one pattern; the longest form wins."""

    def __init__(self, terms: Iterable[dict[str, Any]], language: str) -> None:
        self.forms: dict[str, dict[str, Any]] = {}
        for term in terms:
            for form in [
                term[language],
                *(term.get(f"{language}_also") or []),
                *(term.get("en_also") or [] if language == "zh" else []),
            ]:
                self.forms.setdefault(self._key(form), term)
            if language == "zh":
                self.forms.setdefault(self._key(term["en"]), term)
        latin = [form for form in self.forms if form[0].isascii()]
        han = [form for form in self.forms if not form[0].isascii()]
        # Latin words only whole (a plural s may follow); Han words anywhere
        self.pattern = re.compile(
            rf"(?<![A-Za-z0-9-])(?:{_any_of(latin)})s?(?![A-Za-z0-9-])|{_any_of(han)}", re.IGNORECASE
        )

    @staticmethod
    def _key(form: str) -> str:
        return form.lower()

    def find(self, text: str) -> Iterator[tuple[re.Match[str], dict[str, Any]]]:
        """Each place of the text that names a term, with the term."""
        for match in self.pattern.finditer(text):
            key = self._key(match[0])
            term = self.forms.get(key) or self.forms.get(key.removesuffix("s"))
            if term is not None:
                yield match, term
