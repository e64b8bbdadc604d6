"""Whether a lab's notebooks and results are up to date: stamps of everything that they were made from.

Standard library and PyYAML only, because the site's build asks too and has neither torch nor Jupyter.

Three stamps, from coarse to fine: `stamp` changes with anything, `code_stamp` with what the outputs depend on,
`results_stamp` with what the figures over seeds depend on.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import tokenize
from pathlib import Path
from typing import Any

from .notebook_source import LANGUAGES, ROOT, Cell, Source, SourceError, notebook_path, read, sources


def _digest(parts: list[tuple[str, bytes]]) -> str:
    total = hashlib.sha256()
    for name, data in parts:
        total.update(f"{name}\0{len(data)}\0".encode())
        total.update(data)
    return total.hexdigest()


def _imports(code: str, package: str = "mmlab") -> set[str] | None:
    """Modules of the package that code names in an import, by file stem ("__init__" for the package); None if it does not parse."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return None
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:  # relative: only inside the package
                base = f"{package}.{base}" if base else package
            names = [base] + [f"{base}.{a.name}" for a in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == package:
                found.add("__init__")
                if len(parts) > 1:
                    found.add(parts[1])
    return found


def dependencies(source: Source) -> list[Path]:
    """Files beside the source that its outputs depend on: the modules of mmlab that it imports, directly or through
    others, what its header names in `uses` (patterns from the root), the setup cell and the pinned requirements."""
    root, folder = source.root, source.root / "mmlab"
    modules = {p.stem: p for p in sorted(folder.glob("*.py"))}
    wanted: set[str] = set()
    queue = [c.code(lang) for c in source.cells if c.kind == "code" for lang in LANGUAGES]
    while queue:
        names = _imports(queue.pop())
        for name in (set(modules) if names is None else names & set(modules)) - wanted:
            wanted.add(name)
            queue.append(modules[name].read_text("utf-8"))
    files = {modules[name] for name in wanted}
    for pattern in source.header.get("uses", []):
        files.update(p for p in root.glob(pattern) if p.is_file())
    files.update(p for p in (root / "notebooks" / "src" / "_setup.py", source.requirements) if p.exists())
    return sorted(files)


def _code_only(text: str) -> str:
    """Python code without comments, docstrings and empty lines: what can change its results."""
    try:
        tree = ast.parse(text)
        comments = [t for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type == tokenize.COMMENT]
    except (SyntaxError, tokenize.TokenError):
        return text
    lines = text.split("\n")
    for comment in comments:
        row, column = comment.start
        lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            said = node.body[0]
            lines[said.lineno - 1 : said.end_lineno] = [""] * ((said.end_lineno or said.lineno) - said.lineno + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _files(source: Source) -> list[tuple[str, bytes]]:
    parts = []
    for path in dependencies(source):
        data = path.read_bytes()
        if path.suffix == ".py" and path.parent.name == "mmlab":
            data = _code_only(data.decode("utf-8").replace("\r\n", "\n")).encode()
        elif path.suffix != ".safetensors":
            data = data.replace(b"\r\n", b"\n")
        parts.append((path.relative_to(source.root).as_posix(), data))
    return parts


def _code(cell: Cell) -> tuple[str, bytes]:
    texts = [cell.code(lang, comments=False) for lang in LANGUAGES]
    return "code", "\0".join([*texts, *cell.tags, str(cell.options.get("needs", ""))]).encode()


def stamp(source: Source) -> str:
    """Changes with anything that the notebooks are made from, prose included."""
    own = source.path.read_bytes().replace(b"\r\n", b"\n")
    return _digest([("source", own), *_files(source)])


def code_stamp(source: Source) -> str:
    """Changes with anything that the outputs depend on; not with prose or comments in `#zh|` / `#en|` lines."""
    parts: list[tuple[str, bytes]] = []
    for cell in source.cells:
        if cell.kind == "code":
            parts.append(_code(cell))
        elif cell.values:
            parts.append(("values", "\0".join(cell.values).encode()))
    return _digest(parts + _files(source))


def results_stamp(source: Source) -> str:
    """Changes with anything that the figures over seeds depend on: not with cells that run once for each language, which
    only plot and print, nor with the expressions in prose."""
    cells = [_code(cell) for cell in source.cells if cell.kind == "code" and not cell.bilingual]
    return _digest(cells + _files(source))


# ---- results over seeds -----------------------------------------------------------------------------------------


def results_path(slug: str, root: Path = ROOT) -> Path:
    return root / "data" / "results" / f"{slug}.json"


def results(slug: str, root: Path = ROOT) -> dict[str, Any] | None:
    """What `make labs` kept of a lab's runs: {stamp, seeds: [0, 1, …], figures: {name: [one value a seed]}, executed,
    cpu_s, versions}; None if there is nothing, or nothing that can be read."""
    try:
        found = json.loads(results_path(slug, root).read_text("utf-8"))
        return found if {"stamp", "seeds", "figures"} <= set(found) else None
    except (OSError, ValueError):
        return None


def results_stale(source: Source) -> str | None:
    """Why the results over seeds of a source are not up to date; None if they are, or if it has none."""
    shown = results_path(source.slug, source.root).relative_to(source.root).as_posix()
    found = results(source.slug, source.root)
    if found is None:
        wanted = source.seeds > 1 or source.headline
        return f"{shown} is missing or cannot be read" if wanted else None
    if found["stamp"] != results_stamp(source) or found["seeds"] != list(range(source.seeds)):
        return f"code, mmlab, requirements or seeds changed since {shown} was made"
    for one in source.headline:
        if one["figure"] not in found["figures"]:
            return f"the headline's figure {one['figure']} is not in {shown}"
    return None


# ---- what is stale ------------------------------------------------------------------------------------------------


def stale(path: Path, root: Path = ROOT) -> str | None:
    """One line that says why the notebooks of a source are not up to date; None if they are."""
    shown = path.relative_to(root).as_posix()
    try:
        source = read(path, root)
        want = stamp(source)
    except SourceError as error:
        return str(error)
    for lang in LANGUAGES:
        made = notebook_path(path.stem, lang, root)
        if not made.exists():
            return f'{shown}:1: stale: {made.relative_to(root).as_posix()} is missing; run "make labs"'
        try:
            have = json.loads(made.read_text("utf-8"))["metadata"]["mmlab"]["stamp"]
        except (ValueError, KeyError, TypeError):
            return f'{shown}:1: stale: {made.relative_to(root).as_posix()} has no stamp; run "make labs"'
        if have != want:
            return f'{shown}:1: stale: source, mmlab or requirements changed since {made.relative_to(root).as_posix()} was made; run "make labs"'
    if why := results_stale(source):
        return f'{shown}:1: stale: {why}; run "make labs"'
    return None


def all_stale(root: Path = ROOT) -> list[str]:
    """A line for each source whose notebooks or results are stale, and for each file whose source is gone."""
    lines = [line for path in sources(root) if (line := stale(path, root))]
    known = {p.stem for p in sources(root)}
    made = [p for lang in LANGUAGES for p in sorted((root / "notebooks" / lang).glob("*.ipynb"))]
    for path in [*made, *sorted((root / "data" / "results").glob("*.json"))]:
        if path.stem not in known:
            lines.append(f"{path.relative_to(root).as_posix()}:1: stale: has no source in notebooks/src; delete it")
    return lines
