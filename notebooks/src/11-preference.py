# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   mmlab:
#     description:
#       zh: 在小 BLIP-2 上手写 DPO 与 GRPO：隐式奖励、似然位移、组内优势、KL，看奖励怎样被钻空子，以及幻觉在训练前后怎样变、代价是什么。
#       en: DPO and GRPO by hand on a small BLIP-2. Implicit rewards, falling likelihoods, group advantages, KL, rewards that are gamed, and hallucination before and after.
#     uses: [mmlab/checkpoints/06-bridging-*, mmlab/checkpoints/05-contrastive-clip*]
#     seeds: 3
#     headline:
#       - {figure: test.start.mixture, zh: 训练前，拼凑题答“没有”的比例, en: "before training, mixtures denied"}
#       - {figure: test.grpo.mixture, zh: GRPO 之后，同一比例, en: "after GRPO, mixtures denied"}
#       - {figure: test.sft.mixture, zh: 只在自己的真话上监督训练，同一比例, en: "after SFT on its own true answers, mixtures denied"}
#       - {figure: dpo.low.caption, zh: "DPO（β = 0.1）之后，描述属实的比例（验证集）", en: "after DPO with β = 0.1, captions that are true (validation)"}
#       - {figure: naysayer.truth, zh: 奖励“不幻觉”，是非题的真值分（验证集）, en: "rewarded for not hallucinating, truth on yes-no (validation)"}
# ---
# %% [markdown] lang="zh" ids="preference-lab"
# # 实验十一：从好坏中学，DPO 与 GRPO
#
# [实验六](06-bridging.ipynb)的小 BLIP-2 爱说“有”：问它“图里有红色星形吗”，图里是红色圆形和蓝色星形，它多半答“有”。它知道怎样答对，抽几次样就有真话。**能不能只告诉它哪句好、哪句坏，就把幻觉减下去？会付出什么代价？**
#
# 先写下你的预测，再运行。末尾对答案。
#
# 1. 一道题抽 8 个回答，有真有假的题占多少？
# 2. DPO 训练完，九成的对子分得开好坏。那句“好”的回答，概率升了还是降了？
# 3. GRPO 一组 8 个回答全对。这道题贡献多少梯度？
# 4. 奖励是“不说图里没有的东西”。训练三十步不到，模型会怎样？
# 5. 抽 64 句，挑 CLIP 打分最高的一句，比抽 8 句挑一句更真吗？
# 6. 同样的真话，直接拿来监督训练，会输给 DPO 和 GRPO 吗？
#
# 公式与记号同[训练一章的偏好一节](../principles/training.md#preference)；幻觉怎样量，见[可信一章](../principles/trust.md#measuring)。
# %% [markdown] lang="en" ids="preference-lab"
# # Lab 11: learning from better and worse, DPO and GRPO
#
# The small BLIP-2 of [lab 6](06-bridging.ipynb) likes to say yes. The picture has a red circle and a blue star; ask it for a red star, and more often than not it says there is one. Yet it could know better: draw a few answers, and true ones are among them. **Can hallucination be reduced by nothing but telling it which answer was better? And what does that cost?**
#
# Write down your predictions before you run anything. The answers are at the end.
#
# 1. Draw 8 answers to each question. For what share of the questions are some true and some false?
# 2. After DPO nine pairs in ten are told apart. Has the better answer become likelier or less likely?
# 3. All 8 answers of a GRPO group are right. How much gradient does the question contribute?
# 4. The reward is “says nothing that is not in the picture”. Where is the model after fewer than thirty steps?
# 5. Draw 64 captions and keep the one that CLIP scores highest. Is it truer than the best of 8?
# 6. The same true answers can simply be used for supervised training. Does that lose against DPO and GRPO?
#
# Formulas and notation are those of [the section on preferences](../principles/training.md#preference); how hallucination is measured is in [the chapter on trust](../principles/trust.md#measuring).
# %% tags=["setup"] needs="numpy pillow torch matplotlib safetensors tqdm pylopdf-fonts-zh-cn"
# %%
import re
from collections import Counter

import numpy as np
import torch
from matplotlib.lines import Line2D

from mmlab import bridging, checkpoints, contrastive, encoders, metrics, plots, preference, scenes, truth
from mmlab.preference import KINDS
from mmlab.runs import Run
from mmlab.train import fit, parameters

run = Run("11-preference")
start = bridging.load("blip2").requires_grad_(False)
parts = bridging.split()
# %% [markdown] lang="zh" ids="start"
# ## 起点
#
# 训练用实验六训练时的布局，图重画；偏好数据只问描述和是非，**颜色、形状、方位一题不练**，用来看代价。是非题三种：`present` 图里有；`absent` 颜色、形状至少有一样图里没有；`mixture` 一件的颜色拼另一件的形状。有与没有各半。
#
# 图像编码器和桥都冻结，只训练解码器。这是在验证集上选的：只放开桥，拼凑题几乎不动；桥和解码器一起放开，不比单独训练解码器好。看来毛病多半不在眼睛，在嘴。
# %% [markdown] lang="en" ids="start"
# ## Where we begin
#
# Training uses the layouts that lab 6 trained on, drawn anew. The preference data ask for captions and yes or no only; **colours, shapes and places are never practised**, and will show the cost. There are three kinds of yes–no question: `present`, the thing is there; `absent`, it is neither there nor a mixture; `mixture`, the colour of one thing with the shape of the other. Half of them are true.
#
# Encoder and bridge stay frozen, and only the decoder is trained. That was chosen on the validation part: with the bridge alone set free mixtures hardly move, and both together are no better than the decoder by itself. The fault, it seems, is less in the eyes than in the mouth.
# %%
LESSON = ("caption", "caption", "present", "present", "present", "absent", "mixture", "mixture")
train = preference.task(start, parts["train"], 1200, LESSON, 1200, run.rng(1))
val = preference.task(start, parts["validation"], 264, KINDS, 840, run.rng(2))
for kind in KINDS:
    i = int(np.flatnonzero(val.kinds == kind)[-1])
    print(f"{kind:9} {val.words[i]}")
print({part: len(layouts) for part, layouts in parts.items()}, tuple(train.prefix.shape))
print(parameters(start), parameters(start.decoder))
# %%
heads = ["colour", "shape", "relat.", "capt.", "pres.", "abs.", "mix.", "KL", "drawn"]

def draw(model, task, group=1, stream=0, temperature=1.0):
    coin = torch.Generator().manual_seed(100 * run.seed + stream)
    return preference.rollout(model, task.prefix, task.words, group, temperature, coin)

def report(name, model, task=val):
    """Greedy answers by kind; KL from the start and truth of drawn answers."""
    best = draw(model, task, temperature=0.0).answers
    said = draw(model, task, stream=1)
    with torch.no_grad():
        now = preference.answer_log_probabilities(model, task.prefix, said)
        before = preference.answer_log_probabilities(start, task.prefix, said)
    result = task.shares(best) | {"kl": float((now - before).sum(1).mean()), "drawn": float(task.true(said.answers).mean())}
    print(f"{name:9}", *(f"{v:6.2f}" for v in result.values()))
    return result

print(" " * 9, *(f"{head:>6}" for head in heads))
validation = {"start": report("start", start)}
run.record("val.start.caption", validation["start"]["caption"])
run.record("val.start.open", np.mean([validation["start"][kind] for kind in truth.OPEN_KINDS]))
# %% [markdown] lang="zh" ids="draw"
# 前七列取最可能的回答（贪心），最后一列按温度 1 抽样。抽样比贪心差得多：模型把不少概率给了假话。偏好学习搬动的就是这些概率。
#
# ## 奖励与对子
#
# 每题抽 8 个回答，用真值判分，这就是**可验证的奖励** $r\in\{0,1\}$。有真有假的题，各取一句，成为一对 $(y_w, y_l)$。两句都是模型自己说的（on-policy）。
# %% [markdown] lang="en" ids="draw"
# The first seven columns take the likeliest answer (greedy), the last draws at temperature 1. Drawn answers are much worse: the model gives falsehoods a good deal of probability. Preference learning moves that probability.
#
# ## Rewards and pairs
#
# Draw 8 answers to each question and mark them by truth: that is a **verifiable reward** $r\in\{0,1\}$. Where some are true and some false, take one of each as a pair $(y_w, y_l)$. Both are the model's own words (on-policy).
# %%
said = draw(start, train, group=8)
right = train.true(said.answers)
for i in (0, 6):
    print(train.words[i])
    for answer, n in Counter(said.answers[8 * i : 8 * i + 8]).most_common():
        print(f"   {n} × {int(truth.score(train.asks[i], answer, train.scenes[i]).true)}  {answer}")
mixed = (right.mean(1) > 0) & (right.mean(1) < 1)
run.record("pairs.mixed", mixed.float().mean())
print(tuple(right.shape), f"{right.mean():.2f} true, {mixed.float().mean():.2f} of the questions mixed")
assert 0.5 < mixed.float().mean() < 0.98
# %%
pair = mixed.nonzero()[:, 0]
better, worse = 8 * pair + right[pair].argmax(1), 8 * pair + right[pair].argmin(1)
length = said.mask.sum(1).float()
print(len(pair), "pairs; mean tokens", f"{length[better].mean():.2f} {length[worse].mean():.2f}")

def log_p(model, answers, questions, prefix=train.prefix):
    """log π of whole answers: (m,)"""
    return preference.answer_log_probabilities(model, prefix[questions], answers).sum(1)

grey = start.bridge(start.see(np.full((1, 32, 32, 3), 237, np.uint8))).expand_as(train.prefix)
with torch.no_grad():
    blind = log_p(start, said.rows(better), pair, grey) > log_p(start, said.rows(worse), pair, grey)
run.record("pairs.blind", blind.float().mean())
print(f"told apart with a blank picture: {blind.float().mean():.2f}")
assert 0.3 < blind.float().mean() < 0.7
# %% [markdown] lang="zh" ids="dpo"
# 两个对照都过关：好答案和坏答案一样长；不看图，好坏分不出来（五成上下）。[真实的偏好数据常常过不了](../principles/training.md#preference)：文风就泄露了哪句是好的。
#
# ## DPO
#
# [DPO](https://arxiv.org/abs/2305.18290) 不训练奖励模型。回答的**隐式奖励**是 $\hat r_\theta(x,y)=\beta\log\frac{\pi_\theta(y\mid x)}{\pi_{\mathrm{ref}}(y\mid x)}$，损失让好的高于坏的：
#
# $$\mathcal{L}=-\frac1B\sum_{b=1}^{B}\log\sigma(m_b),\qquad m_b=\hat r_\theta(x_b,y_{w,b})-\hat r_\theta(x_b,y_{l,b})$$
#
# 一批 $B$ 对，要四组对数概率，形状都是 $(B)$：策略与参考，好与坏。梯度里有一个权重 $\sigma(-m_b)$：已经分开的对子几乎不再出力。
# %% [markdown] lang="en" ids="dpo"
# Both controls hold: better and worse answers are equally long, and without the picture they cannot be told apart (about one half). [Real preference data often fail here](../principles/training.md#preference): the style gives the better one away.
#
# ## DPO
#
# [DPO](https://arxiv.org/abs/2305.18290) trains no reward model. The **implicit reward** of an answer is $\hat r_\theta(x,y)=\beta\log\frac{\pi_\theta(y\mid x)}{\pi_{\mathrm{ref}}(y\mid x)}$, and the loss wants the better one's above the worse one's:
#
# $$\mathcal{L}=-\frac1B\sum_{b=1}^{B}\log\sigma(m_b),\qquad m_b=\hat r_\theta(x_b,y_{w,b})-\hat r_\theta(x_b,y_{l,b})$$
#
# A batch of $B$ pairs takes four log-probabilities of shape $(B)$: policy and reference, better and worse. The gradient has a weight $\sigma(-m_b)$: pairs that are already apart hardly pull any more.
# %%
#zh| 手算：好的升 2，坏的降 3，β = 0.1
#en| By hand: the better one up by 2, the worse one down by 3, β = 0.1
x = [torch.tensor([v], requires_grad=True) for v in (-4.0, -9.0, -6.0, -6.0)]
d = preference.dpo(*x, beta=0.1)
by_hand = np.log(1 + np.exp(-0.1 * (2 - -3)))
d.loss.backward()
print(f"loss {d.loss:.3f} {by_hand:.3f}, at the start {np.log(2):.3f}; weight {d.weight.item():.3f}")
print(f"gradient at log π(better) {x[0].grad.item():.4f} = -β · weight {-0.1 * d.weight.item():.4f}")
assert np.isclose(d.loss.item(), by_hand) and np.isclose(x[0].grad.item(), -0.1 * d.weight.item())
# %%
def prefer(beta, chosen, rejected, questions, steps=100, lr=6e-4, sft=0.0):
    """DPO on pairs → the trained policy and, for each step, (pairs apart, log-ratio chosen, log-ratio rejected)."""
    model, track = preference.policy(start, ["decoder"]), []
    with torch.no_grad():
        ref_w, ref_l = (log_p(start, a, questions) for a in (chosen, rejected))

    def loss(j):
        w, l = (log_p(model, a.rows(j), questions[j]) for a in (chosen, rejected))
        d = preference.dpo(w, l, ref_w[j], ref_l[j], beta)
        track.append([(d.margin > 0).float().mean(), (d.chosen / beta).mean(), (d.rejected / beta).mean()])
        return d.loss - sft * (w / chosen.mask[j].sum(1)).mean()

    fit(model.decoder, loss, len(questions), steps=steps, batch=64, lr=lr, weight_decay=0, seed=run.seed)
    return model, np.array(track)
# %%
good, bad = said.rows(better), said.rows(worse)
BETAS = {"low": 0.1, "high": 2.0}
dpo, tracks = {}, {}
print(" " * 9, *(f"{head:>6}" for head in heads))
for name, beta in BETAS.items():
    dpo[name], tracks[name] = prefer(beta, good, bad, pair)
    validation[name] = report(f"β = {beta}", dpo[name])
    run.record(f"dpo.{name}.apart", tracks[name][-20:, 0].mean())
    run.record(f"dpo.{name}.chosen", tracks[name][-20:, 1].mean())
    run.record(f"dpo.{name}.rejected", tracks[name][-20:, 2].mean())
    for kind in ("caption", "mixture"):
        run.record(f"dpo.{name}.{kind}", validation[name][kind])
# %%
fig, axes = plots.figure(4.8, 2.5, cols=2, sharey=True)
for ax, name in zip(axes, ("low", "high")):
    for column, colour, style in ((1, plots.BLUE, "-"), (2, plots.ORANGE, "--")):
        smooth = np.convolve(tracks[name][:, column], np.ones(8) / 8, "valid")
        ax.plot(smooth, color=colour, linestyle=style)
    ax.axhline(0, color=plots.INK, linewidth=0.8)
    ax.set_title(f"β = {BETAS[name]}")
#zh> for ax in axes: ax.set_xlabel("步")
#zh> axes[0].set_ylabel("log(π/π_ref)（奈特）")
#zh> axes[1].legend(["好答案", "坏答案"], loc="lower left")
#zh> plots.show(fig, "两个 β 下，好坏答案的对数比随训练步的变化：β 等于 0.1 时两条都降，坏的降得更多；β 等于 2 时好的略升，坏的略降。")
#en> for ax in axes: ax.set_xlabel("step")
#en> axes[0].set_ylabel("log(π/π_ref) (nats)")
#en> axes[1].legend(["better", "worse"], loc="lower left")
#en> plots.show(fig, "Log-ratios of better and worse answers over the steps for two values of β. With β of 0.1 both fall, the worse one further; with β of 2 the better one rises a little and the worse one falls a little.")
# %%
low, high = validation["low"], validation["high"]
assert run.recorded["dpo.low.apart"] > 0.8 and run.recorded["dpo.low.chosen"] < 0 < run.recorded["dpo.high.chosen"]
assert low["caption"] < validation["start"]["caption"] - 0.1 and low["kl"] > high["kl"]
assert high["caption"] > low["caption"] + 0.1
i = int(np.flatnonzero(val.kinds == "caption")[1])
for name, model in (("start", start), ("β = 2", dpo["high"]), ("β = 0.1", dpo["low"])):
    lines = draw(model, val.rows(np.array([i])), group=6, stream=3).answers
    print(name, *(f"   {line}" for line in sorted(set(lines))[:3]), sep="\n")
# %% [markdown] lang="zh" ids="displacement edited-negatives"
# ### 似然位移
#
# β = 0.1：{= f"{run.mean('dpo.low.apart'):.0%}" =} 的对子分开了，好答案的对数概率却**降了** {= f"{-run.mean('dpo.low.chosen'):.1f}" =}，坏的降了 {= f"{-run.mean('dpo.low.rejected'):.1f}" =}。损失只要差，两条一起往下也行。概率去了哪里？去了谁也没比较过的第三种回答，多数是假的：描述属实的比例从 {= run.spread("val.start.caption") =} 掉到 {= run.spread("dpo.low.caption") =}。这叫[似然位移](https://arxiv.org/abs/2410.08847)。好坏两句越像（同样的词，换个次序），越容易发生：压低一句，也压低了它的邻居。
#
# β 是缰绳：差一拉开，权重 $\sigma(-m)$ 就归零。β = 2 时好答案升 {= f"{run.mean('dpo.high.chosen'):.1f}" =}，描述 {= run.spread("dpo.high.caption") =}。我们在验证集上取 β = 2；这个数只对这个玩具成立。**只看“对子分开的比例”，两个 β 都很好看。**
#
# ### 更像的坏答案更好吗
#
# 人写偏好数据时爱做最小改动。把好的描述里两种颜色对调，其余不动，当坏答案：
# %% [markdown] lang="en" ids="displacement edited-negatives"
# ### Likelihood displacement
#
# With β = 0.1, {= f"{run.mean('dpo.low.apart'):.0%}" =} of the pairs are apart. Yet the log-probability of the better answer has **fallen** by {= f"{-run.mean('dpo.low.chosen'):.1f}" =}, that of the worse by {= f"{-run.mean('dpo.low.rejected'):.1f}" =}. The loss wants a difference, and both may go down together. Where did the probability go? To third answers that nobody compared, most of them false: true captions drop from {= run.spread("val.start.caption") =} to {= run.spread("dpo.low.caption") =}. This is [likelihood displacement](https://arxiv.org/abs/2410.08847). The more alike the two answers are (the same words in another order), the easier it happens: push one down, and its neighbours go with it.
#
# β is the leash: once the difference is there, the weight $\sigma(-m)$ vanishes. With β = 2 the better answer rises by {= f"{run.mean('dpo.high.chosen'):.1f}" =}, and captions are at {= run.spread("dpo.high.caption") =}. We take β = 2, chosen on validation; the number holds for this toy only. **Judged by the share of pairs told apart, both look fine.**
#
# ### Are closer negatives better?
#
# People who write preference data like minimal edits. Exchange the two colours in a true caption, leave the rest, and call that the worse answer:
# %%
def exchanged(caption, lang):
    first, second = re.findall("|".join(scenes.word(c, lang) for c in scenes.COLOURS), caption)
    return caption.replace(first, "#").replace(second, first).replace("#", second)

described = torch.tensor([k for k, q in enumerate(pair.tolist()) if train.kinds[q] == "caption"])
asked = [train.words[q] for q in pair[described].tolist()]
true_line = [good.answers[k] for k in described.tolist()]
wrong_line = [exchanged(a, train.asks[q].lang) for a, q in zip(true_line, pair[described].tolist())]
print(true_line[0], "|", wrong_line[0], "|", len(described), "pairs")
edited = [preference.Rollout(*bridging.sequences(start.vocabulary, asked, a), a, 1) for a in (true_line, wrong_line)]
drawn_lines = good.rows(described), bad.rows(described)
with torch.no_grad():
    ours, theirs = (log_p(start, lot[1], pair[described]).mean() for lot in (drawn_lines, edited))
run.record("pairs.drawn.logp", ours)
run.record("pairs.edited.logp", theirs)
print(f"log π_ref of the worse answer: drawn {ours:.1f}, edited {theirs:.1f}")
# %%
captions = val.rows(val.kinds == "caption")

def drawn_truth(model):
    return float(captions.true(draw(model, captions, group=4, stream=2).answers).mean())

run.record("pairs.start.caption", drawn_truth(start))
print(f"captions, drawn: start {drawn_truth(start):.2f}")
for name, lot in (("drawn", drawn_lines), ("edited", edited)):
    model, track = prefer(2.0, *lot, pair[described], steps=60)
    for what, value in (("caption", drawn_truth(model)), ("apart", track[-20:, 0].mean()), ("chosen", track[-20:, 1].mean())):
        run.record(f"pairs.{name}.{what}", value)
    print(f"{name:6} pairs apart {track[-20:, 0].mean():.2f}, better answer {track[-20:, 1].mean():+.2f}, captions {drawn_truth(model):.2f}")
got = run.recorded
assert got["pairs.edited.apart"] > 0.95 and got["pairs.edited.logp"] < got["pairs.drawn.logp"] - 5
assert got["pairs.edited.caption"] < got["pairs.start.caption"] and got["pairs.edited.caption"] < got["pairs.drawn.caption"]
# %% [markdown] lang="zh" ids="hard-read"
# 同样 {= len(described) =} 个描述的对子，同样 β = 2、60 步。改写的对子全分开了（{= f"{run.mean('pairs.edited.apart'):.0%}" =}），抽样描述却从 {= run.spread("pairs.start.caption") =} 落到 {= run.spread("pairs.edited.caption") =}；坏答案是抽样来的，得 {= run.spread("pairs.drawn.caption") =}。改写的坏话模型本来就几乎不说：对数概率平均 {= f"{run.mean('pairs.edited.logp'):.1f}" =}，抽样来的是 {= f"{run.mean('pairs.drawn.logp'):.1f}" =}。压低它，没有去掉一个真会犯的错，倒搅乱了旁边的概率。**坏答案要取自模型自己会犯的错。**
#
# ## 诚实的基线：监督训练
#
# 丢掉坏答案，只在好答案上做普通的交叉熵（也叫拒绝采样微调）。数据是同一批，步数也一样。
# %% [markdown] lang="en" ids="hard-read"
# The same {= len(described) =} caption pairs, β = 2 and 60 steps for both. The edited pairs are all told apart ({= f"{run.mean('pairs.edited.apart'):.0%}" =}), and yet drawn captions fall from {= run.spread("pairs.start.caption") =} to {= run.spread("pairs.edited.caption") =}; with worse answers drawn from the model they are at {= run.spread("pairs.drawn.caption") =}. What was edited the model hardly ever says: its mean log-probability is {= f"{run.mean('pairs.edited.logp'):.1f}" =}, that of drawn ones {= f"{run.mean('pairs.drawn.logp'):.1f}" =}. Pushing it down removes no error that is really made and upsets the probabilities next to it. **Worse answers should be the model's own mistakes.**
#
# ## The honest baseline: supervised training
#
# Throw the worse answers away and train on the better ones with plain cross-entropy (also called rejection-sampling fine-tuning). The same data, the same number of steps.
# %%
sft = preference.policy(start, ["decoder"])
fit(sft.decoder, lambda j: -log_p(sft, good.rows(j), pair[j]).mean(), len(pair), steps=100, batch=64, lr=1.2e-3,
    weight_decay=0, seed=run.seed)
print(" " * 9, *(f"{head:>6}" for head in heads))
validation["sft"] = report("SFT", sft)
for kind in ("caption", "mixture"):
    run.record(f"sft.{kind}", validation["sft"][kind])
assert validation["sft"]["mixture"] > validation["start"]["mixture"] + 0.1
# %%
shown = ("start", "sft", "high", "low")
for name in shown:
    for kind in ("caption", "mixture"):
        run.record(f"shown.{name}.{kind}", validation[name][kind])
fig, ax = plots.figure(4.8, 2.7)
for k, kind in enumerate(("caption", "mixture")):
    keys = [f"shown.{name}.{kind}" for name in shown]
    ax.bar(np.arange(4) + 0.4 * k - 0.2, [run.mean(key) for key in keys], 0.36, yerr=[run.std(key) for key in keys],
           color=plots.CYCLE[k], hatch=plots.HATCHES[k], edgecolor="white", ecolor=plots.INK)
ax.set(ylim=(0, 1.25), yticks=[0, 0.25, 0.5, 0.75, 1])
#zh> ax.set_xticks(range(4), ["起点", "监督训练", "DPO，β = 2", "DPO，0.1"])
#zh> ax.legend(ax.containers[1::2], ["描述属实", "拼凑题答“没有”"], ncols=2, loc="upper center")
#zh> ax.set_ylabel("比例（验证集）")
#zh> plots.show(fig, "起点、监督训练和两种 DPO 的两组柱：描述属实和拼凑题答没有。监督训练两样都升；β 等于 2 的 DPO 保住了描述、抬高了拼凑题；β 等于 0.1 的抬高了拼凑题，描述却差得多。误差线是各种子的标准差。")
#en> ax.set_xticks(range(4), ["start", "SFT", "DPO, β = 2", "DPO, 0.1"])
#en> ax.legend(ax.containers[1::2], ["captions true", "mixtures denied"], ncols=2, loc="upper center")
#en> ax.set_ylabel("share (validation)")
#en> plots.show(fig, "Two bars each, captions that are true and mixtures denied, for the start, SFT and two kinds of DPO. SFT raises both; DPO with β of 2 keeps the captions and raises the mixtures; with β of 0.1 mixtures rise and captions fall far. Error bars: standard deviation over seeds.")
# %% [markdown] lang="zh" ids="grpo advantages"
# ## GRPO
#
# [GRPO](https://arxiv.org/abs/2402.03300) 不要对子：边训练边抽样，一题一组 $G$ 个回答，奖励减去组均值、除以组标准差，就是优势。
#
# $$\hat A_i=\frac{r_i-\mathrm{mean}(r)}{\mathrm{std}(r)},\qquad r,\hat A\in\mathbb{R}^{Q\times G}$$
#
# ### 一组里对了几个，很要紧
# %% [markdown] lang="en" ids="grpo advantages"
# ## GRPO
#
# [GRPO](https://arxiv.org/abs/2402.03300) needs no pairs. It draws as it trains, $G$ answers to a question; the reward minus the group's mean, divided by the group's standard deviation, is the advantage.
#
# $$\hat A_i=\frac{r_i-\mathrm{mean}(r)}{\mathrm{std}(r)},\qquad r,\hat A\in\mathbb{R}^{Q\times G}$$
#
# ### How many of a group are right
# %%
groups = (torch.arange(8)[None] < torch.arange(9)[:, None]).float()
scaled, plain = preference.group_advantages(groups), preference.group_advantages(groups, scale=False)
print(np.round(preference.group_advantages(torch.tensor([[1.0, 0, 0, 0]])).numpy(), 3))
for n in (0, 1, 4, 7, 8):
    print(f"{n} of 8 right: A(right) {scaled[n, 0]:5.2f}, A(wrong) {scaled[n, 7]:5.2f}")
assert scaled[0].abs().max() == 0 and scaled[8].abs().max() == 0
# %%
fig, ax = plots.figure(4.6, 2.4)
ax.plot(range(9), scaled.abs().mean(1), "-o", color=plots.BLUE)
ax.plot(range(9), plain.abs().mean(1), "--s", color=plots.ORANGE)
ax.set(xticks=range(9), ylim=(0, 1.35))
#zh> ax.set(xlabel="一组 8 个里对了几个", ylabel="|优势| 的平均")
#zh> ax.legend(["除以标准差（GRPO）", "不除（Dr. GRPO）"], loc="upper center", ncols=2, fontsize=8)
#zh> plots.show(fig, "一组八个回答里对了几个与优势绝对值的平均：全错全对都是零；除以标准差后，只对一个或只错一个的组是半对半错的三分之二，不除则不到一半。")
#en> ax.set(xlabel="right answers in a group of 8", ylabel="mean |advantage|")
#en> ax.legend(["divided by std (GRPO)", "not divided (Dr. GRPO)"], loc="upper center", ncols=2, fontsize=8)
#en> plots.show(fig, "Mean absolute advantage against the number of right answers among eight: zero at none and at all; divided by the standard deviation, a group with one right or one wrong has two thirds of an even one, undivided less than a half.")
# %% [markdown] lang="zh" ids="objective"
# 全对或全错的组优势为零，什么也不教：题太难太易都白抽。除以标准差把“几乎全对”和“几乎全错”的题抬高；[Dr. GRPO](https://arxiv.org/abs/2503.20783) 因此去掉它，也去掉下面的 $1/|y_i|$：长的错答案，每个词元受的罚更轻。
#
# ### 目标
#
# $$\mathcal{J}=\frac1B\sum_{i=1}^{B}\frac1{|y_i|}\sum_t\Big[\min\big(\rho_{i,t}\hat A_i,\ \mathrm{clip}(\rho_{i,t},1-\varepsilon,1+\varepsilon)\hat A_i\big)-\beta\,k_{3,i,t}\Big],\quad \rho=\frac{\pi_\theta}{\pi_{\mathrm{old}}},\quad k_3=\frac{\pi_{\mathrm{ref}}}{\pi_\theta}-\log\frac{\pi_{\mathrm{ref}}}{\pi_\theta}-1$$
#
# $B=Q\cdot G$ 个回答，对数概率是 $(B,L)$ 的张量，填充处由掩码挡住。裁剪只拦“已经走够”的方向：
# %% [markdown] lang="en" ids="objective"
# A group that is all right or all wrong has advantage zero and teaches nothing: draws on questions too easy or too hard are wasted. Dividing by the standard deviation lifts questions that are nearly always right or nearly always wrong; [Dr. GRPO](https://arxiv.org/abs/2503.20783) leaves it out for that reason, and with it the $1/|y_i|$ below, under which a long wrong answer is punished less per token.
#
# ### The objective
#
# $$\mathcal{J}=\frac1B\sum_{i=1}^{B}\frac1{|y_i|}\sum_t\Big[\min\big(\rho_{i,t}\hat A_i,\ \mathrm{clip}(\rho_{i,t},1-\varepsilon,1+\varepsilon)\hat A_i\big)-\beta\,k_{3,i,t}\Big],\quad \rho=\frac{\pi_\theta}{\pi_{\mathrm{old}}},\quad k_3=\frac{\pi_{\mathrm{ref}}}{\pi_\theta}-\log\frac{\pi_{\mathrm{ref}}}{\pi_\theta}-1$$
#
# There are $B=Q\cdot G$ answers; log-probabilities are tensors of shape $(B,L)$, and a mask keeps the padding out. The clip stops only what has gone far enough in its own direction:
# %%
print("ratio   A = +1   A = -1   (gradient of the objective)")
slopes = {}
for ratio in (0.7, 1.0, 1.3):
    for a in (1.0, -1.0):
        now = torch.tensor([[np.log(ratio)]], requires_grad=True)
        zero = torch.zeros(1, 1)
        preference.grpo(now, zero, now.detach(), torch.tensor([a]), torch.ones(1, 1, dtype=torch.bool)).loss.backward()
        slopes[ratio, a] = -now.grad.item()
    print(f"{ratio:5.1f} {slopes[ratio, 1.0]:8.2f} {slopes[ratio, -1.0]:8.2f}")
assert slopes[1.3, 1.0] == 0 == slopes[0.7, -1.0] and slopes[0.7, 1.0] > 0 > slopes[1.3, -1.0]
# %%
#zh| 为什么用 k3：是非题答案的第一个词元，真 KL 与两种估计；策略离参考近（β = 2）和远（β = 0.1）
#en| Why k3: the first token of yes-no answers, its exact KL and two estimates; a policy near the start and one far away
first = val.rows(np.isin(val.kinds, preference.PROBES))
ids, lengths = bridging.prompts(start.vocabulary, first.words)
at, flips = (torch.arange(len(ids)), lengths - 1), torch.Generator().manual_seed(run.seed)
for name, title in (("high", "β = 2  "), ("low", "β = 0.1")):
    with torch.no_grad():
        p, q = (m.decoder(ids, first.prefix)[at].log_softmax(-1) for m in (dpo[name], start))
    token = torch.multinomial(p.exp(), 400, replacement=True, generator=flips)
    exact = float((p.exp() * (p - q)).sum(-1).mean())
    k1, k3 = (p - q).gather(1, token), preference.kl_k3(p, q).gather(1, token)
    for which, k in (("k1", k1), ("k3", k3)):
        print(f"{title}  exact {exact:.2f}  {which}: mean {k.mean():.2f}, std {k.std():5.2f}, negative {(k < 0).float().mean():.0%}")
    run.record(f"kl.{name}.k1", k1.std())
    run.record(f"kl.{name}.k3", k3.std())
    assert k3.min() > -1e-5 and abs(k1.mean() - exact) < 0.15 * exact + 0.02
# %% [markdown] lang="zh" ids="grpo-train"
# $k_1=\log\frac{\pi_\theta}{\pi_{\mathrm{ref}}}$ 单个值可以是负的；[无偏又不为负的 $k_3$](http://joschu.net/blog/kl-approx.html) 期望同样是 KL，。在链接里的例子（两个正态分布）中，$k_3$ 也更稳。这里不然：偶尔抽到 $\pi_{\mathrm{ref}}\gg\pi_\theta$ 的词元，比值就爆了，标准差反而更大（β = 0.1 时 {= f"{run.mean('kl.low.k3'):.0f}" =} 对 {= f"{run.mean('kl.low.k1'):.1f}" =}）。
#
# ### 训练
#
# 每步 24 题、各 8 个回答，抽完只更新一次，所以 $\rho=1$、裁剪用不上；一批样本更新多次时它才起作用。
# %% [markdown] lang="en" ids="grpo-train"
# Single values of $k_1=\log\frac{\pi_\theta}{\pi_{\mathrm{ref}}}$ may be negative; [the estimator $k_3$](http://joschu.net/blog/kl-approx.html) has the KL as its mean too and is never negative. In the example behind the link, two normal distributions, $k_3$ is steadier as well. Not here: a token with $\pi_{\mathrm{ref}}\gg\pi_\theta$ is drawn now and then, the ratio explodes, and the standard deviation is the larger of the two (with β = 0.1 {= f"{run.mean('kl.low.k3'):.0f}" =} against {= f"{run.mean('kl.low.k1'):.1f}" =}).
#
# ### Training
#
# Each step draws 8 answers to each of 24 questions and updates once, so $\rho=1$ and the clip has nothing to do; it matters when the same draws are used for several updates.
# %%
def reinforce(task, reward, steps, beta=0.04, lr=5e-4, watch=None, every=3):
    """GRPO → the policy and, for each step, (mean reward, share of groups without signal, KL to the start per answer)."""
    model, track, pick = preference.policy(start, ["decoder"]), [], run.rng(7)
    coin = torch.Generator().manual_seed(run.seed)
    optimiser = torch.optim.AdamW(model.decoder.parameters(), lr, weight_decay=0)
    for step in range(1, steps + 1):
        some = task.rows(pick.integers(len(task.asks), size=24))
        tried = preference.rollout(model, some.prefix, some.words, 8, 1.0, coin)
        r = reward(some, tried.answers)
        with torch.no_grad():
            ref = preference.answer_log_probabilities(start, some.prefix, tried)
        now = preference.answer_log_probabilities(model, some.prefix, tried)
        loss = preference.grpo(now, now, ref, preference.group_advantages(r).flatten(), tried.mask, beta=beta).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.decoder.parameters(), 1.0)
        optimiser.step()
        track.append([r.mean(), (r.std(1) == 0).float().mean(), (now.detach() - ref).sum(1).mean()])
        if watch and step % every == 0:
            watch(model)
    return model, np.array(track)
# %%
grpo, curve = reinforce(train, lambda task, answers: task.true(answers), steps=120)
print(" " * 9, *(f"{head:>6}" for head in heads))
validation["grpo"] = report("GRPO", grpo)
for k, name in enumerate(("reward", "silent", "kl")):
    run.record(f"grpo.{name}.first", curve[:20, k].mean())
    run.record(f"grpo.{name}.last", curve[-20:, k].mean())
assert curve[-20:, 0].mean() > curve[:20, 0].mean() + 0.05 and curve[-20:, 1].mean() > curve[:20, 1].mean()
assert validation["grpo"]["drawn"] > validation["start"]["drawn"] + 0.02
# %%
fig, axes = plots.figure(4.8, 2.4, cols=2)
smooth = [np.convolve(curve[:, k], np.ones(12) / 12, "valid") for k in range(3)]
axes[0].plot(smooth[0], color=plots.BLUE)
axes[0].plot(smooth[1], color=plots.ORANGE, linestyle="--")
axes[1].plot(smooth[2], color=plots.GREEN)
axes[0].set_ylim(0, 1)
axes[1].set_ylim(0)
#zh> axes[0].legend(["奖励", "没有信号的组"], loc="lower right", fontsize=8)
#zh> for ax, title in zip(axes, ("比例", "离起点的 KL（奈特）")): ax.set(title=title, xlabel="步")
#zh> plots.show(fig, "左：平均奖励上升，全对或全错、没有信号的组也越来越多。右：策略离起点的 KL 先快后慢地上升。")
#en> axes[0].legend(["reward", "groups without signal"], loc="lower right", fontsize=8)
#en> for ax, title in zip(axes, ("share", "KL from the start (nats)")): ax.set(title=title, xlabel="step")
#en> plots.show(fig, "Left: the mean reward rises, and so does the share of groups without signal, all right or all wrong. Right: the policy's KL from the start rises, fast at first.")
# %% [markdown] lang="zh" ids="random"
# 奖励从 {= f"{run.mean('grpo.reward.first'):.2f}" =} 升到 {= f"{run.mean('grpo.reward.last'):.2f}" =}，没有信号的组从 {= f"{run.mean('grpo.silent.first'):.0%}" =} 升到 {= f"{run.mean('grpo.silent.last'):.0%}" =}：模型越好，一次抽样能教的越少。
#
# ### 对照：掷硬币的奖励
#
# 同样的循环，奖励随机。若它也有提高，提高就与奖励无关。
# %% [markdown] lang="en" ids="random"
# The reward rises from {= f"{run.mean('grpo.reward.first'):.2f}" =} to {= f"{run.mean('grpo.reward.last'):.2f}" =}, groups without signal from {= f"{run.mean('grpo.silent.first'):.0%}" =} to {= f"{run.mean('grpo.silent.last'):.0%}" =}: the better the model, the less a draw can teach.
#
# ### Control: the reward is a coin
#
# The same loop with random rewards. If that improves the model too, the reward is not the reason.
# %%
flips = torch.Generator().manual_seed(run.seed + 50)
coin_toss, _ = reinforce(train, lambda task, a: torch.randint(2, (24, 8), generator=flips).float(), steps=30)
print(" " * 9, *(f"{head:>6}" for head in heads))
validation["random"] = report("random", coin_toss)
for name in ("start", "random", "grpo"):
    run.record(f"drawn.{name}", validation[name]["drawn"])
assert validation["random"]["drawn"] < validation["start"]["drawn"] + 0.04
assert validation["random"]["drawn"] < validation["grpo"]["drawn"]
# %% [markdown] lang="zh" ids="overoptimisation best-of-n"
# 抽样的真值分：起点 {= run.spread("drawn.start") =}，随机奖励 {= run.spread("drawn.random") =}，真值奖励 {= run.spread("drawn.grpo") =}。随机奖励也把模型推离了起点，但没有推向任何好处。
#
# ## 过度优化
#
# 真值在现实里买不到，买得到的是**代理**。代理越优化越高，真值先升后降：[Gao 等](https://arxiv.org/abs/2210.10760)对奖励模型量过这条曲线。下面两个代理都很像样。
#
# ### 代理一：CLIP 打分，多个里选一
#
# 抽 $n$ 句描述，挑[实验五](05-contrastive.ipynb)的 CLIP 认为最像这幅图的。这样选，离起点的 KL 有公式：$\log n-\frac{n-1}{n}$。从 64 句里选 $n$ 句的所有选法可以数完，不用再抽。
# %% [markdown] lang="en" ids="overoptimisation best-of-n"
# Truth of drawn answers: start {= run.spread("drawn.start") =}, random rewards {= run.spread("drawn.random") =}, rewards by truth {= run.spread("drawn.grpo") =}. Random rewards move the model away from the start as well, but to no good.
#
# ## Over-optimisation
#
# Truth is not for sale in real life; **proxies** are. The harder a proxy is optimised the higher it goes, while the truth rises and then falls: [Gao et al.](https://arxiv.org/abs/2210.10760) measured this curve for reward models. Both proxies below look sensible.
#
# ### Proxy 1: the CLIP score, best of many
#
# Draw $n$ captions and keep the one that the CLIP of [lab 5](05-contrastive.ipynb) finds most like the picture. Its KL from the start has a formula, $\log n-\frac{n-1}{n}$. All ways to choose $n$ of 64 can be counted, so nothing is drawn twice.
# %%
loaded = checkpoints.load("05-contrastive", "clip")
clip = loaded.into(contrastive.from_config(loaded.config))
told, images = bridging.pictures(parts["validation"], 88, run.rng(8))
with torch.inference_mode():
    prefix = start.bridge(start.see(images))
    looks = clip.encode_pictures(encoders.preprocess(images))
asks = [truth.Ask("caption", scenes.LANGUAGES[i % 2]) for i in range(88)]
telling = preference.Task(asks, np.array(["caption"] * 88), told, prefix.clone())
lines = [a for i in range(88) for a in draw(start, telling.rows(np.array([i])), group=64, stream=20 + i).answers]
with torch.inference_mode():
    words = clip.encode_texts(*clip.tokens(lines)).view(88, 64, -1)
    liked = (words @ looks[:, :, None])[..., 0]
is_true = telling.true(lines)
# %%
NS = (1, 2, 4, 8, 16, 32, 64)
for n in NS:
    share = preference.best_of_n(liked, n)
    run.record(f"clip.proxy.{n}", (share * liked).sum(-1).mean())
    run.record(f"clip.true.{n}", (share * is_true).sum(-1).mean())
    print(f"n = {n:2}  KL {preference.best_of_n_kl(n):.2f}  CLIP {run.recorded[f'clip.proxy.{n}']:.3f}  true {run.recorded[f'clip.true.{n}']:.3f}")
# %%
def verdict(ask, line, scene):
    """"true", or what is wrong: "unreadable", a "thing" that is not there, or only the "place"."""
    claims = truth.score(ask, line, scene).claims
    if not claims:
        return "unreadable"
    if not all(holds for claim, holds in claims if claim.b is None):
        return "thing"
    return "true" if all(holds for _, holds in claims) else "place"

verdicts = np.array([verdict(asks[k // 64], line, told[k // 64]) for k, line in enumerate(lines)]).reshape(88, 64)
print("        thing  place  unreadable")
for n in (1, 8, 64):
    share, row = preference.best_of_n(liked, n).numpy(), []
    for what in ("thing", "place", "unreadable"):
        row.append(run.record(f"clip.{what}.{n}", (share * (verdicts == what)).sum(1).mean()))
    print(f"n = {n:2}", *(f"{v:7.3f}" for v in row))
assert got["clip.thing.64"] < got["clip.thing.1"] - 0.03 and got["clip.place.64"] > 5 * got["clip.thing.64"]
best = liked.argmax(1).tolist()
fooled = [i for i in range(88) if not is_true[i, best[i]] and is_true[i].any()]
for i in fooled[:2]:
    print(f"CLIP {liked[i, best[i]]:.3f} false: {lines[64 * i + best[i]]}")
    j = int((liked[i] - 9 * (1 - is_true[i])).argmax())
    print(f"CLIP {liked[i, j]:.3f} true:  {lines[64 * i + j]}")
# %%
fig, ax = plots.figure(4.6, 2.6)
x = [preference.best_of_n_kl(n) for n in NS]
for key, colour, style in (("proxy", plots.ORANGE, "--s"), ("true", plots.BLUE, "-o")):
    ax.errorbar(x, [run.mean(f"clip.{key}.{n}") for n in NS], [run.std(f"clip.{key}.{n}") for n in NS], fmt=style, color=colour, ecolor=plots.INK, capsize=2)
for n, at in zip(NS, x):
    if n > 2: ax.annotate(f"{n}", (at, run.mean(f"clip.true.{n}") - run.std(f"clip.true.{n}")), (0, -13), textcoords="offset points", ha="center", fontsize=8)
#zh> ax.set(xlabel="离起点的 KL（奈特）；数字是 n", ylabel="分数", ylim=(0.5, 1.02))
#zh> ax.legend(["代理：CLIP 余弦", "真值分"], loc="lower right")
#zh> plots.show(fig, "n 选一的两条曲线：CLIP 余弦随 KL 一直上升；真值分从五成多升到约八成，n 再大就往下落。")
#en> ax.set(xlabel="KL from the start (nats); numbers are n", ylabel="score", ylim=(0.5, 1.02))
#en> ax.legend(["proxy: CLIP cosine", "truth"], loc="lower right")
#en> plots.show(fig, "Two curves of best of n: the CLIP cosine rises with KL throughout; the truth rises from under 0.6 to about 0.8 and falls when n grows further.")
# %%
top = max(NS, key=lambda n: got[f"clip.true.{n}"])
run.record("clip.true.top", got[f"clip.true.{top}"])
assert all(got[f"clip.proxy.{a}"] < got[f"clip.proxy.{b}"] for a, b in zip(NS, NS[1:]))
assert got["clip.true.top"] > got["clip.true.1"] + 0.1 and got["clip.true.64"] < got["clip.true.top"]
# %% [markdown] lang="zh" ids="sensible"
# 真值从 {= run.spread("clip.true.1") =} 升到 $n=8$ 的 {= run.spread("clip.true.8") =}，到 $n=64$ 又是 {= run.spread("clip.true.64") =}；代理一路上升。一开始 CLIP 挑掉了说错东西的句子（{= run.spread("clip.thing.1") =}，$n=8$ 时 {= run.spread("clip.thing.8") =}），这是它看得准的。剩下的错多半是方位（$n=64$ 时 {= run.spread("clip.place.64") =}），[它分不清](05-contrastive.ipynb)；还有读不通的句子，从 $n=8$ 的 {= run.spread("clip.unreadable.8") =} 又多到 {= run.spread("clip.unreadable.64") =}，偏偏得高分。挑得再狠，挑的就是它的错。
#
# ### 代理二：“不幻觉就给分”
#
# 想减幻觉，就奖励不幻觉：回答里没有一条“图里有某物”的假断言，得 1 分，否则 0 分。听上去无可挑剔。只练是非题，KL 惩罚 $\beta$ 取三档。
# %% [markdown] lang="en" ids="sensible"
# The truth rises from {= run.spread("clip.true.1") =} to {= run.spread("clip.true.8") =} at $n=8$ and is at {= run.spread("clip.true.64") =} for $n=64$; the proxy rises all the way. At first CLIP sorts out captions with a wrong thing ({= run.spread("clip.thing.1") =}, at $n=8$ {= run.spread("clip.thing.8") =}), which it sees well. What is left is mostly wrong places ({= run.spread("clip.place.64") =} at $n=64$), which [it cannot tell](05-contrastive.ipynb), and captions that make no sense: they come back, from {= run.spread("clip.unreadable.8") =} at $n=8$ to {= run.spread("clip.unreadable.64") =}, because some of them score high. To choose harder is then to choose its errors.
#
# ### Proxy 2: “paid for not hallucinating”
#
# To have less hallucination, reward its absence: 1 if the answer claims nothing to be there that is not, else 0. Who could object? We practise yes–no questions only, with three KL penalties $\beta$.
# %%
def clean(task, answers):
    """1 for an answer that can be read and claims nothing to exist that does not: (n, G)."""
    group = len(answers) // len(task.asks)
    ok = []
    for i, answer in enumerate(answers):
        claims = truth.score(task.asks[i // group], answer, task.scenes[i // group]).claims
        ok.append(bool(claims) and all(holds or not claim.exists for claim, holds in claims))
    return torch.tensor(ok, dtype=torch.float32).view(-1, group)

yes_no = train.rows(np.isin(train.kinds, preference.PROBES))
checked = preference.task(start, parts["validation"], 176, ("present", "present", "absent", "mixture"), 240, run.rng(9))

def measure(model):
    """KL from the start, proxy, truth of drawn answers."""
    tried = draw(model, checked, group=2, stream=5)
    with torch.no_grad():
        now, ref = (preference.answer_log_probabilities(m, checked.prefix, tried) for m in (model, start))
    return float((now - ref).sum(1).mean()), float(clean(checked, tried.answers).mean()), float(checked.true(tried.answers).mean())
# %%
brakes, naysayer = {}, None
for name, beta in (("none", 0.0), ("some", 0.2), ("hard", 1.0)):
    points = [measure(start)]
    model, _ = reinforce(yes_no, clean, steps=28, beta=beta, lr=3e-4, watch=lambda m: points.append(measure(m)), every=4)
    naysayer = naysayer or model
    brakes[name] = np.array(points)
    for k, what in enumerate(("kl", "proxy", "truth")):
        run.record(f"brake.{name}.{what}", brakes[name][-1, k])
    print(f"β = {beta}: KL {points[-1][0]:.2f}, proxy {points[0][1]:.2f} → {points[-1][1]:.2f}, truth {points[0][2]:.2f} → {points[-1][2]:.2f}")
run.record("naysayer.truth", got["brake.none.truth"])
run.record("naysayer.before", brakes["none"][0, 2])
# %%
fig, ax = plots.figure(4.8, 2.9)
for k, name in enumerate(brakes):
    kl, proxy, true = brakes[name].T
    ax.plot(kl, proxy, linestyle="--", marker=plots.MARKERS[k], markersize=4, color=plots.ORANGE, markerfacecolor="none")
    ax.plot(kl, true, linestyle="-", marker=plots.MARKERS[k], markersize=4, color=plots.BLUE)
ax.axhline(0.5, color=plots.INK, linewidth=0.8)
ax.set_ylim(0.4, 1.03)
marks = [Line2D([], [], color=plots.INK, marker=m, linestyle="") for m in plots.MARKERS[:3]]
lines_of = [Line2D([], [], color=c, linestyle=s) for c, s in ((plots.ORANGE, "--"), (plots.BLUE, "-"))]
#zh> ax.set(xlabel="离起点的 KL（奈特）", ylabel="比例（验证集，抽样）")
#zh> fig.legend([*lines_of, *marks], ["代理", "真值分", "β = 0", "β = 0.2", "β = 1"], loc="outside upper center", ncols=5, fontsize=8, handlelength=1.6, columnspacing=1)
#zh> plots.show(fig, "代理和真值分随 KL 的变化：不罚 KL，代理升到近 1，真值分从六成多落到一半；β 越大，KL 停得越早，真值分落得越少。")
#en> ax.set(xlabel="KL from the start (nats)", ylabel="share (validation, drawn)")
#en> fig.legend([*lines_of, *marks], ["proxy", "truth", "β = 0", "β = 0.2", "β = 1"], loc="outside upper center", ncols=5, fontsize=8, handlelength=1.6, columnspacing=1)
#en> plots.show(fig, "Proxy and truth against KL: without a penalty the proxy rises to nearly 1 and the truth falls from over 0.6 to a half; the larger β, the sooner KL stops and the less the truth falls.")
# %%
print(Counter(draw(naysayer, checked, temperature=0.0).answers))
validation["naysayer"] = report("naysayer", naysayer)
run.record("naysayer.open", np.mean([validation["naysayer"][kind] for kind in truth.OPEN_KINDS]))
assert got["brake.none.proxy"] > 0.93 and got["brake.none.truth"] < 0.56
assert got["brake.none.kl"] > got["brake.some.kl"] > got["brake.hard.kl"]
assert got["brake.hard.truth"] > got["brake.none.truth"] + 0.03
# %% [markdown] lang="zh" ids="brake-read"
# 28 步，代理升到 {= run.spread("brake.none.proxy") =}，真值分从 {= run.spread("naysayer.before") =} 落到 {= run.spread("naysayer.truth") =}：**它学会了对一切说“没有”**。奖励没有漏洞，是它没有问“漏掉了什么”。别的题却看不出什么：开放题 {= run.spread("naysayer.open") =}（起点 {= run.spread("val.start.open") =}）。只抽查别的题，发现不了它。
#
# KL 惩罚是刹车：$\beta=1$ 时 KL 停在 {= f"{run.mean('brake.hard.kl'):.2f}" =}，真值分 {= run.spread("brake.hard.truth") =}。但看图：三条线几乎落在同一条曲线上。刹车让你停在哪里，不改变路通向哪里；Gao 等在他们的设置里也看到，惩罚的作用像提前停止。
#
# ## 测试集
#
# 172 种没见过的布局。[POPE](../principles/evaluation.md#pope) 两套，正负各半：负例一套随机，一套拼凑。再加四种开放题，其中三种没练过。结构、$\beta$、学习率和步数都按验证集的分数选；写作时这一节跑过几遍，$\beta$ 和学习率最后一次调整之前，我们已见过一次测试分数。
# %% [markdown] lang="en" ids="brake-read"
# In 28 steps the proxy rises to {= run.spread("brake.none.proxy") =} and the truth falls from {= run.spread("naysayer.before") =} to {= run.spread("naysayer.truth") =}: **it has learned to say no to everything**. The reward has no bug; it only forgot to ask what is left out. Elsewhere little can be seen: open questions are at {= run.spread("naysayer.open") =} (start {= run.spread("val.start.open") =}). A spot check of other questions would not find it.
#
# The KL penalty is a brake: with $\beta=1$ the KL stays at {= f"{run.mean('brake.hard.kl'):.2f}" =}, the truth at {= run.spread("brake.hard.truth") =}. But look at the figure: the three lines lie on nearly the same curve. A brake decides where you stop, not where the road leads; Gao et al. too found that in their setting the penalty acts like stopping early.
#
# ## The test
#
# 172 unseen layouts. [POPE](../principles/evaluation.md#pope) twice, half of each true: the false ones are random in one and mixtures in the other. And four kinds of open question, three of them never practised. Architecture, $\beta$, learning rates and steps were chosen by validation scores. This section ran more than once while the lab was written, and once before $\beta$ and the learning rate were last changed.
# %%
test = preference.task(start, parts["test"], 516, KINDS, 1204, run.rng(10))
models = {"start": start, "sft": sft, "dpo": dpo["high"], "dpolow": dpo["low"], "grpo": grpo, "naysayer": naysayer}
final = {name: draw(model, test, temperature=0.0).answers for name, model in models.items()}
blank = test._replace(prefix=grey[:1].expand_as(test.prefix))
final["blank"] = draw(grpo, blank, temperature=0.0).answers
print(" " * 9, *(f"{head:>6}" for head in heads[:7]), "  open")
for name, answers in final.items():
    shares = test.shares(answers)
    shares["open"] = np.mean([shares[kind] for kind in truth.OPEN_KINDS])
    for kind, value in shares.items():
        run.record(f"test.{name}.{kind}", value)
    print(f"{name:9}", *(f"{v:6.2f}" for v in shares.values()))
# %%
print("              POPE, random            POPE, mixtures        captions")
print("           acc    F1   yes       acc    F1   yes       CHAIR")
for name, answers in final.items():
    said_yes, row = np.array([a in ("yes", "有") for a in answers]), []
    for wrong in ("absent", "mixture"):
        both = np.isin(test.kinds, ("present", wrong))
        score = metrics.yes_no(said_yes[both], test.kinds[both] == "present")
        for figure in ("accuracy", "f1", "yes"):
            run.record(f"pope.{name}.{wrong}.{figure}", getattr(score, figure))
        row.append("".join(f"{v:6.2f}" for v in (score.accuracy, score.f1, score.yes)))
    read = [truth.claims(a, line) for a, line in zip(test.asks, answers)]
    told = [[c.a for c in claims[:2]] if claims else [] for a, claims in zip(test.asks, read) if a.kind == "caption"]
    inside = [s.things for a, s in zip(test.asks, test.scenes) if a.kind == "caption"]
    invented = run.record(f"chair.{name}", metrics.chair(told, inside).sentence)
    print(f"{name:8} {row[0]}    {row[1]}      {invented:6.2f}")
# %%
fig, ax = plots.figure(4.8, 2.9)
rows = ("start", "sft", "dpo", "grpo", "naysayer", "blank")
marks = (("mixture", plots.BLUE, "o"), ("present", plots.ORANGE, "s"), ("open", plots.GREEN, "^"))
for k, (kind, colour, marker) in enumerate(marks):
    keys = [f"test.{name}.{kind}" for name in rows]
    ax.errorbar([run.mean(key) for key in keys], np.arange(6) + 0.2 * (k - 1), xerr=[run.std(key) for key in keys],
                fmt=marker, color=colour, ecolor=plots.INK, capsize=2, markersize=5)
ax.invert_yaxis()
ax.grid(axis="x", alpha=0.3)
ax.set_xlim(-0.03, 1.03)
#zh> ax.set_yticks(range(6), ["起点", "监督训练", "DPO，β = 2", "GRPO", "奖励“不幻觉”", "GRPO，空图"])
#zh> ax.set_xlabel("答对的比例（测试集）")
#zh> fig.legend(["拼凑题", "图里有的", "开放题"], loc="outside upper center", ncols=3)
#zh> plots.show(fig, "六行三种记号：起点拼凑题约四五成；监督训练、DPO 和 GRPO 都升，图里有的仍答有，开放题大致不变；奖励不幻觉的模型拼凑题满分，图里有的却接近零；空图的 GRPO 开放题约两成。误差线是各种子的标准差。")
#en> ax.set_yticks(range(6), ["start", "SFT", "DPO, β = 2", "GRPO", "paid not to\nhallucinate", "GRPO, blank"])
#en> ax.set_xlabel("answered truly (test)")
#en> fig.legend(["mixtures", "present", "open"], loc="outside upper center", ncols=3)
#en> plots.show(fig, "Six rows, three marks each. The start has under a half of the mixtures; SFT, DPO and GRPO all raise that, still say yes to what is present and keep the open questions about as they were; the model paid for not hallucinating has all mixtures and next to nothing that is present; GRPO with a blank picture has about a fifth of the open questions. Error bars: standard deviation over seeds.")
# %%
for name in ("sft", "dpo", "grpo"):
    assert got[f"test.{name}.mixture"] > got["test.start.mixture"] + 0.08
    assert got[f"pope.{name}.mixture.accuracy"] > got["pope.start.mixture.accuracy"] + 0.03
    assert got[f"test.{name}.open"] > got["test.start.open"] - 0.12
assert got["test.naysayer.mixture"] > 0.9 and got["test.naysayer.present"] < 0.2
assert got["test.blank.open"] < 0.4 and got["pope.blank.mixture.accuracy"] < 0.65
assert got["test.dpolow.caption"] < got["test.start.caption"] - 0.1
# %% [markdown] lang="zh"
# 拼凑题答“没有”：起点 {= run.spread("test.start.mixture") =}，监督训练 {= run.spread("test.sft.mixture") =}，DPO {= run.spread("test.dpo.mixture") =}，GRPO {= run.spread("test.grpo.mixture") =}；图里有的仍答“有”（{= run.spread("test.sft.present") =}、{= run.spread("test.dpo.present") =}、{= run.spread("test.grpo.present") =}）。POPE（拼凑）准确率从 {= run.spread("pope.start.mixture.accuracy") =} 到 {= run.spread("pope.sft.mixture.accuracy") =}、{= run.spread("pope.dpo.mixture.accuracy") =}、{= run.spread("pope.grpo.mixture.accuracy") =}。
#
# **代价**：没练过的方位题，起点 {= run.spread("test.start.relation") =}，三者依次 {= run.spread("test.sft.relation") =}、{= run.spread("test.dpo.relation") =}、{= run.spread("test.grpo.relation") =}；颜色题 {= run.spread("test.start.colour") =}，依次 {= run.spread("test.sft.colour") =}、{= run.spread("test.dpo.colour") =}、{= run.spread("test.grpo.colour") =}。练过的描述题 {= run.spread("test.start.caption") =}，依次 {= run.spread("test.sft.caption") =}、{= run.spread("test.dpo.caption") =}、{= run.spread("test.grpo.caption") =}。
#
# **若只看“编造了多少”，冠军是对一切说“没有”的模型**：拼凑题 {= run.spread("test.naysayer.mixture") =}，图里有的 {= run.spread("test.naysayer.present") =}。所以幻觉率要和召回、答“是”的比例一起报。
#
# **偏好学习赢了监督训练吗？论幻觉，这里没有。** 真话是同一批，监督训练最便宜，拼凑题也最好；没练过的题，它丢得也多一些。DPO 多用了坏答案，缰绳够紧时别处丢得少，代价是对 $\beta$ 敏感；GRPO 抽了 {= f"{120 * 24 * 8:,}" =} 个新回答，比另两种多几倍的算力。玩具里真话容易抽到，也容易判；偏好学习的用武之地是说不出标准答案、只能比较好坏的时候，这个玩具不考这一点。
# %% [markdown] lang="en"
# Mixtures denied: start {= run.spread("test.start.mixture") =}, SFT {= run.spread("test.sft.mixture") =}, DPO {= run.spread("test.dpo.mixture") =}, GRPO {= run.spread("test.grpo.mixture") =}; what is present still gets a yes ({= run.spread("test.sft.present") =}, {= run.spread("test.dpo.present") =}, {= run.spread("test.grpo.present") =}). Accuracy on POPE with mixtures goes from {= run.spread("pope.start.mixture.accuracy") =} to {= run.spread("pope.sft.mixture.accuracy") =}, {= run.spread("pope.dpo.mixture.accuracy") =} and {= run.spread("pope.grpo.mixture.accuracy") =}.
#
# **The cost.** Places, never practised: start {= run.spread("test.start.relation") =}, the three in the same order {= run.spread("test.sft.relation") =}, {= run.spread("test.dpo.relation") =}, {= run.spread("test.grpo.relation") =}. Colours: {= run.spread("test.start.colour") =}, then {= run.spread("test.sft.colour") =}, {= run.spread("test.dpo.colour") =}, {= run.spread("test.grpo.colour") =}. Captions, practised: {= run.spread("test.start.caption") =}, then {= run.spread("test.sft.caption") =}, {= run.spread("test.dpo.caption") =}, {= run.spread("test.grpo.caption") =}.
#
# **If inventions alone counted, the champion would be the model that says no to everything**: mixtures {= run.spread("test.naysayer.mixture") =}, present {= run.spread("test.naysayer.present") =}. So report a hallucination rate together with recall and the share of yes.
#
# **Has preference learning beaten supervised training? On hallucination, not here.** The true answers are the same, SFT is the cheapest, and it has the best mixtures; it also loses a little more on what was not practised. DPO uses the worse answers as well: on a short leash it loses less elsewhere, and it pays with its sensitivity to $\beta$; GRPO draws {= f"{120 * 24 * 8:,}" =} new answers and takes several times the compute. In the toy a true answer is easily drawn and easily marked. Preference learning is for the case where nobody can write the right answer and people can only compare; this toy does not test that.
# %% [markdown] lang="zh" ids="chair-read"
# ### 哪些幻觉看得见
#
# 描述的 CHAIR 从一开始就低：{= run.spread("chair.start") =}。描述里的错是方位和说不通的句子，[CHAIR 看不见这些](../principles/trust.md#measuring)；同一个模型，拼凑的是非题却错一半以上。空图的 CHAIR 是 {= run.spread("chair.blank") =}：不看图，句句编造。空图时 GRPO 模型的是非题准确率（拼凑）{= run.spread("pope.blank.mixture.accuracy") =}、开放题 {= run.spread("test.blank.open") =}：学到的东西确实要靠图。
# %% [markdown] lang="en" ids="chair-read"
# ### Which hallucinations are seen
#
# CHAIR of the captions is low from the beginning: {= run.spread("chair.start") =}. What is wrong in captions are places and sentences that make no sense, and [CHAIR does not see those](../principles/trust.md#measuring); the same model gets more than half of the mixtures wrong when asked yes or no. With a blank picture CHAIR is {= run.spread("chair.blank") =}: every caption invents. Blank, the GRPO model has an accuracy of {= run.spread("pope.blank.mixture.accuracy") =} on yes–no (mixtures) and {= run.spread("test.blank.open") =} on open questions: what was learned does need the picture.
# %% [markdown] lang="zh" ids="real"
# ## 玩具与真家伙
#
# | | 这里 | 真实系统 |
# | --- | --- | --- |
# | 奖励 | 程序按真值判分，从不出错 | 人的比较、奖励模型、或规则；都会错 |
# | 回答 | 2 到 12 个词元 | 长得多，长度本身就成了偏差 |
# | 参考模型 | 7 万参数的解码器，在同一个小世界里训练过 | 读过海量文字 |
#
# 这里能看到的：两种损失怎样工作，概率去了哪里，奖励怎样被钻空子，评测少了哪一栏就会受骗。这里**看不到**的：DPO、GRPO 和监督训练在真实规模上谁强；$\beta$ 该取多少。
# %% [markdown] lang="en" ids="real"
# ## The toy and the real thing
#
# | | here | real systems |
# | --- | --- | --- |
# | reward | a program that marks by truth and never errs | people's comparisons, reward models, or rules; all err |
# | answers | 2 to 12 tokens | far longer, so that length itself becomes a bias |
# | reference | a decoder of 74,000 parameters, trained in the same small world | has read enormous amounts of text |
#
# What can be seen here: how the two losses work, where the probability goes, how a reward is gamed, and which missing column of a table fools its reader. What can **not** be seen here: which of DPO, GRPO and SFT is stronger at real scale, and which $\beta$ to take.
# %% [markdown] lang="zh" ids="breaks"
# ## 什么会推翻这些结论
#
# - **起点太弱或太强**：八个回答里没有一个是真的，或者全是真的，对子和优势都没有。先看有真有假的题占多少。
# - **坏答案不是自己的**：别的模型写的、人改写的坏答案，压低它们学不到东西。
# - **奖励只数一种错**：漏说不扣分，就会学会不说。奖励和评测都要有正例。
# - **真值判分有漏洞**：这里的判分程序读不懂的回答一律算错；若读不懂算对，模型会学会胡言乱语。
# - **三个种子**重抽了图、题、样本和训练次序，起点是同一个检查点，没有重训：起点自己的运气不在误差里。
# %% [markdown] lang="en" ids="breaks"
# ## What would break this
#
# - **A start too weak or too strong**: if none of eight answers is true, or all are, there are no pairs and no advantages. Look first at the share of mixed questions.
# - **Worse answers of somebody else**: pushing down what another model wrote, or what people edited, teaches little.
# - **A reward that counts one kind of error**: where silence costs nothing, silence is learned. Reward and evaluation both need true items.
# - **A hole in the marking**: here an answer that cannot be read is wrong. Were it right, the model would learn to babble.
# - **The three seeds** redraw pictures, questions, samples and the order of training; the start is one checkpoint and was not trained again. Its own luck is not in these errors.
# %% [markdown] lang="zh" ids="exercises exercise-1" tags=["exercise"]
# ## 练习
#
# ### 练习一：给 DPO 系一根安全带
#
# $\beta=0.1$，损失里加上好答案每词元的交叉熵（`prefer` 的 `sft=1.0`）。好答案的概率还降吗？描述救回来多少？
# %% [markdown] lang="en" ids="exercises exercise-1" tags=["exercise"]
# ## Exercises
#
# ### Exercise 1: a safety belt for DPO
#
# With $\beta=0.1$, add the cross-entropy per token of the better answer to the loss (`sft=1.0` in `prefer`). Does its probability still fall? How many captions are saved?
# %% tags=["exercise"]
#zh| 在这里写你的代码：prefer(0.1, good, bad, pair, sft=1.0)，再 report
#en| Your code: prefer(0.1, good, bad, pair, sft=1.0), then report
# %% tags=["solution"]
belted, track = prefer(0.1, good, bad, pair, sft=1.0, steps=70)
print(" " * 9, *(f"{head:>6}" for head in heads))
saved = report("with SFT", belted)
print(f"chosen {track[-20:, 1].mean():+.2f}, without the belt {got['dpo.low.chosen']:+.2f}; caption {got['dpo.low.caption']:.2f} → {saved['caption']:.2f}")
assert track[-20:, 1].mean() > got["dpo.low.chosen"] + 0.3 and saved["caption"] > got["dpo.low.caption"] + 0.05
# %% [markdown] lang="zh" ids="exercise-2" tags=["exercise"]
# ### 练习二：给半对的描述半分
#
# `truth.score(…).credit` 是断言里真的比例。用它当奖励，没有信号的描述组会少多少？奖励的平均是多少？想一想：半分会鼓励什么？
# %% [markdown] lang="en" ids="exercise-2" tags=["exercise"]
# ### Exercise 2: half marks for half-true captions
#
# `truth.score(…).credit` is the share of claims that hold. With that as the reward, how many fewer caption groups are without a signal? What is the mean reward? And think: what do half marks encourage?
# %% tags=["solution"]
of_captions = np.flatnonzero(train.kinds == "caption")
credit = torch.tensor([[truth.score(train.asks[i], a, train.scenes[i]).credit for a in said.answers[8 * i : 8 * i + 8]] for i in of_captions])
for name, r in (("truth ", right[torch.from_numpy(of_captions)]), ("credit", credit)):
    print(name, f"without signal {(r.std(1) == 0).float().mean():.2f}, mean reward {r.mean():.2f}")
assert (credit.std(1) == 0).float().mean() <= (right[torch.from_numpy(of_captions)].std(1) == 0).float().mean()
#zh| 没信号的组本来就少，几乎没差；平均奖励却高了一截：两件东西说对、方位瞎猜，已有三分之二
#en| Few groups were silent anyway; but the mean reward is much higher: name both things, guess the place, and two thirds are safe
# %% [markdown] lang="zh" ids="exercise-3" tags=["exercise"]
# ### 练习三：若挑选的人从不看错
#
# 把 CLIP 换成真值，再画 $n$ 选一。$n=64$ 时多少描述属实？这条线和 CLIP 那条线之间的差，是谁的错？
# %% [markdown] lang="en" ids="exercise-3" tags=["exercise"]
# ### Exercise 3: a chooser who never errs
#
# Choose the best of $n$ by truth instead of CLIP. What share of captions is true at $n=64$? Whose fault is the gap between this line and CLIP's?
# %% tags=["solution"]
for n in NS:
    ceiling = (preference.best_of_n(is_true, n) * is_true).sum(-1).mean()
    print(f"n = {n:2}  by truth {ceiling:.2f}  by CLIP {got[f'clip.true.{n}']:.2f}")
assert ceiling > got["clip.true.top"]
#zh| 上限接近 1：模型几乎总能说出真话，差的是挑选者
#en| The ceiling is near 1: the model can nearly always say something true; the gap is the chooser's
# %% [markdown] lang="zh" ids="exercise-4" tags=["exercise"]
# ### 练习四：长的错话受罚轻
#
# 两个错答案，一个 2 个词元，一个 11 个，优势都是 $-1$。各词元分到多大的梯度？`by_length=False` 时呢？
# %% [markdown] lang="en" ids="exercise-4" tags=["exercise"]
# ### Exercise 4: long falsehoods get off lightly
#
# Two wrong answers, one of 2 tokens and one of 11, both with advantage $-1$. How large is each token's gradient? And with `by_length=False`?
# %% tags=["solution"]
lengths_of = torch.tensor([[2], [11]])
mask = torch.arange(11)[None] < lengths_of
for by_length in (True, False):
    now = torch.zeros(2, 11, requires_grad=True)
    preference.grpo(now, now, now, torch.tensor([-1.0, -1.0]), mask, beta=0, by_length=by_length).loss.backward()
    print(f"by_length={by_length!s:5}  short {now.grad[0, 0]:.3f}  long {now.grad[1, 0]:.3f}")
    ratio = float(now.grad[0, 0] / now.grad[1, 0])
assert np.isclose(ratio, 1) and now.grad[~mask].abs().max() == 0
# %% [markdown] lang="zh" ids="predictions"
# ## 对答案
#
# 1. {= f"{run.mean('pairs.mixed'):.0%}" =}。
# 2. 看 $\beta$：0.1 时降了 {= f"{-run.mean('dpo.low.chosen'):.1f}" =} 奈特，2 时升了 {= f"{run.mean('dpo.high.chosen'):.1f}" =}。对子分开，不等于好答案更可能。
# 3. 零；只剩 KL 项。训练末尾 {= f"{run.mean('grpo.silent.last'):.0%}" =} 的组如此（全错的也算）。
# 4. 对一切说“没有”：真值分 {= run.spread("naysayer.truth") =}。
# 5. 不：8 选一 {= run.spread("clip.true.8") =}，64 选一 {= run.spread("clip.true.64") =}。
# 6. 论幻觉不输：拼凑题监督训练 {= run.spread("test.sft.mixture") =}，DPO {= run.spread("test.dpo.mixture") =}，GRPO {= run.spread("test.grpo.mixture") =}。
# %% [markdown] lang="en" ids="predictions"
# ## Your predictions against the run
#
# 1. {= f"{run.mean('pairs.mixed'):.0%}" =}.
# 2. It depends on $\beta$: with 0.1 it fell by {= f"{-run.mean('dpo.low.chosen'):.1f}" =} nats, with 2 it rose by {= f"{run.mean('dpo.high.chosen'):.1f}" =}. Pairs apart does not mean that the better answer is likelier.
# 3. None; only the KL term is left. At the end of training {= f"{run.mean('grpo.silent.last'):.0%}" =} of the groups are like that (all wrong counts too).
# 4. It says no to everything: truth {= run.spread("naysayer.truth") =}.
# 5. No: best of 8 {= run.spread("clip.true.8") =}, best of 64 {= run.spread("clip.true.64") =}.
# 6. Not on hallucination: mixtures {= run.spread("test.sft.mixture") =} by SFT, {= run.spread("test.dpo.mixture") =} by DPO, {= run.spread("test.grpo.mixture") =} by GRPO.
# %% [markdown] lang="zh" ids="further"
# ## 接着看
#
# - 章节：[偏好与强化学习](../principles/training.md#preference)、[幻觉怎样减](../principles/trust.md#reducing)、[POPE](../principles/evaluation.md#pope)
# - 实验：[小 BLIP-2 与小 LLaVA](06-bridging.ipynb)、[基准怎样骗人](10-evaluation.ipynb)、[对比学习](05-contrastive.ipynb)
# - 面试题：[大模型的技术原理](../interview/q/seed-2.md)、[多模态学习的常见挑战](../interview/q/seed-7-2.md)、[实现多模态训练](../interview/q/seed-6-3.md)
# %% [markdown] lang="en" ids="further"
# ## Where to go next
#
# - Chapters: [preferences and reinforcement learning](../principles/training.md#preference), [reducing hallucination](../principles/trust.md#reducing), [POPE](../principles/evaluation.md#pope)
# - Labs: [a small BLIP-2 and a small LLaVA](06-bridging.ipynb), [how a benchmark fools you](10-evaluation.ipynb), [contrastive learning](05-contrastive.ipynb)
# - Questions: [the principles of multimodal models](../interview/q/seed-2.md), [common challenges of multimodal learning](../interview/q/seed-7-2.md), [implement multimodal training](../interview/q/seed-6-3.md)
