"""PLATO: the world has four replies to everything, masks mask, the losses are what they say, and it trains."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlab import plato, text

WORDS = plato.vocabulary()
SPLIT = plato.split_contexts(np.random.default_rng(0))


def small(**options):
    torch.manual_seed(0)
    return plato.Plato(len(WORDS), **{"latents": 4, "dim": 16, **options})


def pairs(n=12, seed=0):
    return plato.conversations(WORDS, SPLIT["train"], n, np.random.default_rng(seed))


# ---- the world


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_the_split_covers_every_context_once_and_every_topic_is_trained_on(seed):
    split = plato.split_contexts(np.random.default_rng(seed))
    everything = [c for part in split.values() for c in part]
    assert len(everything) == len(set(everything)) == 128
    assert {name: len(part) for name, part in split.items()} == {"train": 64, "validation": 32, "test": 32}
    for lang in plato.LANGUAGES:
        assert {c.topic for c in split["train"] if c.lang == lang} == set(range(16))
        assert {c.opening for c in split["train"] if c.lang == lang} == set(range(4))
    assert plato.split_contexts(np.random.default_rng(seed)) == split


def test_every_context_has_four_replies_and_knows_which_act_each_is():
    for context in SPLIT["train"] + SPLIT["test"]:
        assert len(set(context.replies)) == 4
        assert [context.act(reply) for reply in context.replies] == [0, 1, 2, 3]
        assert context.act("") is None


def test_a_reply_about_something_else_does_not_fit_but_the_dull_one_always_does():
    tea, cats = plato.Context("en", 0, 0), plato.Context("en", 3, 0)
    assert [tea.act(reply) for reply in cats.replies] == [0, None, None, None]


def test_sentences_fit_their_lengths_and_hold_no_unknown_token():
    for lang in plato.LANGUAGES:
        for topic in range(16):
            for opening in range(4):
                context = plato.Context(lang, topic, opening)
                assert len(WORDS.encode(context.text)) <= plato.CONTEXT_LENGTH
                for reply in context.replies:
                    ids = WORDS.encode(reply, begin=True, end=True)
                    assert len(ids) <= plato.REPLY_LENGTH
                    assert 1 not in ids


def test_conversations_have_the_stated_frequencies_and_fitting_replies():
    made = pairs(4000)
    share = np.bincount(made.act, minlength=4) / len(made)
    assert np.abs(share - plato.FREQUENCY).max() < 0.03
    again = pairs(4000)
    assert torch.equal(made.context, again.context)
    assert torch.equal(made.reply, again.reply)
    lines = plato.said(WORDS, made.reply[:50])
    openings = {tuple(text.tokenise(c.text)): c for c in SPLIT["train"]}
    for ids, line, act in zip(made.context, lines, made.act, strict=False):
        assert openings[tuple(WORDS.decode(ids.tolist()))].act(line) == act


# ---- masks


def test_the_block_mask_by_its_definition():
    context, reply = 3, 4
    mask = plato.block_mask(context, reply)
    for row in range(8):
        for column in range(8):
            in_front = column <= context
            assert mask[row, column] == (in_front or (row > context and column <= row))
    assert plato.block_mask(context, reply, causal=False).all()


def changed(model, context, reply, position, mask):
    """Which of the positions change when the token at `position` (of context then reply) changes."""
    first = torch.zeros(1, 16)
    before = model.states(first, context, reply, mask)
    ids = torch.cat([context, reply], 1)
    ids[0, position] = 9 if ids[0, position] != 9 else 10
    after = model.states(first, ids[:, : plato.CONTEXT_LENGTH], ids[:, plato.CONTEXT_LENGTH :], mask)
    return ((before - after).abs().amax(-1)[0] > 1e-6).tolist()


@pytest.mark.parametrize("position", range(18))
def test_what_the_model_sees_is_what_the_mask_says(position):
    model = small().eval()
    context = torch.arange(4, 12)[None]
    reply = torch.arange(12, 22)[None]
    with torch.no_grad():
        seen = changed(model, context, reply, position, model.mask)
        full = changed(model, context, reply, position, None)
    assert seen == model.mask[:, position + 1].tolist()
    assert all(full)


def test_padding_is_never_looked_at():
    model = small().eval()
    made = pairs(6)
    for mask in (model.mask, None):
        before = model.states(torch.zeros(6, 16), made.context, made.reply, mask)
        with torch.no_grad():
            model.words.weight[0] += 5.0
        after = model.states(torch.zeros(6, 16), made.context, made.reply, mask)
        real = F.pad(torch.cat([made.context, made.reply], 1) != 0, (1, 0), value=True)
        assert torch.allclose(before[real], after[real], atol=1e-6)
        assert torch.isfinite(after).all()


# ---- losses


def test_the_bag_of_words_against_a_loop():
    scores, reply = torch.randn(2, 9), torch.tensor([[2, 5, 6, 3, 0], [2, 7, 3, 0, 0]])
    logs = scores.log_softmax(-1)
    wanted = -(logs[0, 5] + logs[0, 6] + logs[0, 3] + logs[1, 7] + logs[1, 3]) / 5
    assert torch.allclose(plato.bag_of_words(scores, reply), wanted)
    shuffled = torch.tensor([[2, 6, 3, 5, 0], [2, 3, 7, 0, 0]])
    assert torch.allclose(plato.bag_of_words(scores, shuffled), wanted)  # the order of the words does not matter


def test_the_likelihood_against_a_loop():
    model = small(latents=0).eval()
    made = pairs(3)
    loss = model.losses(made.context, made.reply)
    scores = model.word(model.states(torch.zeros(3, 16), made.context, made.reply, model.mask)).log_softmax(-1)
    terms = [
        -scores[b, 1 + plato.CONTEXT_LENGTH + t, made.reply[b, t + 1]]
        for b in range(3)
        for t in range(plato.REPLY_LENGTH - 1)
        if made.reply[b, t + 1] != 0
    ]
    assert torch.allclose(loss.nll, torch.stack(terms).mean(), atol=1e-5)
    assert loss.bow == 0
    assert loss.total == loss.nll


def test_gradients_reach_the_recogniser_and_the_acts_only_with_the_latent_on():
    made = pairs(12)
    model = small()
    model.losses(made.context, made.reply).total.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())
    assert model.recogniser.weight.grad.abs().max() > 0
    off = small(latents=0)
    off.losses(made.context, made.reply).total.backward()
    assert off.recogniser.weight.grad is None
    assert off.acts.weight.grad is None


def test_the_gradient_is_the_slope():
    model = small(latents=0).double()
    made = pairs(4)
    loss = model.losses(made.context, made.reply).total
    loss.backward()
    direction = torch.randn_like(model.word.weight)
    slope = (model.word.weight.grad * direction).sum()
    with torch.no_grad():
        model.word.weight += 1e-6 * direction
        up = model.losses(made.context, made.reply).total
        model.word.weight -= 2e-6 * direction
        down = model.losses(made.context, made.reply).total
    assert torch.allclose((up - down) / 2e-6, slope, rtol=1e-4, atol=1e-8)


# ---- replies


def test_replies_depend_on_the_act_only_with_the_latent_on_and_end_once():
    ids = plato.encode_contexts(WORDS, SPLIT["test"])
    on, off = small().eval(), small(latents=0).eval()
    assert not all(torch.equal(on.reply(ids, 0), on.reply(ids, k)) for k in range(1, 4))
    assert torch.equal(off.reply(ids), off.reply(ids))
    for made in (on.reply(ids, 1), on.reply(ids, 1, torch.Generator().manual_seed(0))):
        assert (made[:, 0] == 2).all()
        for row in made.tolist():
            assert 3 not in row or set(row[row.index(3) + 1 :]) <= {0}


def test_drawing_repeats_with_its_seed():
    ids = plato.encode_contexts(WORDS, SPLIT["test"])
    model = small(latents=0).eval()
    one, two, other = (model.reply(ids, 0, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_sentences_are_written_as_their_language_is():
    ids, _ = text.pad([WORDS.encode(line, True, True) for line in ("我很喜欢茶", "why do you ask")], plato.REPLY_LENGTH)
    ids = torch.from_numpy(ids)
    assert plato.said(WORDS, ids)[0] == "我很喜欢茶"
    assert plato.said(WORDS, torch.tensor([[2, 4, 5, 6, 7]]))[0].endswith("…")  # it never ended


def test_counting_the_acts():
    contexts = [plato.Context("en", 0, 0), plato.Context("zh", 1, 2)]
    lines = [[c.replies[0] for c in contexts], [contexts[0].replies[2], contexts[0].replies[1]]]
    columns = [
        torch.from_numpy(text.pad([WORDS.encode(x, True, True) for x in column], plato.REPLY_LENGTH)[0])
        for column in lines
    ]
    acts = plato.acts_of(WORDS, contexts, columns)
    assert acts.tolist() == [[0, 2], [0, -1]]
    assert plato.distinct(acts) == 1.5
    assert plato.steadiness(acts) == (1.0 + 0.5) / 2


def test_a_few_steps_lower_the_loss():
    from mmlab.train import fit

    made = pairs(256)
    model = small(dim=32)
    history = fit(model, lambda i: model.losses(made.context[i], made.reply[i]).total, 256, steps=40, batch=32, lr=6e-3)
    assert np.mean(history.losses[-5:]) < 0.6 * np.mean(history.losses[:3])
