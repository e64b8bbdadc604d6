"""The small projects of the applications: each runs, and prints what its comments say."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = sorted(
    path.stem for path in (DOCS / "zh/applications").glob("*.md") if "{ #project }" in path.read_text("utf-8")
)


def listing(page: str) -> str:
    """The first Python block after the heading `#project`."""
    text = (DOCS / "zh/applications" / f"{page}.md").read_text("utf-8").split("{ #project }")[1]
    return re.search(r"^```python\n(.*?)^```", text, re.S | re.M)[1]


@pytest.mark.parametrize("page", PAGES)
def test_a_project_prints_what_it_says(page: str):
    code = listing(page)
    promised = [line.split("# → ", 1)[1].strip() for line in code.split("\n") if "# → " in line]
    assert promised, "a project prints something, and says what: # → …"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, f"{page}.md", "exec"), {"__name__": "__main__"})
    assert [line.strip() for line in printed.getvalue().strip().split("\n")] == promised
