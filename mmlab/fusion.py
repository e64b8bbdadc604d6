"""Fusion: two representations become one.

Every class is built as `Fusion(dim_a, dim_b, dim)` and called as `fusion(a, b)`: a (B, dim_a) is the text or question,
b (B, dim_b) the picture, the result h is (B, dim). `CrossAttention` also takes sequences. W and b in the formulas are
learned, ⊙ is the product number by number, σ the sigmoid.

`ADDITIVE` names those whose result is f(a) + g(b). With a linear layer after them they cannot answer all four of a
crossed block (see `mmlab.scenes.additive_ceiling`), whatever the encoders before them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .encoders import Attention


class Fusion(nn.Module):
    """What all of them share: the sizes, and a layer to the common space for each side."""

    def __init__(self, dim_a: int, dim_b: int, dim: int):
        super().__init__()
        self.dim_a, self.dim_b, self.dim = dim_a, dim_b, dim

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """a (B, dim_a), b (B, dim_b) → h (B, dim)."""
        raise NotImplementedError


class Concat(Fusion):
    """h = W [a ; b] + b₀: end to end, then one linear layer. The same as W_a a + W_b b + b₀: additive."""

    def __init__(self, dim_a: int, dim_b: int, dim: int):
        super().__init__(dim_a, dim_b, dim)
        self.linear = nn.Linear(dim_a + dim_b, dim)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.linear(torch.cat([a, b], 1))


class Mean(Fusion):
    """h = (W_a a + W_b b) / 2: both into one space, then the mean. Additive."""

    def __init__(self, dim_a: int, dim_b: int, dim: int):
        super().__init__(dim_a, dim_b, dim)
        self.to_a, self.to_b = nn.Linear(dim_a, dim), nn.Linear(dim_b, dim)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return (self.to_a(a) + self.to_b(b)) / 2


class Weighted(Fusion):
    """h = α W_a a + (1 - α) W_b b with α = σ(w): one learned number for the whole data set. Additive."""

    def __init__(self, dim_a: int, dim_b: int, dim: int):
        super().__init__(dim_a, dim_b, dim)
        self.to_a, self.to_b = nn.Linear(dim_a, dim), nn.Linear(dim_b, dim)
        self.w = nn.Parameter(torch.zeros(()))

    @property
    def alpha(self) -> float:
        """α, the share of a: between 0 and 1, at first 0.5."""
        return float(self.w.detach().sigmoid())

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.w.sigmoid() * self.to_a(a) + (1 - self.w.sigmoid()) * self.to_b(b)


class Gated(Fusion):
    """h = z ⊙ tanh(W_a a) + (1 - z) ⊙ tanh(W_b b), z = σ(W_z [a ; b]): the weights depend on the sample.

    Gated multimodal unit (Arevalo et al. 2017, https://arxiv.org/abs/1702.01992).
    """

    def __init__(self, dim_a: int, dim_b: int, dim: int):
        super().__init__(dim_a, dim_b, dim)
        self.to_a, self.to_b = nn.Linear(dim_a, dim), nn.Linear(dim_b, dim)
        self.gate = nn.Linear(dim_a + dim_b, dim)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        z = self.gate(torch.cat([a, b], 1)).sigmoid()
        return z * self.to_a(a).tanh() + (1 - z) * self.to_b(b).tanh()


class FiLM(Fusion):
    """h = γ(a) ⊙ W_b b + β(a): the text scales and shifts each feature of the picture; γ starts near 1.

    Feature-wise linear modulation (Perez et al. 2017, https://arxiv.org/abs/1709.07871).
    """

    def __init__(self, dim_a: int, dim_b: int, dim: int):
        super().__init__(dim_a, dim_b, dim)
        self.to_b = nn.Linear(dim_b, dim)
        self.gamma, self.beta = nn.Linear(dim_a, dim), nn.Linear(dim_a, dim)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return (1 + self.gamma(a)) * self.to_b(b) + self.beta(a)


class Product(Fusion):
    """h = (W_a a) ⊙ (W_b b): a linear layer after it is a bilinear form aᵀ M b with M of rank ≤ dim.

    Low-rank bilinear pooling (Kim et al. 2016, https://arxiv.org/abs/1610.04325).
    """

    def __init__(self, dim_a: int, dim_b: int, dim: int):
        super().__init__(dim_a, dim_b, dim)
        self.to_a, self.to_b = nn.Linear(dim_a, dim), nn.Linear(dim_b, dim)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.to_a(a) * self.to_b(b)


class CrossAttention(Fusion):
    """h = W_a a + softmax(Q Kᵀ / √d) V, with Q from a and K, V from b: the text looks at places of the picture.

    (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762.) a is one query (B, dim_a) or T of them (B, T, dim_a); b is
    N tokens (B, N, dim_b), with a mask (B, N) if some are padding. A pooled b (B, dim_b) is taken as one token. Then the
    softmax over a single score is 1 whatever the text, and the result is additive.
    """

    def __init__(self, dim_a: int, dim_b: int, dim: int, heads: int = 4):
        super().__init__(dim_a, dim_b, dim)
        self.to_a = nn.Linear(dim_a, dim)
        self.attention = Attention(dim, heads, dim_kv=dim_b)

    def attend(self, a: Tensor, b: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """→ h (B, dim) and weights (B, heads, N); with T queries h (B, T, dim) and weights (B, heads, T, N)."""
        one = a.ndim == 2
        query = self.to_a(a[:, None] if one else a)
        found, weights = self.attention(query, b[:, None] if b.ndim == 2 else b, mask)
        h = query + found
        return (h[:, 0], weights[:, :, 0]) if one else (h, weights)

    def forward(self, a: Tensor, b: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.attend(a, b, mask)[0]


FUSIONS: dict[str, type[Fusion]] = {
    "concat": Concat,
    "mean": Mean,
    "weighted": Weighted,
    "gated": Gated,
    "film": FiLM,
    "product": Product,
    "cross-attention": CrossAttention,
}
ADDITIVE = ("concat", "mean", "weighted")
