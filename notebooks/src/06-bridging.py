# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   mmlab:
#     description:
#       zh: 一座桥把冻结的图像编码器接到小语言模型上：LLaVA 的投影器、BLIP-2 的 Q-Former，谁冻结谁训练、词元数、标签掩码，答案按场景真值判分，并有空图对照。
#       en: A bridge from a frozen picture encoder to a small language model, LLaVA's projector or BLIP-2's Q-Former, with label masks, truth scoring and a blanked-picture control.
#     uses: [mmlab/checkpoints/05-contrastive-clip*]
#     seeds: 3
#     headline:
#       - {figure: test.llava.open, zh: 小 LLaVA，开放题答对的比例, en: "small LLaVA, open questions answered truly"}
#       - {figure: test.blip2.open, zh: 小 BLIP-2，开放题答对的比例, en: "small BLIP-2, open questions answered truly"}
#       - {figure: test.blank.open, zh: 小 LLaVA，图换成空白, en: "small LLaVA, picture blanked"}
#       - {figure: test.projector.open, zh: 只训练投影器，解码器冻结, en: "projector alone, decoder frozen"}
# ---
# %% [markdown] lang="zh" ids="bridging"
# # 实验六：给语言模型接上眼睛
#
# 一个图像编码器，一个只读过文字的语言模型，两个都已训练好，谁也不懂谁。**中间要接多大的一座桥？两头能不能一动不动？**
#
# 我们搭两座：LLaVA 的投影器和 BLIP-2 的 Q-Former，都小到几十秒训完。先写下预测，末尾对答案。
#
# 1. 语言模型冻结，只训练一个两层的投影器。开放题能答对一半吗？
# 2. Q-Former 的参数是投影器的十倍以上。同样的步数，它更好还是更差？
# 3. 把图换成一片灰，还能答对多少开放题？是非题呢？
# 4. 一个从不说错的描述者，和一句参考描述逐字比，能对上几成？
# 5. 图只许占 1 个词元的位置，会丢掉什么？
#
# 背景：[把视觉接进语言模型](../models/bridging.md)、[连接器](../principles/architectures.md#connectors)、[阶段与冻结](../principles/training.md#stages)。
# %% [markdown] lang="en" ids="bridging"
# # Lab 6: giving a language model eyes
#
# Here is a picture encoder, and there a language model that has only ever read text. Both are trained; neither understands the other. **How large a bridge do they need, and can both ends stay as they are?**
#
# We build two bridges, LLaVA's projector and BLIP-2's Q-Former, each small enough to train within a minute. Write down your predictions first; the answers are at the end.
#
# 1. The language model is frozen and only a two-layer projector is trained. Will it answer half of the open questions?
# 2. The Q-Former has more than ten times the projector's parameters. After the same number of steps, is it better or worse?
# 3. Replace the picture by plain grey. What share of the open questions is still answered truly? And of the yes–no questions?
# 4. Somebody describes pictures and never errs. Compared word by word with one reference caption, how often does that count as right?
# 5. The picture may take up only 1 token. What gets lost?
#
# Background: [vision into language models](../models/bridging.md), [connectors](../principles/architectures.md#connectors), [stages and freezing](../principles/training.md#stages).
# %% tags=["setup"] needs="numpy pillow torch matplotlib safetensors tqdm pylopdf-fonts-zh-cn"
# %%
import numpy as np
import torch
import torch.nn.functional as F

from mmlab import bridging, checkpoints, plots, truth
from mmlab.bridging import LESSONS, Bridged
from mmlab.runs import Run
from mmlab.scenes import captions
from mmlab.train import fit, parameters

run = Run("06-bridging")
# %% [markdown] lang="zh" ids="questions"
# ## 五种题
#
# 形色世界里两件东西的布局有 864 种，沿用[实验五](05-contrastive.ipynb)的划分：测试用的布局，图像编码器和桥都没见过。结构、学习率和步数在验证集上选，测试集到最后只打开一次。
# %% [markdown] lang="en" ids="questions"
# ## Five kinds of question
#
# ShapeTalk has 864 layouts of two things. They are divided as in [lab 5](05-contrastive.ipynb): neither the picture encoder nor the bridge has seen a layout of the test. Architecture, learning rate and steps were chosen on the validation part; the test part is opened once, at the end.
# %%
parts = bridging.split()
train_scenes, train_images = bridging.pictures(parts["train"], 4 * len(parts["train"]), run.rng(1))
val_scenes, val_images = bridging.pictures(parts["validation"], 3 * len(parts["validation"]), run.rng(2))
train_asked = bridging.questions(train_scenes, 16000, run.rng(3), LESSONS)
val_asked = bridging.questions(val_scenes, 250, run.rng(4))
print({part: len(layouts) for part, layouts in parts.items()}, train_images.shape)
for ask, answer in zip(train_asked.asks[:12], train_asked.answers):
    print(f"{ask.kind:9} {truth.wording(ask)}  →  {answer}")
# %% [markdown] lang="zh" ids="truth"
# 题目设计得不看图就答不了：颜色、形状瞎猜对 1/4；“左边的是什么”要说出颜色和形状，瞎猜至多 1/8；描述更难。只有是非题瞎猜能对一半，所以**单独报告**，不混进“开放题”的平均。
#
# ## 判分：看真假，不看字面
#
# 一幅图有 2 句或 4 句真描述。逐字比对只认其中一句。这里把答案读回成**断言**，逐条和场景核对：一句描述有三条断言（甲在、乙在、甲在乙的某一边），全真才算对；读不懂的答案算错。
# %% [markdown] lang="en" ids="truth"
# The questions cannot be answered without looking. A guess at a colour or a shape is right 1 time in 4; “what is on the left” wants colour and shape, at most 1 in 8; a caption is harder still. Only yes–no questions give half to a guesser, so they are **reported apart** and kept out of the mean over “open” questions.
#
# ## Marking by truth, not by wording
#
# A picture has 2 or 4 true captions, and a comparison of strings accepts one. Here an answer is read back into **claims**, and each is checked against the scene. A caption makes three (this exists, that exists, this is on that side of that) and is right if all are true. An answer that cannot be read is wrong.
# %%
scene = train_scenes[0]
ask = truth.Ask("caption", "en")
good = captions(scene, "en")
other = captions(train_scenes[1], "en")[0]
for answer in (*good, other, "a red red circle"):
    score = truth.score(ask, answer, scene)
    print(f"{score.true!s:5} {score.credit:.2f}  {answer}")
by_string = np.mean([1 / len(captions(s, "en")) for s in truth.layouts()])
print(f"{by_string:.2f}")
assert all(truth.score(ask, answer, scene).true for answer in good) and 0.3 < by_string < 0.6
# %% [markdown] lang="zh" ids="mask"
# ## 标签掩码：损失只落在答案上
#
# 序列是 `问题 <bos> 答案 <eos>`，图像词元排在最前。位置 $t$ 的标签是它后面该出现的词元；不属于答案的位置标成 $-100$，交叉熵跳过它们：
#
# $$\mathcal{L}=-\frac{1}{\sqrt{|\mathcal{A}|}}\sum_{t\in\mathcal{A}}\log p(x_{t+1}\mid v_{1:P},\,x_{\le t})$$
#
# $v\in\mathbb{R}^{P\times d}$ 是桥给出的 $P$ 个向量，$\mathcal{A}$ 是答案的位置。除以 $\sqrt{|\mathcal{A}|}$ 是折中：直接求和，一句描述的分量是“红色”的十倍；求平均，描述里唯一难的方位词又只占十分之一。
# %% [markdown] lang="en" ids="mask"
# ## The label mask: loss on the answer only
#
# A sequence is `question <bos> answer <eos>`, with the picture's tokens in front. The label of position $t$ is the token that should follow; positions outside the answer get $-100$, which cross-entropy passes over:
#
# $$\mathcal{L}=-\frac{1}{\sqrt{|\mathcal{A}|}}\sum_{t\in\mathcal{A}}\log p(x_{t+1}\mid v_{1:P},\,x_{\le t})$$
#
# $v\in\mathbb{R}^{P\times d}$ are the $P$ vectors from the bridge, $\mathcal{A}$ the positions of the answer. Dividing by $\sqrt{|\mathcal{A}|}$ is a compromise. With a plain sum one caption weighs ten times as much as “red”; with a mean, the one hard word of a caption weighs a tenth.
# %%
words = bridging.vocabulary()
asked_words = [truth.wording(ask) for ask in train_asked.asks]
ids, labels = bridging.sequences(words, asked_words, train_asked.answers)
row = 8
for token, label in zip(ids[row].tolist(), labels[row].tolist()):
    if token:
        print(f"{words.tokens[token]:10} {label:5} {words.tokens[label] if label >= 0 else ''}")
counted = (labels != bridging.IGNORE).sum() / (ids != 0).sum()
print(len(words), tuple(ids.shape), f"{counted:.2f}")
# %%
fig, ax = plots.figure(4.8, 2.1)
shown = torch.where(ids[:8] == 0, torch.nan, torch.where(labels[:8] >= 0, 1.0, 0.35))
ax.imshow(shown, aspect="auto", vmin=0, vmax=1.1)
for y, x in (labels[:8] >= 0).nonzero().tolist():
    ax.text(x, y, "●", ha="center", va="center", fontsize=7, color="black")
ax.set(xticks=range(0, ids.shape[1], 2), yticks=range(8))
#zh> ax.set(xlabel="位置", ylabel="样本", title="●：计入损失的位置")
#zh> plots.show(fig, "八个样本的序列：问题在前，不计损失；答案的位置标着圆点，描述题的圆点最多；右边空白是填充。")
#en> ax.set(xlabel="position", ylabel="sample", title="●: positions that count")
#en> plots.show(fig, "Eight sequences: the question comes first and does not count; dots mark the answer, most of them in captions; the blank on the right is padding.")
# %%
#zh| 掩码真的挡住了：改动被忽略位置的预测，损失不变
#en| The mask does mask: changing the predictions at ignored positions leaves the loss as it is
logits = torch.randn(8, ids.shape[1], len(words))
changed = torch.where((labels[:8] == bridging.IGNORE)[..., None], torch.randn_like(logits), logits)
assert torch.equal(bridging.answer_loss(logits, labels[:8]), bridging.answer_loss(changed, labels[:8]))
# %% [markdown] lang="zh" ids="encoder"
# ## 冻结的眼睛
#
# 图像编码器来自实验五的 CLIP，权重一点不动。冻结有个实惠：每幅图只需编码一次，存下来反复用。一幅 32 × 32 的图成为 $N=16$ 个 64 维词元，每个管 8 × 8 像素。
# %% [markdown] lang="en" ids="encoder"
# ## The eyes are frozen
#
# The picture encoder is the CLIP of lab 5, and not one of its weights moves. That pays: each picture is encoded once, kept, and used again and again. A picture of 32 × 32 becomes $N=16$ tokens of 64 numbers, one for every 8 × 8 pixels.
# %%
clip = checkpoints.load("05-contrastive", "clip")
config = {"encoder": clip.config, "encoder_sha256": clip.info["sha256"], "tokens": list(words.tokens), "width": 64, "layers": 2, "queries": 8}

def build(bridge, decoder=None, queries=8):
    torch.manual_seed(run.seed + 1)
    model = Bridged({**config, "bridge": bridge, "queries": queries})
    model.encoder = bridging.picture_encoder(clip.config, clip.weights)
    if decoder is not None:
        model.decoder.load_state_dict(decoder.state_dict())
    return model

eyes = build("projector")
seen, val_seen = eyes.see(train_images), eyes.see(val_images)
print(tuple(seen.shape), parameters(eyes.encoder), parameters(eyes.encoder, trainable=True))
assert parameters(eyes.encoder, trainable=True) == 0
# %% [markdown] lang="zh" ids="decoder"
# ## 只读过文字的语言模型
#
# 真实的语言模型读过海量文字，会看着上下文答题。我们的小解码器也要先学会**读**：上下文是一张 2 × 2 的文字表格，有东西的格子里写着颜色和形状（中英文各一遍，四个词向量相加成一个向量），然后是问题和答案。它没见过任何图。
#
# 表格是为了快。起初我们让它读完整的句子，900 步后它读懂了，冻结的它却很难听懂图像：句子里颜色和形状是先后两个词元，而一个图像词元同时带着两者。
# %% [markdown] lang="en" ids="decoder"
# ## A language model that has only read
#
# A real language model has read enormous amounts of text and can answer from a context. Our small decoder must learn to **read** first. Its context is a 2 × 2 table of words: the cell of a thing holds its colour and shape, in Chinese and in English, the four word vectors summed to one. Then come question and answer. It has never met a picture.
#
# The table is there for speed. At first we gave it whole sentences. After 900 steps it understood those, but frozen it was hard to reach with pictures: in a sentence colour and shape are two tokens, one after the other, while one picture token carries both.
# %%
book = bridging.reading(words, parts["train"], 16000, run.rng(5))
book_ids, book_labels = bridging.sequences(words, [truth.wording(a) for a in book.asks], book.answers)
torch.manual_seed(run.seed)
decoder = bridging.Decoder(len(words))

def reading_loss(j):
    return bridging.answer_loss(decoder(book_ids[j], decoder.read(book.tables[j])), book_labels[j])

read = fit(decoder, reading_loss, len(book_ids), steps=750, batch=64, lr=4e-3, seed=run.seed)
print([[words.tokens[i] for i in cell if i] for cell in book.tables[0].tolist()])
print(f"{read.smooth()[0]:.2f} → {read.smooth()[-1]:.2f}", parameters(decoder))
# %%
quiz = bridging.reading(words, parts["validation"], 250, run.rng(6), without=0)
prompt, lengths = bridging.prompts(words, [truth.wording(a) for a in quiz.asks])

def reads(prefix):
    said = bridging.read_out(words, decoder.generate(prompt, lengths, prefix))
    return truth.by_kind(quiz.asks, said, quiz.scenes)

with torch.inference_mode():
    with_table, without = reads(decoder.read(quiz.tables)), reads(None)
run.record("decoder.table", with_table["open"])
run.record("decoder.blind", without["open"])
for kind in (*truth.KINDS, "open"):
    print(f"{kind:9} {with_table[kind]:.2f} {without[kind]:.2f}")
assert with_table["open"] > 0.8 and without["open"] < 0.35
# %% [markdown] lang="zh" ids="llava stage-1"
# ## 小 LLaVA：投影器
#
# $$v = W_2\,\mathrm{GELU}(W_1 z+b_1)+b_2,\qquad z\in\mathbb{R}^{N\times 64},\; v\in\mathbb{R}^{N\times 64}$$
#
# 逐词元的两层 MLP，$N$ 个进，$N$ 个出，排在问题前面，**站在词向量的位置上**。解码器不知道它们来自图像。
#
# ### 第一阶段：只训练投影器
# %% [markdown] lang="en" ids="llava stage-1"
# ## A small LLaVA: the projector
#
# $$v = W_2\,\mathrm{GELU}(W_1 z+b_1)+b_2,\qquad z\in\mathbb{R}^{N\times 64},\; v\in\mathbb{R}^{N\times 64}$$
#
# Two layers for each token by itself, $N$ in and $N$ out, put before the question **where word vectors would stand**. Nothing tells the decoder that they come from a picture.
#
# ### Stage 1: the projector alone
# %%
picture = torch.from_numpy(train_asked.picture)
val_picture = torch.from_numpy(val_asked.picture)
val_words = [truth.wording(ask) for ask in val_asked.asks]

def teach(model, trained, steps, lr, checks=0):
    model.requires_grad_(False)
    for part in trained:
        part.requires_grad_(True)
    loss = lambda j: bridging.answer_loss(model(seen[picture[j]], ids[j]), labels[j])
    check = lambda: bridging.grade(model.reply(val_seen[val_picture], val_words), val_asked, val_scenes)["open"]
    return fit([p for part in trained for p in part.parameters()], loss, len(ids), steps=steps, batch=64, lr=lr,
               seed=run.seed, check=check if checks else None, checks=checks or 1)

llava = build("projector", decoder)
llava_1 = teach(llava, [llava.bridge], steps=150, lr=6e-3, checks=3)
projector_only = build("projector", llava.decoder)
projector_only.bridge.load_state_dict(llava.bridge.state_dict())
run.record("validation.projector", llava_1.checks[-1][1])
print(parameters(llava, trainable=True), parameters(llava), [f"{v:.2f}" for _, v in llava_1.checks])
# %% [markdown] lang="zh" ids="stage-2"
# ### 第二阶段：投影器和解码器一起训练
# %% [markdown] lang="en" ids="stage-2"
# ### Stage 2: projector and decoder together
# %%
llava_2 = teach(llava, [llava.bridge, llava.decoder], steps=400, lr=4e-3, checks=4)
run.record("validation.llava", llava_2.checks[-1][1])
print(parameters(llava, trainable=True), parameters(llava), [f"{v:.2f}" for _, v in llava_2.checks])
assert llava_2.checks[-1][1] > 0.85
# %% [markdown] lang="zh" ids="qformer masks"
# ## 小 BLIP-2：Q-Former
#
# $K=8$ 个学来的查询，经自注意力互相通气，经交叉注意力读 $N=16$ 个图像词元，出来 $K$ 个向量，再过一层线性送给**冻结**的解码器。图多大都是 $K$ 个。
#
# ### 第一阶段：三种掩码，三个任务
#
# 这一阶段不接语言模型。查询和描述的词共用自注意力；谁能看谁，决定在做哪道题：
# %% [markdown] lang="en" ids="qformer masks"
# ## A small BLIP-2: the Q-Former
#
# $K=8$ learned queries talk to each other by self-attention and read the $N=16$ picture tokens by cross-attention. Out come $K$ vectors, and a linear layer hands them to the **frozen** decoder. However large the picture, they are $K$.
#
# ### Stage 1: three masks, three tasks
#
# The language model is not there yet. Queries and the caption's words share the self-attention, and who may look at whom decides which task it is:
# %%
small = bridging.QFormer(64, queries=3, tokens=len(words))
fig, axes = plots.figure(4.8, 1.9, cols=3)
for ax, task in zip(axes, ("contrast", "match", "generate")):
    ax.imshow(small.mask(torch.ones(1, 4, dtype=torch.int64), task)[0, 0], vmin=-0.4, vmax=1)
    ax.axhline(2.5, color="white")
    ax.axvline(2.5, color="white")
#zh> for ax, title in zip(axes, ("ITC 对比", "ITM 匹配", "ITG 说出来")): plots.bare(ax, title)
#zh> axes[0].set(ylabel="谁在看", xlabel="被看的")
#zh> plots.show(fig, "三个 7×7 的掩码，前 3 个是查询，后 4 个是词。对比：两组各看各的；匹配：全都互看；生成：词看得见查询和前面的词，查询看不见词。")
#en> for ax, title in zip(axes, ("ITC contrast", "ITM match", "ITG tell")): plots.bare(ax, title)
#en> axes[0].set(ylabel="who looks", xlabel="at whom")
#en> plots.show(fig, "Three 7 × 7 masks, 3 queries then 4 words. Contrast: each group among itself; match: all see all; generate: words see queries and earlier words, queries see no words.")
# %%
blip2 = build("qformer", decoder)
told_of = torch.from_numpy(run.rng(7).integers(len(train_scenes), size=6000))
told = bridging.told(words, [train_scenes[i] for i in told_of], run.rng(8))
stage_1 = bridging.Alignment(blip2.bridge.qformer)
three = []

def stage_1_loss(j):
    z, caption = seen[told_of[j]], told[j]
    itc, scores = stage_1.contrast(z, caption)
    losses = [itc, stage_1.matching(z, caption, scores), stage_1.telling(z, caption)]
    three.append([value.item() for value in losses])
    return sum(losses)

fit(stage_1, stage_1_loss, len(told), steps=120, batch=64, lr=4e-3, seed=run.seed)
aligned_qformer = {name: value.clone() for name, value in blip2.bridge.qformer.state_dict().items()}
start, end = np.mean(three[:5], 0), np.mean(three[-10:], 0)
for name, a, b in zip(("ITC", "ITM", "ITG"), start, end):
    print(f"{name} {a:.2f} → {b:.2f}")
    run.record(f"stage1.{name.lower()}", b)
# %% [markdown] lang="zh" ids="blip2-stage-2"
# ITM 停在 {= f"{end[1]:.2f}" =}，而 $\ln 2\approx 0.69$ 就是瞎猜：难负例的用词几乎一样，是非题给的信号又少，这点步数爬不出平台。ITC 和 ITG 在学。
#
# ### 第二阶段：接上冻结的解码器
# %% [markdown] lang="en" ids="blip2-stage-2"
# ITM ends at {= f"{end[1]:.2f}" =}, and $\ln 2\approx 0.69$ is guessing. The hard negatives have almost the same words, a yes-or-no label says little, and these few steps do not leave the plateau. ITC and ITG do learn.
#
# ### Stage 2: with the frozen decoder
# %%
before = {name: value.clone() for name, value in blip2.decoder.state_dict().items()}
blip2_2 = teach(blip2, [blip2.bridge], steps=400, lr=6e-3, checks=4)
run.record("validation.blip2", blip2_2.checks[-1][1])
print(parameters(blip2, trainable=True), parameters(blip2), [f"{v:.2f}" for _, v in blip2_2.checks])
assert all(torch.equal(value, before[name]) for name, value in blip2.decoder.state_dict().items())
assert blip2_2.checks[-1][1] > 0.65
# %%
fig, ax = plots.figure(4.8, 2.6)
for history, colour, line in ((llava_1, plots.SKY, ":"), (llava_2, plots.BLUE, "-"), (blip2_2, plots.ORANGE, "--")):
    ax.plot(history.smooth(20), color=colour, linestyle=line)
ax.set(ylim=(0, 2))
#zh> ax.legend(ax.lines, ["LLaVA 一：投影器", "LLaVA 二：加解码器", "BLIP-2 二：Q-Former"])
#zh> ax.set(xlabel="步", ylabel="答案的损失（奈特）")
#zh> plots.show(fig, "三条损失曲线：LLaVA 第一阶段很快降到约 0.3，第二阶段放开解码器后再降一截；BLIP-2 的解码器始终冻结，降得慢，停得高。")
#en> ax.legend(ax.lines, ["LLaVA 1: projector", "LLaVA 2: and decoder", "BLIP-2 2: Q-Former"])
#en> ax.set(xlabel="step", ylabel="loss on answers (nats)")
#en> plots.show(fig, "Three loss curves: LLaVA's first stage soon falls to about 0.3 and its second, with the decoder free, falls further; BLIP-2, its decoder frozen, falls more slowly and ends higher.")
# %% [markdown] lang="zh" ids="ledger"
# ## 账本：谁冻结，谁训练，占几个位置
# %% [markdown] lang="en" ids="ledger"
# ## The ledger: what is frozen, what is trained, how many places
# %% tags=["both"]
import mmlab

def ledger(model, tokens, trained):
    sizes = {"encoder": parameters(model.encoder), "bridge": parameters(model.bridge), "decoder": parameters(model.decoder)}
    marks = {part: f"{size / 1000:.0f}k" + ("*" if part in trained else "") for part, size in sizes.items()}
    return f"{marks['encoder']:>8} {marks['bridge']:>8} {marks['decoder']:>8} {tokens:>5}"

print(mmlab.say("           编码器       桥     解码器  词元    （* 训练）", "            encoder   bridge  decoder tokens   (* trained)"))
print("LLaVA  1 ", ledger(llava, 16, {"bridge"}))
print("LLaVA  2 ", ledger(llava, 16, {"bridge", "decoder"}))
print("BLIP-2 1 ", ledger(blip2, 0, {"bridge"}))
print("BLIP-2 2 ", ledger(blip2, 8, {"bridge"}))
assert parameters(blip2.bridge) > 10 * parameters(llava.bridge)
# %% [markdown] lang="zh" ids="queries"
# ## 几个查询才够
#
# 同样的冻结解码器，同样 150 步，同样的学习率：查询取 1、2、4、8 个，都不做第一阶段；再加一个做过第一阶段的 8 个，和 16 个词元的投影器（LLaVA 第一阶段）比。
# %% [markdown] lang="en" ids="queries"
# ## How many queries are enough
#
# The same frozen decoder, the same 150 steps, the same learning rate: 1, 2, 4 and 8 queries without stage 1, then 8 with stage 1, against the projector with all 16 tokens (LLaVA's stage 1).
# %%
def after_150(queries, aligned=False):
    model = build("qformer", decoder, queries)
    if aligned:
        model.bridge.qformer.load_state_dict(aligned_qformer)
    return teach(model, [model.bridge], steps=150, lr=6e-3, checks=1).checks[-1][1]

for k in (1, 2, 4, 8):
    run.record(f"queries.{k}", after_150(k))
run.record("queries.8-aligned", after_150(8, aligned=True))
run.record("queries.projector", llava_1.checks[-1][1])
names = ("queries.1", "queries.2", "queries.4", "queries.8", "queries.8-aligned", "queries.projector")
print({name[8:]: round(run.recorded[name], 2) for name in names})
assert run.recorded["queries.projector"] > run.recorded["queries.1"]
# %%
fig, ax = plots.figure(4.8, 2.5)
colours = [plots.ORANGE] * 4 + [plots.AMBER, plots.BLUE]
bars = ax.bar(range(6), [run.mean(n) for n in names], yerr=[run.std(n) for n in names], color=colours, ecolor=plots.INK)
for bar, hatch in zip(bars, ("", "", "", "", "//", "..")):
    bar.set_hatch(hatch)
ax.set(ylim=(0, 1))
#zh> ax.set_xticks(range(6), ["1", "2", "4", "8", "8，做过\n第一阶段", "投影器\n16 个"])
#zh> ax.set(xlabel="桥给出的词元", ylabel="开放题答对（验证集）")
#zh> plots.show(fig, "六根柱：同样步数下，1 到 8 个查询、做过第一阶段的 8 个查询、16 个词元的投影器，在验证集上答对开放题的比例；投影器最高。误差线是各种子的标准差。")
#en> ax.set_xticks(range(6), ["1", "2", "4", "8", "8 after\nstage 1", "projector\n16"])
#en> ax.set(xlabel="tokens from the bridge", ylabel="open questions (validation)")
#en> plots.show(fig, "Six bars at equal steps: 1 to 8 queries, 8 queries after stage 1, and the projector with 16 tokens, share of open validation questions answered truly; the projector is highest. Error bars: standard deviation over seeds.")
# %% [markdown] lang="zh"
# 各种子平均：1 个查询 {= run.spread("queries.1") =}，8 个 {= run.spread("queries.8") =}，做过第一阶段的 8 个 {= run.spread("queries.8-aligned") =}，投影器 {= run.spread("queries.projector") =}。
#
# 投影器不必学“去哪里取”：第 $i$ 个词元就是第 $i$ 块，次序现成。查询要从零学会分工。[论文](https://arxiv.org/abs/2301.12597)里去掉第一阶段，成绩大跌；**这个玩具里没有这种大跌**：冻结的小解码器本来就容易够着，第二阶段又有充足的问答。别把这里的结果当成对 BLIP-2 的反驳。
# %% [markdown] lang="en"
# Means over seeds: 1 query {= run.spread("queries.1") =}, 8 queries {= run.spread("queries.8") =}, 8 after stage 1 {= run.spread("queries.8-aligned") =}, the projector {= run.spread("queries.projector") =}.
#
# A projector need not learn where to look: token $i$ is square $i$, in order. Queries must divide the work from nothing. In [the paper](https://arxiv.org/abs/2301.12597) leaving out stage 1 costs a great deal; **this toy shows no such collapse**. Its frozen decoder is within easy reach, and stage 2 has questions in plenty. Do not read this as a refutation of BLIP-2.
# %% [markdown] lang="zh" ids="test"
# ## 打开测试集
#
# 172 种没见过的布局，600 道题，三个模型；再加两个对照：**空图**（一片灰）和**错图**（图与题打乱）。
# %% [markdown] lang="en" ids="test"
# ## The test, opened once
#
# 172 unseen layouts, 600 questions, three models, and two controls: **blank** (plain grey) and **wrong** (pictures shuffled among the questions).
# %%
test_scenes, test_images = bridging.pictures(parts["test"], 2 * len(parts["test"]), run.rng(9))
test_asked = bridging.questions(test_scenes, 600, run.rng(10))
test_words = [truth.wording(ask) for ask in test_asked.asks]
test_seen = llava.see(test_images)[torch.from_numpy(test_asked.picture)]
grey = llava.see(np.full((1, 32, 32, 3), 237, np.uint8)).expand_as(test_seen)
wrong = test_seen[torch.from_numpy(run.rng(11).permutation(len(test_seen)))]
replies = {
    "llava": llava.reply(test_seen, test_words),
    "blip2": blip2.reply(test_seen, test_words),
    "projector": projector_only.reply(test_seen, test_words),
    "blank": llava.reply(grey, test_words),
    "wrong": llava.reply(wrong, test_words),
    "blip2-blank": blip2.reply(grey, test_words),
}
# %%
kinds = (*truth.KINDS, "open")
print(" " * 11, *(f"{kind[:6]:>6}" for kind in kinds))
for name, said in replies.items():
    shares = bridging.grade(said, test_asked, test_scenes)
    for kind in kinds:
        run.record(f"test.{name}.{kind}", shares[kind])
    print(f"{name:11}", *(f"{shares[kind]:6.2f}" for kind in kinds))
got = run.recorded
assert got["test.llava.open"] > 0.85 and got["test.blip2.open"] > 0.65
assert got["test.blank.open"] < 0.33 and got["test.wrong.open"] < 0.33 and got["test.blip2-blank.open"] < 0.33
assert got["test.llava.open"] > got["test.projector.open"] - 0.03
# %%
fig, ax = plots.figure(4.8, 2.8)
x = np.arange(5)
rows = (("llava", plots.BLUE, ""), ("blip2", plots.ORANGE, "//"), ("blank", plots.INK, ".."))
for i, (name, colour, hatch) in enumerate(rows):
    keys = [f"test.{name}.{kind}" for kind in truth.KINDS]
    ax.bar(x + 0.27 * (i - 1), [run.mean(k) for k in keys], 0.25, yerr=[run.std(k) for k in keys], color=colour, hatch=hatch, ecolor=plots.INK)
ax.set(ylim=(0, 1.25), yticks=[0, 0.25, 0.5, 0.75, 1])
#zh> ax.set_xticks(x, ["颜色", "形状", "方位", "描述", "是非"])
#zh> ax.legend(ax.containers[1::2], ["LLaVA", "BLIP-2", "LLaVA，空图"], ncols=3, loc="upper center")
#zh> ax.set_ylabel("答对的比例（测试集）")
#zh> plots.show(fig, "五种题、三组柱：小 LLaVA 各题都高；小 BLIP-2 低一些，描述最低；空图时颜色形状约四分之一，方位和描述接近 0，是非约一半。误差线是各种子的标准差。")
#en> ax.set_xticks(x, ["colour", "shape", "where", "caption", "yes–no"])
#en> ax.legend(ax.containers[1::2], ["LLaVA", "BLIP-2", "LLaVA, blank"], ncols=3, loc="upper center")
#en> ax.set_ylabel("answered truly (test)")
#en> plots.show(fig, "Five kinds, three bars each: the small LLaVA is high throughout; the small BLIP-2 is lower, lowest on captions; with a blank picture about a quarter on colour and shape, near 0 on places and captions, half on yes–no. Error bars: standard deviation over seeds.")
# %% [markdown] lang="zh"
# 各种子平均，开放题：小 LLaVA {= run.spread("test.llava.open") =}，小 BLIP-2 {= run.spread("test.blip2.open") =}，只训练投影器 {= run.spread("test.projector.open") =}；空图 {= run.spread("test.blank.open") =}，错图 {= run.spread("test.wrong.open") =}。是非题空图时 {= run.spread("test.blank.yesno") =}，所以它不能混进平均。
#
# 错图和空图同样低：模型答的是**这幅**图，不是任何一幅图。小 BLIP-2 失分最多的是描述（{= run.spread("test.blip2.caption") =}）：一句话里两件东西和方位要同时说对。
# %% [markdown] lang="en"
# Means over seeds, open questions: small LLaVA {= run.spread("test.llava.open") =}, small BLIP-2 {= run.spread("test.blip2.open") =}, projector alone {= run.spread("test.projector.open") =}; blank {= run.spread("test.blank.open") =}, wrong picture {= run.spread("test.wrong.open") =}. On yes–no questions the blank picture gets {= run.spread("test.blank.yesno") =}, which is why they stay out of the mean.
#
# The wrong picture is as bad as the blank one: the model answers about **this** picture, not about just any. The small BLIP-2 loses most on captions ({= run.spread("test.blip2.caption") =}): one sentence has to be right about two things and their places at once.
# %%
exact = {}
captioned = [i for i, ask in enumerate(test_asked.asks) if ask.kind == "caption"]
for name in ("llava", "blip2"):
    exact[name] = np.mean([bridging.cut(replies[name][i]) == bridging.cut(test_asked.answers[i]) for i in captioned])
    run.record(f"test.{name}.exact", exact[name])
    print(f"{name:6} {exact[name]:.2f} {got[f'test.{name}.caption']:.2f}")
assert exact["llava"] < got["test.llava.caption"]
# %% [markdown] lang="zh"
# 左列是描述题逐字比对的得分，右列是按真值判的。逐字比对把小 LLaVA 从 {= f"{got['test.llava.caption']:.2f}" =} 压到 {= f"{exact['llava']:.2f}" =}，扣掉的多半是另一句真话。
# %% [markdown] lang="en"
# On the left captions compared word by word, on the right by truth. The comparison of strings pushes the small LLaVA from {= f"{got['test.llava.caption']:.2f}" =} down to {= f"{exact['llava']:.2f}" =}; most of what it takes away is another true sentence.
# %%
import textwrap

fig, axes = plots.figure(4.8, 3.7, cols=2)
#zh> request, width = "描述这幅图。", 24
#en> request, width = "Describe the picture.", 32
for ax, i in zip(axes, captioned[:2]):
    image = test_images[test_asked.picture[i]]
    ax.imshow(image)
    lines = [f"LLaVA: {llava.answer(image[None], [request])[0]}", f"BLIP-2: {blip2.answer(image[None], [request])[0]}"]
    plots.bare(ax)
    ax.set_xlabel("\n".join(textwrap.fill(line, width) for line in lines), fontsize=9, linespacing=1.5)
#zh> plots.show(fig, "两幅测试图，下面是小 LLaVA 和小 BLIP-2 各自的一句描述。")
#en> plots.show(fig, "Two test pictures, and below each a caption by the small LLaVA and one by the small BLIP-2.")
# %%
for name, model in (("llava", llava), ("blip2", blip2)):
    path = checkpoints.save("06-bridging", name, model, model.config, seed=run.seed)
    again = bridging.load(name)
    assert again.answer(test_images[:1], test_words[:1]) == model.answer(test_images[:1], test_words[:1])
    print(path.name, f"{path.stat().st_size / 1e6:.1f} MB")
# %% [markdown] lang="zh" ids="real"
# ## 玩具与真家伙
#
# | | 这里 | 真实系统 |
# | --- | --- | --- |
# | 图像词元 | 16 | LLaVA-1.5：576；BLIP-2 用 ViT-L/14 时 257 |
# | 查询 | 8 | BLIP-2：32 |
# | 可训练的桥 | 几千到十几万参数 | Q-Former 约 1.88 亿 |
# | 数据 | 几千幅画出来的图 | BLIP-2：1.29 亿张图；LLaVA-1.5：55.8 万加 66.5 万条 |
# | 语言模型 | 7 万参数，读过一万多张小表格 | BLIP-2 可接 OPT-2.7B，LLaVA-1.5 有 13B；读过海量文字 |
# | 问题 | 五种句式 | 任意 |
#
# 来源：[BLIP-2](https://arxiv.org/abs/2301.12597)、[LLaVA-1.5](https://arxiv.org/abs/2310.03744)。另有两处不同：我们的 Q-Former 给图像词元加了位置向量；解码器在注意力之前混入前三个词元。
#
# 这里能看到的：冻结的语言模型可以被几个向量驱动；放开它更好；词元少了就丢东西；不看图就露馅。这里**看不到**的：哪座桥在真实规模上更好。
# %% [markdown] lang="en" ids="real"
# ## The toy and the real thing
#
# | | here | real systems |
# | --- | --- | --- |
# | picture tokens | 16 | LLaVA-1.5: 576; BLIP-2 with ViT-L/14: 257 |
# | queries | 8 | BLIP-2: 32 |
# | trained bridge | thousands to some hundred thousand parameters | Q-Former: about 188 million |
# | data | a few thousand drawn pictures | BLIP-2: 129 million pictures; LLaVA-1.5: 558,000 and 665,000 samples |
# | language model | 74,000 parameters, has read some ten thousand small tables | BLIP-2: OPT-2.7B for one, LLaVA-1.5: up to 13B; enormous amounts of text |
# | questions | five patterns | any |
#
# Sources: [BLIP-2](https://arxiv.org/abs/2301.12597), [LLaVA-1.5](https://arxiv.org/abs/2310.03744). Two more differences: our Q-Former adds place vectors to the picture tokens, and our decoder mixes in the three tokens before each attention.
#
# What can be seen here: a few vectors can drive a frozen language model; setting it free is better; fewer tokens lose things; a blank picture gives a guesser away. What can **not** be seen here is which bridge is better at real scale.
# %% [markdown] lang="zh" ids="breaks"
# ## 什么会推翻这些结论
#
# - **题目有偏**：若红色占一半，空图也能答对一半的颜色题。先测空图，再谈分数。
# - **语言模型更弱**：若解码器没学会读上下文，冻结它，谁来搭桥都没用；放开它，它还可以直接从问答里学。
# - **图更复杂**：两件东西，8 个查询绰绰有余；一页文档就不是了。
# - **步数**：Q-Former 学得慢：验证集上 150 步 {= run.spread("queries.8-aligned") =}，400 步 {= run.spread("validation.blip2") =}。预算一变，排名也会变。
# %% [markdown] lang="en" ids="breaks"
# ## What would break this
#
# - **Biased questions**: if half of all things were red, a blank picture would get half of the colours. Measure blank first, then talk about scores.
# - **A weaker language model**: if the decoder had not learned to read its context, no bridge to it would help while it is frozen; set free, it could still learn from the questions themselves.
# - **Richer pictures**: 8 queries are plenty for two things; for a page of text they are not.
# - **Steps**: a Q-Former learns slowly, on validation {= run.spread("queries.8-aligned") =} after 150 steps and {= run.spread("validation.blip2") =} after 400. Another budget, another ranking.
# %% [markdown] lang="zh" ids="exercises exercise-1" tags=["exercise"]
# ## 练习
#
# ### 练习一：打乱图像词元
#
# 把小 LLaVA 的 16 个图像词元随机换个次序再答题。先猜：哪几种题会垮，哪几种不会？
# %% [markdown] lang="en" ids="exercises exercise-1" tags=["exercise"]
# ## Exercises
#
# ### Exercise 1: shuffle the picture tokens
#
# Put the small LLaVA's 16 picture tokens into a random order and ask again. Guess first: which kinds of question suffer, and which do not?
# %% tags=["exercise"]
#zh| 在这里写你的代码：打乱 test_seen 的第 1 维，用 llava.reply 和 bridging.grade
#en| Your code: permute dimension 1 of test_seen, then llava.reply and bridging.grade
# %% tags=["solution"]
order = torch.from_numpy(run.rng(12).permutation(16))
mixed = bridging.grade(llava.reply(test_seen[:, order], test_words), test_asked, test_scenes)
for kind in kinds:
    print(f"{kind:9} {got[f'test.llava.{kind}']:.2f} {mixed[kind]:.2f}")
assert mixed["relation"] < got["test.llava.relation"] - 0.1
# %% [markdown] lang="zh" ids="exercise-2" tags=["exercise"]
# ### 练习二：换着说
#
# 温度 1 抽样，每题答五次。真话的比例降多少？五次里至少一次答对的比例又是多少？（偏好优化就靠这个差距。）
# %% [markdown] lang="en" ids="exercise-2" tags=["exercise"]
# ### Exercise 2: draw instead of choose
#
# Draw five answers to each question at temperature 1. How much does the share of true answers fall, and for what share is at least one of five true? (Preference optimisation lives on that gap.)
# %% tags=["solution"]
coin = torch.Generator().manual_seed(run.seed)
few = range(0, 600, 4)
right = []
for _ in range(5):
    drawn = blip2.reply(test_seen[::4], test_words[::4], temperature=1.0, generator=coin)
    right.append([truth.score(test_asked.asks[i], a, test_scenes[test_asked.picture[i]]).true for i, a in zip(few, drawn)])
print(f"{np.mean(right):.2f} {np.any(right, axis=0).mean():.2f}")
assert np.any(right, axis=0).mean() > np.mean(right)
# %% [markdown] lang="zh" ids="exercise-3" tags=["exercise"]
# ### 练习三：最坏的是非题
#
# 训练时“没有”的题里，多半颜色或形状根本不在图上。换成**拼凑**的：一件的颜色配另一件的形状。两个模型还说“没有”吗？
# %% [markdown] lang="en" ids="exercise-3" tags=["exercise"]
# ### Exercise 3: the nastiest yes–no question
#
# In training, most questions with the answer “no” name a colour or shape that is not in the picture at all. Ask for a **mixture** instead: the colour of one thing with the shape of the other. Do both models still say no?
# %% tags=["solution"]
mixtures = [truth.Ask("yesno", "en", s.placed[0].thing.colour, s.placed[1].thing.shape) for s in test_scenes[:150]]
for name, model in (("llava", llava), ("blip2", blip2)):
    said = model.answer(test_images[:150], [truth.wording(a) for a in mixtures])
    denied = np.mean([truth.score(a, r, s).true for a, r, s in zip(mixtures, said, test_scenes)])
    run.record(f"mixtures.{name}", denied)
    print(f"{name:6} {denied:.2f} {got[f'test.{name}.yesno']:.2f}")
# %% [markdown] lang="zh" ids="exercise-3-why" tags=["solution"]
# #### 说“有”的，就是物体幻觉
#
# 左列是拼凑题，右列是普通是非题。各种子平均，拼凑题小 LLaVA {= run.spread("mixtures.llava") =}，小 BLIP-2 {= run.spread("mixtures.blip2") =}：种子之间差得很远，因为训练里这样的反例很少。一般的是非题考不出绑定；[实验十](10-evaluation.ipynb)用这类探针测幻觉。
# %% [markdown] lang="en" ids="exercise-3-why" tags=["solution"]
# #### Every “yes” is an object hallucination
#
# On the left the mixtures, on the right ordinary yes–no questions. Over seeds the mixtures get {= run.spread("mixtures.llava") =} from the small LLaVA and {= run.spread("mixtures.blip2") =} from the small BLIP-2: far apart from seed to seed, because training has few such counter-examples. Ordinary ones do not test binding; [lab 10](10-evaluation.ipynb) measures hallucination with probes like these.
# %% [markdown] lang="zh" ids="predictions"
# ## 对答案
#
# 1. 能。冻结解码器、只训练投影器，开放题 {= run.spread("test.projector.open") =}。
# 2. 同样 150 步，Q-Former（8 个查询）{= run.spread("queries.8") =}，投影器 {= run.spread("queries.projector") =}：参数多，更难训练。
# 3. 开放题 {= run.spread("test.blank.open") =}，是非题 {= run.spread("test.blank.yesno") =}。
# 4. {= f"{by_string:.2f}" =}。每幅图有 2 句或 4 句真话，参考只有一句。
# 5. 1 个查询 {= run.spread("queries.1") =}，8 个 {= run.spread("queries.8") =}。两件东西挤进一个向量，谁配谁就难分了。
# %% [markdown] lang="en" ids="predictions"
# ## Your predictions against the run
#
# 1. Yes. With the decoder frozen and the projector alone trained: {= run.spread("test.projector.open") =} of the open questions.
# 2. After the same 150 steps the Q-Former (8 queries) has {= run.spread("queries.8") =}, the projector {= run.spread("queries.projector") =}: more parameters, and harder to train.
# 3. Open questions {= run.spread("test.blank.open") =}, yes–no {= run.spread("test.blank.yesno") =}.
# 4. {= f"{by_string:.2f}" =}. Each picture has 2 or 4 true captions, and the reference is one of them.
# 5. 1 query {= run.spread("queries.1") =}, 8 queries {= run.spread("queries.8") =}. With two things squeezed into one vector it is hard to say which is which.
# %% [markdown] lang="zh" ids="further"
# ## 接着看
#
# - 章节：[连接器](../principles/architectures.md#connectors)、[学来的查询](../principles/attention.md#learned-queries)、[标签掩码](../principles/training.md#masking)、[幻觉](../principles/trust.md#hallucination)
# - 面试题：[几种常见的多模态学习架构](../interview/q/seed-7-3.md)、[国外知名的多模态大模型](../interview/q/seed-4.md)
# - 实验：[对比学习](05-contrastive.ipynb)
# %% [markdown] lang="en" ids="further"
# ## Where to go next
#
# - Chapters: [connectors](../principles/architectures.md#connectors), [learned queries](../principles/attention.md#learned-queries), [label masks](../principles/training.md#masking), [hallucination](../principles/trust.md#hallucination)
# - Questions: [common multimodal architectures](../interview/q/seed-7-3.md), [well-known models from abroad](../interview/q/seed-4.md)
# - Lab: [contrastive learning](05-contrastive.ipynb)
