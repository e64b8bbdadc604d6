"""Trains the product fusion of lab 03, on one process or on several, with the same losses.

    python train_vqa.py
    torchrun --standalone --nproc_per_node=2 train_vqa.py
    torchrun --standalone --nproc_per_node=2 train_vqa.py --engine accelerate
    accelerate launch --multi_gpu --num_processes 8 train_vqa.py --engine accelerate      # with GPUs

The global batch stays the same: each of W processes takes every W-th sample of it, and the gradients are averaged. The
model has no batch normalisation, whose statistics would be each process's own. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmlab import vqa

Step = Callable[[Tensor], float]


def plain(model: nn.Module, data: vqa.Batch, lr: float) -> Step:
    """One process, or DistributedDataParallel under torchrun."""
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    net = nn.parallel.DistributedDataParallel(model) if world > 1 else model
    optimiser = torch.optim.AdamW(model.parameters(), lr)

    def step(positions: Tensor) -> float:
        some = data.at(positions[rank::world])
        loss = F.cross_entropy(net(some.image, some.ids, some.mask), some.answer)
        optimiser.zero_grad()
        loss.backward()  # DDP averages the gradients of all processes here
        optimiser.step()
        value = loss.detach()
        if world > 1:
            dist.all_reduce(value)
        return value.item() / world

    return step


def accelerated(model: nn.Module, data: vqa.Batch, lr: float) -> Step:
    """The same with Accelerate: it wraps the model, places it, and takes over `backward`."""
    from accelerate import Accelerator

    engine = Accelerator(cpu=not torch.cuda.is_available())
    net, optimiser = engine.prepare(model, torch.optim.AdamW(model.parameters(), lr))

    def step(positions: Tensor) -> float:
        some = data.at(positions[engine.process_index :: engine.num_processes])
        image, ids, mask, answer = (part.to(engine.device) for part in some)
        loss = F.cross_entropy(net(image, ids, mask), answer)
        optimiser.zero_grad()
        engine.backward(loss)
        optimiser.step()
        return engine.reduce(loss.detach(), "mean").item()

    return step


ENGINES = {"plain": plain, "accelerate": accelerated}


def losses(engine: str = "plain", steps: int = 40, batch: int = 64, lr: float = 1e-3, seed: int = 0) -> list[float]:
    """The loss of each step, mean over the global batch."""
    torch.manual_seed(seed)
    training = vqa.seen(150, seed)
    prepare = vqa.Prepare.fit(training)
    data = prepare(training)
    model = vqa.build("product", len(prepare.vocabulary))
    step = ENGINES[engine](model, data, lr)
    order = torch.Generator().manual_seed(seed)  # the same order in every process
    return [step(torch.randint(len(data.answer), (batch,), generator=order)) for _ in range(steps)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", choices=ENGINES, nargs="+", default=["plain"])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = {engine: losses(engine, options.steps, seed=options.seed) for engine in options.engine}
    if os.environ.get("RANK", "0") == "0":
        print(json.dumps({"processes": int(os.environ.get("WORLD_SIZE", "1")), "losses": found}), flush=True)
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
