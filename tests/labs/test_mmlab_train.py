"""The training loop, the runs over seeds and the checkpoints that the labs share."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mmlab import checkpoints, runs, train
from mmlab.errors import BadFile

X = torch.linspace(-1, 1, 64).unsqueeze(1)


def line(seed=0):
    torch.manual_seed(seed)
    return nn.Linear(1, 1)


def loss_of(model, slope=2.0):
    return lambda picked: (model(X[picked]) - slope * X[picked]).pow(2).mean()


# ---- fit ---------------------------------------------------------------------------------------------------------------


def test_it_learns_and_tells_how():
    model = line()
    history = train.fit(
        model,
        loss_of(model),
        64,
        steps=200,
        batch=16,
        lr=0.1,
        weight_decay=0,
        check=lambda: model.weight.item(),
        checks=4,
    )
    assert model.weight.item() == pytest.approx(2, abs=0.01)
    assert len(history.losses) == 200 and history.losses[-1] < history.losses[0]
    assert [step for step, _ in history.checks] == [50, 100, 150, 200]
    assert not model.training and not history.interrupted
    assert len(history.smooth(20)) == 181
    assert history.smooth(1) == pytest.approx(history.losses)


def test_the_same_seed_gives_the_same_run_and_another_does_not():
    def run(seed):
        model = line()
        train.fit(model, loss_of(model), 64, steps=20, batch=16, seed=seed)
        return model.weight.item()

    assert run(1) == run(1) != run(2)


@given(n=st.integers(4, 30), batch=st.integers(1, 4), steps=st.integers(1, 30))
def test_an_epoch_takes_each_sample_at_most_once(n, batch, steps):
    model, seen = line(), []

    def loss(picked):
        seen.append(picked)
        return model(X[:1]).sum()

    train.fit(model, loss, n, steps=steps, batch=batch)
    per_epoch = n // batch
    assert all(len(p) == batch and int(p.max()) < n for p in seen)
    for start in range(0, len(seen), per_epoch):
        epoch = torch.cat(seen[start : start + per_epoch])
        assert len(epoch.unique()) == len(epoch)


def test_interrupting_keeps_what_was_learned():
    model, steps = line(), iter(range(100))

    def loss(picked):
        if next(steps) == 50:
            raise KeyboardInterrupt
        return loss_of(model)(picked)

    before = model.weight.item()
    history = train.fit(model, loss, 64, steps=100, batch=16, lr=0.1)
    assert history.interrupted and len(history.losses) == 50
    assert abs(model.weight.item() - 2) < abs(before - 2)
    assert not model.training


def test_only_what_is_given_is_trained():
    body, head = line(), line(1)
    frozen = body.weight.clone()
    train.fit(head.parameters(), lambda p: head(body(X[p])).pow(2).mean(), 64, steps=5, batch=8)
    assert torch.equal(body.weight, frozen)
    assert not torch.equal(head.weight, line(1).weight)
    body.requires_grad_(False)
    assert train.parameters(nn.Sequential(body, head)) == 4
    assert train.parameters(nn.Sequential(body, head), trainable=True) == 2
    with pytest.raises(ValueError, match="nothing to train"):
        train.fit(body, loss_of(body), 64, steps=1, batch=1)
    with pytest.raises(ValueError, match="cannot be drawn"):
        train.fit(head, loss_of(head), 4, steps=1, batch=8)


# ---- runs --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("MMLAB_RESULTS", str(tmp_path))
    monkeypatch.delenv("MMLAB_SEED", raising=False)
    content = {"stamp": "x", "seeds": [1, 2], "figures": {"a.b": [0.5, 0.7]}}
    (tmp_path / "00-x.json").write_text(json.dumps(content))
    return tmp_path


def test_over_seeds_joins_the_stored_runs_and_this_one(results):
    run = runs.Run("00-x")
    assert run.over_seeds("a.b").tolist() == [0.5, 0.7]
    run.record("a.b", 0.9)
    assert run.over_seeds("a.b").tolist() == [0.9, 0.5, 0.7]
    assert run.mean("a.b") == pytest.approx(0.7)
    assert run.std("a.b") == pytest.approx(np.std([0.5, 0.7, 0.9], ddof=1))
    assert run.spread("a.b") == "0.70 ± 0.20"
    run.record("own", 1)
    assert run.std("own") == 0
    with pytest.raises(KeyError, match="no run of"):
        run.mean("other")


def test_a_stored_run_of_the_same_seed_is_not_counted_twice(results, monkeypatch):
    monkeypatch.setenv("MMLAB_SEED", "2")
    run = runs.Run("00-x")
    run.record("a.b", 0.9)
    assert run.over_seeds("a.b").tolist() == [0.5, 0.7]


def test_the_seed_decides_every_generator(monkeypatch):
    def numbers(seed):
        monkeypatch.setenv("MMLAB_SEED", str(seed))
        run = runs.Run("00-x")
        return run.rng(1).random(), run.rng(2).random(), np.random.random(), torch.rand(1).item()

    assert numbers(3) == numbers(3)
    assert not set(numbers(3)) & set(numbers(4))
    assert len(set(numbers(3))) == 4


def test_what_is_recorded_is_written_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("MMLAB_RECORD", str(tmp_path / "r.json"))
    run = runs.Run("00-x")
    assert run.record("a", torch.tensor(0.25)) == 0.25
    assert json.loads((tmp_path / "r.json").read_text()) == {"seed": run.seed, "figures": {"a": 0.25}}
    with pytest.raises(ValueError, match="small letters"):
        run.record("A figure", 1)
    with pytest.raises(ValueError, match="nan"):
        run.record("a", float("nan"))


# ---- checkpoints -------------------------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path, monkeypatch):
    monkeypatch.setenv("MMLAB_CHECKPOINTS", str(tmp_path))
    return checkpoints.save("00-x", "line", line(), {"size": 1, "answers": ["红", "red"]}, seed=3)


def test_what_is_saved_comes_back(saved):
    found = checkpoints.load("00-x", "line")
    assert found.config == {"size": 1, "answers": ["红", "red"]}
    assert found.info["seed"] == 3 and found.info["parameters"] == 2
    model = found.into(line(5))
    assert torch.equal(model(X), line()(X)) and not model.training
    assert sorted(p.name for p in saved.parent.iterdir()) == ["00-x-line.json", "00-x-line.safetensors"]


def _damage(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "run the lab 00-x first"),
        (lambda path: path.with_suffix(".json").unlink(), "run the lab 00-x first"),
        (_damage, "damaged or replaced"),
        (lambda path: path.write_bytes(b""), "damaged or replaced"),
        (lambda path: path.with_suffix(".json").write_text("{}"), "not a checkpoint of this book"),
        (lambda path: path.with_suffix(".json").write_text("[]"), "not a checkpoint of this book"),
        (lambda path: path.with_suffix(".json").write_bytes(b"\xff"), "not a checkpoint of this book"),
        (
            lambda path: path.with_suffix(".json").write_text(
                path.with_suffix(".json").read_text("utf-8").replace('"format": 1', '"format": 9'), "utf-8"
            ),
            "has format 9",
        ),
    ],
)
def test_a_bad_checkpoint_is_named(saved, spoil, message):
    spoil(saved)
    with pytest.raises(BadFile) as caught:
        checkpoints.load("00-x", "line")
    assert message in str(caught.value) and "00-x-line" in str(caught.value)


def test_weights_of_another_model_do_not_fit(saved):
    with pytest.raises(BadFile, match="do not fit the model"):
        checkpoints.load("00-x", "line").into(nn.Linear(2, 1))


def test_the_errors_speak_the_readers_language(saved, monkeypatch):
    monkeypatch.setenv("MMLAB_LANG", "zh")
    saved.unlink()
    with pytest.raises(BadFile, match="先运行实验 00-x"):
        checkpoints.load("00-x", "line")
