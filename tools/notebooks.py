"""Makes the labs: `notebooks/src/<slug>.py` → executed `notebooks/{zh,en}/<slug>.ipynb`, `data/results/<slug>.json` and
`mmlab/checkpoints/<slug>-*`.

    python -m tools.notebooks [slug …]     make what is stale (all of it, or these)
    python -m tools.notebooks --check      write nothing; one line for each that is stale or missing; exit 1 if any
    python -m tools.notebooks --run        execute everything with one seed and write nothing; exit 1 if a cell fails
    python -m tools.notebooks --force …    execute even where outputs or results could be kept

One run serves both languages, in one kernel: a shared code cell runs once, a cell with lines for one language
(`#zh>`, `#en>`) or the tag `both` runs once for each. So both notebooks show the same numbers. If only prose changed
since the last run, its outputs are kept; if only plots changed, the results of the other seeds are.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from . import notebook_stamps as stamps
from .notebook_run import Execution, execute, filled
from .notebook_source import (
    LANGUAGES,
    ROOT,
    VALUE,
    Source,
    SourceError,
    SourceErrors,
    notebook_path,
    problems,
    read,
    sources,
)


def _kept(source: Source) -> Execution | None:
    """The outputs of the last run, if nothing that they depend on has changed."""
    books = {}
    for lang in LANGUAGES:
        try:
            books[lang] = json.loads(notebook_path(source.slug, lang, source.root).read_text("utf-8"))
            if books[lang]["metadata"]["mmlab"]["code_stamp"] != stamps.code_stamp(source):
                return None
        except (OSError, ValueError, KeyError):
            return None
    old = {lang: [c for c in book["cells"] if c["cell_type"] == "code"] for lang, book in books.items()}
    count = sum(c.kind == "code" for c in source.cells)
    if any(len(cells) != count for cells in old.values()):
        return None
    meta = books[LANGUAGES[0]]["metadata"]["mmlab"]
    values = {lang: books[lang]["metadata"]["mmlab"]["values"] for lang in LANGUAGES}
    outputs = [{lang: _joined(old[lang][i]["outputs"]) for lang in LANGUAGES} for i in range(count)]
    facts = {key: meta[key] for key in ("executed", "duration_s", "cpu_s", "peak_mib", "versions") if key in meta}
    return Execution(outputs, values, facts, {})


def _joined(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Outputs as read from a file, where texts stand as lists of lines."""
    for one in outputs:
        if "text" in one:
            one["text"] = "".join(one["text"])
        for kind, data in one.get("data", {}).items():
            if isinstance(data, list):
                one["data"][kind] = "".join(data)
    return outputs


def _split(output: dict[str, Any]) -> None:
    """Texts of an output as lists of lines, which the format allows and version control can compare."""
    if "text" in output:
        output["text"] = output["text"].splitlines(keepends=True)
    for kind, data in output.get("data", {}).items():
        if isinstance(data, str) and (kind.startswith("text/") or kind == "image/svg+xml"):
            output["data"][kind] = data.splitlines(keepends=True)


def notebook(source: Source, lang: str, run: Execution, own: dict[str, str]) -> dict[str, Any]:
    """The notebook of one language, as JSON. `own` are its stamps."""
    source = filled(source)
    cells: list[dict[str, Any]] = []
    next_value = iter(run.values[lang])
    n = 0
    for cell in source.cells:
        made: dict[str, Any] = {"cell_type": cell.kind, "id": f"{source.slug}-{len(cells)}"[-64:], "metadata": {}}
        if cell.tags:
            made["metadata"]["tags"] = cell.tags
        if cell.kind == "code":
            made.update(source=cell.code(lang), execution_count=n + 1, outputs=copy.deepcopy(run.outputs[n][lang]))
            for one in made["outputs"]:
                if one["output_type"] == "execute_result":
                    one["execution_count"] = n + 1
            n += 1
        elif cell.lang not in (lang, None):
            continue
        else:
            if cell.ids:
                made["metadata"]["ids"] = cell.ids
            made["source"] = VALUE.sub(lambda _: next(next_value), cell.source)
        made["source"] = made["source"].splitlines(keepends=True)
        for one in made.get("outputs", []):
            _split(one)
        cells.append(made)
    return {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "mmlab": {
                "slug": source.slug,
                "lang": lang,
                "title": source.title(lang),
                "description": source.description(lang),
                "values": run.values[lang],
                **run.facts,
                **own,
            },
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _write(path: Path, content: str | bytes) -> None:
    """Whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(content.encode() if isinstance(content, str) else content)
    part.replace(path)


def make(path: Path, root: Path = ROOT, force: bool = False, write: bool = True, say: bool = False) -> str:
    """Makes the notebooks, the results over seeds and the checkpoints of one source. → "executed" or "kept outputs".

    Seed 0 is the run that is shown. Without `write` only that one is made, into nothing.
    Raises SourceError, having written nothing.
    """
    source = read(path, root)
    if bad := problems(source):
        raise SourceErrors(bad)
    kept = None if force or stamps.results_stale(source) else _kept(source)
    own = {"stamp": stamps.stamp(source), "code_stamp": stamps.code_stamp(source)}
    if kept:
        for lang in LANGUAGES:
            _write(notebook_path(source.slug, lang, root), _json(notebook(source, lang, kept, own), sort_keys=True))
        return "kept outputs"
    if not write:
        execute(source, say=say)
        return "executed"
    with tempfile.TemporaryDirectory(prefix="lab-made-") as folder:
        place, weights = Path(folder) / f"{source.slug}.json", Path(folder) / "checkpoints"
        found = None if force or stamps.results_stale(source) else stamps.results(source.slug, root)
        others = _others(source, found)
        place.write_text(_json(_collected(source, others)), "utf-8")  # for the run that shows them all
        run = execute(source, results=Path(folder), checkpoints=weights, say=say)
        for lang in LANGUAGES:
            _write(notebook_path(source.slug, lang, root), _json(notebook(source, lang, run, own), sort_keys=True))
        if run.figures:
            about = {key: run.facts[key] for key in ("executed", "cpu_s", "versions")}
            _write(stamps.results_path(source.slug, root), _json(_collected(source, {0: run.figures} | others) | about))
        for old in (root / "mmlab" / "checkpoints").glob(f"{source.slug}-*"):
            old.unlink()
        for made in sorted(weights.glob("*")):
            _write(root / "mmlab" / "checkpoints" / made.name, made.read_bytes())
    return "executed"


def _json(content: Any, sort_keys: bool = False) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=sort_keys) + "\n"


def _figures(source: Source, seed: int) -> dict[str, float]:
    return execute(source, seed).figures


def _others(source: Source, found: dict[str, Any] | None) -> dict[int, dict[str, float]]:
    """Seed → figures for every seed but 0: those found, if they are up to date, else of new runs, two at a time."""
    if found:
        return {
            seed: {name: values[i] for name, values in found["figures"].items()}
            for i, seed in enumerate(found["seeds"])
            if seed
        }
    if source.seeds == 1:
        return {}
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1), get_context("spawn")) as pool:
        runs = {seed: pool.submit(_figures, source, seed) for seed in range(1, source.seeds)}
        return {seed: run.result() for seed, run in runs.items()}


def _collected(source: Source, by_seed: dict[int, dict[str, float]]) -> dict[str, Any]:
    """Figures by name, a value for each seed. Raises SourceError if the runs did not record the same figures."""
    names = {name for figures in by_seed.values() for name in figures}
    for seed, figures in by_seed.items():
        if missing := names - set(figures):
            raise source.error(1, f"the run with seed {seed} did not record {', '.join(sorted(missing))}")
    return {
        "stamp": stamps.results_stamp(source),
        "seeds": sorted(by_seed),
        "figures": {name: [by_seed[seed][name] for seed in sorted(by_seed)] for name in sorted(names)},
    }


def _run_only(path: Path, root: Path) -> str | None:
    """Executes one source; what failed, or None."""
    try:
        make(path, root, force=True, write=False)
    except SourceError as error:
        return str(error)
    return None


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.notebooks", description="Makes the lab notebooks.")
    parser.add_argument("slugs", nargs="*", help="which (default: all)")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="write nothing; list what is stale")
    mode.add_argument("--run", action="store_true", help="execute everything, write nothing")
    mode.add_argument("--force", action="store_true", help="execute even where outputs could be kept")
    given = parser.parse_args(arguments)

    paths = sources(root)
    if unknown := set(given.slugs) - {p.stem for p in paths}:
        print(
            f"notebooks/src: no source for {', '.join(sorted(unknown))}; there are {', '.join(p.stem for p in paths)}",
            file=sys.stderr,
        )
        return 2
    if given.check:
        lines = stamps.all_stale(root)
        print("\n".join(lines), end="\n" if lines else "")
        return 1 if lines else 0
    paths = [path for path in paths if not given.slugs or path.stem in given.slugs]
    if given.run:
        return _run_all(paths, root)
    failed = 0
    for path in paths:  # one after the other: a lab may use the checkpoints of one before it
        if not given.force and stamps.stale(path, root) is None:
            continue
        try:
            print(f"{path.stem}: {make(path, root, force=given.force, say=sys.stderr.isatty())}", flush=True)
        except SourceError as error:
            print(error, file=sys.stderr)
            failed = 1
    return failed


def _run_all(paths: list[Path], root: Path) -> int:
    """Executes sources with seed 0, two at a time, each on one thread; writes nothing. → 1 if one fails."""
    failed = 0
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1), get_context("spawn")) as pool:
        runs = {path: pool.submit(_run_only, path, root) for path in paths}
        for path, run in runs.items():
            if what := run.result():
                print(what, file=sys.stderr)
                failed = 1
            else:
                print(f"{path.stem}: executed", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
