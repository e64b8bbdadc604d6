"""Questions that need three senses: a tone says which thing, the text asks what about it, the picture answers.

A cube has two pictures, two tones and two questions, eight samples in all:

- The two pictures show the same two shapes in the same places; their colours are exchanged.
- Each tone is the pitch of one of the two colours. Its timbre is drawn at random, so it tells nothing about the shape.
- The two questions ask for two different things: the shape, left or right, top or bottom.

Leave out any one sense and the eight samples fall into four pairs that look alike and have different answers. So
whoever lacks one is right in at most one of each pair: 50 % is a ceiling that no training lifts (`ceiling`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np

from . import audio, scenes
from .scenes import COLOURS, LANGUAGES, SHAPES, Placed, Scene, Thing

MODALITIES = ("image", "audio", "text")  # the axes of a cube, in this order
KINDS = ("shape", "side", "height")  # what a question asks for
CHOICES = {"shape": SHAPES, "side": ("left", "right"), "height": ("above", "below")}
ANSWERS = (*SHAPES, *CHOICES["side"], *CHOICES["height"])  # the classes, in this order
TRIES = 5000  # to find a cube that `allow` accepts

_ZH_COLOUR = {colour: scenes.word(colour, "zh") for colour in COLOURS}
_ASKED = {  # two ways to ask each; {} is the thing
    ("shape", "zh"): ("{}是什么形状？", "{}的形状是哪一种？"),
    ("side", "zh"): ("{}在左边还是右边？", "{}在图的左侧还是右侧？"),
    ("height", "zh"): ("{}在上面还是下面？", "{}在图的上方还是下方？"),
    ("shape", "en"): ("What shape is {}?", "Which shape does {} have?"),
    ("side", "en"): ("Is {} on the left or on the right?", "On which side is {}, left or right?"),
    ("height", "en"): ("Is {} at the top or at the bottom?", "Does {} stand above or below?"),
}


class Sample(NamedTuple):
    """Where the parts of a sample stand in a `Cubes`, and the right answer."""

    picture: int
    sound: int
    question: int
    answer: int


@dataclass(frozen=True)
class Cubes:
    """K cubes: N = 8 K samples; sample 8 k + 4 p + 2 a + q has picture p, tone a and question q of cube k.

    Each picture and each sound is kept once; `index` says which ones a sample has.
    """

    pictures: np.ndarray  # (2 K, size, size, 3) uint8
    sounds: np.ndarray  # (2 K, T) float32, samples between -1 and 1
    questions: list[str]  # 4 K: of cube k and tone a, question q is number 4 k + 2 a + q
    index: np.ndarray  # (N, 3) int64: number of the picture, of the sound, of the question
    answers: np.ndarray  # (N,) int64, indices into ANSWERS
    scenes: list[Scene]  # 2 K, what the pictures show
    colours: list[str]  # 2 K, what the sounds say
    kinds: list[str]  # N, of KINDS
    named: np.ndarray  # (N,) bool: whether the question names the colour, too

    def __len__(self) -> int:
        return len(self.answers)

    def cubes(self) -> np.ndarray:
        """The answers as (K, 2, 2, 2): cube, picture, tone, question."""
        return self.answers.reshape(-1, 2, 2, 2)

    def sample(self, i: int) -> Sample:
        picture, sound, question = (int(v) for v in self.index[i])
        return Sample(picture, sound, question, int(self.answers[i]))


def question(kind: str, lang: str, colour: str = "", way: int = 0) -> str:
    """A question about the thing that sounds; with a colour it names the thing as well.

    >>> question("shape", "zh"), question("side", "en", "red")
    ('发声的东西是什么形状？', 'Is the red thing you hear on the left or on the right?')
    """
    if lang == "zh":
        thing = f"发声的{_ZH_COLOUR[colour]}东西" if colour else "发声的东西"
    else:
        thing = f"the {colour} thing you hear" if colour else "the thing you hear"
    return _ASKED[kind, lang][way].format(thing)


def tone(colour: str, rng: np.random.Generator, seconds: float = 0.3, noise: float = 1.0) -> np.ndarray:
    """The pitch of a colour in a timbre drawn at random, in white noise of this standard deviation (the tone's peak is
    0.8): float32 (seconds · RATE,) between -1 and 1."""
    clean = audio.tone(Thing(colour, SHAPES[rng.integers(len(SHAPES))]), rng, seconds)
    return np.clip(clean + rng.normal(0, noise, clean.size), -1, 1).astype(np.float32)


def answer(scene: Scene, colour: str, kind: str) -> str:
    """The true answer about the thing of this colour."""
    wanted = next(p for p in scene.placed if p.thing.colour == colour)
    other = next(p for p in scene.placed if p.thing.colour != colour)
    if kind == "shape":
        return wanted.thing.shape
    return next(relation for relation in CHOICES[kind] if scenes.relation_holds(relation, wanted, other))


def _scenes(rng: np.random.Generator, kinds: Sequence[str]) -> tuple[list[Scene], list[str]]:
    """Two scenes that differ in an exchange of colours, and the two colours."""
    colours = [tuple(COLOURS)[i] for i in rng.permutation(len(COLOURS))[:2]]
    shapes = [SHAPES[i] for i in rng.permutation(len(SHAPES))[:2]]
    (row, col), aside, apart = rng.integers(0, 2, 2), "side" in kinds, "height" in kinds
    if not aside and not apart:
        aside = True
    other = (1 - row if apart else rng.integers(2), 1 - col if aside else rng.integers(2))
    pair = []
    for first, second in (colours, colours[::-1]):
        placed = (
            Placed(Thing(first, shapes[0]), int(row), int(col)),
            Placed(Thing(second, shapes[1]), int(other[0]), int(other[1])),
        )
        pair.append(Scene(placed))
    return pair, colours


def cubes(
    count: int,
    seed: int,
    size: int = 32,
    seconds: float = 0.3,
    named: float = 0.0,
    langs: Sequence[str] = LANGUAGES,
    allow: Callable[[Scene], bool] = lambda scene: True,
) -> Cubes:
    """`count` cubes; languages take turns. A cube is used only if `allow` accepts both its scenes, so that combinations
    can be held out.

    named: in this share of the cubes the question names the colour, too. The tone is then redundant, and 50 % no
        longer the ceiling without it.
    """
    rng = np.random.default_rng(seed)
    pictures, sounds, questions, answers, index = [], [], [], [], []
    shown: list[Scene] = []
    said: list[str] = []
    asked: list[str] = []
    names: list[bool] = []
    for k in range(count):
        lang = langs[k % len(langs)]
        for _ in range(TRIES):
            kinds = [KINDS[i] for i in rng.permutation(len(KINDS))[:2]]
            pair, colours = _scenes(rng, kinds)
            if all(map(allow, pair)):
                break
        else:
            raise ValueError(f"`allow` accepted none of {TRIES} cubes; it must accept both scenes of a cube")
        pictures += [scenes.draw(scene, rng, size) for scene in pair]
        sounds += [tone(colour, rng, seconds) for colour in colours]
        names_it = bool(rng.random() < named)
        ways = rng.integers(0, 2, 2)
        for colour in colours:
            for kind, way in zip(kinds, ways, strict=True):
                questions.append(question(kind, lang, colour if names_it else "", int(way)))
        for p, a, q in np.ndindex(2, 2, 2):
            index.append((2 * k + p, 2 * k + a, 4 * k + 2 * a + q))
            answers.append(ANSWERS.index(answer(pair[p], colours[a], kinds[q])))
            asked.append(kinds[q])
            names.append(names_it)
        shown += pair
        said += colours
    return Cubes(
        np.stack(pictures) if pictures else np.zeros((0, size, size, 3), np.uint8),
        np.stack(sounds) if sounds else np.zeros((0, int(audio.RATE * seconds)), np.float32),
        questions,
        np.array(index, np.int64).reshape(-1, 3),
        np.array(answers, np.int64),
        shown,
        said,
        asked,
        np.array(names, bool),
    )


# ---- ceilings -------------------------------------------------------------------------------------------------------


def ceiling(cube: np.ndarray, senses: Sequence[str]) -> float:
    """The best accuracy on a cube of answers (2, 2, 2) for one who has only these senses (names from MODALITIES).

    What that one cannot tell apart gets one answer, so of each such group only the most frequent answer can be right.
    """
    missing = tuple(axis for axis, name in enumerate(MODALITIES) if name not in senses)
    groups = np.moveaxis(cube, missing, range(-len(missing), 0)).reshape(-1, 2 ** len(missing))
    return sum(int(np.unique(group, return_counts=True)[1].max()) for group in groups) / cube.size


def ceilings(cube: np.ndarray) -> dict[tuple[str, ...], float]:
    """`ceiling` for every choice of senses, from none to all three."""
    return {senses: ceiling(cube, senses) for n in range(4) for senses in combinations(MODALITIES, n)}


def additive_ceiling(cube: np.ndarray) -> float:
    """No sum f(picture) + g(tone) + h(question) of scores is more accurate on a cube of answers (2, 2, 2) than this.

    Hold the question fixed: h is the same for all four samples, which form a crossed block of pictures and tones, and
    there a sum is right at most three times in four (`scenes.additive_ceiling`).
    """
    return float(np.mean([scenes.additive_ceiling(cube[:, :, q]) for q in (0, 1)]))
