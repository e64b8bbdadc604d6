"""The pipe from one source to two executed notebooks, on tiny sources in a repository of their own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest

from tools import notebook_run, notebooks
from tools import notebook_source as source
from tools import notebook_stamps as stamp

ROOT = Path(__file__).resolve().parents[2]

HEADER = """\
# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   mmlab:
#     description: {zh: 一句话。, en: One sentence.}
# ---
"""
TINY = (
    HEADER
    + """\
# %% [markdown] lang="zh" ids="tiny"
# # 小实验
# 值是 {= 6 * 7 =}，公式 $a^2$，见[编码器](../principles/encoders.md)。
# %% [markdown] lang="en" ids="tiny"
# # A tiny lab
# The value is {= 6 * 7 =}, a formula $a^2$, see [encoders](../principles/encoders.md).
# %% tags=["setup"] needs="numpy"
# %%
#zh| 共用的代码
#en| shared code
import random
x = 21
runs = random.random()
print(runs)
# %% [markdown] lang="zh" ids="part more" tags=["exercise"]
# ## 部分
# ### 更多
# %% [markdown] lang="en" ids="part more" tags=["exercise"]
# ## Part
# ### More
# %%
from mmlab import lang
if x:
    #zh> print("中文", lang(), runs)
    #en> print("English", lang(), runs)
# %% tags=["both", "solution"]
lang()
"""
)


@pytest.fixture
def repo(tmp_path):
    (tmp_path / "notebooks" / "src").mkdir(parents=True)
    (tmp_path / "mmlab").mkdir()
    (tmp_path / "requirements").mkdir()
    shutil.copy(ROOT / "notebooks" / "src" / "_setup.py", tmp_path / "notebooks" / "src")
    shutil.copy(ROOT / "mmlab" / "__init__.py", tmp_path / "mmlab")
    (tmp_path / "mmlab" / "used.py").write_text("from . import deep\n")
    (tmp_path / "mmlab" / "deep.py").write_text("VALUE = 1\n")
    (tmp_path / "mmlab" / "unused.py").write_text("VALUE = 2\n")
    (tmp_path / "requirements" / "labs.txt").write_text("numpy==9.9.9\n")
    return tmp_path


def write(repo, text, slug="09-tiny"):
    path = repo / "notebooks" / "src" / f"{slug}.py"
    path.write_text(text, "utf-8")
    return path


def load(repo, lang, slug="09-tiny"):
    return json.loads((repo / "notebooks" / lang / f"{slug}.ipynb").read_text("utf-8"))


def printed(book):
    return [
        "".join(o.get("text", o.get("data", {}).get("text/plain", "")))
        for c in book["cells"]
        for o in c.get("outputs", [])
    ]


def run(repo, *arguments, capsys=None):
    code = notebooks.main(list(arguments), repo)
    return code, capsys.readouterr() if capsys else None


# ---- making -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def made(repo, capsys):
    path = write(repo, TINY)
    code, out = run(repo, capsys=capsys)
    assert code == 0, out.err
    return path


def test_one_run_two_languages(repo, made):
    zh, en = load(repo, "zh"), load(repo, "en")
    assert [c["cell_type"] for c in zh["cells"]] == [c["cell_type"] for c in en["cells"]]
    assert zh["cells"][0]["metadata"] == en["cells"][0]["metadata"] == {"ids": ["tiny"]}
    assert zh["cells"][3]["metadata"] == {"ids": ["part", "more"], "tags": ["exercise"]}
    shared_zh, own_zh, both_zh = printed(zh)[1:]
    shared_en, own_en, both_en = printed(en)[1:]
    assert shared_zh == shared_en  # the shared cell ran once
    assert own_zh == f"中文 zh {shared_zh}"
    assert own_en == f"English en {shared_en}"
    assert (both_zh, both_en) == ("'zh'", "'en'")
    assert not source._HAN.search(json.dumps(en, ensure_ascii=False).replace("一句话", ""))
    assert "English" not in json.dumps(zh)
    assert "tiny lab" not in json.dumps(zh)


def test_values_in_prose_come_from_the_run(repo, made):
    assert "The value is 42, a formula $a^2$" in "".join(load(repo, "en")["cells"][0]["source"])
    assert "值是 42，" in "".join(load(repo, "zh")["cells"][0]["source"])


def test_metadata(repo, made):
    meta = load(repo, "en")["metadata"]["mmlab"]
    assert meta["title"] == "A tiny lab"
    assert meta["description"] == "One sentence."
    assert meta["lang"] == "en"
    assert meta["slug"] == "09-tiny"
    assert meta["stamp"] == stamp.stamp(source.read(made, repo))
    assert set(meta["versions"]) == {"python"}, "only what the lab uses"
    assert meta["duration_s"] > 0
    assert len(meta["executed"]) == 10


def test_valid_notebooks_without_traces_of_this_machine(repo, made):
    for lang in source.LANGUAGES:
        path = source.notebook_path("09-tiny", lang, repo)
        nbformat.validate(nbformat.read(path, 4))
        assert str(repo) not in path.read_text("utf-8")
        assert "/tmp" not in path.read_text("utf-8")


def test_setup_cell_is_filled_in(repo, made):
    source = "".join(load(repo, "en")["cells"][1]["source"])
    assert '"numpy": "numpy==9.9.9"' in source
    assert '["MMLAB_LANG"] = "en"' in source
    assert "#zh" not in source


def setup_code(lang="en", needs="numpy nosuchpackage"):
    path = ROOT / "notebooks" / "src" / "x.py"
    cell = source.Cell("code", 1, "", {"needs": needs})
    return notebook_run.filled(source.Source(path, {}, [cell])).cells[0].code(lang)


@pytest.mark.parametrize(("lang", "word"), [("zh", "还缺东西"), ("en", "Something is missing")])
def test_alone_the_first_cell_says_what_is_missing(tmp_path, lang, word):
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    out = subprocess.run(
        [sys.executable, "-c", setup_code(lang)],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert out.returncode == 1
    assert word in out.stderr
    assert "pip install nosuchpackage\n" in out.stderr
    assert "git clone" in out.stderr
    assert "numpy" not in out.stderr
    assert "Traceback" not in out.stderr


def test_inside_the_repository_the_first_cell_finds_mmlab():
    code = setup_code(needs="numpy") + "\nimport mmlab"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "notebooks", capture_output=True, text=True)
    assert out.returncode == 0 and out.stdout.startswith("Ready"), out.stderr


def test_repository_address(monkeypatch):
    monkeypatch.setenv("REPO_URL", "https://example.org/book")
    assert 'REPO = "https://example.org/book"' in setup_code()


# ---- stamps -----------------------------------------------------------------------------------------------------------


def test_nothing_is_made_twice(repo, made, capsys):
    assert run(repo, capsys=capsys)[1].out == ""
    assert run(repo, "--check", capsys=capsys)[0] == 0


def test_a_text_edit_keeps_the_outputs(repo, made, capsys):
    before = printed(load(repo, "zh"))
    write(repo, TINY.replace("# 值是", "# \n# 那么，值是").replace("#zh| 共用的", "#zh| 大家用的"))
    code, out = run(repo, "--check", capsys=capsys)
    assert code == 1
    code, out = run(repo, capsys=capsys)
    assert (code, out.out) == (0, "09-tiny: kept outputs\n")
    book = load(repo, "zh")
    assert printed(book) == before
    assert "那么，值是 42" in "".join(book["cells"][0]["source"])
    assert book["cells"][2]["source"][0] == "# 大家用的代码\n"


@pytest.mark.parametrize("change", ["code", "expression", "language line", "tag"])
def test_a_code_edit_executes_again(repo, made, change, capsys):
    old, new = {
        "code": ("x = 21", "x = 22"),
        "expression": ("{= 6 * 7 =}", "{= 6 * 8 =}"),
        "language line": ('"English"', '"Anglais"'),
        "tag": ('["both", "solution"]', '["both"]'),
    }[change]
    write(repo, TINY.replace(old, new))
    assert run(repo, capsys=capsys)[1].out == "09-tiny: executed\n"


def test_check_has_one_line_for_each(repo, made, capsys):
    write(repo, TINY.replace("小实验", "微实验"))
    write(repo, TINY, "10-new")
    (repo / "notebooks" / "zh" / "11-gone.ipynb").write_text("{}")
    code, out = run(repo, "--check", capsys=capsys)
    assert code == 1
    assert out.out.splitlines() == [
        'notebooks/src/09-tiny.py:1: stale: source, mmlab or requirements changed since notebooks/zh/09-tiny.ipynb was made; run "make labs"',
        'notebooks/src/10-new.py:1: stale: notebooks/zh/10-new.ipynb is missing; run "make labs"',
        "notebooks/zh/11-gone.ipynb:1: stale: has no source in notebooks/src; delete it",
    ]


def test_the_stamp_covers_what_is_imported_and_nothing_else(repo):
    path = write(repo, TINY.replace("import random", "import random\nimport mmlab.used"))

    def now():
        return stamp.stamp(source.read(path, repo))

    first = now()
    (repo / "mmlab" / "unused.py").write_text("VALUE = 3\n")
    assert now() == first
    for name in ("mmlab/deep.py", "mmlab/__init__.py", "requirements/labs.txt", "notebooks/src/_setup.py"):
        before = now()
        (repo / name).write_text((repo / name).read_text("utf-8") + "\nMORE = 1\n", "utf-8")
        assert now() != before, name


def test_comments_and_docstrings_of_the_package_make_nothing_stale(repo):
    path = write(repo, TINY.replace("import random", "import random\nimport mmlab.used"))
    used = repo / "mmlab" / "used.py"
    used.write_text('"""Old."""\nVALUE = "# 1"  # one\n\n\ndef f():\n    """Old."""\n    return 1\n')
    before = stamp.stamp(source.read(path, repo))
    used.write_text('"""New\n\nwords."""\n# two\nVALUE = "# 1"\n\ndef f():\n    """New."""\n    return 1  # one\n')
    assert stamp.stamp(source.read(path, repo)) == before
    used.write_text('"""New."""\nVALUE = "# 2"\n\ndef f():\n    """New."""\n    return 1\n')
    assert stamp.stamp(source.read(path, repo)) != before


def test_the_stamp_covers_the_files_that_the_header_names(repo):
    (repo / "data.json").write_text("1")
    path = write(repo, TINY.replace("#     description", '#     uses: ["*.json"]\n#     description'))
    before = stamp.stamp(source.read(path, repo))
    (repo / "data.json").write_text("2")
    assert stamp.stamp(source.read(path, repo)) != before


def test_line_ends_do_not_matter(repo):
    path = write(repo, TINY)
    before = stamp.stamp(source.read(path, repo))
    path.write_bytes(TINY.replace("\n", "\r\n").encode())
    assert stamp.stamp(source.read(path, repo)) == before


def test_stamp_needs_neither_torch_nor_jupyter():
    heavy = ["torch", "numpy", "nbformat", "nbclient", "jupytext", "jupyter_client", "IPython"]
    code = f"import sys\nfrom tools import notebook_stamps\nnotebook_stamps.all_stale()\nprint([n for n in {heavy} if n in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


# ---- results over seeds, checkpoints ----------------------------------------------------------------------------------

SEEDED = (
    TINY.replace(
        "#     description", "#     seeds: 3\n#     headline: [{figure: score, zh: 分数, en: score}]\n#     description"
    )
    + """\
# %%
import json, os
from pathlib import Path
seed = int(os.environ["MMLAB_SEED"])
score = seed + 0.5
Path(os.environ["MMLAB_RECORD"]).write_text(json.dumps({"seed": seed, "figures": {"score": score}}))
if "MMLAB_CHECKPOINTS" in os.environ:
    Path(os.environ["MMLAB_CHECKPOINTS"]).mkdir()
    (Path(os.environ["MMLAB_CHECKPOINTS"]) / "09-tiny-net.json").write_text(os.environ["MMLAB_STAMP"])
# %%
#zh> print("种子")
#en> print("seeds")
if "MMLAB_RESULTS" in os.environ:
    print(json.loads((Path(os.environ["MMLAB_RESULTS"]) / "09-tiny.json").read_text())["figures"]["score"])
"""
)


@pytest.fixture
def seeded(repo, capsys):
    path = write(repo, SEEDED)
    code, out = run(repo, capsys=capsys)
    assert code == 0, out.err
    return path


def test_every_seed_is_run_and_the_first_shows_the_others(repo, seeded):
    kept = json.loads((repo / "data" / "results" / "09-tiny.json").read_text("utf-8"))
    assert kept["seeds"] == [0, 1, 2]
    assert kept["figures"] == {"score": [0.5, 1.5, 2.5]}
    assert kept["cpu_s"] > 0
    assert "[1.5, 2.5]" in printed(load(repo, "zh"))[-1]


def test_checkpoints_of_the_run_that_is_shown_are_kept_and_old_ones_go(repo, seeded, capsys):
    folder = repo / "mmlab" / "checkpoints"
    assert [p.name for p in folder.iterdir()] == ["09-tiny-net.json"]
    assert (folder / "09-tiny-net.json").read_text() == stamp.results_stamp(source.read(seeded, repo))
    (folder / "10-other-net.json").write_text("")
    write(repo, SEEDED.replace("09-tiny-net", "09-tiny-better"))
    assert run(repo, "09-tiny", capsys=capsys)[0] == 0
    assert sorted(p.name for p in folder.iterdir()) == ["09-tiny-better.json", "10-other-net.json"]


def test_a_change_of_plots_keeps_the_results_of_other_seeds(repo, seeded, capsys):
    path = repo / "data" / "results" / "09-tiny.json"
    kept = json.loads(path.read_text("utf-8"))
    kept["figures"]["score"][1] = 99
    path.write_text(json.dumps(kept))
    write(repo, SEEDED.replace('print("seeds")', 'print("Seeds")'))
    assert run(repo, capsys=capsys)[1].out == "09-tiny: executed\n"
    assert json.loads(path.read_text("utf-8"))["figures"] == {"score": [0.5, 99, 2.5]}
    write(repo, SEEDED.replace("seed + 0.5", "seed + 1.5"))
    assert run(repo, capsys=capsys)[1].out == "09-tiny: executed\n"
    assert json.loads(path.read_text("utf-8"))["figures"] == {"score": [1.5, 2.5, 3.5]}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path, repo: (repo / "data/results/09-tiny.json").unlink(), "09-tiny.json is missing"),
        (lambda path, repo: (repo / "data/results/09-tiny.json").write_text("{"), "cannot be read"),
        (lambda path, repo: path.write_text(SEEDED.replace("seeds: 3", "seeds: 2"), "utf-8"), "changed since"),
        (lambda path, repo: (repo / "data/results/11-gone.json").write_text("{}"), "has no source"),
    ],
)
def test_stale_results_are_named(repo, seeded, spoil, message, capsys):
    spoil(seeded, repo)
    code, out = run(repo, "--check", capsys=capsys)
    assert code == 1
    assert message in out.out


def test_seeds_must_record_the_same_figures(repo, capsys):
    write(repo, SEEDED.replace('{"score": score}', '{"score" if seed < 2 else "points": score}'))
    code, out = run(repo, capsys=capsys)
    assert code == 1
    assert "did not record" in out.err
    assert not (repo / "notebooks" / "zh").exists()


def test_a_seed_that_fails_is_named(repo, capsys):
    write(repo, SEEDED.replace("score = seed + 0.5", "score = 1 / (seed - 2)"))
    code, out = run(repo, capsys=capsys)
    assert code == 1
    assert "ZeroDivisionError" in out.err
    assert not (repo / "data" / "results").exists()


def test_an_environment_of_its_own(repo, capsys):
    write(repo, TINY.replace("#     description", "#     environment: other\n#     description"))
    assert "no requirements/other.txt" in run(repo, capsys=capsys)[1].err
    (repo / "requirements" / "other.txt").write_text("numpy==8.8.8\n")
    assert 'run "make labs"' in run(repo, capsys=capsys)[1].err
    python = repo / ".venv-other" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nMMLAB_OTHER=yes exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    asks = "# %%\nimport os\nprint(os.environ['MMLAB_OTHER'])\n"
    write(repo, TINY.replace("#     description", "#     environment: other\n#     description") + asks)
    code, out = run(repo, capsys=capsys)
    assert code == 0, out.err
    assert printed(load(repo, "en"))[-1] == "yes\n"
    assert '"numpy": "numpy==8.8.8"' in "".join(load(repo, "en")["cells"][1]["source"])


# ---- what a run may not do ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("1 / 0", "the cell fails: ZeroDivisionError: division by zero"),
        ("assert 1 > 2, 'no\\nmore'", "the cell fails: AssertionError: no"),
        ("import warnings; warnings.warn('old')", "the cell writes to stderr"),
        ("import os; print(os.getcwd())", "shows a path of this machine"),
        ("from mmlab import lang; lang()", "the tag 'both'"),
        ("import os; os._exit(1)", "the kernel died"),
    ],
)
def test_errors_name_file_line_and_exception(repo, cell, message, capsys):
    text = TINY + f"# %%\n{cell}\n"
    line = len(TINY.splitlines()) + 1
    write(repo, text)
    code, out = run(repo, capsys=capsys)
    last = out.err.strip().splitlines()[-1]
    assert code == 1 and last.startswith(f"notebooks/src/09-tiny.py:{line}: ") and message in last, out.err
    assert not (repo / "notebooks" / "zh").exists()


def test_one_that_fails_does_not_keep_the_others(repo, capsys):
    write(repo, TINY + "# %%\n1 / 0\n", "08-bad")
    write(repo, TINY)
    code, out = run(repo, capsys=capsys)
    assert code == 1
    assert out.out == "09-tiny: executed\n"


def test_run_writes_nothing(repo, capsys):
    write(repo, TINY)
    assert run(repo, "--run", capsys=capsys)[0] == 0
    assert not (repo / "notebooks" / "zh").exists()


def test_unknown_slug(repo, capsys):
    write(repo, TINY)
    code, out = run(repo, "12-none", capsys=capsys)
    assert code == 2
    assert "there are 09-tiny" in out.err


def test_progress_bars_leave_nothing(repo, capsys):
    cell = (
        "# %%\nimport os, sys\nos.environ.pop('TQDM_DISABLE')\nfrom tqdm import tqdm\n"
        "for i in tqdm(range(3), desc='epoch'): pass\n"
        "for i in tqdm(range(3), file=sys.stdout): pass\nprint('done')\n"
    )
    write(repo, TINY + cell)
    code, out = run(repo, capsys=capsys)
    assert code == 0, out.err
    assert printed(load(repo, "en"))[-1] == "done\n"


def test_clean():
    def stream(text, name="stdout"):
        return {"output_type": "stream", "name": name, "text": text}

    assert notebook_run.clean([stream("a"), stream("b\n")]) == [stream("ab\n")]
    assert notebook_run.clean([stream("10%|#  |\r20%|## |\rend\n")]) == [stream("end\n")]
    assert notebook_run.clean([stream("\r 50%|## | 1/2\r100%|####| 2/2\n", "stderr")]) == []
    assert notebook_run.clean([stream("kept\r\n")]) == [stream("kept\n")]


# ---- what a source must be ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('lang="en" ids="tiny"', 'lang="en" ids="other"', "headings or ids differ"),
        ('lang="zh" ids="tiny"', 'lang="zh"', "1 headings but 0 ids"),
        ("# # A tiny lab", "# ## A tiny lab", "exactly one '# ' heading"),
        ("a formula $a^2$", "a formula $a^3$", "formulas differ"),
        ("see [encoders](../principles/encoders.md)", "see encoders", "links differ"),
        ("The value is {= 6 * 7 =}", "The value is 42", "values differ"),
        ("# ## 部分\n# ### 更多", "# ### 部分\n# ### 更多", "skips a level; begin it with ##"),
        ("# ## 部分\n# ### 更多", "# ## 部分\n# ### $n$ 选一", "has a formula; say it in words"),
        ("# # A tiny lab", "# # A tiny lab 小", "Chinese characters in English"),
        ("#en| shared code", "#en| 共用", "Chinese characters in an English line"),
        ("#en| shared code\n", "", "lines for one language only"),
        ("x = 21", "x = 21  # the answer to all of the questions", "a comment in words"),
        ("x = 21", "x = 21  # 答案", "a comment in words"),
        ('ids="part more"', 'ids="tiny more"', "stands 2 times"),
        ('ids="part more"', 'ids="Part more"', "kebab-case"),
        ("en: One sentence.", "en: ''", "no description.en"),
        ('# %% [markdown] lang="en" ids="tiny"', '# %% [markdown] lang="fr" ids="tiny"', "is not zh or en"),
        ("# # 小实验", "小实验", "begins with '# '"),
        ("# jupyter:", "# jupyter: [", "not YAML"),
        ("# ---\n# %%", "# %%", "the header is not closed"),
        ('needs="numpy"', 'needs="numpy"\npass', "must be empty"),
    ],
)
def test_broken_rules_are_named(repo, old, new, message, capsys):
    assert old in TINY
    write(repo, TINY.replace(old, new, 1))
    code, out = run(repo, capsys=capsys)
    assert code == 1
    assert message in out.err
    assert all(line.startswith("notebooks/src/09-tiny.py:") for line in out.err.splitlines())


def test_zh_without_en(repo):
    path = write(repo, TINY + '# %% [markdown] lang="zh"\n# 完\n')
    assert ["this zh cell has no en cell after it" in str(e) for e in source.problems(source.read(path, repo))] == [
        True
    ]


def test_quotations_and_code_may_be_chinese(repo):
    path = write(repo, TINY.replace("# # A tiny lab\n", "# # A tiny lab\n# `红` and “红色”.\n"))
    assert source.problems(source.read(path, repo)) == []


def test_code_of_one_language():
    cell = source.Cell("code", 1, "if a:\n    #zh> b = '中'\n    #en> b = 'E'\n    #zh| 注\n    #en| note\nc")
    assert cell.code("zh") == "if a:\n    b = '中'\n    # 注\nc"
    assert cell.code("en", comments=False) == "if a:\n    b = 'E'\nc"
    assert cell.bilingual
    assert not source.Cell("code", 1, "#zh| a\n#en| b").bilingual


@pytest.mark.parametrize("path", [None, *source.sources()], ids=lambda p: p.stem if p else "tiny")
def test_jupytext_reads_a_source_as_we_do(repo, path):
    path = path or write(repo, TINY)
    ours = source.read(path, ROOT if path.is_relative_to(ROOT) else repo).cells
    theirs = jupytext.read(path, fmt="py:percent").cells
    assert [(c.kind, c.source) for c in ours] == [(c.cell_type, c.source) for c in theirs]
    assert [c.lang for c in ours] == [c.metadata.get("lang") for c in theirs]


# ---- the book's own -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", source.sources(), ids=lambda p: p.stem)
def test_the_books_sources_keep_the_rules(path):
    assert [str(e) for e in source.problems(source.read(path))] == []


@pytest.mark.parametrize("lang", source.LANGUAGES)
@pytest.mark.parametrize("slug", [p.stem for p in source.sources()])
def test_every_figure_has_a_text_in_the_readers_language(slug, lang):
    path = source.notebook_path(slug, lang)
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            assert "image/png" not in output.get("data", {}), "show figures with plots.show"
            if "image/svg+xml" in output.get("data", {}):
                alt = output["metadata"]["image/svg+xml"]["alt"]
                assert bool(source._HAN.search(alt)) == (lang == "zh")
                assert len(alt) > 12
