"""Runs the source of a lab in a kernel of its own, and cleans what it put out."""

from __future__ import annotations

import copy
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, UTC
from pathlib import Path
from typing import Any

from . import notebook_stamps as stamps
from .notebook_source import DEFAULT_ENVIRONMENT, LANGUAGES, Cell, Source

TIMEOUT = 600  # seconds for one cell
SHOWN = (
    "torch",
    "keras",
    "tensorflow",
    "transformers",
    "numpy",
)  # packages whose versions a notebook records if it uses them
IMPORT_NAME = {
    "pillow": "PIL",
    "scikit-learn": "sklearn",
    "pylopdf-fonts-zh-cn": "pylopdf_fonts_zh_cn",
    "pyyaml": "yaml",
    "tensorflow-cpu": "tensorflow",
}
_PROGRESS = re.compile(r"\d+%\|[^|]*\||\d+it \[\d")  # tqdm with and without a known total
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

Outputs = dict[str, list[dict[str, Any]]]  # language → outputs of one code cell
Values = dict[str, list[str]]  # language → values of the expressions in the prose, in order


@dataclass
class Execution:
    """What came of running a source once."""

    outputs: list[Outputs]  # of each code cell
    values: Values
    facts: dict[str, Any]  # executed, duration_s, cpu_s, peak_mib, versions
    figures: dict[str, float]  # what the lab recorded of itself, see mmlab.runs


def environment_python(source: Source) -> Path:
    """The interpreter of the source's environment: this one, or that of `.venv-<environment>`."""
    if source.environment == DEFAULT_ENVIRONMENT:
        return Path(sys.executable)
    folder = source.root / f".venv-{source.environment}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        raise source.error(1, f'its environment .venv-{source.environment} is not installed; run "make labs"')
    return python


# ---- outputs ------------------------------------------------------------------------------------------------------


def _after_returns(text: str) -> str:
    """What a terminal shows of text with carriage returns: the last state of each line."""
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n"))


def clean(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Joins neighbouring prints, drops progress bars and what changes from run to run."""
    out: list[dict[str, Any]] = []
    for one in copy.deepcopy(outputs):
        if one["output_type"] == "stream" and out and out[-1].get("name") == one["name"]:
            out[-1]["text"] += one["text"]
            continue
        if one["output_type"] == "execute_result":
            one["execution_count"] = None
        out.append(one)
    for one in out:
        if one["output_type"] == "stream":
            text = "\n".join(line for line in _after_returns(one["text"]).split("\n") if not _PROGRESS.search(line))
            one["text"] = text if text.strip() else ""
    return [one for one in out if one["output_type"] != "stream" or one["text"]]


def _litter(outputs: list[dict[str, Any]], root: Path) -> str | None:
    """What must not be published in these outputs, in words."""
    for one in outputs:
        if one["output_type"] == "stream" and one["name"] == "stderr":
            return f"writes to stderr: {one['text'].strip().splitlines()[-1][:160]}"
        text = json.dumps([one.get("text"), one.get("data", {}).get("text/plain"), one.get("evalue")])
        for place in (str(root), tempfile.gettempdir() + "/", str(Path.home()) + "/"):
            if place in text:
                return f"shows a path of this machine ({place}); print names relative to the working folder"
    return None


# ---- running ------------------------------------------------------------------------------------------------------


class Kernel:
    """A kernel in an empty working folder, with mmlab importable and one thread. `env`: variables it gets besides."""

    def __init__(self, source: Source, env: Mapping[str, str]):
        import nbformat
        from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
        from jupyter_client.manager import AsyncKernelManager
        from nbclient import NotebookClient

        argv = [str(environment_python(source)), "-m", "ipykernel_launcher", "-f", "{connection_file}"]

        class Environment(KernelSpecManager):
            def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
                return KernelSpec(argv=argv, display_name=kernel_name, language="python")

        self.source = source
        self.env = env
        self.book = nbformat.v4.new_notebook()
        self.cell = nbformat.v4.new_code_cell
        self.manager = AsyncKernelManager(kernel_spec_manager=Environment())
        self.client = NotebookClient(self.book, km=self.manager, timeout=TIMEOUT)

    @contextmanager
    def running(self) -> Iterator[Kernel]:
        paths = [str(self.source.root), os.environ.get("PYTHONPATH", "")]
        env = dict(
            os.environ,
            PYTHONPATH=os.pathsep.join(p for p in paths if p),
            PYTHONHASHSEED="0",
            TQDM_DISABLE="1",
            OMP_NUM_THREADS="1",
            MKL_NUM_THREADS="1",
            OPENBLAS_NUM_THREADS="1",
            PYDEVD_DISABLE_FILE_VALIDATION="1",
            **self.env,
        )
        with tempfile.TemporaryDirectory(prefix="lab-", ignore_cleanup_errors=True) as folder:
            (work := Path(folder) / "work").mkdir()
            if os.name == "posix":  # talk over files in our own folder, not over ports that anyone can open
                self.manager.transport, self.manager.ip = "ipc", f"{folder}/kernel"
            with self.client.setup_kernel(env=env, cwd=str(work), cleanup_kc=True):
                yield self

    def run(self, code: str, at: Cell, may_fail: bool = False) -> list[dict[str, Any]]:
        from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

        cell = self.cell(code, metadata={"tags": ["raises-exception"] if may_fail else []})
        self.book.cells.append(cell)
        try:
            self.client.execute_cell(cell, len(self.book.cells) - 1)
        except CellExecutionError as error:
            value = _COLOUR.sub("", str(error.evalue)).strip().splitlines() or [""]
            raise self.source.error(at.line, f"the cell fails: {error.ename}: {value[0]}") from None
        except CellTimeoutError:
            raise self.source.error(at.line, f"the cell takes longer than {TIMEOUT} s") from None
        except DeadKernelError:
            raise self.source.error(at.line, "the kernel died in this cell (out of memory?)") from None
        return [dict(one) for one in cell.outputs]

    def language(self, lang: str, at: Cell) -> None:
        self.run(f"import os as _os; _os.environ['MMLAB_LANG'] = {lang!r}", at)

    def printed(self, code: str, at: Cell) -> str:
        return "".join(
            one["text"] for one in self.run(code, at) if one["output_type"] == "stream" and one["name"] == "stdout"
        )


def pins(source: Source) -> dict[str, str]:
    """{"torch": "torch==2.13.0", …} from the requirements of the source's environment."""
    path = source.requirements
    lines = path.read_text("utf-8").split() if path.exists() else []
    return {line.split("==")[0].lower(): line for line in lines if "==" in line}


def filled(source: Source) -> Source:
    """A copy in which the cell that has `needs` is filled in from notebooks/src/_setup.py."""
    source = copy.deepcopy(source)
    pinned = pins(source)
    for cell in source.cells:
        needs = str(cell.options.get("needs", "")).split()
        if not needs:
            continue
        if cell.source:
            raise source.error(cell.line, 'a cell with needs="…" must be empty: it is filled in from _setup.py')
        rows = [f"    {IMPORT_NAME.get(n, n.replace('-', '_'))!r}: {pinned.get(n, n)!r}," for n in needs]
        template = (source.root / "notebooks" / "src" / "_setup.py").read_text("utf-8").rstrip()
        cell.source = template.replace("NEED = {}", "\n".join(["NEED = {", *rows, "}"]).replace("'", '"'))
        cell.source = cell.source.replace('REPO = ""', f"REPO = {json.dumps(os.environ.get('REPO_URL', ''))}")
    return source


def execute(
    source: Source, seed: int = 0, results: Path | None = None, checkpoints: Path | None = None, say: bool = False
) -> Execution:
    """Runs a source with one seed. `results`: a folder with results of other seeds that it shows, instead of
    the book's; `checkpoints`: where it saves, instead of its working folder."""
    outputs: list[Outputs] = []
    values: Values = {lang: [] for lang in LANGUAGES}
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="lab-figures-") as folder:
        record = Path(folder) / "record.json"
        env = {"MMLAB_SEED": str(seed), "MMLAB_RECORD": str(record), "MMLAB_STAMP": stamps.results_stamp(source)}
        if results:
            env["MMLAB_RESULTS"] = str(results)
        if checkpoints:
            env["MMLAB_CHECKPOINTS"] = str(checkpoints)
        with Kernel(source, env).running() as kernel:
            language = None
            for cell in filled(source).cells:
                if cell.kind == "markdown":
                    for expression in cell.values:
                        for lang in [cell.lang] if cell.lang else LANGUAGES:
                            values[lang].append(kernel.printed(f"print({expression}, end='')", cell))
                    continue
                one: Outputs = {}
                for lang in LANGUAGES if cell.bilingual else ("none",):
                    if lang != language:
                        kernel.language(lang, cell)
                        language = lang
                    one[lang] = clean(kernel.run(cell.code(lang), cell, may_fail="raises-exception" in cell.tags))
                    if what := _litter(one[lang], source.root):
                        raise source.error(cell.line, f"the cell {what}")
                outputs.append(one if cell.bilingual else {lang: one["none"] for lang in LANGUAGES})
                if say:
                    took = time.perf_counter() - started
                    print(f"\r{source.slug}: {len(outputs)} cells, {took:.0f} s", end="", file=sys.stderr)
            answer = json.loads(kernel.printed(_ABOUT.replace("SHOWN", repr(SHOWN)), source.cells[-1]))
        figures = json.loads(record.read_text("utf-8"))["figures"] if record.exists() else {}
    if say:
        print(file=sys.stderr)
    facts = {
        "executed": datetime.now(UTC).strftime("%Y-%m-%d"),
        "duration_s": round(time.perf_counter() - started, 1),
        "cpu_s": answer["cpu"],
        "peak_mib": answer["peak"],
        "versions": answer["versions"],
    }
    return Execution(outputs, values, facts, figures)


#: Asked in the kernel at the end: versions, processor seconds and peak memory of it and its children.
_ABOUT = """
import importlib.metadata as _m, json as _j, platform as _p, resource as _r, sys as _s
_own, _of = _r.getrusage(_r.RUSAGE_SELF), _r.getrusage(_r.RUSAGE_CHILDREN)
_v = {"python": _p.python_version()}
for _name in [n for n in SHOWN if n in _s.modules]:
    for _package in (_name, _name + "-cpu"):
        try: _v[_name] = _m.version(_package).split("+")[0]
        except _m.PackageNotFoundError: pass
print(_j.dumps({
    "versions": _v,
    "cpu": round(_own.ru_utime + _own.ru_stime + _of.ru_utime + _of.ru_stime, 1),
    "peak": max(_own.ru_maxrss, _of.ru_maxrss) // 1024,
}), end="")
"""
