"""What the labs claim of themselves: means over the seeds in data/results, against goals set beforehand."""

import json
from statistics import mean

import pytest

from tools import notebook_stamps as stamps
from tools.notebook_source import ROOT, read, sources

AT_LEAST, AT_MOST = "at least", "at most"
GOALS = [
    ("02-feature-extraction", "test.text", AT_MOST, 0.50),  # the ceilings that are proved
    ("02-feature-extraction", "test.image", AT_MOST, 0.50),
    ("02-feature-extraction", "test.concat", AT_MOST, 0.75),
    ("02-feature-extraction", "test.product", AT_LEAST, 0.90),
    ("03-training", "seen.text", AT_MOST, 0.50),
    ("03-training", "seen.image", AT_MOST, 0.50),
    ("03-training", "seen.concat", AT_MOST, 0.75),
    ("03-training", "seen.product", AT_LEAST, 0.95),
    ("03-training", "heldout.readers", AT_LEAST, 0.90),
    ("03-training", "match.scratch", AT_MOST, 0.70),
    ("03-training", "match.aligned", AT_LEAST, 0.85),
    ("05-contrastive", "zeroshot.zh", AT_LEAST, 0.97),
    ("05-contrastive", "zeroshot.en", AT_LEAST, 0.97),
    ("05-contrastive", "swap.apart.places", AT_MOST, 0.17),
    ("05-contrastive", "swap.late.places", AT_LEAST, 0.60),
    ("06-bridging", "test.llava.open", AT_LEAST, 0.90),
    ("06-bridging", "test.blip2.open", AT_LEAST, 0.75),
    ("06-bridging", "test.blank.open", AT_MOST, 0.25),
    ("06-bridging", "test.blip2-blank.open", AT_MOST, 0.25),
    ("07-three-modalities", "test.three", AT_LEAST, 0.90),
    ("07-three-modalities", "test.best-two", AT_MOST, 0.55),
    ("09-generation", "judge.own", AT_LEAST, 0.99),
    ("09-generation", "judge.swapped", AT_MOST, 0.03),
    ("09-generation", "seen.all", AT_LEAST, 0.80),
    ("09-generation", "held.all", AT_LEAST, 0.60),
    ("09-generation", "control.other", AT_MOST, 0.05),  # the score comes from the caption
    ("09-generation", "control.empty", AT_MOST, 0.05),
    ("09-generation", "relation.seeing", AT_LEAST, 0.95),
    ("09-generation", "relation.blind", AT_MOST, 0.50),
    ("11-preference", "test.start.mixture", AT_MOST, 0.50),
    ("11-preference", "test.dpo.mixture", AT_LEAST, 0.60),
    ("11-preference", "test.grpo.mixture", AT_LEAST, 0.60),
    ("11-preference", "test.naysayer.present", AT_MOST, 0.05),  # the cure that is none
    ("11-preference", "brake.none.proxy", AT_LEAST, 0.95),
    ("11-preference", "brake.none.truth", AT_MOST, 0.55),
]


@pytest.mark.parametrize(("slug", "figure", "side", "goal"), GOALS)
def test_the_mean_over_seeds_reaches_its_goal(slug, figure, side, goal):
    values = stamps.results(slug)["figures"][figure]
    assert len(values) >= 3
    assert mean(values) >= goal if side == AT_LEAST else mean(values) <= goal, values


def test_the_ranking_turns_round_on_unseen_combinations():
    figures = stamps.results("03-training")["figures"]
    for product, readers in zip(figures["heldout.product"], figures["heldout.readers"], strict=True):
        assert readers > product + 0.1


def test_guidance_helps_the_unseen_and_costs_variety():
    figures = stamps.results("09-generation")["figures"]
    for plain, guided in zip(figures["held.s1"], figures["held.s2"], strict=True):
        assert guided > plain
    for name, much in (("seen.s1", "seen.s8"), ("sizes.s1", "sizes.s8"), ("layouts.s1", "layouts.s8")):
        assert all(a > b for a, b in zip(figures[name], figures[much], strict=True)), name


def test_a_proxy_that_is_optimised_too_hard_loses_the_truth():
    figures = stamps.results("11-preference")["figures"]
    for best, hardest in zip(figures["clip.true.8"], figures["clip.true.64"], strict=True):
        assert best > hardest
    for one, most in zip(figures["clip.proxy.8"], figures["clip.proxy.64"], strict=True):
        assert most > one


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.stem)
def test_results_and_notebooks_are_up_to_date(path):
    assert stamps.stale(path) is None


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.stem)
def test_a_checkpoint_says_what_it_was_made_from(path):
    for beside in sorted((ROOT / "mmlab" / "checkpoints").glob(f"{path.stem}-*.json")):
        assert json.loads(beside.read_text("utf-8"))["source"] == stamps.results_stamp(read(path)), beside.name
