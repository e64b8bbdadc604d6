import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmlab import scenes, truth
from mmlab.scenes import Placed, Scene, Thing
from mmlab.truth import Ask, Claim

LAYOUTS = truth.layouts()
layouts = st.sampled_from(LAYOUTS)
langs = st.sampled_from(scenes.LANGUAGES)
kinds = st.sampled_from(truth.KINDS)
seeds = st.integers(0, 10_000)
DIAGONAL = Scene((Placed(Thing("red", "circle"), 0, 0), Placed(Thing("blue", "star"), 1, 1)))


def test_layouts_are_all_different():
    assert len(LAYOUTS) == len({frozenset(s.placed) for s in LAYOUTS}) == 864
    assert sum(map(truth.aligned, LAYOUTS)) == 864 * 8 // 12


@given(layouts, kinds, langs, seeds)
def test_the_answer_that_comes_with_a_question_is_true(scene, kind, lang, seed):
    if kind == "relation" and not truth.aligned(scene):
        with pytest.raises(ValueError, match="one alone"):
            truth.draw_ask(scene, kind, lang, np.random.default_rng(seed))
        return
    ask, answer = truth.draw_ask(scene, kind, lang, np.random.default_rng(seed))
    score = truth.score(ask, answer, scene)
    assert score.true and score.credit == 1 and score.claims


@given(layouts, langs)
def test_every_true_caption_is_true_and_its_converse_false(scene, lang):
    ask = Ask("caption", lang)
    for a, b in (scene.placed, scene.placed[::-1]):
        for relation in truth.RELATIONS:
            said = scenes.caption(a.thing, relation, b.thing, lang)
            score = truth.score(ask, said, scene)
            assert score.true == scenes.relation_holds(relation, a, b)
            assert score.credit == pytest.approx(1 if score.true else 2 / 3)


def test_every_question_can_be_read_back():
    for lang in scenes.LANGUAGES:
        asks = list(truth.every_question(lang))
        assert len({truth.wording(a) for a in asks}) == len(asks) == 4 + 4 + 4 + 16 + 1
        for ask in asks:
            assert truth.parse_question(truth.wording(ask)) == ask
            assert truth.parse_question(truth.wording(ask).upper().rstrip("？?。.")) == ask
    assert truth.parse_question("What color is the circle") == Ask("colour", "en", "circle")
    assert truth.parse_question("What is the meaning of this?") is None


def test_partial_credit_counts_claims():
    ask = Ask("caption", "en")
    half = truth.score(ask, "a red circle is above a green star", DIAGONAL)
    assert not half.true and half.credit == pytest.approx(1 / 3)
    assert half.claims[0] == (Claim(Thing("red", "circle")), True)
    which = truth.score(Ask("relation", "en", "left"), "blue star", DIAGONAL)
    assert not which.true and which.credit == 0.5  # it is there, but not on the left


@pytest.mark.parametrize(
    "answer", ["", "red red", "circle", "红色", "red circle", "a red", "reddish", "a red circle is left of a blue star"]
)
def test_what_cannot_be_read_is_false(answer):
    assert truth.claims(Ask("colour", "en", "circle"), answer) is None
    assert truth.score(Ask("colour", "en", "circle"), answer, DIAGONAL) == truth.Score(False, 0.0, ())


@given(st.text(max_size=40), kinds, langs)
def test_any_text_gets_a_score(answer, kind, lang):
    ask, _ = truth.draw_ask(LAYOUTS[0], kind, lang, np.random.default_rng(0))
    score = truth.score(ask, answer, LAYOUTS[0])
    assert 0 <= score.credit <= 1 and score.true == (score.credit == 1)


def test_yes_and_no():
    for lang, yes, no in (("en", "Yes.", "no"), ("zh", "有", "没有。")):
        there, absent = Ask("yesno", lang, "red", "circle"), Ask("yesno", lang, "red", "star")
        assert truth.score(there, yes, DIAGONAL).true and not truth.score(there, no, DIAGONAL).true
        assert truth.score(absent, no, DIAGONAL).true and not truth.score(absent, yes, DIAGONAL).true
        assert not truth.score(absent, "maybe", DIAGONAL).true


def test_a_guess_is_worth_little():
    """Whatever single answer a guesser gives to a kind, over all layouts and questions of English."""

    def best(kind, asks_of):
        hits = {}
        for scene in LAYOUTS:
            for ask in asks_of(scene):
                for answer in options[kind]:
                    hits.setdefault((ask, answer), []).append(truth.score(ask, answer, scene).true)
        by_ask = {}
        for (ask, _), right in hits.items():
            by_ask[ask] = max(by_ask.get(ask, 0), np.mean(right))
        return np.mean(list(by_ask.values()))

    things = [scenes.name(Thing(c, s), "en") for c in scenes.COLOURS for s in scenes.SHAPES]
    options = {"colour": list(scenes.COLOURS), "shape": list(scenes.SHAPES), "relation": things}
    assert best("colour", lambda s: [Ask("colour", "en", p.thing.shape) for p in s.placed]) == pytest.approx(1 / 4)
    assert best("shape", lambda s: [Ask("shape", "en", p.thing.colour) for p in s.placed]) == pytest.approx(1 / 4)

    def places(s):
        a, b = s.placed
        return [Ask("relation", "en", r) for r in truth.RELATIONS if scenes.relation_holds(r, a, b)] * truth.aligned(s)

    assert best("relation", places) <= 1 / 8


def test_half_of_the_yes_no_questions_are_yes():
    rng = np.random.default_rng(0)
    said = [truth.draw_ask(LAYOUTS[0], "yesno", "en", rng)[1] for _ in range(400)]
    assert 0.4 < said.count("yes") / 400 < 0.6


def test_by_kind():
    asks = [Ask("colour", "en", "circle"), Ask("colour", "en", "star"), Ask("yesno", "en", "red", "circle")]
    shares = truth.by_kind(asks, ["red", "red", "yes"], [DIAGONAL] * 3)
    assert shares == {"colour": 0.5, "yesno": 1.0, "open": 0.5}
