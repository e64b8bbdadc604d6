"""Encoders: from pictures, token ids and log-mel frames to a sequence of vectors, and from the sequence to one vector.

    picture  (B, C, H, W)  →  ConvEncoder, PatchEncoder, VGG16     →  tokens (B, N, D)
    token ids (B, L)       →  LSTMEncoder, TransformerEncoder      →  states (B, L, D)
    log-mel  (B, F, M)     →  AudioEncoder                         →  states (B, ⌈F/2⌉, D)
    sequence (B, N, D)     →  pool                                 →  (B, D)

Masks are boolean, True where there is something; real positions come first, padding after them. States of padding are
exactly 0, and what stands in the padding changes nothing at the other positions.
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
from torch import Tensor, nn

from . import say
from .data import Standardise, masked_mean
from .errors import BadFile

POOLS = ("mean", "max", "last")


# ---- before and after the encoder -----------------------------------------------------------------------------------


def preprocess(images: np.ndarray | Sequence[np.ndarray], pixels: Standardise | None = None) -> Tensor:
    """Pictures of one size (N, H, W, 3) uint8 → (N, 3, H, W) float32, standardised.

    pixels: mean and standard deviation of the training pictures (`data.Standardise.fit`); without it 0 … 255 becomes
    -1 … 1, whatever the pictures.
    """
    pixels = pixels or Standardise((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    stacked = np.asarray(images)
    if stacked.dtype != np.uint8:
        raise TypeError(f"pictures are uint8, 0 … 255, not {stacked.dtype}")
    x = torch.from_numpy(stacked.copy()).permute(0, 3, 1, 2).float() / 255
    mean, std = torch.tensor(pixels.mean), torch.tensor(pixels.std)
    return ((x - mean[:, None, None]) / std[:, None, None]).contiguous()


def pool(x: Tensor, mask: Tensor | None = None, how: str = "mean") -> Tensor:
    """One vector for each sequence: x (B, N, D), mask (B, N) → (B, D). Padding does not count.

    how: "mean", "max" (of each of the D numbers by itself), or "last" (the state of the last real position).
    A row without any real position gives zeros.
    """
    if mask is None:
        mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
    if how == "mean":
        return masked_mean(x, mask)
    some = mask.any(1, keepdim=True)
    if how == "max":
        highest = x.masked_fill(~mask[..., None], -torch.inf).amax(1)
        return highest.masked_fill(~some, 0)
    if how == "last":
        last = (mask * torch.arange(x.shape[1], device=x.device)).amax(1)
        return x[torch.arange(len(x), device=x.device), last].masked_fill(~some, 0)
    raise ValueError(f"how is one of {POOLS}, not {how!r}")


# ---- attention ------------------------------------------------------------------------------------------------------


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762): softmax(Q Kᵀ / √(D/heads)) V.

    `dim` D is the width of the queries and of the output, `dim_kv` that of what is attended to (D if left out).
    """

    def __init__(self, dim: int, heads: int = 4, dim_kv: int | None = None):
        super().__init__()
        if dim % heads:
            raise ValueError(f"{heads} heads cannot share {dim} dimensions evenly")
        self.heads = heads
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim_kv or dim, dim)
        self.v = nn.Linear(dim_kv or dim, dim)
        self.out = nn.Linear(dim, dim)

    def split(self, x: Tensor) -> Tensor:
        """(B, N, D) → (B, heads, N, D / heads)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, x: Tensor, to: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x (B, T, D) attends to `to` (B, N, dim_kv), where mask (B, N) is True → (B, T, D), weights (B, heads, T, N).

        Padding gets the weight 0; a row with nothing to attend to gets only zeros, not nan.
        """
        q, k, v = self.split(self.q(x)), self.split(self.k(to)), self.split(self.v(to))
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])
        if mask is None:
            weights = scores.softmax(-1)
        else:
            allowed = mask[:, None, None, :]
            weights = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min).softmax(-1) * allowed
        return self.out((weights @ v).transpose(1, 2).flatten(2)), weights


class Block(nn.Module):
    """One Transformer block, normalised before each part: x + Attention(norm(x)), then x + MLP(norm(x))."""

    def __init__(self, dim: int, heads: int = 4, expand: int = 2, dropout: float = 0.0):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = Attention(dim, heads)
        self.mlp = nn.Sequential(nn.Linear(dim, expand * dim), nn.GELU(), nn.Linear(expand * dim, dim))
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, N, D), mask (B, N) → (B, N, D)."""
        h = self.norm1(x)
        x = x + self.drop(self.attention(h, h, mask)[0])
        return x + self.drop(self.mlp(self.norm2(x)))


def sinusoids(length: int, dim: int) -> Tensor:
    """Positions 0 … length - 1 as sines and cosines of falling frequency (Vaswani et al. 2017): (length, dim), dim even."""
    turn = torch.arange(length)[:, None] * torch.exp(-math.log(10000) * torch.arange(0, dim, 2) / dim)
    return torch.cat([turn.sin(), turn.cos()], 1)


# ---- pictures -------------------------------------------------------------------------------------------------------


class ConvEncoder(nn.Module):
    """A small convolutional network: each layer halves the height and width, until one token covers `stride` pixels.

    size: height and width of the pictures, or their side; stride 8: 32 px → 4 x 4 tokens, stride 4: 8 x 8 tokens.
    positions: adds a learned vector for each place of the grid; without it a token knows little of where it is.
    """

    def __init__(
        self,
        dim: int = 64,
        size: int | tuple[int, int] = 32,
        stride: int = 8,
        channels: int = 3,
        positions: bool = True,
    ):
        super().__init__()
        halvings = round(math.log2(stride))
        height, width = (size, size) if isinstance(size, int) else size
        if 2**halvings != stride or height % stride or width % stride:
            raise ValueError(f"stride {stride} must be a power of 2 that divides {height} x {width}")
        self.dim, self.grid = dim, (height // stride, width // stride)
        layers: list[nn.Module] = []
        inside = channels
        for k in range(halvings):
            outside = max(dim >> (halvings - 1 - k), 8) if k < halvings - 1 else dim
            layers += [nn.Conv2d(inside, outside, 3, stride=2, padding=1), nn.GroupNorm(1, outside), nn.ReLU()]
            inside = outside
        self.layers = nn.Sequential(*layers, nn.Conv2d(dim, dim, 3, padding=1))
        self.position = nn.Parameter(0.02 * torch.randn(self.tokens, dim)) if positions else None

    @property
    def tokens(self) -> int:
        """N, how many tokens a picture becomes."""
        return self.grid[0] * self.grid[1]

    def forward(self, picture: Tensor) -> Tensor:
        """(B, C, H, W) → tokens (B, N, D), row by row of the grid."""
        x = picture.contiguous(memory_format=torch.channels_last)  # the same numbers, faster on a processor
        x = self.layers(x).flatten(2).transpose(1, 2)
        return x if self.position is None else x + self.position


def patchify(picture: Tensor, patch: int) -> Tensor:
    """Cuts pictures (B, C, H, W) into squares: → (B, N, C · patch²), N = H W / patch², row by row; no pixel is changed."""
    b, c, h, w = picture.shape
    x = picture.reshape(b, c, h // patch, patch, w // patch, patch)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(b, -1, c * patch * patch)


class PatchEncoder(nn.Module):
    """A small vision Transformer, ViT (Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929): patches, one linear
    layer, positions, Transformer blocks. Without the class token: pool the tokens instead."""

    def __init__(
        self,
        dim: int = 64,
        size: int | tuple[int, int] = 32,
        patch: int = 8,
        channels: int = 3,
        layers: int = 2,
        heads: int = 4,
    ):
        super().__init__()
        height, width = (size, size) if isinstance(size, int) else size
        if height % patch or width % patch:
            raise ValueError(f"patches of {patch} px do not tile {height} x {width}")
        self.dim, self.patch, self.grid = dim, patch, (height // patch, width // patch)
        self.project = nn.Linear(channels * patch * patch, dim)
        self.position = nn.Parameter(0.02 * torch.randn(self.tokens, dim))
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)

    @property
    def tokens(self) -> int:
        """N, how many tokens a picture becomes."""
        return self.grid[0] * self.grid[1]

    def forward(self, picture: Tensor) -> Tensor:
        """(B, C, H, W) → tokens (B, N, D), row by row of the grid."""
        x = self.project(patchify(picture, self.patch)) + self.position
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class VGG16(nn.Module):
    """VGG16, configuration D of Simonyan and Zisserman 2014 (https://arxiv.org/abs/1409.1556): thirteen 3 x 3
    convolutions in five groups, each closed by 2 x 2 max-pooling, and three linear layers.

    The names of the weights are torchvision's, so that its published file fits. Smaller widths make a small copy for
    tests. Pictures are (B, 3, 224, 224), scaled to 0 … 1 and standardised with `IMAGENET`.
    """

    GROUPS = (2, 2, 3, 3, 3)  # convolutions in each group

    def __init__(
        self, classes: int = 1000, widths: Sequence[int] = (64, 128, 256, 512, 512), hidden: int = 4096, side: int = 7
    ):
        super().__init__()
        layers: list[nn.Module] = []
        inside = 3
        for width, repeats in zip(widths, self.GROUPS, strict=True):
            for _ in range(repeats):
                layers += [nn.Conv2d(inside, width, 3, padding=1), nn.ReLU(inplace=True)]
                inside = width
            layers.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*layers)
        for layer in layers:
            if isinstance(layer, nn.Conv2d):  # He et al. 2015: the signal neither dies nor explodes on its way
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        self.avgpool = nn.AdaptiveAvgPool2d((side, side))
        self.classifier = nn.Sequential(
            nn.Linear(inside * side * side, hidden), nn.ReLU(inplace=True), nn.Dropout(),
            nn.Linear(hidden, hidden), nn.ReLU(inplace=True), nn.Dropout(),
            nn.Linear(hidden, classes),
        )  # fmt: skip

    def tokens(self, picture: Tensor) -> Tensor:
        """The last feature map as a sequence: (B, 3, 224, 224) → (B, 49, 512)."""
        return self.features(picture).flatten(2).transpose(1, 2)

    def forward(self, picture: Tensor) -> Tensor:
        """(B, 3, 224, 224) → scores of the classes (B, 1000)."""
        return self.classifier(self.avgpool(self.features(picture)).flatten(1))


IMAGENET = Standardise((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
VGG16_URL = "https://download.pytorch.org/models/vgg16-397923af.pth"  # torchvision's VGG16_Weights.IMAGENET1K_V1


def load_vgg16_weights(path: str | Path | None = None, model: nn.Module | None = None) -> nn.Module:
    """VGG16 with trained weights, in evaluation mode.

    path: a file of torchvision's format. If None, the one that the environment variable MMLAB_VGG16 names; without it
    the published file is downloaded once (528 MiB) into torch's cache.
    model: what to load into; a full `VGG16()` if None. BadFile if the file is missing, damaged or does not fit.
    """
    path = path or os.environ.get("MMLAB_VGG16")
    model = VGG16() if model is None else model
    if path is None:
        weights = torch.hub.load_state_dict_from_url(VGG16_URL, check_hash=True, progress=False, weights_only=True)
    else:
        if not Path(path).is_file():
            raise BadFile(
                path,
                say("没有这个文件", "there is no such file"),
                say(f"从 {VGG16_URL} 下载", f"download it from {VGG16_URL}"),
            )
        try:
            weights = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, UnpicklingError, EOFError, zipfile.BadZipFile, ValueError, KeyError):
            raise BadFile(
                path,
                say("不是 PyTorch 的权重文件", "is not a file of PyTorch weights"),
                say("重新下载", "download it again"),
            ) from None
    try:
        model.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise BadFile(
            path or VGG16_URL,
            say("权重与 VGG16 对不上：", "the weights do not fit VGG16: ") + " ".join(str(error).split())[:160],
            say("换成 torchvision 的 vgg16 权重", "use torchvision's weights for vgg16"),
        ) from None
    return model.eval()


# ---- text -----------------------------------------------------------------------------------------------------------


class LSTMEncoder(nn.Module):
    """Embedding and LSTM (Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735).

    `both` reads in both directions, with D / 2 numbers each. Sequences are packed, so that reading backwards begins at
    the last real token.
    """

    def __init__(self, vocabulary: int, dim: int = 64, both: bool = False, layers: int = 1):
        super().__init__()
        if both and dim % 2:
            raise ValueError(f"two directions cannot share {dim} dimensions evenly")
        self.dim = dim
        self.embed = nn.Embedding(vocabulary, dim, padding_idx=0)
        self.lstm = nn.LSTM(dim, dim // 2 if both else dim, layers, batch_first=True, bidirectional=both)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """ids (B, L), mask (B, L) → states (B, L, D); 0 where there is no token."""
        lengths = mask.sum(1).clamp(min=1).cpu()  # an empty row is read as one token, and masked afterwards
        packed = nn.utils.rnn.pack_padded_sequence(self.embed(ids), lengths, batch_first=True, enforce_sorted=False)
        states, _ = nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=ids.shape[1])
        return states * mask[..., None]


class TransformerEncoder(nn.Module):
    """Embedding, learned positions and Transformer blocks in which every token sees every other (as in BERT, Devlin et
    al. 2018, https://arxiv.org/abs/1810.04805)."""

    def __init__(self, vocabulary: int, dim: int = 64, length: int = 32, layers: int = 2, heads: int = 4):
        super().__init__()
        self.dim, self.length = dim, length
        self.embed = nn.Embedding(vocabulary, dim, padding_idx=0)
        self.position = nn.Parameter(0.02 * torch.randn(length, dim))
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """ids (B, L), mask (B, L), L ≤ length → states (B, L, D); 0 where there is no token."""
        if ids.shape[1] > self.length:
            raise ValueError(f"{ids.shape[1]} tokens are more than the {self.length} positions that this encoder has")
        x = self.embed(ids) + self.position[: ids.shape[1]]
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x) * mask[..., None]


# ---- sound ----------------------------------------------------------------------------------------------------------


class AudioEncoder(nn.Module):
    """Log-mel frames through two 1-D convolutions, the second with stride 2, positions and Transformer blocks: the plan of
    Whisper's encoder (Radford et al. 2022, https://arxiv.org/abs/2212.04356), small."""

    def __init__(self, mels: int = 40, dim: int = 64, layers: int = 1, heads: int = 4):
        super().__init__()
        self.dim = dim
        self.conv1 = nn.Conv1d(mels, dim, 3, padding=1)
        self.conv2 = nn.Conv1d(dim, dim, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)

    def forward(self, mel: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """mel (B, F, mels), mask (B, F) → states (B, ⌈F/2⌉, D), their mask (B, ⌈F/2⌉); 0 where there is no sound."""
        real = mask[:, None, :]
        x = (
            nn.functional.gelu(self.conv1(mel.transpose(1, 2) * real)) * real
        )  # padding must not leak into its neighbour
        x = nn.functional.gelu(self.conv2(x)).transpose(1, 2)
        half = mask[:, ::2]
        x = x + sinusoids(x.shape[1], self.dim).to(x)
        for block in self.blocks:
            x = block(x, half)
        return self.norm(x) * half[..., None], half
