# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   mmlab:
#     description:
#       zh: 声音说是哪一个，文字问什么，图像给出答案：少任何一路都只剩一半的准确率；训练为什么停在平台上，缺一路时怎样不装懂。
#       en: A tone says which, the text asks what, the picture answers; without any one it is 50 %. Why training stalls, and how to be honest when a sense fails.
#     seeds: 3
#     headline:
#       - {figure: test.three, zh: 三路齐全, en: all three senses}
#       - {figure: test.best-two, zh: 任意两路中最好的, en: the best two of them}
#       - {figure: test.linear, zh: 三路拼接 + 线性, en: "all three, concatenation + linear"}
#       - {figure: valid.scratch, zh: 声音编码器从头训练（验证集）, en: tone encoder from scratch (validation)}
#       - {figure: missing.dropout.named, zh: 缺声音、文字已点名，丢弃训练, en: "tone missing, text names it, trained with dropout"}
# ---
# %% [markdown] lang="zh" ids="three-modalities"
# # 实验七：三种模态，缺一不可
#
# 一声响，一句话，一幅图。声音说**是哪一个**东西，文字问它的**什么**，答案在图里。**三路各管一段的题，模型学得会吗？少了一路，它知道自己少了吗？**
#
# 先写下你的预测，再运行。末尾对答案。
#
# 1. 三路都在能全对的题，去掉任意一路，准确率最高还剩多少？去掉声音和去掉图像一样吗？
# 2. 三路编码后拼接，接一个线性层。它看得到全部信息，测试准确率会是多少？
# 3. 同一个模型，声音编码器一个从头训练，一个先用 150 步学会“听音辨色”。500 步之后差多少？
# 4. 测试时麦克风坏了。一个从没练过缺声音的模型，平均有多大把握？
# 5. 有一半的问题顺便说出了颜色，声音其实多余。普通训练的模型缺了声音，会去用文字里的颜色吗？
#
# 背景在[缺失模态](../principles/challenges.md#missing-modality)、[协同](../principles/concepts.md#interactions)和[可加上限](../principles/fusion.md#additive-ceiling)；对应的面试题是[多模态学习的常见挑战](../interview/q/seed-7-2.md)。
# %% [markdown] lang="en" ids="three-modalities"
# # Lab 7: three senses, none to spare
#
# A tone, a sentence, a picture. The tone says **which** thing, the text asks **what** about it, the answer is in the picture. **Can a model learn a task in which each of three has its own part? And if one is missing, does it know?**
#
# Write down your predictions before you run anything. The answers are at the end.
#
# 1. With all three, every question can be answered. Take one away: what is the best accuracy left? Is losing the tone as bad as losing the picture?
# 2. Encode all three, concatenate, add one linear layer. It sees everything: what is its accuracy in the test?
# 3. Two copies of one model: the first trains its tone encoder from scratch, the second's has learned in 150 steps to name the colour of a tone. How far apart are they after 500 steps?
# 4. In the test the microphone breaks. A model that never trained without a tone: how sure is it on average?
# 5. Half the questions happen to name the colour, so the tone is redundant. Will an ordinarily trained model, without the tone, use the colour in the text?
#
# The background is in [missing modalities](../principles/challenges.md#missing-modality), [synergy](../principles/concepts.md#interactions) and [the additive ceiling](../principles/fusion.md#additive-ceiling); the interview question is [common challenges of multimodal learning](../interview/q/seed-7-2.md).
# %% tags=["setup"] needs="numpy pillow torch matplotlib tqdm safetensors pylopdf-fonts-zh-cn"
# %%
import copy
from itertools import combinations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mmlab import checkpoints, cubes, plots, scenes, text, three, train
from mmlab.runs import Run

run = Run("07-three-modalities")
# %% [markdown] lang="zh" ids="cube"
# ## 一个立方体：八道题
#
# 两幅图、两声响、两个问题，配成 $2\times2\times2=8$ 道题。两幅图里形状和位置都一样，只是**颜色对调**。两声响的音高各代表一种颜色，音色随机，不泄露形状；还埋在很响的噪声里。两个问题问的是不同的事：形状、左右、上下中的两样。
# %% [markdown] lang="en" ids="cube"
# ## A cube: eight questions
#
# Two pictures, two tones, two questions make $2\times2\times2=8$ samples. The two pictures have the same shapes in the same places; only their **colours are exchanged**. Each tone has the pitch of one colour; its timbre is random, so that it does not give the shape away, and it is buried in loud noise. The two questions ask for different things: two out of shape, left or right, top or bottom.
# %% tags=["both"]
example = cubes.cubes(2, seed=5)
#zh> first = range(8)
#en> first = range(8, 16)
for i in first:
    s = example.sample(i)
    print(s.picture, example.colours[s.sound], "|", example.questions[s.question], "→", cubes.ANSWERS[s.answer])
# %%
fig, axes = plots.figure(4.8, 1.6, cols=4)
for k in (0, 1):
    axes[k].imshow(example.pictures[k])
    axes[2 + k].imshow(three.log_mels(example.sounds[k : k + 1])[0].T, origin="lower", aspect="auto")
#zh> for k in (0, 1): plots.bare(axes[k], f"图 {k}"); plots.bare(axes[2 + k], f"声 {k}")
#zh> axes[2].set(xlabel="时间", ylabel="频率")
#zh> plots.show(fig, "一个立方体：两幅图的形状和位置相同、颜色对调；两声响的对数梅尔谱，亮线的高低不同。")
#en> for k in (0, 1): plots.bare(axes[k], f"picture {k}"); plots.bare(axes[2 + k], f"tone {k}")
#en> axes[2].set(xlabel="time", ylabel="frequency")
#en> plots.show(fig, "A cube: two pictures with the same shapes and places but exchanged colours; the log-mel spectrograms of two tones, whose bright lines differ in height.")
# %% [markdown] lang="zh" ids="ceilings"
# ## 上限：数出来的，不是练出来的
#
# 记 $y_{paq}$ 为图 $p$、声 $a$、问 $q$ 的答案。缺了声音，$(p,0,q)$ 和 $(p,1,q)$ 看起来一模一样，答案却不同，至多对一个。所以不管怎么训练，
#
# $$\max_f\ \frac18\sum_{p,a,q}\big[f(p,q)=y_{paq}\big]=\frac12$$
#
# 缺图、缺文字同理。下面对一千个立方体逐个枚举。
# %% [markdown] lang="en" ids="ceilings"
# ## Ceilings: counted, not trained
#
# Let $y_{paq}$ be the answer for picture $p$, tone $a$, question $q$. Without the tone, $(p,0,q)$ and $(p,1,q)$ look exactly alike and have different answers, so at most one can be right. However one trains,
#
# $$\max_f\ \frac18\sum_{p,a,q}\big[f(p,q)=y_{paq}\big]=\frac12$$
#
# and the same holds without the picture or the text. Here are a thousand cubes, one by one.
# %%
many = cubes.cubes(1000, seed=7, size=8, seconds=0.04).cubes()
for n in range(4):
    for senses in combinations(cubes.MODALITIES, n):
        values = [cubes.ceiling(cube, senses) for cube in many]
        print(f"{' + '.join(senses) or '-':22} {min(values):.2f} … {max(values):.2f}")
        assert n != 2 or max(values) == min(values) == 0.5
        assert n != 3 or min(values) == 1
# %% [markdown] lang="zh" ids="additive"
# ### 相加的模型
#
# 三路拼接接线性层，每个答案的分数是 $f(p)+g(a)+h(q)$。固定问题，$h$ 对四道题都一样，剩下图和声的交叉 2×2 块，相加至多对四分之三（[证明](../principles/fusion.md#proof)）。两个问题都如此，所以整个立方体也是。
# %% [markdown] lang="en" ids="additive"
# ### A model that adds
#
# Concatenate all three before a linear layer, and an answer's score is $f(p)+g(a)+h(q)$. Hold the question fixed: $h$ is the same for all four samples, what is left is a crossed 2×2 block of pictures and tones, and a sum is right at most three times in four ([proof](../principles/fusion.md#proof)). That goes for both questions, so for the cube.
# %%
additive = {cubes.additive_ceiling(cube) for cube in many[:50]}
print(additive)
assert additive == {0.75}
# %% [markdown] lang="zh" ids="data"
# ## 数据
#
# 训练、验证、测试各用自己的种子。红色星形和蓝色星形在训练里不出现，单独留作一份**留出**题。模型的结构、学习率、步数都在验证集上选定；测试集和留出集只在最后打开一次。
# %% [markdown] lang="en" ids="data"
# ## Data
#
# Training, validation and test have seeds of their own. Red stars and blue stars do not occur in training; they make a set of **held-out** questions. Architecture, learning rate and steps were chosen on the validation set; test and held-out set are opened once, at the end.
# %%
HELD_OUT = {scenes.Thing("red", "star"), scenes.Thing("blue", "star")}
seed = 100 * (run.seed + 1)

def familiar(scene):
    return not HELD_OUT & scene.things

training_cubes = cubes.cubes(1000, seed, allow=familiar)
vocabulary = text.Vocabulary.fit(
    training_cubes.questions + cubes.cubes(200, seed + 1, size=8, seconds=0.04, named=1.0).questions
)
training = three.Senses(training_cubes, vocabulary)
valid = three.Senses(cubes.cubes(100, seed + 2, allow=familiar), vocabulary)
print(len(training), len(valid), "|", len(vocabulary), vocabulary.tokens[4:12])
print(*(tuple(part.shape) for part in training.batch(torch.arange(128))))
# %% [markdown] lang="zh" ids="tone-encoder"
# ## 先教会耳朵
#
# 单独的一声响，配上它的颜色，就是一个四选一的小任务。图和文字都用不着。练 150 步，之后**冻结**。这和真实系统用预训练好的语音编码器是同一个道理。
# %% [markdown] lang="en" ids="tone-encoder"
# ## Teach the ear first
#
# A single tone and its colour make a small task with four classes; it needs neither pictures nor text. We train 150 steps, then **freeze**. Real systems use a pre-trained speech encoder for the same reason.
# %%
torch.manual_seed(run.seed)
ear = three.ToneEncoder()
namer = nn.Sequential(ear, nn.Linear(64, len(scenes.COLOURS)))
colours = torch.tensor([list(scenes.COLOURS).index(c) for c in training_cubes.colours])

def name_loss(picked):
    return F.cross_entropy(namer(training.mels[picked]), colours[picked])

train.fit(namer, name_loss, len(colours), steps=150, batch=64, seed=run.seed)
fresh = cubes.cubes(100, seed + 3, size=8)
with torch.inference_mode():
    guess = namer(three.log_mels(fresh.sounds)).argmax(1).tolist()
heard = np.mean([list(scenes.COLOURS)[g] == c for g, c in zip(guess, fresh.colours)])
run.record("valid.tone", heard)
print(f"{heard:.3f}")
assert heard > 0.95
# %% [markdown] lang="zh" ids="model"
# ## 模型：问着去看
#
# 图切成 4 个词元 $V\in\mathbb{R}^{4\times D}$（一格一个），声音是一个向量 $a$，文字是一个向量 $t$，$D=64$。声音和文字合成查询，去图里找；找到的 $v$ 再与文字逐个数相乘，读出答案：
#
# $$v=\mathrm{softmax}\Big(\frac{(W_q[a;t])\,(VW_k)^\top}{\sqrt{d}}\Big)VW_v,\qquad z=\mathrm{MLP}\big([\,W_vv\odot W_tt\,;\,v\,]\big)\in\mathbb{R}^{8}$$
#
# 声音决定**看哪里**，文字决定**读什么**。每一路还有一个可学的占位向量，后面用。
# %% [markdown] lang="en" ids="model"
# ## The model: ask, then look
#
# The picture is 4 tokens $V\in\mathbb{R}^{4\times D}$, one for each cell; the tone is a vector $a$, the text a vector $t$, $D=64$. Tone and text make the query that searches the picture; what is found, $v$, is multiplied by the text number by number, and the answer is read from that:
#
# $$v=\mathrm{softmax}\Big(\frac{(W_q[a;t])\,(VW_k)^\top}{\sqrt{d}}\Big)VW_v,\qquad z=\mathrm{MLP}\big([\,W_vv\odot W_tt\,;\,v\,]\big)\in\mathbb{R}^{8}$$
#
# The tone decides **where to look**, the text **what to read**. Each sense also has a learned place holder, for later.
# %%
def new_model(fuse="attention", pretrained=True):
    torch.manual_seed(run.seed)
    model = three.ThreeSenses(len(vocabulary), fuse)
    if pretrained:
        model.audio.load_state_dict(ear.state_dict())
        model.audio.requires_grad_(False)
    return model

def learn(model, steps, missing=()):
    present = three.without(128, missing) if missing else None

    def loss(picked):
        return F.cross_entropy(model(training.batch(picked), present), training.answers[picked])

    return train.fit(model, loss, len(training), steps=steps, seed=run.seed,
                     check=lambda: three.accuracy(model, valid, missing), checks=5)
# %%
model = new_model()
print(train.parameters(model), train.parameters(model, trainable=True))
history = learn(model, 500)
print([f"{step}: {accuracy:.2f}" for step, accuracy in history.checks])
run.record("valid.three", history.checks[-1][1])
assert history.checks[-1][1] > 0.9
# %% [markdown] lang="zh" ids="plateau"
# ## 平台：两路都没学会，谁也教不了谁
#
# 同样的模型，同样的初始值，只是声音编码器从头训练。点线是两个“该停”的高度：只懂问题的损失 $(\ln4+2\ln2)/3\approx0.92$，懂问题又看图的损失 $\ln2\approx0.69$。
# %% [markdown] lang="en" ids="plateau"
# ## The plateau: neither can teach the other
#
# The same model from the same start, except that its tone encoder is trained from scratch. Dotted lines mark two heights at which to stall: the loss of one who understands only the question, $(\ln4+2\ln2)/3\approx0.92$, and of one who also sees the picture, $\ln2\approx0.69$.
# %%
scratch = new_model(pretrained=False)
scratch_history = learn(scratch, 500)
print([f"{step}: {accuracy:.2f}" for step, accuracy in scratch_history.checks])
run.record("valid.scratch", scratch_history.checks[-1][1])
assert scratch_history.checks[-1][1] < history.checks[-1][1] + 0.02
# %%
fig, ax = plots.figure(4.8, 2.5)
ax.plot(scratch_history.smooth(20), color=plots.ORANGE, linestyle="--")
ax.plot(history.smooth(20), color=plots.GREEN)
for level in ((np.log(4) + 2 * np.log(2)) / 3, np.log(2)):
    ax.axhline(level, color=plots.INK, linewidth=0.8, linestyle=":")
ax.set(ylim=(0, 2.1), xlim=(0, 500))
#zh> ax.set(xlabel="步", ylabel="训练损失")
#zh> ax.legend(["声音编码器从头训练", "声音编码器预训练"])
#zh> plots.show(fig, "训练损失：两条曲线先一起降到只懂问题的高度；预训练的随后降到零，从头训练的在两条点线附近徘徊几百步。")
#en> ax.set(xlabel="step", ylabel="training loss")
#en> ax.legend(["tone encoder from scratch", "tone encoder pre-trained"])
#en> plots.show(fig, "Training loss: both curves first fall to the level of one who only understands the question; the pre-trained one then falls to zero, the other lingers around the two dotted levels for hundreds of steps.")
# %% [markdown] lang="zh" ids="why-plateau"
# ### 为什么停住
#
# 声音有用，要等注意力会按颜色去找；注意力学会按颜色找，要等声音的向量分得出颜色。两边都没学会时，换一声响，答案各变一半，梯度的平均几乎为零，剩下的全是噪声。这与异或、奇偶校验难学是同一回事（[Shalev-Shwartz 等 2017](https://arxiv.org/abs/1703.07950)）。
#
# 预训练先把一边做好：声音已经分成四簇，注意力从第一步起就有东西可对。课程学习也是这个思路：先易后难，一次只缺一块。从头训练的验证准确率是 {= run.spread("valid.scratch") =}，预训练是 {= run.spread("valid.three") =}。这个差距依赖噪声：声音越干净，从头训练越可能自己走出平台。
# %% [markdown] lang="en" ids="why-plateau"
# ### Why it stalls
#
# The tone is useful once attention searches by colour; attention learns to search by colour once the tone's vector tells colours apart. While neither holds, another tone changes the answer as often one way as the other, the mean gradient almost cancels, and what is left is noise. XOR and parity are hard to learn for the same reason ([Shalev-Shwartz et al. 2017](https://arxiv.org/abs/1703.07950)).
#
# Pre-training settles one side first: the tones already lie in four clusters, so attention has something to match from the first step. A curriculum does likewise: from easy to hard, one missing piece at a time. From scratch the validation accuracy is {= run.spread("valid.scratch") =}, pre-trained {= run.spread("valid.three") =}. The gap depends on the noise: the cleaner the tone, the likelier the model leaves the plateau by itself.
# %% [markdown] lang="zh" ids="any-two"
# ## 任意两路，以及相加
#
# 同样的结构再训练三个，每个从头到尾缺一路（换成占位向量）；再训练一个三路齐全、但只会相加的。
# %% [markdown] lang="en" ids="any-two"
# ## Any two, and all three added
#
# Three more of the same architecture, each without one sense from beginning to end (the place holder takes its place); and one that has all three but can only add.
# %%
lacking = {}
for name in cubes.MODALITIES:
    lacking[name] = new_model()
    print(name, f"{learn(lacking[name], 250, (name,)).checks[-1][1]:.2f}")
linear = new_model("linear")
print("linear", f"{learn(linear, 400).checks[-1][1]:.2f}")
# %% [markdown] lang="zh" ids="test"
# ## 打开测试集
# %% [markdown] lang="en" ids="test"
# ## The test set, opened
# %%
test_cubes = cubes.cubes(200, seed + 4, allow=familiar)
test = three.Senses(test_cubes, vocabulary)
run.record("test.three", three.accuracy(model, test))
run.record("test.linear", three.accuracy(linear, test))
for name in cubes.MODALITIES:
    run.record(f"test.no-{name}", three.accuracy(lacking[name], test, (name,)))
run.record("test.best-two", max(run.recorded[f"test.no-{name}"] for name in cubes.MODALITIES))
for name, value in run.recorded.items():
    print(f"{name:16} {value:.3f}")
assert run.recorded["test.three"] > 0.9
assert run.recorded["test.best-two"] <= 0.51 and run.recorded["test.linear"] <= 0.76
# %%
rows = ["no-image", "no-audio", "no-text", "linear", "three"]
means = [run.mean(f"test.{row}") for row in rows]
stds = [run.std(f"test.{row}") for row in rows]
fig, ax = plots.figure(4.8, 2.3)
ax.barh(range(5), means, xerr=stds, height=0.6, color=[plots.SKY] * 3 + [plots.AMBER, plots.GREEN])
for k, value in enumerate(means):
    ax.text(0.02, k, f"{value:.2f}", va="center", color="black")
for level in (0.5, 0.75):
    ax.axvline(level, color=plots.INK, linestyle=":")
ax.set(xlim=(0, 1.08), ylim=(-0.5, 4.6))
#zh> ax.set_yticks(range(5), ["缺图像", "缺声音", "缺文字", "三路，相加", "三路，注意力"])
#zh> ax.set_xlabel("测试准确率（点线：两路的上限 0.5，相加的上限 0.75）")
#zh> plots.show(fig, "测试准确率的条形图：缺任何一路都不超过一半，三路相加也在一半左右，三路用注意力接近全对。")
#en> ax.set_yticks(range(5), ["no picture", "no tone", "no text", "three, added", "three, attention"])
#en> ax.set_xlabel("test accuracy (dotted: ceilings 0.5 of two, 0.75 of adding)")
#en> plots.show(fig, "Bars of test accuracy: without any one sense at most a half, all three added about a half too, all three with attention nearly all right.")
# %% [markdown] lang="zh"
# 三路齐全 {= run.spread("test.three") =}；任意两路最好 {= run.spread("test.best-two") =}。缺图像的那个连一半都不到：上限说的是“知道这个立方体有哪两个答案”的人，它连是哪两个都不知道，形状题只能四选一。
#
# 相加的模型 {= run.spread("test.linear") =}，离它的上限 0.75 还远。要拿到四分之三，得在每个块里故意牺牲一格；交叉熵对四格一视同仁，最后停在中间。
# %% [markdown] lang="en"
# All three {= run.spread("test.three") =}; the best two {= run.spread("test.best-two") =}. The one without a picture does not even reach a half: the ceiling belongs to somebody who knows which two answers a cube has. It does not know that, and for a shape has to guess one in four.
#
# The adding model, {= run.spread("test.linear") =}, is far from its ceiling of 0.75. To get three in four it would have to sacrifice one cell of each block; cross-entropy treats the four alike and ends in the middle.
# %% [markdown] lang="zh" ids="control"
# ## 对照：换一声响
#
# 真的在听吗？把测试题的声音换成**同一立方体的另一声**，别的不动。若模型在听，答案应当跟着声音走：对原来的题全错，对换了声的题全对。再看注意力：四个头里，有没有一个总落在发声的那个东西所在的格子里。下图画的是这样的一个头。
# %% [markdown] lang="en" ids="control"
# ## A control: another tone
#
# Does it really listen? Give each test question **the other tone of its cube** and leave the rest alone. If the model listens, the answer follows the tone: wrong for the old question, right for the new one. And the attention: does one of the four heads always fall on the cell of the thing that sounds? The figure shows that head.
# %%
swapped = copy.copy(test)
swapped.index = test.index.clone()
swapped.index[:, 1] = test.index[:, 1] ^ 1
guess = three.probabilities(model, swapped).argmax(1)
follows = test_cubes.cubes()[:, :, ::-1].reshape(-1)
old = float((guess == test.answers).float().mean())
new = float((guess.numpy() == follows).mean())
run.record("swap.follows", new)
print(f"{old:.3f} {new:.3f}")
assert new > 0.9 and old < 0.1
# %%
def cell_of(scene, colour):
    place = next(p for p in scene.placed if p.thing.colour == colour)
    return 2 * place.row + place.col

right_cell = torch.tensor([cell_of(test_cubes.scenes[p], test_cubes.colours[a]) for p, a, _ in test_cubes.index])
with torch.inference_mode():
    weights = model.attend(test.batch(torch.arange(len(test))))[1]
on_it = weights[torch.arange(len(test)), :, right_cell].mean(0)
print([f"{value:.2f}" for value in on_it])
weights = weights[:, on_it.argmax()]
run.record("attention.best-head", on_it.max())
assert on_it.max() > 0.7
# %%
fig, axes = plots.figure(4.4, 2.3, cols=2)
for ax, i in zip(axes, (0, 2)):
    ax.imshow(test_cubes.pictures[test_cubes.index[i, 0]])
    for cell in range(4):
        x, y = 16 * (cell % 2) + 7.5, 16 * (cell // 2) + 7.5
        ax.text(x, y, f"{weights[i, cell]:.0%}", ha="center", va="center", color="black",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5})
#zh> for ax, k in zip(axes, (0, 1)): plots.bare(ax, f"声音：{scenes.word(test_cubes.colours[k], 'zh')}")
#zh> plots.show(fig, "同一幅图、同一个问题配两声响，最准的那个头在各格的注意力百分比：声音是哪种颜色，权重就落在哪种颜色的格子里。")
#en> for ax, k in zip(axes, (0, 1)): plots.bare(ax, f"tone: {test_cubes.colours[k]}")
#en> plots.show(fig, "One picture and one question with two tones, and the percentage of attention that the best head gives to each cell: it lies on the cell whose colour the tone says.")
# %% [markdown] lang="zh" ids="held-out"
# ## 没见过的组合
#
# 红色星形和蓝色星形，训练里一次也没有。下面每个立方体的两幅图里都有其中之一；分开看问到星形本身的题，和问到另一个东西的题。
# %% [markdown] lang="en" ids="held-out"
# ## Combinations never seen
#
# Red stars and blue stars did not occur in training even once. In each cube below, both pictures have one; questions about the star itself are counted apart from questions about the other thing.
# %%
new_cubes = cubes.cubes(200, seed + 5, allow=lambda scene: bool(HELD_OUT & scene.things))
unseen = three.Senses(new_cubes, vocabulary)
right = (three.probabilities(model, unseen).argmax(1) == unseen.answers).numpy()
asked = np.array([
    any(p.thing in HELD_OUT and p.thing.colour == new_cubes.colours[a] for p in new_cubes.scenes[i].placed)
    for i, a, _ in new_cubes.index
])
shape = np.array(new_cubes.kinds) == "shape"
run.record("heldout.all", right.mean())
run.record("heldout.star-shape", right[asked & shape].mean())
run.record("heldout.star-place", right[asked & ~shape].mean())
run.record("heldout.other", right[~asked].mean())
for name in ("all", "star-shape", "star-place", "other"):
    print(f"{name:11} {run.recorded[f'heldout.{name}']:.2f}")
assert right.mean() > 0.5
# %% [markdown] lang="zh"
# 整体 {= run.spread("heldout.all") =}，低于测试集的 {= run.spread("test.three") =}。位置题对 {= run.spread("heldout.star-place") =}，红色或蓝色星形的形状题对 {= run.spread("heldout.star-shape") =}。训练里红色从不与星形同现，“红的就不是星”这条捷径没有被罚过。怎样让组合能推广，是[实验三](03-training.ipynb)的主题。
# %% [markdown] lang="en"
# Overall {= run.spread("heldout.all") =}, below the test set's {= run.spread("test.three") =}. Questions of place are right in {= run.spread("heldout.star-place") =}, those for the shape of a red or blue star in {= run.spread("heldout.star-shape") =}. In training red never came with a star, so the shortcut “red is no star” was never punished. How to generalise to new combinations is the subject of [lab 3](03-training.ipynb).
# %% [markdown] lang="zh" ids="missing"
# ## 缺一路：先要有余地
#
# 上面的题缺了声音就只能猜，怎么训练都没有用：信息不在了。要让训练帮得上忙，题里得有**冗余**。所以换一份数据：一半的立方体，问题顺便说出颜色（“发声的红色东西是什么形状？”）。缺声音时的上限变成 $\tfrac12\cdot1+\tfrac12\cdot\tfrac12=0.75$。
#
# 从上面的模型出发各微调 400 步：一个照常；一个用**模态丢弃**（[Neverova 等 2014](https://arxiv.org/abs/1501.00102)），每个样本有一半机会丢掉声音，换成可学的占位向量。
# %% [markdown] lang="en" ids="missing"
# ## One missing: there must be something to fall back on
#
# Without the tone the questions above are a coin toss, and no training helps: the information is gone. For training to help there must be **redundancy**. So here is other data: in half the cubes the question happens to name the colour (“What shape is the red thing you hear?”). The ceiling without the tone is now $\tfrac12\cdot1+\tfrac12\cdot\tfrac12=0.75$.
#
# We fine-tune the model above twice, 400 steps each: once as usual; once with **modality dropout** ([Neverova et al. 2014](https://arxiv.org/abs/1501.00102)), where each sample loses its tone with probability one half and a learned place holder takes its place.
# %%
redundant = three.Senses(cubes.cubes(1000, seed + 6, allow=familiar, named=0.5), vocabulary)

def fine_tune(rate):
    tuned = copy.deepcopy(model)
    coin = torch.Generator().manual_seed(run.seed)

    def loss(picked):
        present = three.drop_senses(len(picked), (0, rate, 0), coin)
        return F.cross_entropy(tuned(redundant.batch(picked), present), redundant.answers[picked])

    train.fit(tuned, loss, len(redundant), steps=400, seed=run.seed)
    return tuned

tuned = {"plain": fine_tune(0.0), "dropout": fine_tune(0.5)}
# %%
loud_cubes = cubes.cubes(200, seed + 7, allow=familiar, named=0.5)
loud = three.Senses(loud_cubes, vocabulary)
groups = {"named": loud_cubes.named, "unnamed": ~loud_cubes.named}
for name, tuned_model in tuned.items():
    run.record(f"complete.{name}", three.accuracy(tuned_model, loud))
    p = three.probabilities(tuned_model, loud, ("audio",))
    right, sure = (p.argmax(1) == loud.answers).numpy(), p.amax(1).numpy()
    for group, members in groups.items():
        run.record(f"missing.{name}.{group}", right[members].mean())
        run.record(f"sure.{name}.{group}", sure[members].mean())
        print(f"{name:8} {group:8} {right[members].mean():.2f} {sure[members].mean():.2f}")
assert run.recorded["complete.dropout"] > 0.9
assert run.recorded["missing.dropout.named"] > 0.75 and run.recorded["missing.plain.named"] < 0.7
# %% [markdown] lang="zh" ids="confidence"
# ### 对了多少，有多大把握
#
# 每组两根条：准确率和平均把握（最大概率）。好的模型两根一样高。
# %% [markdown] lang="en" ids="confidence"
# ### How often right, how sure
#
# Two bars for each group: the accuracy, and the mean confidence (the largest probability). In a good model they are equally high.
# %%
fig, axes = plots.figure(4.8, 2.4, cols=2, sharey=True)
for ax, name in zip(axes, tuned):
    for k, group in enumerate(groups):
        for shift, kind, colour, hatch in ((-0.2, "missing", plots.GREEN, ""), (0.2, "sure", plots.PINK, "//")):
            figure = f"{kind}.{name}.{group}"
            ax.bar(k + shift, run.mean(figure), 0.36, yerr=run.std(figure), color=colour, hatch=hatch)
    ax.set(ylim=(0, 1.3), yticks=[0, 0.5, 1])
    ax.axhline(0.5, color=plots.INK, linestyle=":", linewidth=0.8)
#zh> for ax, title in zip(axes, ("照常训练", "模态丢弃")): ax.set_title(title); ax.set_xticks([0, 1], ["文字点了名", "没点名"])
#zh> axes[0].legend(["0.5", "准确率", "把握"], loc="upper left", ncols=3, columnspacing=0.8, handlelength=1.2, fontsize=8)
#zh> plots.show(fig, "缺声音时的准确率和把握：照常训练的模型只对一半却几乎满把握；模态丢弃的模型点名时又准又有把握，没点名时只对一半、把握也约一半。")
#en> for ax, title in zip(axes, ("trained as usual", "modality dropout")): ax.set_title(title); ax.set_xticks([0, 1], ["text names it", "it does not"])
#en> axes[0].legend(["0.5", "accuracy", "confidence"], loc="upper left", ncols=3, columnspacing=0.8, handlelength=1.2, fontsize=8)
#en> plots.show(fig, "Accuracy and confidence without the tone: the ordinary model is right half the time yet almost certain; the one trained with dropout is right and sure where the text names the thing, and right half the time and half sure where it does not.")
# %% [markdown] lang="zh"
# 照常训练的模型缺了声音，文字明明点了名，也只对 {= run.spread("missing.plain.named") =}：训练时声音一直在，颜色词从来用不着。把握却有 {= run.spread("sure.plain.named") =}。它不知道自己聋了。
#
# 模态丢弃的模型在点名的题上对 {= run.spread("missing.dropout.named") =}；没点名的题仍只对 {= run.spread("missing.dropout.unnamed") =}（这是上限），但把握降到 {= run.spread("sure.dropout.unnamed") =}，等于在说“二选一，我不知道”。三路齐全时它没有变差：{= run.spread("complete.dropout") =}。下面是一道没点名的题，普通模型对它很有把握。
# %% [markdown] lang="en"
# Without the tone the ordinary model is right in only {= run.spread("missing.plain.named") =} even where the text names the thing: in training the tone was always there, so the colour word was never needed. Yet its confidence is {= run.spread("sure.plain.named") =}. It does not know that it is deaf.
#
# The one trained with dropout is right in {= run.spread("missing.dropout.named") =} of the named questions; of the others still only {= run.spread("missing.dropout.unnamed") =} (that is the ceiling), but its confidence falls to {= run.spread("sure.dropout.unnamed") =}: it says “one of two, I do not know which”. With all three it is no worse: {= run.spread("complete.dropout") =}. Below is one question that names nothing and of which the ordinary model is very sure.
# %% tags=["both"]
def shape_question(wanted):
    sure = three.probabilities(tuned["plain"], loud, ("audio",)).amax(1)
    for i in range(len(loud)):
        lang = ("zh", "en")[(i // 8) % 2]
        if lang == wanted and sure[i] > 0.9 and not loud_cubes.named[i] and loud_cubes.kinds[i] == "shape":
            return i

#zh> i = shape_question("zh")
#en> i = shape_question("en")
one = loud_cubes.sample(i)
print(loud_cubes.questions[one.question], "→", cubes.ANSWERS[one.answer])
fig, axes = plots.figure(4.8, 2.6, cols=2, sharey=True)
for ax, (name, tuned_model) in zip(axes, tuned.items()):
    with torch.inference_mode():
        p = tuned_model(loud.batch(torch.tensor([i])), three.without(1, ("audio",))).softmax(-1)[0]
    ax.barh(range(8), p, color=plots.BLUE)
    ax.set(xlim=(0, 1), xticks=[0, 0.5, 1])
axes[0].invert_yaxis()
#zh> axes[0].set_yticks(range(8), [scenes.word(a, "zh") for a in cubes.ANSWERS])
#zh> for ax, title in zip(axes, ("照常训练", "模态丢弃")): ax.set(title=title, xlabel="概率")
#zh> plots.show(fig, "同一道缺了声音的形状题，八个答案的概率：照常训练的模型几乎全押一个；模态丢弃的模型把概率大致平分给图里的两个形状。")
#en> axes[0].set_yticks(range(8), cubes.ANSWERS)
#en> for ax, title in zip(axes, ("trained as usual", "modality dropout")): ax.set(title=title, xlabel="probability")
#en> plots.show(fig, "One question for a shape, without its tone, and the probabilities of eight answers: the ordinary model puts nearly everything on one; the one trained with dropout shares it roughly between the two shapes in the picture.")
# %%
gap = {name: run.recorded[f"sure.{name}.unnamed"] - run.recorded[f"missing.{name}.unnamed"] for name in tuned}
for name, value in gap.items():
    run.record(f"gap.{name}", value)
print({name: f"{value:.2f}" for name, value in gap.items()})
assert gap["plain"] > 0.25 and abs(gap["dropout"]) < 0.2
# %% [markdown] lang="zh" ids="keep"
# ## 存下来
#
# 存的是模态丢弃的那个，连同它的声音编码器：三路齐全或缺声音时都能用。
# %% [markdown] lang="en" ids="keep"
# ## Keep it
#
# We save the one trained with dropout, with its tone encoder: it works with all three and without the tone.
# %%
config = {
    "model": tuned["dropout"].config, "tokens": list(vocabulary.tokens), "answers": list(cubes.ANSWERS),
    "senses": list(cubes.MODALITIES), "may_be_missing": ["audio"], "mel_mean": three.MEL_MEAN, "mel_std": three.MEL_STD,
}
path = checkpoints.save("07-three-modalities", "model", tuned["dropout"], config, seed=run.seed)
again = checkpoints.load("07-three-modalities", "model")
reloaded = again.into(three.ThreeSenses(**again.config["model"]))
assert torch.equal(three.probabilities(reloaded, valid), three.probabilities(tuned["dropout"], valid))
print(path.name, f"{path.stat().st_size / 1024:.0f} KiB")
# %% [markdown] lang="zh" ids="predictions"
# ## 对答案
#
# 1. 都是 50%，枚举得到。训练出来：缺图像 {= run.spread("test.no-image") =}，缺声音 {= run.spread("test.no-audio") =}，缺文字 {= run.spread("test.no-text") =}。
# 2. 上限 75%，实测 {= run.spread("test.linear") =}。看得到不等于用得上。
# 3. 从头训练 {= run.spread("valid.scratch") =}，预训练 {= run.spread("valid.three") =}。
# 4. {= run.spread("sure.plain.unnamed") =}，而准确率只有 {= run.spread("missing.plain.unnamed") =}。
# 5. 几乎不会：{= run.spread("missing.plain.named") =}。丢弃训练之后是 {= run.spread("missing.dropout.named") =}。
# %% [markdown] lang="en" ids="predictions"
# ## Your predictions against the run
#
# 1. 50 % each, by enumeration. Trained: without the picture {= run.spread("test.no-image") =}, without the tone {= run.spread("test.no-audio") =}, without the text {= run.spread("test.no-text") =}.
# 2. The ceiling is 75 %, the run gives {= run.spread("test.linear") =}. To see is not to be able to use.
# 3. From scratch {= run.spread("valid.scratch") =}, pre-trained {= run.spread("valid.three") =}.
# 4. {= run.spread("sure.plain.unnamed") =}, with an accuracy of only {= run.spread("missing.plain.unnamed") =}.
# 5. Hardly: {= run.spread("missing.plain.named") =}. After training with dropout, {= run.spread("missing.dropout.named") =}.
# %% [markdown] lang="zh" ids="breaks"
# ## 什么会让它失灵
#
# - **上限**靠题目成对出现。真实数据不这样配平：只看问题就能猜对不少，“三路都重要”要用[盲测基线](../principles/evaluation.md#blind-baselines)去证，不能从题目的样子推。
# - **平台**依赖噪声、数据量和学习率。别的任务里从头训练可能没有问题，也可能连预训练都不够。注意力只留一个头，预训练了也常卡在半路；四个头像四张彩票，中一张就够。
# - **丢弃训练**只教会它缺练过的那一路。这里只丢声音；缺文字时它照样嘴硬（练习三）。这里也是先学会、再丢弃；从平台上就开始丢，要走出平台更慢。
# - **缺失不随机**时，“缺了没有”本身就是线索：病重的人才有那张片子。这里是随机丢的，看不到这一点。
# - 这里的声音是四个音高，图是四格。它说明原理，不说明真实语音和照片上的数值。
# %% [markdown] lang="en" ids="breaks"
# ## What would break this
#
# - **The ceilings** rest on samples that come in pairs. Real data is not balanced like this; much can be guessed from the question alone. That all senses matter has to be shown with [blind baselines](../principles/evaluation.md#blind-baselines), not inferred from what the task looks like.
# - **The plateau** depends on the noise, the amount of data and the learning rate. Elsewhere training from scratch may do, or pre-training may not be enough. With a single head of attention the model often gets stuck half-way even when pre-trained; four heads are four lottery tickets, and one win is enough.
# - **Dropout** teaches it to do without what was dropped. Here that is the tone; without the text it is as stubborn as ever (exercise 3). And here the model learned first and was dropped from later; to begin dropping on the plateau makes leaving it slower.
# - **If things go missing for a reason**, their absence is itself a clue: the sicker patient has the scan. Here they are dropped at random, so this does not show.
# - The tones are four pitches, the pictures four cells. They show the principle, not the numbers for real speech and photographs.
# %% [markdown] lang="zh" ids="exercises exercise-1" tags=["exercise"]
# ## 练习
#
# ### 练习一：两路相乘够不够
#
# 把题改成：问题一“发声的东西是什么形状”，问题二“**另一个**东西是什么形状”。答案立方体是 $y_{paq}=p\oplus a\oplus q$。任意两路的上限是多少？如果允许**两两相乘**、但不许三路一起乘（分数是 $F(p,a)+G(a,q)+H(p,q)$），上限又是多少？
# %% [markdown] lang="en" ids="exercises exercise-1" tags=["exercise"]
# ## Exercises
#
# ### Exercise 1: are products of two enough?
#
# Change the task: question one is “what shape is the thing you hear”, question two “what shape is the **other** thing”. The cube of answers is $y_{paq}=p\oplus a\oplus q$. What is the ceiling of any two senses? And if products **of two** are allowed but not of all three (scores $F(p,a)+G(a,q)+H(p,q)$)?
# %% tags=["exercise"]
#zh| 提示：八个角的符号 s = ±1，看 Σ s·(F + G + H) 等于多少
#en| Hint: give the eight corners signs s = ±1 and look at Σ s·(F + G + H)
p, a, q = np.indices((2, 2, 2))
parity = p ^ a ^ q
# %% tags=["solution"]
print({senses: cubes.ceiling(parity, senses) for senses in combinations(cubes.MODALITIES, 2)})
signs = 1 - 2 * parity
F_pa, G_aq, H_pq = (run.rng(9, k).normal(size=(2, 2)) for k in range(3))
lead = F_pa[:, :, None] + G_aq[None] + H_pq[:, None, :]
print(f"{abs((signs * lead).sum()):.6f}")
assert abs((signs * lead).sum()) < 1e-9
F_pa = G_aq = H_pq = np.array([[1, -1], [-1, 3]])
lead = F_pa[:, :, None] + G_aq[None] + H_pq[:, None, :]
print((np.sign(lead) == signs).sum(), "/ 8")
assert (np.sign(lead) == signs).sum() == 7
# %% [markdown] lang="zh" ids="exercise-1-why" tags=["solution"]
# #### 八分之七
#
# 任意两路是一半。两两相乘的分数，按奇偶的符号加起来恒为 0：每一项都少依赖一路，沿那一路两两抵消。全对要求这个和大于 0，所以至多 7 对；上面的例子正好 7 对。本实验的题不是这样的：问题只决定读形状还是位置，两两相乘就够。
# %% [markdown] lang="en" ids="exercise-1-why" tags=["solution"]
# #### Seven in eight
#
# Any two: a half. A score made of products of two, summed with the signs of parity, is always 0: each term ignores one sense and cancels along it. All right would need a sum above 0, so at most 7 are; the example has exactly 7. The task of this lab is not like that: the question only chooses between shape and place, and products of two are enough.
# %% [markdown] lang="zh" ids="exercise-2" tags=["exercise"]
# ### 练习二：噪声多大，耳朵就听不清
#
# 不重新训练，把测试题的声音换成噪声更大的（`cubes.tone(colour, rng, noise=…)`），画出准确率随噪声的变化。它会掉到多少？
# %% [markdown] lang="en" ids="exercise-2" tags=["exercise"]
# ### Exercise 2: how much noise until the ear fails?
#
# Without training again, give the test questions tones with more noise (`cubes.tone(colour, rng, noise=…)`) and see how the accuracy changes. To what does it fall?
# %% tags=["solution"]
noisy = copy.copy(test)
curve = {}
for noise in (0.3, 1.0, 2.0, 3.0, 5.0):
    rng = run.rng(11)
    noisy.mels = three.log_mels(np.stack([cubes.tone(c, rng, noise=noise) for c in test_cubes.colours]))
    curve[noise] = three.accuracy(model, noisy)
print({noise: f"{value:.2f}" for noise, value in curve.items()})
assert curve[1.0] > 0.9 and curve[5.0] < curve[1.0]
# %% [markdown] lang="zh" ids="exercise-3" tags=["exercise"]
# ### 练习三：缺的是没练过的那一路
#
# 用模态丢弃的模型，改让它缺图像，再缺文字。它对多少，有多大把握？两者相符吗？
# %% [markdown] lang="en" ids="exercise-3" tags=["exercise"]
# ### Exercise 3: missing what it never trained without
#
# Take the picture, then the text, away from the model trained with dropout. How often is it right, how sure is it, and do the two agree?
# %% tags=["solution"]
for name in ("audio", "image", "text"):
    p = three.probabilities(tuned["dropout"], loud, (name,))
    accuracy, sure = float((p.argmax(1) == loud.answers).float().mean()), float(p.amax(1).mean())
    print(f"{name:6} {accuracy:.2f} {sure:.2f}")
    assert accuracy < 0.85
# %% [markdown] lang="zh" ids="exercise-4" tags=["exercise"]
# ### 练习四：两个模型各说一半
#
# 把“缺声音”的模型和“缺文字”的模型的概率相乘（晚期融合）。三路信息都用上了，准确率是多少？为什么？
# %% [markdown] lang="en" ids="exercise-4" tags=["exercise"]
# ### Exercise 4: two models with half the story each
#
# Multiply the probabilities of the model without the tone and the one without the text (late fusion). All three senses are in use; what is the accuracy, and why?
# %% tags=["solution"]
together = three.probabilities(lacking["audio"], test, ("audio",)) * three.probabilities(lacking["text"], test, ("text",))
late = float((together.argmax(1) == test.answers).float().mean())
print(f"{late:.2f}")
assert late > 0.6
# %% [markdown] lang="zh" ids="exercise-4-why" tags=["solution"]
# #### 结果
#
# {= f"{late:.2f}" =}，而两个模型各自都不超过一半。一个从图和文字知道答案是哪两个之一，另一个从图和声音知道那个东西的形状和位置；两份名单只有一个共同的答案，所以这种题晚期融合**可以**全对，只要各自的概率够准。可加的上限约束的是每路一个函数之和，不约束每两路一个函数之和。练习一的奇偶题就不行了。
# %% [markdown] lang="en" ids="exercise-4-why" tags=["solution"]
# #### The result
#
# {= f"{late:.2f}" =}, though neither model alone passes a half. One knows from picture and text which two answers are possible, the other from picture and tone the shape and place of the right thing; the two lists have one answer in common, so here late fusion **can** always be right, if the probabilities are good. The additive ceiling binds sums of functions of one sense each, not of two. The parity task of exercise 1 would defeat it.
# %% [markdown] lang="zh" ids="further"
# ## 接着看
#
# - 章节：[缺失模态](../principles/challenges.md#missing-modality)、[冗余、独有与协同](../principles/concepts.md#interactions)、[可加上限](../principles/fusion.md#additive-ceiling)
# - 面试题：[多模态学习的常见挑战](../interview/q/seed-7-2.md)、[怎样用注意力增强多模态学习](../interview/q/seed-7-5.md)
# %% [markdown] lang="en" ids="further"
# ## Where to go next
#
# - Chapters: [missing modalities](../principles/challenges.md#missing-modality), [redundancy, uniqueness, synergy](../principles/concepts.md#interactions), [the additive ceiling](../principles/fusion.md#additive-ceiling)
# - Questions: [common challenges of multimodal learning](../interview/q/seed-7-2.md), [attention in multimodal learning](../interview/q/seed-7-5.md)
