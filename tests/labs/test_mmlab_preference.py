import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mmlab import bridging, contrastive, preference, truth
from mmlab.preference import KINDS

WORDS = bridging.vocabulary()
CLIP = contrastive.CLIP({"tokens": ["<pad>", "<unk>", "<bos>", "<eos>", "red"], "dim": 16, "embed": 16})
CONFIG = {
    "encoder": CLIP.config,
    "tokens": list(WORDS.tokens),
    "bridge": "qformer",
    "queries": 3,
    "width": 16,
    "layers": 1,
}
numbers = st.floats(-20, 0)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return bridging.Bridged(CONFIG).eval()


@pytest.fixture(scope="module")
def task(model):
    layouts = bridging.split()["train"][:40]
    return preference.task(model, layouts, 40, KINDS, 56, np.random.default_rng(0))


def doubles(*values):
    return torch.tensor(values, dtype=torch.float64)


# ---- DPO ----------------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=1, max_size=6), st.floats(0.01, 5))
def test_dpo_is_the_formula(pairs, beta):
    loss, margins = 0.0, []
    for better, worse, better_ref, worse_ref in pairs:
        margins.append(beta * ((better - better_ref) - (worse - worse_ref)))
        loss += math.log1p(math.exp(-margins[-1])) / len(pairs) if margins[-1] > -500 else -margins[-1] / len(pairs)
    found = preference.dpo(*(doubles(*column) for column in zip(*pairs, strict=True)), beta)
    assert math.isclose(found.loss.item(), loss, rel_tol=1e-9, abs_tol=1e-12)
    assert np.allclose(found.margin, margins)
    assert np.allclose(found.weight, [1 / (1 + math.exp(m)) for m in margins])


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=6), st.floats(0.01, 5))
def test_dpo_begins_at_log_2(pairs, beta):
    better, worse = (doubles(*column) for column in zip(*pairs, strict=True))
    found = preference.dpo(better, worse, better, worse, beta)
    assert math.isclose(found.loss.item(), math.log(2)) and (found.weight == 0.5).all() and (found.margin == 0).all()


@given(st.floats(-10, 10))
def test_dpo_sees_only_the_difference(both):
    """Why likelihoods can fall together: what is added to both answers leaves the loss as it is."""
    better, worse, ref = doubles(-3), doubles(-5), doubles(-4)
    one = preference.dpo(better, worse, ref, ref, 0.3)
    moved = preference.dpo(better + both, worse + both, ref, ref, 0.3)
    assert math.isclose(one.loss.item(), moved.loss.item(), rel_tol=1e-9)


def test_dpo_gradient():
    torch.manual_seed(0)
    better, worse, better_ref, worse_ref = (-5 * torch.rand(4, dtype=torch.float64) for _ in range(4))
    better.requires_grad_()
    worse.requires_grad_()

    def loss(better, worse):
        return preference.dpo(better, worse, better_ref, worse_ref, 0.5).loss

    assert torch.autograd.gradcheck(loss, (better, worse))
    found = preference.dpo(better, worse, better_ref, worse_ref, 0.5)
    found.loss.backward()
    assert torch.allclose(better.grad, -0.5 * found.weight / 4) and torch.allclose(worse.grad, -better.grad)
    assert not found.chosen.requires_grad and not found.weight.requires_grad


# ---- GRPO ---------------------------------------------------------------------------------------------------------------

rewards = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 4), st.integers(2, 8)), elements=st.integers(-4, 4).map(float)
)


@given(rewards)
def test_advantages_are_the_formula(r):
    found = preference.group_advantages(torch.from_numpy(r)).numpy()
    for group, advantage in zip(r, found, strict=True):
        std = math.sqrt(sum((x - sum(group) / len(group)) ** 2 for x in group) / len(group))
        wanted = [(x - sum(group) / len(group)) / std if std > 1e-9 else 0.0 for x in group]
        assert np.allclose(advantage, wanted)
    plain = preference.group_advantages(torch.from_numpy(r), scale=False).numpy()
    assert np.allclose(plain, r - r.mean(1, keepdims=True)) and np.allclose(plain.sum(1), 0)


@given(rewards, st.floats(-50, 50), st.floats(0.1, 20))
def test_advantages_do_not_care_for_scale_and_origin(r, shift, scale):
    one, other = (preference.group_advantages(torch.from_numpy(x)) for x in (r, scale * r + shift))
    assert torch.allclose(one, other, atol=1e-6)


@given(st.integers(1, 3), st.integers(2, 8), st.floats(-3, 3))
def test_a_constant_group_teaches_nothing(q, g, value):
    advantages = preference.group_advantages(torch.full((q, g), value))
    assert (advantages == 0).all()
    now = torch.randn(q * g, 5, requires_grad=True)
    mask = torch.ones(q * g, 5, dtype=torch.bool)
    preference.grpo(now, now, now, advantages.flatten(), mask, beta=0).loss.backward()
    assert (now.grad == 0).all()


def test_advantages_of_the_book():
    found = preference.group_advantages(torch.tensor([[1.0, 0, 0, 0]]))
    assert np.allclose(found, [[1.732, -0.577, -0.577, -0.577]], atol=1e-3)


@given(hnp.arrays(np.float64, 6, elements=numbers), hnp.arrays(np.float64, 6, elements=numbers))
def test_k3_is_never_negative(p, q):
    assert (preference.kl_k3(torch.from_numpy(p), torch.from_numpy(q)) >= -1e-9).all()
    assert (preference.kl_k3(torch.from_numpy(p), torch.from_numpy(p)) == 0).all()


@given(st.integers(0, 1000))
def test_k3_has_the_kl_as_its_mean(seed):
    generator = torch.Generator().manual_seed(seed)
    p, q = torch.randn(2, 7, generator=generator, dtype=torch.float64).log_softmax(1)
    assert torch.allclose((p.exp() * preference.kl_k3(p, q)).sum(), (p.exp() * (p - q)).sum())


def by_hand(now, old, ref, a, mask, clip, beta, by_length):
    """The loss of GRPO, token by token."""
    total, longest = 0.0, max(sum(row) for row in mask)
    for i in range(len(now)):
        answer = 0.0
        for t in range(len(now[i])):
            if mask[i][t]:
                rho = math.exp(now[i][t] - old[i][t])
                r = math.exp(ref[i][t] - now[i][t])
                gain = min(rho * a[i], min(max(rho, 1 - clip), 1 + clip) * a[i])
                answer += gain - beta * (r - math.log(r) - 1)
        total += answer / (sum(mask[i]) if by_length else longest)
    return -total / len(now)


@given(st.integers(0, 10_000), st.booleans(), st.floats(0.05, 0.4), st.floats(0, 1))
def test_grpo_is_the_formula(seed, by_length, clip, beta):
    rng = np.random.default_rng(seed)
    now, old, ref = -3 * rng.random((3, 4, 5))
    a, mask = rng.normal(size=4), np.arange(5)[None] < rng.integers(1, 6, 4)[:, None]
    found = preference.grpo(
        *map(torch.from_numpy, (now, old, ref, a, mask)), clip=clip, beta=beta, by_length=by_length
    )  # fmt: skip
    assert math.isclose(found.loss.item(), by_hand(now, old, ref, a, mask, clip, beta, by_length), rel_tol=1e-9)


def test_grpo_gradient():
    torch.manual_seed(0)
    now, old, ref = (-3 * torch.rand(3, 4, dtype=torch.float64) for _ in range(3))
    a, mask = doubles(1.0, -0.5, 0.3), torch.arange(4)[None] < torch.tensor([[4], [2], [3]])
    now.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: preference.grpo(x, old, ref, a, mask).loss, (now,))


def test_padding_is_masked():
    torch.manual_seed(0)
    now, old, ref = (-3 * torch.rand(3, 6) for _ in range(3))
    a, mask = torch.tensor([1.0, -1, 0.5]), torch.arange(6)[None] < torch.tensor([[6], [2], [4]])
    one = preference.grpo(now, old, ref, a, mask)
    now, old, ref = (x.masked_fill(~mask, -float(k) * 400) for k, x in enumerate((now, old, ref)))
    now.requires_grad_()
    other = preference.grpo(now, old, ref, a, mask)
    assert torch.allclose(one.loss, other.loss) and torch.allclose(one.kl, other.kl)
    other.loss.backward()
    assert (now.grad[~mask] == 0).all() and (now.grad[mask] != 0).any()


def test_clip_stops_what_has_gone_far_enough():
    for ratio, advantage, stopped in ((1.5, 1, True), (1.5, -1, False), (0.5, -1, True), (0.5, 1, False)):
        now = torch.tensor([[math.log(ratio)]], requires_grad=True)
        zero, one = torch.zeros(1, 1), torch.ones(1, 1, dtype=torch.bool)
        found = preference.grpo(now, zero, zero, torch.tensor([float(advantage)]), one, beta=0)
        found.loss.backward()
        assert (now.grad.item() == 0) == stopped == bool(found.clipped)


def test_length_weighs_a_token():
    """1/|y| punishes a long wrong answer less per token; without it all tokens weigh the same."""
    mask = torch.arange(10)[None] < torch.tensor([[2], [10]])
    for by_length, ratio in ((True, 5), (False, 1)):
        now = torch.zeros(2, 10, requires_grad=True)
        preference.grpo(now, now, now, torch.tensor([-1.0, -1.0]), mask, by_length=by_length).loss.backward()
        assert math.isclose(now.grad[0, 0] / now.grad[1, 0], ratio, rel_tol=1e-5)


# ---- best of n ------------------------------------------------------------------------------------------------------------


@given(hnp.arrays(np.float64, st.integers(1, 6), elements=st.integers(0, 3).map(float)), st.data())
def test_best_of_n_counts_all_subsets(r, data):
    from itertools import combinations

    n = data.draw(st.integers(1, len(r)))
    wanted, subsets = np.zeros(len(r)), list(combinations(range(len(r)), n))
    for subset in subsets:
        best = [i for i in subset if r[i] == max(r[j] for j in subset)]
        wanted[best] += 1 / len(best) / len(subsets)
    assert np.allclose(preference.best_of_n(torch.from_numpy(r), n), wanted)


def test_best_of_n_of_many_and_wrong():
    share = preference.best_of_n(torch.rand(3, 300), 150)
    assert torch.allclose(share.sum(1), torch.ones(3, dtype=torch.float64))
    for n in (0, 5):
        with pytest.raises(ValueError):
            preference.best_of_n(torch.rand(4), n)


@given(st.integers(1, 8))
def test_best_of_n_kl(n):
    """Against the distribution itself, of many equally likely answers: the k-th of N is best with chance ~ n k^(n-1)."""
    p = preference.best_of_n(torch.arange(2000.0), n)
    kl = (p[p > 0] * (p[p > 0] * 2000).log()).sum().item()
    assert math.isclose(kl, preference.best_of_n_kl(n), abs_tol=0.01)


# ---- questions and answers --------------------------------------------------------------------------------------------------


def test_task_asks_what_it_says(task):
    assert [str(k) for k in task.kinds[: len(KINDS)]] == list(KINDS) and len(
        task.rows(task.kinds == "mixture").asks
    ) == 8
    for ask, kind, scene in zip(task.asks, task.kinds, task.scenes, strict=True):
        if kind not in preference.PROBES:
            assert ask.kind == kind
            continue
        named = (ask.about, ask.other)
        colours, shapes = ({thing[k] for thing in scene.things} for k in (0, 1))
        assert (named in scene.things) == (kind == "present")
        if kind != "present":
            assert (ask.about in colours and ask.other in shapes) == (kind == "mixture")


def test_task_marks_by_truth(task):
    right = [{"zh": "有", "en": "yes"}[a.lang] for a in task.asks for _ in range(2)]
    marks = task.true(right)
    assert marks.shape == (len(task.asks), 2) and (marks[:, 0] == marks[:, 1]).all()
    assert ((marks[:, 0] == 1).numpy() == (task.kinds == "present")).all()
    shares = task.shares(right[::2])
    assert shares["present"] == 1 and shares["mixture"] == 0 and set(shares) == set(KINDS)
    part = task.rows(np.array([3, 1]))
    assert part.asks == [task.asks[3], task.asks[1]] and torch.equal(part.prefix, task.prefix[[3, 1]])
    assert part.words == [truth.wording(a) for a in part.asks]


def test_rollout_is_what_the_model_says(model, task):
    some = task.rows(np.arange(6))
    said = preference.rollout(model, some.prefix, some.words, 3, 1.0, torch.Generator().manual_seed(0))
    assert len(said.answers) == len(said.ids) == 18 and said.group == 3
    assert (said.mask.sum(1) >= 1).all() and (said.mask.sum(1) <= bridging.ANSWER_LENGTH).all()
    for ids, labels, question in zip(said.ids, said.labels, (q for q in some.words for _ in range(3)), strict=True):
        head = [*WORDS.encode(question), 2]
        at = (labels != bridging.IGNORE).nonzero()[:, 0]
        assert ids[: len(head)].tolist() == head and at[0] == len(head) - 1
        assert (ids[at + 1] == labels[at]).all() and (labels[at[:-1]] != 3).all()  # shifted by one, ends at <eos>
    again = preference.rollout(model, some.prefix, some.words, 3, 1.0, torch.Generator().manual_seed(0))
    assert again.answers == said.answers
    one = said.rows(torch.tensor([4, 0]))
    assert (
        one.group == 1 and torch.equal(one.ids, said.ids[[4, 0]]) and one.answers == [said.answers[4], said.answers[0]]
    )


def test_greedy_rollout_agrees_with_the_model(model, task):
    some = task.rows(np.arange(8))
    ids, lengths = bridging.prompts(WORDS, some.words)
    wanted = bridging.read_out(WORDS, model.decoder.generate(ids, lengths, some.prefix))
    assert preference.rollout(model, some.prefix, some.words, temperature=0.0).answers == wanted


def test_log_probabilities_of_answers(model, task):
    some = task.rows(np.arange(4))
    said = preference.rollout(model, some.prefix, some.words, 2, 1.0, torch.Generator().manual_seed(1))
    found = preference.answer_log_probabilities(model, some.prefix, said)
    assert (found[~said.mask] == 0).all() and (found[said.mask] < 0).all() and found.requires_grad
    for row in range(8):
        logits = model.decoder(said.ids[row : row + 1], some.prefix[row // 2 : row // 2 + 1])[0].log_softmax(-1)
        for t in said.mask[row].nonzero()[:, 0].tolist():
            assert math.isclose(found[row, t].item(), logits[t, said.ids[row, t + 1]].item(), abs_tol=1e-4)


@settings(max_examples=10)
@given(st.integers(1, 5))
def test_padding_does_not_change_log_probabilities(model, task, more):
    some = task.rows(np.arange(3))
    said = preference.rollout(model, some.prefix, some.words, 1, 1.0, torch.Generator().manual_seed(2))
    assume(said.ids.shape[1] + more < 44)
    wider = said._replace(ids=F.pad(said.ids, (0, more)), labels=F.pad(said.labels, (0, more), value=bridging.IGNORE))
    one, other = (preference.answer_log_probabilities(model, some.prefix, s) for s in (said, wider))
    assert torch.allclose(one, other[:, : one.shape[1]], atol=1e-5) and (other[:, one.shape[1] :] == 0).all()


def test_policy_is_a_copy_that_trains_only_its_parts(model, task):
    before = {name: p.clone() for name, p in model.state_dict().items()}
    learner = preference.policy(model, ["decoder"])
    trained = {name.split(".")[0] for name, p in learner.named_parameters() if p.requires_grad}
    assert trained == {"decoder"}
    some = task.rows(np.arange(14))
    optimiser = torch.optim.Adam(learner.decoder.parameters(), 0.01)
    good, bad = (
        preference.rollout(model, some.prefix, some.words, 1, 1.0, torch.Generator().manual_seed(k)) for k in (1, 2)
    )
    with torch.no_grad():
        ref = [preference.answer_log_probabilities(model, some.prefix, s).sum(1) for s in (good, bad)]
    losses = []
    for _ in range(8):
        now = [preference.answer_log_probabilities(learner, some.prefix, s).sum(1) for s in (good, bad)]
        loss = preference.dpo(now[0], now[1], ref[0], ref[1], 0.5).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert math.isclose(losses[0], math.log(2), rel_tol=1e-4) and losses[-1] < 0.6
    assert all(torch.equal(p, before[name]) for name, p in model.state_dict().items())
