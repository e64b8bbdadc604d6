"""A model of three senses for the questions of `mmlab.cubes`, with a place holder for each sense that is missing.

    picture (B, 3, S, S) → 4 tokens  ┐
    tone    (B, F, M)    → 1 vector  ├→ fusion → one vector (B, D) → scores of the answers (B, 8)
    text    (B, L)       → 1 vector  ┘

`Senses` holds the tensors of a data set, each picture and each sound once; `Senses.batch` puts samples together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from . import audio, text
from .cubes import ANSWERS, MODALITIES, Cubes
from .encoders import Attention, AudioEncoder, patchify, pool, preprocess

FUSIONS = ("attention", "linear")
MEL_MEAN, MEL_STD = 4.7, 1.0  # of the training tones' log-mel, rounded: afterwards mean about 0, spread about 1


class Batch(NamedTuple):
    """B samples."""

    pictures: Tensor  # (B, 3, S, S) float32
    mels: Tensor  # (B, F, M) float32
    ids: Tensor  # (B, L) int64
    mask: Tensor  # (B, L) bool, True where a token is


def log_mels(sounds: np.ndarray) -> Tensor:
    """Sounds (K, T) of equal length → log-mel (K, F, M) float32 with mean about 0 and spread about 1."""
    return torch.from_numpy((np.stack([audio.log_mel(s) for s in sounds]) - MEL_MEAN) / MEL_STD).float()


class Senses:
    """A set of cubes as tensors: every picture, sound and question once, and the numbers of those that a sample has."""

    def __init__(self, cubes: Cubes, vocabulary: text.Vocabulary, length: int = 20):
        self.pictures = preprocess(cubes.pictures)
        self.mels = log_mels(cubes.sounds)
        ids, mask = text.pad([vocabulary.encode(q) for q in cubes.questions], length)
        self.ids, self.mask = torch.from_numpy(ids), torch.from_numpy(mask)
        self.index = torch.from_numpy(cubes.index)
        self.answers = torch.from_numpy(cubes.answers)

    def __len__(self) -> int:
        return len(self.answers)

    def batch(self, picked: Tensor) -> Batch:
        """The samples with these numbers (B,) int64."""
        picture, sound, question = self.index[picked].T
        return Batch(self.pictures[picture], self.mels[sound], self.ids[question], self.mask[question])


class ToneEncoder(nn.Module):
    """Log-mel (B, F, M) → one vector (B, D): two convolutions in time as in `AudioEncoder`, then the mean."""

    def __init__(self, mels: int = audio.N_MELS, dim: int = 64):
        super().__init__()
        self.encoder = AudioEncoder(mels, dim, layers=0)

    def forward(self, mel: Tensor) -> Tensor:
        return pool(*self.encoder(mel, torch.ones(mel.shape[:2], dtype=torch.bool)))


class CellEncoder(nn.Module):
    """A token for each cell of the grid: 16 x 16 pixels, two layers, and a learned vector for the place."""

    def __init__(self, dim: int = 64, size: int = 32, patch: int = 16):
        super().__init__()
        self.patch, self.tokens = patch, (size // patch) ** 2
        self.layers = nn.Sequential(nn.Linear(3 * patch**2, dim), nn.ReLU(), nn.Linear(dim, dim), nn.ReLU())
        self.place = nn.Parameter(0.3 * torch.randn(self.tokens, dim))

    def forward(self, picture: Tensor) -> Tensor:
        """(B, 3, S, S) → (B, N, D), row by row of the grid."""
        return self.layers(patchify(picture, self.patch)) + self.place


class WordEncoder(nn.Module):
    """Token ids (B, L) → one vector (B, D): the mean of the embeddings, and two layers. Which words there are is enough
    for these questions; their order says nothing."""

    def __init__(self, vocabulary: int, dim: int = 64):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, dim, padding_idx=0)
        self.layers = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.layers(pool(self.embed(ids), mask))


class ThreeSenses(nn.Module):
    """Answers from a picture, a tone and a question, or from those of them that are there.

    fuse: "attention": tone and text together are the query that looks at the picture's tokens; what is found there is
        multiplied by the text, number by number, and read out. "linear": [picture ; tone ; text] → one linear layer,
        an additive model.
    """

    def __init__(
        self,
        vocabulary: int,
        fuse: str = "attention",
        dim: int = 64,
        size: int = 32,
        mels: int = audio.N_MELS,
        answers: int = len(ANSWERS),
        heads: int = 4,
    ):
        super().__init__()
        if fuse not in FUSIONS:
            raise ValueError(f"fuse is one of {FUSIONS}, not {fuse!r}")
        self.config: dict[str, Any] = {
            "vocabulary": vocabulary, "fuse": fuse, "dim": dim, "size": size, "mels": mels, "answers": answers,
            "heads": heads,
        }  # fmt: skip
        self.fuse = fuse
        self.image = CellEncoder(dim, size)
        self.audio = ToneEncoder(mels, dim)
        self.text = WordEncoder(vocabulary, dim)
        self.missing = nn.ParameterDict({name: nn.Parameter(0.02 * torch.randn(dim)) for name in MODALITIES})
        if fuse == "linear":
            self.read = nn.Linear((self.image.tokens + 2) * dim, answers)
        else:
            self.query = nn.Linear(2 * dim, dim)
            self.look = Attention(dim, heads)
            self.found, self.asked = nn.Linear(dim, dim), nn.Linear(dim, dim)
            self.read = nn.Sequential(nn.Linear(2 * dim, dim), nn.ReLU(), nn.Linear(dim, answers))

    def encode(self, batch: Batch) -> dict[str, Tensor]:
        """→ image (B, 4, D), audio (B, D), text (B, D)."""
        words = self.text(batch.ids, batch.mask)
        return {"image": self.image(batch.pictures), "audio": self.audio(batch.mels), "text": words}

    def place_holders(self, encoded: dict[str, Tensor], present: Tensor) -> dict[str, Tensor]:
        """Puts the learned vector of a sense where present (B, 3), in the order of MODALITIES, is False."""
        out = {}
        for column, name in enumerate(MODALITIES):
            there = present[:, column].view(-1, *[1] * (encoded[name].ndim - 1))
            out[name] = torch.where(there, encoded[name], self.missing[name])
        return out

    def forward(self, batch: Batch, present: Tensor | None = None) -> Tensor:
        """Scores of the answers (B, 8). present (B, 3) bool: which senses each sample has; all if left out."""
        return self.attend(batch, present)[0]

    def attend(self, batch: Batch, present: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Scores (B, 8) and where the model looked: weights (B, heads, 4), for fuse="attention"."""
        encoded = self.encode(batch)
        if present is not None:
            encoded = self.place_holders(encoded, present)
        picture, sound, words = encoded["image"], encoded["audio"], encoded["text"]
        if self.fuse == "linear":
            return self.read(torch.cat([picture.flatten(1), sound, words], 1)), torch.empty(0)
        query = self.query(torch.cat([sound, words], 1))
        found, weights = self.look(query[:, None], picture)
        joined = self.found(found[:, 0]) * self.asked(words)
        return self.read(torch.cat([joined, found[:, 0]], 1)), weights[:, :, 0]


def without(n: int, senses: Sequence[str]) -> Tensor:
    """present (n, 3) with these senses missing in all n samples."""
    return torch.tensor([name not in senses for name in MODALITIES]).expand(n, 3)


def drop_senses(n: int, rates: Sequence[float], generator: torch.Generator) -> Tensor:
    """Modality dropout (Neverova et al. 2014, https://arxiv.org/abs/1501.00102): present (n, 3) in which each sense, in
    the order of MODALITIES, is missing with its own probability, but never all three."""
    present = torch.rand(n, 3, generator=generator) >= torch.tensor(rates)
    keep = torch.randint(0, 3, (n,), generator=generator)
    none = ~present.any(1)
    present[none, keep[none]] = True
    return present


@torch.inference_mode()
def probabilities(model: nn.Module, data: Senses, missing: Sequence[str] = (), size: int = 500) -> Tensor:
    """(N, 8): the model's probabilities for every sample, in evaluation mode, with these senses missing."""
    model.eval()
    parts = []
    for picked in torch.arange(len(data)).split(size):
        present = without(len(picked), missing) if missing else None
        parts.append(model(data.batch(picked), present).softmax(-1))
    return torch.cat(parts)


def accuracy(model: nn.Module, data: Senses, missing: Sequence[str] = ()) -> float:
    """Share of right answers, with these senses missing."""
    return float((probabilities(model, data, missing).argmax(1) == data.answers).float().mean())
