# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   mmlab:
#     description:
#       zh: 用实验看基准怎样骗人：精确匹配、VQA 准确率、CIDEr、检索召回、POPE、盲测基线、数据污染、挑最好的一次，以及误差棒和配对检验。
#       en: How a benchmark fools you, by experiment. Exact match, VQA accuracy, CIDEr, recall, POPE, blind baselines, contamination, best of k, and error bars.
#     uses: [mmlab/checkpoints/06-bridging-*, mmlab/checkpoints/05-contrastive-clip*]
#     seeds: 3
#     headline:
#       - {figure: exact.oracle, zh: 句句属实的描述者，单参考精确匹配, en: "exact match of a describer who is always right"}
#       - {figure: cider.swapped, zh: 方向说反的描述，CIDEr-D 占真描述的比例, en: "CIDEr-D of a reversed caption, share of the true one's"}
#       - {figure: blind.blank, zh: 小 LLaVA 不给图时的真值分, en: "small LLaVA with the picture blanked, truth score"}
#       - {figure: leak.gap, zh: 背下测试集：测试分减新题分, en: "test memorised: score on it minus score on new items"}
#       - {figure: best.optimism20, zh: 二十次里报最好的一次，虚高多少, en: "optimism of reporting the best of 20 runs"}
# ---
# %% [markdown] lang="zh" ids="evaluation-lab"
# # 实验十：基准怎样骗人
#
# 一张表写着：模型甲 72.0，模型乙 70.0。**这两分里有多少是能力，多少是指标、题目和运气？** ShapeTalk 有一样真实数据没有的东西：每幅图的真值。所以这里能查出分数什么时候在说谎。
#
# 先写下你的预测，再运行。末尾对答案。
#
# 1. 一个描述者句句属实。拿它的描述和一条参考描述做精确匹配，得多少分：1.0、0.8，还是不到 0.5？
# 2. 把真描述里的左右（上下）说反，CIDEr-D 掉多少：九成、一半，还是几乎不掉？
# 3. 检索模型给所有候选同一个相似度。它的 R@1 有可能是 1.0 吗？
# 4. POPE 题正负各半，一律答“是”，F1 是多少？
# 5. 模型背下了测试集。把测试图重新画一遍（布局不变，像素全变），能查出来吗？
# 6. 二十个一样好的模型，在 200 题上挑分数最高的那个报告，虚高几分？
# 7. 甲真的比乙好 2 分。只测 100 题，甲排不到乙前面的机会有多大？
#
# 公式与算例在[评测一章](../principles/evaluation.md)；幻觉见[可信一章](../principles/trust.md#measuring)。
# %% [markdown] lang="en" ids="evaluation-lab"
# # Lab 10: how a benchmark fools you
#
# A table says: model A 72.0, model B 70.0. **How much of the two points is ability, and how much is the metric, the items and luck?** ShapeTalk has what real data lacks, the truth about every picture. So here a score can be caught lying.
#
# Write down your predictions before you run anything. The answers are at the end.
#
# 1. A describer never says anything false. Compare its captions with one reference each by exact match. What does it score: 1.0, 0.8, less than 0.5?
# 2. In a true caption, turn left into right (or above into below). How much CIDEr-D is lost: nine tenths, a half, next to nothing?
# 3. A retrieval model gives every candidate the same similarity. Can its R@1 be 1.0?
# 4. Half of the POPE questions are true. Someone always says yes. What is the F1?
# 5. A model has memorised the test set. Draw the test pictures again (same layouts, all pixels new). Does that give it away?
# 6. Of twenty equally good models, report the one that scores highest on 200 questions. How many points too many?
# 7. A really is 2 points better than B. With 100 questions only, how often does A fail to come out ahead?
#
# Formulas and worked examples are in [the chapter on evaluation](../principles/evaluation.md); for hallucination see [the chapter on trust](../principles/trust.md#measuring).
# %% tags=["setup"] needs="numpy torch pillow matplotlib safetensors tqdm pylopdf-fonts-zh-cn"
# %%
import math
from collections import Counter, defaultdict

import numpy as np
import torch

from mmlab import bridging, contrastive, metrics, plots, scenes, text, truth
from mmlab.runs import Run

run = Run("10-evaluation")
parts = bridging.split()
print({part: len(layouts) for part, layouts in parts.items()})
# %% [markdown] lang="zh" ids="exact-match"
# ## 句句属实，精确匹配不及格
#
# 一幅图有好几句真描述：“甲在乙的左边”和“乙在甲的右边”都对，斜着摆的还能说上下。描述者从真描述里随机说一句，参考也是随机一句。两句一样的机会是
#
# $$\mathrm{E}[\mathrm{EM}]=\frac1N\sum_{i=1}^{N}\frac{1}{T_i}$$
#
# $N$ 是布局数，$T_i$ 是第 $i$ 种布局的真描述数。864 种布局可以一一数完。
# %% [markdown] lang="en" ids="exact-match"
# ## Never wrong, and still fails exact match
#
# A picture has several true captions: “a is left of b” and “b is right of a”; on a diagonal, above and below as well. The describer says one of the true ones at random, and so does the reference. They agree with chance
#
# $$\mathrm{E}[\mathrm{EM}]=\frac1N\sum_{i=1}^{N}\frac{1}{T_i}$$
#
# where $N$ is the number of layouts and $T_i$ the number of true captions of layout $i$. All 864 layouts can be counted.
# %%
true_count = np.array([len(scenes.captions(scene, "en")) for scene in truth.layouts()])
print(dict(Counter(true_count.tolist())), "EM expected:", f"{(1 / true_count).mean():.3f}")

def draw_caption(scene, lang, rng):
    options = scenes.captions(scene, lang)
    return options[rng.integers(len(options))]

rng = run.rng(1)
said, reference = ([draw_caption(scene, "en", rng) for scene in parts["test"]] for _ in range(2))
exact = np.mean([a == b for a, b in zip(said, reference)])
by_truth = np.mean([truth.score(truth.Ask("caption", "en"), a, s).true for a, s in zip(said, parts["test"])])
print(f"exact match {run.record('exact.oracle', exact):.2f}, truth score {by_truth:.2f}")
assert by_truth == 1 and exact < 0.6
# %% [markdown] lang="zh" ids="vqa-accuracy"
# ## VQA 准确率：十个人，三票满分
#
# [VQA](https://arxiv.org/abs/1505.00468) 给每题收 10 个人的答案。[官方评测](https://visualqa.org/evaluation.html)轮流去掉一人，对其余 9 人算 $\min(n/3,1)$，再平均；图省事的写法是直接对 10 人算。两者不同：
# %% [markdown] lang="en" ids="vqa-accuracy"
# ## VQA accuracy: ten people, three votes are enough
#
# [VQA](https://arxiv.org/abs/1505.00468) has ten people's answers to each question. [The official evaluation](https://visualqa.org/evaluation.html) leaves out each person in turn, scores $\min(n/3,1)$ against the other nine, and averages; the lazy form scores against all ten. They differ:
# %%
panels = [["x"] * n + ["y"] * (10 - n) for n in range(11)]
official = np.array([metrics.vqa_accuracy("x", people) for people in panels])
lazy = np.array([metrics.vqa_accuracy_short("x", people) for people in panels])
print("votes   ", *(f"{n:4d}" for n in range(6)))
print("official", *(f"{v:.2f}" for v in official[:6]))
print("short   ", *(f"{v:.2f}" for v in lazy[:6]))
assert np.allclose(official[:5], [0, 0.3, 0.6, 0.9, 1]) and (lazy >= official - 1e-9).all()
# %% [markdown] lang="zh" ids="vqa-people"
# ### 一个答案要多少人说过才得分
#
# 设每个人以概率 $p$ 说出某个答案，票数 $n$ 服从二项分布。下图是这个答案的期望得分。注意：横轴是**有多少人这么说**，不是它对不对。
# %% [markdown] lang="en" ids="vqa-people"
# ### How many must have said it
#
# Let each person give a certain answer with probability $p$; then the votes $n$ are binomial. The figure shows what the answer is expected to score. Mind the axis: **how many people say it**, not whether it is true.
# %%
shares = np.linspace(0, 1, 51)
chance = np.array([[math.comb(10, n) * p**n * (1 - p) ** (10 - n) for n in range(11)] for p in shares])
fig, ax = plots.figure(4.8, 2.6)
ax.plot(shares, chance @ lazy, color=plots.ORANGE, linestyle="--")
ax.plot(shares, chance @ official, color=plots.BLUE)
ax.plot(shares, chance[:, 6:].sum(1), color=plots.GREEN, linestyle=":")
ax.axvline(0.2, color=plots.INK, linewidth=0.8)
#zh> ax.set(xlabel="有多少人这么说", ylabel="期望得分", xlim=(0, 1), ylim=(0, 1.05))
#zh> for x, y, name, c in ((0.05, 0.8, "简式", plots.ORANGE), (0.31, 0.7, "官方", plots.BLUE), (0.62, 0.45, "过半才算对", plots.GREEN)): ax.text(x, y, name, color=c)
#zh> plots.show(fig, "期望得分随说这个答案的人数比例上升：简式最快，官方次之，过半才算对的最慢；两成人说的答案，官方已给五成多。")
#en> ax.set(xlabel="share of people who say it", ylabel="expected score", xlim=(0, 1), ylim=(0, 1.05))
#en> for x, y, name, c in ((0.05, 0.8, "short", plots.ORANGE), (0.31, 0.7, "official", plots.BLUE), (0.62, 0.45, "majority", plots.GREEN)): ax.text(x, y, name, color=c)
#en> plots.show(fig, "The expected score rises with the share of people who give the answer: fastest by the short form, then the official one, slowest by majority; what one in five says already gets more than half officially.")
# %% [markdown] lang="zh" ids="vqa-diagonal"
# ### 两句真话，一句假话
#
# 斜着摆的图，问“甲在乙的哪一边”：左右和上下都对。模拟十个人：55% 说左右，25% 说上下，20% 分不清左右、说反。三个模型各坚持一种说法。
# %% [markdown] lang="en" ids="vqa-diagonal"
# ### Two truths and a falsehood
#
# On a diagonal, “where is a relative to b” has two true answers. Ten simulated people: 55 % name the horizontal one, 25 % the vertical one, 20 % mix up left and right. Three models each keep to one of the three.
# %%
rng = run.rng(2)
answers = ("horizontal", "vertical", "mirrored")
people = [rng.choice(answers, 10, p=[0.55, 0.25, 0.20]).tolist() for _ in range(500)]
for answer, honest in zip(answers, (1, 1, 0)):
    vqa = np.mean([metrics.vqa_accuracy(answer, ten) for ten in people])
    most = np.mean([Counter(ten).most_common(1)[0][0] == answer for ten in people])
    run.record(f"vqa.{answer}", vqa)
    print(f"{answer:10s}  true {honest}  VQA accuracy {vqa:.2f}  match with the most common answer {most:.2f}")
assert run.recorded["vqa.mirrored"] > 0.4 and run.recorded["vqa.horizontal"] > 0.9
assert run.recorded["vqa.vertical"] - run.recorded["vqa.mirrored"] < 0.25
# %% [markdown] lang="zh" ids="vqa-lesson"
# ### 读数
#
# 十票里三票满分，是为了容忍多种说法：第二种真话从多数匹配的几乎 0 分提到 {= run.spread("vqa.vertical") =}。代价是常见的错误也得分：假话得 {= run.spread("vqa.mirrored") =}。**VQA 准确率量的是“像不像人会说的”，人错在哪里，它就奖励哪里。**
# %% [markdown] lang="en" ids="vqa-lesson"
# ### Reading it
#
# Three votes of ten are enough so that several ways of saying it are accepted: the second truth rises from next to 0 (most common answer) to {= run.spread("vqa.vertical") =}. The price is that common errors score too: the falsehood gets {= run.spread("vqa.mirrored") =}. **VQA accuracy measures “what a person might say”; where people err, it rewards the error.**
# %% [markdown] lang="zh" ids="cider"
# ## CIDEr：流利的假话
#
# [CIDEr](https://arxiv.org/abs/1411.5726) 把句子变成 $n$-gram 的 TF-IDF 向量，与 $m$ 条参考求余弦。CIDEr-D 再截断重复的词、惩罚长度差：
#
# $$\text{CIDEr-D}_n(c,S)=\frac{10}{m}\sum_{j=1}^{m}e^{-\frac{(l(c)-l(s_j))^2}{2\sigma^2}}\cdot\frac{\min(g_n(c),g_n(s_j))\cdot g_n(s_j)}{\lVert g_n(c)\rVert\,\lVert g_n(s_j)\rVert}$$
#
# $g_n$ 每个 $n$-gram 一维，$l$ 是词元数，$\sigma=6$，对 $n=1,\dots,4$ 取平均，满分 10。先用手能算的例子核对：两幅图，“a”两边都有，权重 0；“cat”只在一边，权重 $\ln 2$。
# %% [markdown] lang="en" ids="cider"
# ## CIDEr and the fluent falsehood
#
# [CIDEr](https://arxiv.org/abs/1411.5726) turns a sentence into TF-IDF vectors of its $n$-grams and takes the cosine with $m$ references. CIDEr-D also clips repeated words and punishes a difference in length:
#
# $$\text{CIDEr-D}_n(c,S)=\frac{10}{m}\sum_{j=1}^{m}e^{-\frac{(l(c)-l(s_j))^2}{2\sigma^2}}\cdot\frac{\min(g_n(c),g_n(s_j))\cdot g_n(s_j)}{\lVert g_n(c)\rVert\,\lVert g_n(s_j)\rVert}$$
#
# $g_n$ has one entry for each $n$-gram, $l$ counts tokens, $\sigma=6$; the mean over $n=1,\dots,4$, at most 10. First an example to check on paper: two pictures, “a” stands in both and weighs 0, “cat” in one and weighs $\ln 2$.
# %%
toy = metrics.Cider([[["a", "cat"]], [["a", "dog"]]])
print("weights", toy.weight(("a",)), round(toy.weight(("cat",)), 3))
#zh| “a cat”：一元和二元各得 10，没有三元和四元，所以 (10 + 10 + 0 + 0) / 4
#en| "a cat": unigrams and bigrams get 10 each, there are no 3- and 4-grams: (10 + 10 + 0 + 0) / 4
print(toy.one(0, ["a", "cat"]), toy.one(0, ["a", "dog"]), toy.one(0, ["cat", "cat"]))
assert np.allclose([toy.one(0, ["a", "cat"]), toy.one(0, ["cat", "cat"])], [5, 1.25])
# %% [markdown] lang="zh" ids="cider-versions"
# ### 同一幅图，五种说法
#
# 测试布局每幅配 5 条参考，都是真描述。候选有五种：真话；方向说反；两物换色；说了一种图里没有的颜色；换一种句式的真话（“左边是甲，右边是乙”）。
# %% [markdown] lang="en" ids="cider-versions"
# ### One picture, five sentences
#
# Each test layout gets 5 references, all of them true. The candidates: a true caption; the direction reversed; the colours exchanged; a colour that is not there; and the truth in other words (“on the left there is a …, and on the right a …”).
# %%
PLACE = {"left": "on the left", "right": "on the right", "above": "at the top", "below": "at the bottom"}

def other_words(a, relation, b, lang):
    back = scenes.OPPOSITE[relation]
    a, b = scenes.name(a, lang), scenes.name(b, lang)
    if lang == "zh":
        return f"{scenes.word(relation, lang)}是{a}，{scenes.word(back, lang)}是{b}"
    return f"{PLACE[relation]} there is a {a}, and {PLACE[back]} a {b}"

def versions(a, relation, b, lang):
    absent = next(c for c in scenes.COLOURS if c not in (a.colour, b.colour))
    crossed = scenes.Thing(b.colour, a.shape), scenes.Thing(a.colour, b.shape)
    return {
        "true": scenes.caption(a, relation, b, lang),
        "reversed": scenes.caption(a, scenes.OPPOSITE[relation], b, lang),
        "colours": scenes.caption(crossed[0], relation, crossed[1], lang),
        "absent": scenes.caption(scenes.Thing(absent, a.shape), relation, b, lang),
        "words": other_words(a, relation, b, lang),
    }
# %%
def spoken(scene, rng):
    a, b = (scene.placed[i] for i in rng.permutation(2))
    return a.thing, str(rng.choice([r for r in truth.RELATIONS if scenes.relation_holds(r, a, b)])), b.thing

cider, sentences = {}, {}
for k, lang in enumerate(("zh", "en")):
    rng = run.rng(3, k)
    references = [[scenes.caption(*spoken(s, rng), lang) for _ in range(5)] for s in parts["test"]]
    scorer = metrics.Cider([[text.tokenise(r) for r in five] for five in references])
    said = [versions(*spoken(s, rng), lang) for s in parts["test"]]
    sentences[lang] = said
    for kind in said[0]:
        cider[lang, kind] = scorer([text.tokenise(v[kind]) for v in said])
    print(said[0]["true"], "|", said[0]["reversed"], "|", said[0]["words"])
# %%
kinds = ("true", "reversed", "absent", "colours", "words")
fig, ax = plots.figure(4.8, 2.7)
for k, lang in enumerate(("zh", "en")):
    means = [cider[lang, kind].mean() for kind in kinds]
    bars = ax.barh(np.arange(5) + 0.2 - 0.4 * k, means, 0.38, color=plots.CYCLE[k], hatch=plots.HATCHES[k], edgecolor="white")
    ax.bar_label(bars, fmt="%.1f", padding=2, fontsize=8)
ax.invert_yaxis()
#zh> ax.set_yticks(range(5), ["真：标准句式", "假：方向说反", "假：颜色不存在", "假：两物换色", "真：换句式"])
#zh> ax.legend(bars.__class__ and [ax.containers[0], ax.containers[1]], ["中文", "英文"], loc="lower right")
#zh> ax.set(xlabel="CIDEr-D（满分 10）", xlim=(0, 10))
#zh> plots.show(fig, "五种说法的 CIDEr-D：方向说反的假话与真话几乎同分，换句式的真话最低，中英文都如此。")
#en> ax.set_yticks(range(5), ["true, usual form", "false: reversed", "false: absent colour", "false: colours swapped", "true, other words"])
#en> ax.legend([ax.containers[0], ax.containers[1]], ["Chinese", "English"], loc="lower right")
#en> ax.set(xlabel="CIDEr-D (at most 10)", xlim=(0, 10))
#en> plots.show(fig, "CIDEr-D of five sentences: the falsehood with the direction reversed scores almost like the truth, and the truth in other words scores lowest, in both languages.")
# %%
def ratio(kind):
    return np.mean([cider[lang, kind].mean() / cider[lang, "true"].mean() for lang in ("zh", "en")])

for name, kind in (("swapped", "reversed"), ("colours", "colours"), ("absent", "absent"), ("words", "words")):
    run.record(f"cider.{name}", ratio(kind))
preferred = np.mean([cider[lang, "reversed"] > cider[lang, "words"] for lang in ("zh", "en")])
print(f"the falsehood beats the truth in other words on {preferred:.0%} of the pictures")
assert ratio("reversed") > 0.75 and ratio("words") < 0.35 and preferred > 0.9
# %% [markdown] lang="zh" ids="chair"
# ### CHAIR 看得见什么
#
# [CHAIR](https://arxiv.org/abs/1809.02156) 数描述里提到、图里却没有的物体。同样五种说法里，能读出物体的前四种：
# %% [markdown] lang="en" ids="chair"
# ### What CHAIR sees
#
# [CHAIR](https://arxiv.org/abs/1809.02156) counts the objects that a caption mentions and the picture lacks. Of the same five, the four whose objects our reader can parse:
# %%
def mentioned(caption, lang):
    return [c.a for c in truth.claims(truth.Ask("caption", lang), caption) or () if not c.relation]

inside = [scene.things for scene in parts["test"]]
for kind in kinds[:4]:
    score = metrics.chair([mentioned(v[kind], "zh") for v in sentences["zh"]], inside)
    print(f"{kind:9s} CHAIRi {score.instance:.2f}  CHAIRs {score.sentence:.2f}  recall {score.recall:.2f}")
    assert (score.sentence > 0) == (kind in ("absent", "colours"))
silent = metrics.chair([[] for _ in inside], inside)
print("silence  ", silent)
# %% [markdown] lang="zh" ids="caption-lesson"
# ### 读数
#
# 方向说反的假话保住了真话 CIDEr-D 的 {= run.spread("cider.swapped") =}，CHAIR 给它 0（最好）；换句式的真话只剩 {= run.spread("cider.words") =}。中文只差一个字，英文差一两个词，共同的 $n$-gram 还是大多数。沉默者的 CHAIR 也是满分，所以要同时报召回。
#
# 我们的真值分也有盲区：它按固定句式读描述，换句式的真话它读不懂，记作错。**能判真假的程序只懂它懂的话**；真实数据上换成模型裁判，问题变成裁判懂不懂图。
# %% [markdown] lang="en" ids="caption-lesson"
# ### Reading it
#
# The reversed falsehood keeps {= run.spread("cider.swapped") =} of the true caption's CIDEr-D, and CHAIR gives it 0, the best there is; the truth in other words keeps {= run.spread("cider.words") =}. In Chinese a single character differs, in English a word or two: most $n$-grams are shared. Silence has a perfect CHAIR as well, so report the recall with it.
#
# Our truth score has a blind spot of its own: it reads captions of a fixed form, cannot read the truth in other words, and counts it wrong. **A program that judges truth knows only the language that it knows**; with a model as judge, on real data, the question becomes whether the judge can see.
# %% [markdown] lang="zh" ids="retrieval"
# ## 检索：重复的描述和并列的名次
#
# R@K 通常只认**同一下标**那一条为对。600 对图文里，描述会重复，别的描述也可能为真。先请一位全知者：真的相似度 1，假的 0，再加一点噪声打破并列。
# %% [markdown] lang="en" ids="retrieval"
# ## Retrieval: repeated captions and tied ranks
#
# R@K usually accepts only the candidate with **the same index**. Among 600 pairs captions repeat, and other captions may be true as well. First an all-knowing model: similarity 1 for what is true, 0 for what is false, and a little noise against ties.
# %%
unseen = [scene for family in contrastive.split()["test"] for scene in family]
pairs = contrastive.make_pairs(unseen, 600, run.rng(4))
fits = contrastive.truth_table(pairs.scenes, pairs.captions).numpy()
knows = fits + 0.01 * run.rng(5).random(fits.shape)
by_index, by_truth = metrics.ranks(knows), metrics.ranks(knows, fits)
print("different captions:", len({c.text for c in pairs.captions}), " true captions for a picture:", f"{fits.sum(1).mean():.1f}")
print("all-knowing: R@1 by index", f"{run.record('retrieval.oracle', metrics.recall_at_k(by_index, 1)):.2f}", " by truth", metrics.recall_at_k(by_truth, 1))
flat = np.zeros_like(knows)
for ties in ("best", "mean", "worst"):
    print("flat model, ties", ties, "R@1:", metrics.recall_at_k(metrics.ranks(flat, ties=ties), 1))
assert metrics.recall_at_k(by_truth, 1) == 1 and metrics.recall_at_k(by_index, 1) < 0.5
assert metrics.recall_at_k(metrics.ranks(flat, ties="best"), 1) == 1
# %% [markdown] lang="zh" ids="retrieval-ties"
# ### 并列怎么排，决定了分数
#
# `rank = (sim > sim[正确项]).sum() + 1` 是常见写法。相似度全相同时它给所有查询第 1 名：一个什么都没学的模型 R@1 等于 1.0。半精度、量化、塌缩的嵌入都会造出大量并列。用最差名次或平均名次。
#
# ### 候选集越大，分数越低
#
# 同一个模型（[实验五](05-contrastive.ipynb)的小 CLIP，测试布局它没见过），只改候选数：
# %% [markdown] lang="en" ids="retrieval-ties"
# ### How ties are placed decides the score
#
# `rank = (sim > sim[correct]).sum() + 1` is often written. With all similarities equal it puts every query's answer first: a model that learned nothing has R@1 1.0. Half precision, quantisation and collapsed embeddings all produce ties. Use the worst rank, or the mean.
#
# ### The larger the gallery, the lower the score
#
# One model (the small CLIP of [lab 5](05-contrastive.ipynb), on layouts it has not seen), and only the number of candidates changes:
# %%
