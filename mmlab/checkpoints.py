"""Trained weights on disk: `<slug>-<model>.safetensors`, and beside it a `.json` with what is needed to use them.

A lab saves into its working folder; `make labs` lets it save into `mmlab/checkpoints/`, which the book's own copies
come from. Loading looks in the folder given, else in the reader's own, else in the book's.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from . import say
from .errors import BadFile

BOOK = Path(__file__).parent / "checkpoints"
FORMAT = 1


class Checkpoint(NamedTuple):
    """Weights and what belongs to them."""

    config: dict[str, Any]  # what the model is built from: sizes, vocabulary, answers
    weights: dict[str, Tensor]
    info: dict[str, Any]  # slug, model, seed, source, sha256, format
    path: Path

    def into(self, module: nn.Module) -> nn.Module:
        """Loads the weights into a module built from `config`, in evaluation mode. BadFile if they do not fit."""
        try:
            module.load_state_dict(self.weights)
        except RuntimeError as error:
            raise BadFile(
                self.path,
                say("权重与模型对不上：", "the weights do not fit the model: ") + " ".join(str(error).split())[:200],
                say("用存档里的 config 建模型", "build the model from the checkpoint's config"),
            ) from None
        return module.eval()


def own() -> Path:
    """Where this run saves: MMLAB_CHECKPOINTS, else `lab-checkpoints` in the working folder."""
    return Path(os.environ.get("MMLAB_CHECKPOINTS", "lab-checkpoints"))


def save(slug: str, model: str, module: nn.Module, config: Mapping[str, Any], seed: int = 0) -> Path:
    """Writes the weights of a module and its config (anything JSON can hold). → the path of the .safetensors file."""
    folder = own()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{slug}-{model}.safetensors"
    data = save_tensors({name: tensor.detach().contiguous().clone() for name, tensor in module.state_dict().items()})
    info = {
        "format": FORMAT,
        "slug": slug,
        "model": model,
        "seed": seed,
        "source": os.environ.get("MMLAB_STAMP", ""),
        "sha256": hashlib.sha256(data).hexdigest(),
        "parameters": sum(p.numel() for p in module.parameters()),
        "config": dict(config),
    }
    text = json.dumps(info, ensure_ascii=False, indent=1) + "\n"
    for place, content in ((path, data), (path.with_suffix(".json"), text.encode())):
        part = place.with_name(place.name + ".part")  # whole, or not at all
        part.write_bytes(content)
        part.replace(place)
    return path


def _foreign() -> str:
    return say("不是本书的检查点", "is not a checkpoint of this book")


def _again() -> str:
    return say("删掉它，重新训练或重新下载", "delete it, then train or download again")


def load(slug: str, model: str, folder: str | Path | None = None) -> Checkpoint:
    """Reads a checkpoint. BadFile if it is missing, damaged, or not one of ours."""
    name = f"{slug}-{model}.safetensors"
    folders = [Path(folder)] if folder is not None else [own(), BOOK]
    path = next((f / name for f in folders if (f / name).exists()), folders[-1] / name)
    beside = path.with_suffix(".json")
    for needed in (path, beside):
        if not needed.is_file():
            make_it = say(f"先运行实验 {slug}", f"run the lab {slug} first")
            raise BadFile(needed, say("没有这个文件", "there is no such file"), make_it)
    try:
        info = json.loads(beside.read_text("utf-8"))
        config = info["config"]
        wanted, version = info["sha256"], info["format"]
    except (ValueError, KeyError, TypeError):
        raise BadFile(beside, _foreign(), _again()) from None
    if version != FORMAT:
        raise BadFile(
            beside,
            say(f"格式是第 {version} 版，这里读第 {FORMAT} 版", f"has format {version}, this code reads {FORMAT}"),
            _again(),
        )
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != wanted:
        raise BadFile(
            path,
            say("内容与记录的哈希不符：文件坏了或被换过", "does not have the recorded hash: damaged or replaced"),
            _again(),
        )
    try:
        weights = load_tensors(data)
    except SafetensorError as error:
        raise BadFile(path, f"{_foreign()} ({error})", _again()) from None
    return Checkpoint(
        config,
        {k: torch.as_tensor(v) for k, v in weights.items()},
        {k: v for k, v in info.items() if k != "config"},
        path,
    )
