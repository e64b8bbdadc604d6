"""Questions about ShapeTalk scenes, and whether an answer is true of the scene.

An answer is read back into claims, and each claim is checked against the scene. So a caption is right if what it says
is right, whichever of the true captions it is; a string comparison would call most true captions wrong.

    ask = Ask("colour", "en", "circle")
    wording(ask)                                # "What colour is the circle?"
    score(ask, "red", scene)                    # Score(true=True, credit=1.0, claims=((Claim(…), True),))
    score(ask, "red red", scene)                # an answer that cannot be read is false
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations, permutations
from typing import NamedTuple

import numpy as np

from . import scenes, text
from .scenes import COLOURS, SHAPES, Placed, Scene, Thing

KINDS = ("colour", "shape", "relation", "caption", "yesno")
OPEN_KINDS = KINDS[:4]  # a guess is worth 1/4 or less; yes or no is worth 1/2 and is reported apart
RELATIONS = tuple(scenes.OPPOSITE)
_EN_PLACE = {"left": "on the left", "right": "on the right", "above": "at the top", "below": "at the bottom"}
_YES, _NO = {"zh": "有", "en": "yes"}, {"zh": "没有", "en": "no"}


class Ask(NamedTuple):
    """A question. `about` and `other` by kind:

    colour: about a shape. shape: about a colour. relation: what is left of, right of, above or below the rest.
    yesno: is there a thing of the colour `about` and the shape `other`. caption: describe the picture.
    """

    kind: str
    lang: str
    about: str = ""
    other: str = ""


class Claim(NamedTuple):
    """Something said of a scene: that `a` exists (or, with exists=False, does not), or that a is <relation> of b.
    An empty colour or shape of a thing leaves it open."""

    a: Thing
    relation: str = ""
    b: Thing | None = None
    exists: bool = True


class Score(NamedTuple):
    """How true an answer is."""

    true: bool  # every claim holds
    credit: float  # share of the claims that hold, 0 … 1; 0 if the answer cannot be read
    claims: tuple[tuple[Claim, bool], ...]  # empty if the answer cannot be read


# ---- questions ------------------------------------------------------------------------------------------------------


def wording(ask: Ask) -> str:
    """The question in words."""
    kind, lang, about, other = ask
    if kind in ("colour", "shape"):
        return scenes.question(kind, about, lang)
    if kind == "relation":
        return f"{scenes.word(about, lang)}的是什么？" if lang == "zh" else f"What is {_EN_PLACE[about]}?"
    if kind == "yesno":
        named = scenes.name(Thing(about, other), lang)
        return f"图里有{named}吗？" if lang == "zh" else f"Is there a {named}?"
    return "描述这幅图。" if lang == "zh" else "Describe the picture."


def _flat(words: str) -> str:
    """Small letters, one space between English words, none between Chinese ones, no punctuation."""
    joined = re.sub(r"\bcolor\b", "colour", " ".join(text.tokenise(words)))
    return re.sub(r"(?<=[\u4e00-\u9fff]) | (?=[\u4e00-\u9fff])", "", joined)


def every_question(lang: str) -> Iterator[Ask]:
    """All questions of a language."""
    for shape in SHAPES:
        yield Ask("colour", lang, shape)
    for colour in COLOURS:
        yield Ask("shape", lang, colour)
    for relation in RELATIONS:
        yield Ask("relation", lang, relation)
    for colour in COLOURS:
        for shape in SHAPES:
            yield Ask("yesno", lang, colour, shape)
    yield Ask("caption", lang)


def parse_question(question: str) -> Ask | None:
    """The question that these words are, or None if they are none of ours. Case and punctuation do not matter."""
    return _ASKS.get(_flat(question))


# ---- true answers ---------------------------------------------------------------------------------------------------


def layouts() -> list[Scene]:
    """Every scene of two things that differ in colour and shape on a grid of 2 x 2: 72 pairs x 12 places = 864."""
    things = [Thing(c, s) for c in COLOURS for s in SHAPES]
    cells = [(row, col) for row in range(2) for col in range(2)]
    return [
        Scene((Placed(a, *first), Placed(b, *second)))
        for a, b in combinations(things, 2)
        if a.colour != b.colour and a.shape != b.shape
        for first, second in permutations(cells, 2)
    ]


def aligned(scene: Scene) -> bool:
    """Whether the two things share a row or a column, so that one relation alone holds between them."""
    a, b = scene.placed
    return a.row == b.row or a.col == b.col


def draw_ask(scene: Scene, kind: str, lang: str, rng: np.random.Generator) -> tuple[Ask, str]:
    """A question of a kind about a scene of two things, and a true answer. A relation is asked of aligned scenes only;
    half of the yes-no questions name a thing that is not there. A guess is worth 1/4 for a colour or a shape, at most 1/8 for
    a relation, about 1/190 for a caption, and 1/2 for yes or no."""
    order = rng.permutation(2)
    a, b = (scene.placed[i] for i in order)
    if kind == "colour":
        return Ask(kind, lang, a.thing.shape), scenes.word(a.thing.colour, lang)
    if kind == "shape":
        return Ask(kind, lang, a.thing.colour), scenes.word(a.thing.shape, lang)
    if kind == "relation":
        if not aligned(scene):
            raise ValueError("a relation is asked only where one alone holds")
        (relation,) = (r for r in RELATIONS if scenes.relation_holds(r, a, b))
        return Ask(kind, lang, relation), scenes.name(a.thing, lang)
    if kind == "yesno":
        if rng.integers(2):
            return Ask(kind, lang, *a.thing), _YES[lang]
        absent = [Thing(c, s) for c in COLOURS for s in SHAPES if Thing(c, s) not in scene.things]
        return Ask(kind, lang, *absent[rng.integers(len(absent))]), _NO[lang]
    options = scenes.captions(scene, lang)
    return Ask("caption", lang), options[rng.integers(len(options))]


# ---- from an answer to claims ---------------------------------------------------------------------------------------


def claims(ask: Ask, answer: str) -> tuple[Claim, ...] | None:
    """What the answer says of the scene, or None if it cannot be read as an answer to this question: other words,
    another language, anything too much or too little. Case and punctuation do not matter."""
    kind, lang, about, other = ask
    said = _flat(answer)
    if kind == "caption":
        return _CAPTIONS[lang].get(said)
    if kind == "yesno":
        if said not in (_YES[lang], _NO[lang]):
            return None
        return (Claim(Thing(about, other), exists=said == _YES[lang]),)
    if kind == "relation":
        thing = _NAMES[lang].get(said)
        return thing and (Claim(thing), Claim(thing, about, Thing("", "")))
    value = _VALUES[lang].get(said)
    if kind == "colour" and value in COLOURS:
        return (Claim(Thing(value, about)),)
    if kind == "shape" and value in SHAPES:
        return (Claim(Thing(about, value)),)
    return None


def _caption_claims(a: Thing, relation: str, b: Thing) -> tuple[Claim, ...]:
    """Both things exist, and a is <relation> of b: three claims."""
    return Claim(a), Claim(b), Claim(a, relation, b)


def _fits(wanted: Thing, thing: Thing) -> bool:
    return wanted.colour in ("", thing.colour) and wanted.shape in ("", thing.shape)


def holds(claim: Claim, scene: Scene) -> bool:
    """Whether a claim is true of a scene."""
    first = [p for p in scene.placed if _fits(claim.a, p.thing)]
    if claim.b is None:
        return bool(first) == claim.exists
    second = [p for p in scene.placed if _fits(claim.b, p.thing)]
    return any(a != b and scenes.relation_holds(claim.relation, a, b) for a in first for b in second)


def score(ask: Ask, answer: str, scene: Scene) -> Score:
    """Whether an answer is true of the scene, and what share of its claims is."""
    said = claims(ask, answer)
    if said is None:
        return Score(False, 0.0, ())
    checked = tuple((claim, holds(claim, scene)) for claim in said)
    right = sum(true for _, true in checked)
    return Score(right == len(checked), right / len(checked), checked)


def by_kind(asks: Sequence[Ask], answers: Sequence[str], about: Sequence[Scene]) -> dict[str, float]:
    """Share of true answers for each kind that was asked, and "open": the mean over the kinds other than yes-no."""
    true: dict[str, list[bool]] = {}
    for ask, answer, scene in zip(asks, answers, about, strict=True):
        true.setdefault(ask.kind, []).append(score(ask, answer, scene).true)
    shares = {kind: sum(true[kind]) / len(true[kind]) for kind in KINDS if kind in true}
    open_shares = [shares[kind] for kind in OPEN_KINDS if kind in shares]
    return shares | ({"open": sum(open_shares) / len(open_shares)} if open_shares else {})


_ASKS = {_flat(wording(ask)): ask for lang in scenes.LANGUAGES for ask in every_question(lang)}
_VALUES = {lang: {_flat(scenes.word(n, lang)): n for n in (*COLOURS, *SHAPES)} for lang in scenes.LANGUAGES}
_THINGS = [Thing(c, s) for c in COLOURS for s in SHAPES]
_NAMES = {lang: {_flat(scenes.name(thing, lang)): thing for thing in _THINGS} for lang in scenes.LANGUAGES}
_CAPTIONS = {
    lang: {
        _flat(scenes.caption(a, relation, b, lang)): _caption_claims(a, relation, b)
        for a, b in permutations(_THINGS, 2)
        for relation in RELATIONS
    }
    for lang in scenes.LANGUAGES
}


def plain_answers(lang: str) -> list[str]:
    """Every answer that is not a caption."""
    return [*(scenes.word(n, lang) for n in (*COLOURS, *SHAPES)), _YES[lang], _NO[lang]]
