"""The training loop that the labs share."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn


@dataclass
class History:
    """What happened in training."""

    losses: list[float] = field(default_factory=list)  # one a step
    checks: list[tuple[int, float]] = field(default_factory=list)  # (steps done, what `check` gave)
    seconds: float = 0.0
    interrupted: bool = False

    def smooth(self, window: int = 20) -> np.ndarray:
        """Running mean of the losses over `window` steps: (steps - window + 1,)."""
        if not self.losses:
            return np.zeros(0)
        window = min(window, len(self.losses))
        return np.convolve(self.losses, np.ones(window) / window, "valid")


def fit(
    what: nn.Module | Iterable[nn.Parameter],
    loss: Callable[[Tensor], Tensor],
    n: int,
    *,
    steps: int,
    batch: int = 128,
    lr: float = 3e-3,
    weight_decay: float = 1e-2,
    clip: float = 1.0,
    seed: int = 0,
    check: Callable[[], float] | None = None,
    checks: int = 5,
    label: str = "",
) -> History:
    """Trains with AdamW, a one-cycle learning rate and clipped gradients.

    what: a module, or the parameters to train (others stay as they are).
    loss: takes the positions of a batch in the training set, (batch,) int64, and gives a scalar.
    n: size of the training set; each epoch is a new permutation of it, drawn from `seed`; the last, smaller batch of an
        epoch is left out.
    check: called without gradients and in evaluation mode, `checks` times, the last after the last step; what it gives
        (a validation accuracy) is kept.
    Interrupting (Ctrl-C, or the stop button) ends training and keeps what was learned; the history says so.
    """
    from tqdm import TqdmWarning

    with warnings.catch_warnings():  # without ipywidgets the bar is plain text, which is fine
        warnings.simplefilter("ignore", TqdmWarning)
        from tqdm.auto import tqdm

    module = what if isinstance(what, nn.Module) else None
    parameters = [p for p in (what.parameters() if isinstance(what, nn.Module) else what) if p.requires_grad]
    if not parameters:
        raise ValueError("nothing to train: no parameter has requires_grad")
    if n < batch:
        raise ValueError(f"a batch of {batch} cannot be drawn from {n} samples")
    optimiser = torch.optim.AdamW(parameters, lr, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, lr, total_steps=steps)
    generator = torch.Generator().manual_seed(seed)
    check_at = {round(steps * (k + 1) / checks) for k in range(checks)} if check else set()
    history = History()
    order = torch.empty(0, dtype=torch.int64)
    started = time.perf_counter()
    if module:
        module.train()
    try:
        with tqdm(total=steps, desc=label, leave=False) as bar:
            for step in range(1, steps + 1):
                if len(order) < batch:
                    order = torch.randperm(n, generator=generator)
                picked, order = order[:batch], order[batch:]
                value = loss(picked)
                optimiser.zero_grad()
                value.backward()
                nn.utils.clip_grad_norm_(parameters, clip)
                optimiser.step()
                schedule.step()
                history.losses.append(value.item())
                bar.update()
                if step in check_at and check:
                    if module:
                        module.eval()
                    with torch.inference_mode():
                        history.checks.append((step, float(check())))
                    bar.set_postfix_str(f"{history.checks[-1][1]:.3f}")
                    if module:
                        module.train()
    except KeyboardInterrupt:
        history.interrupted = True
    if module:
        module.eval()
    history.seconds = time.perf_counter() - started
    return history


def parameters(module: nn.Module, trainable: bool = False) -> int:
    """How many numbers a module has, or how many of them are trained."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable)
