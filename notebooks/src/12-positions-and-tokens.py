# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   mmlab:
#     seeds: 3
#     description:
#       zh: RoPE、二维 RoPE 与 M-RoPE 用性质逐条检验；外推为何失败，插值救回什么、弄坏什么；三种切图方案的词元账；合并掉四分之三的词元要付多少准确率和时间。
#       en: RoPE, 2D-RoPE and M-RoPE checked by property; why extrapolation fails, what interpolation saves and breaks; token bills of three tiling schemes; what merging tokens costs.
#     headline:
#       - {figure: lookup.plain.256, zh: "按内容查找，四倍训练长度，直接外推", en: "lookup by content at 4 times the trained length, extrapolated"}
#       - {figure: lookup.pi.256, zh: "同上，位置插值", en: "the same with position interpolation"}
#       - {figure: back.pi.256, zh: "往回数几个，四倍训练长度，位置插值", en: "counting back at 4 times the trained length, position interpolation"}
#       - {figure: merge.similar.16, zh: "64 个词元合并成 16 个，测试准确率", en: "test accuracy, 64 tokens merged into 16"}
#       - {figure: merge.random.16, zh: "同上，随机合并", en: "the same, merged at random"}
# ---
# %% [markdown] lang="zh" ids="positions-and-tokens"
# # 实验十二：位置与词元
#
# 注意力本身不知道先后左右，位置要另外告诉它；图像有多少个词元，也要有人来定。**位置怎样写进去，长度变了还认得吗？词元少四分之三，丢的是什么？**
#
# 先写下你的预测，再运行。末尾对答案。
#
# 1. 把一句话所有词元的位置都加 1000，注意力分数变不变？
# 2. 在 64 个词元的序列上学会了按内容查找，序列变成 256 个，不改任何东西，还能答对多少？
# 3. 把位置除以 4 再查（位置插值），会救回什么，又会弄坏什么？
# 4. 一幅 1920 × 1080 的截图，LLaVA-NeXT、InternVL 1.5、Qwen2-VL 各用多少词元？谁最多？
# 5. 不重新训练，把 64 个图像词元合并成 16 个，准确率掉多少？会快 4 倍吗？
#
# 背景：[图像编码](../principles/encoders.md#image)、[词元账](../principles/efficiency.md#token-budget)、[省在哪里](../principles/efficiency.md#savings)。
# %% [markdown] lang="en" ids="positions-and-tokens"
# # Lab 12: positions and tokens
#
# Attention by itself knows neither before nor after, left nor right; positions must be told to it. And somebody has to decide how many tokens a picture is. **How are positions written in, and are they still understood when the length changes? Take three quarters of the tokens away: what is lost?**
#
# Write down your predictions before you run anything. The answers are at the end.
#
# 1. Add 1,000 to the position of every token of a text. Do the attention scores change?
# 2. A model has learnt to look things up by content in sequences of 64 tokens. In sequences of 256, with nothing changed, how often is it right?
# 3. Divide the positions by 4 first (position interpolation). What does that save, and what does it break?
# 4. A screenshot of 1920 × 1080: how many tokens for LLaVA-NeXT, InternVL 1.5 and Qwen2-VL, and which takes most?
# 5. Without retraining, merge 64 picture tokens into 16. How much accuracy is lost? Is it 4 times as fast?
#
# Background: [encoding pictures](../principles/encoders.md#image), [the token budget](../principles/efficiency.md#token-budget), [how to save](../principles/efficiency.md#savings).
# %% tags=["setup"] needs="numpy pillow torch matplotlib pylopdf-fonts-zh-cn tqdm"
# %%
import math
import time

import numpy as np
import torch
from torch import nn

from mmlab import encoders, plots, positions, scenes, train
from mmlab.runs import Run

run = Run("12-positions-and-tokens")
# %% [markdown] lang="zh" ids="rope rope-properties"
# ## RoPE：转一个角度
#
# 旋转位置编码（[RoPE](https://arxiv.org/abs/2104.09864)）把查询和键的 $D$ 个数两两成对，第 $i$ 对在位置 $m$ 处转过角度 $m\theta_i$：
#
# $$\theta_i = b^{-2i/D}, \qquad \begin{pmatrix} x'_i \\ y'_i \end{pmatrix} = \begin{pmatrix} \cos m\theta_i & -\sin m\theta_i \\ \sin m\theta_i & \cos m\theta_i \end{pmatrix} \begin{pmatrix} x_i \\ y_i \end{pmatrix}$$
#
# $b$ 是底数，常用 10000；$i = 0, \dots, D/2-1$。前面的对转得快，后面的转得慢。
#
# ### 两条性质
#
# 旋转不改变长度；两个向量各转一个角度，点积只取决于角度之差。于是分数只与 $m-n$ 有关。
# %% [markdown] lang="en" ids="rope rope-properties"
# ## RoPE: turn by an angle
#
# Rotary position embedding ([RoPE](https://arxiv.org/abs/2104.09864)) pairs up the $D$ numbers of a query or key; at position $m$ pair $i$ is turned by $m\theta_i$:
#
# $$\theta_i = b^{-2i/D}, \qquad \begin{pmatrix} x'_i \\ y'_i \end{pmatrix} = \begin{pmatrix} \cos m\theta_i & -\sin m\theta_i \\ \sin m\theta_i & \cos m\theta_i \end{pmatrix} \begin{pmatrix} x_i \\ y_i \end{pmatrix}$$
#
# $b$ is the base, often 10,000; $i = 0, \dots, D/2-1$. Early pairs turn fast, late ones slowly.
#
# ### Two properties
#
# A rotation keeps lengths; and if two vectors are turned, their product depends on the difference of the angles. So a score knows $m-n$ alone.
# %%
g = torch.Generator().manual_seed(run.seed)
q, k = torch.randn(2, 64, generator=g, dtype=torch.float64)

def score(m, n):
    turned_q, turned_k = (positions.rope(x[None], torch.tensor([p]))[0] for x, p in ((q, m), (k, n)))
    return float(turned_q @ turned_k)

print(f"{score(7, 3):.9f} {score(1007, 1003):.9f} {score(3, 7):.9f}")
assert abs(score(7, 3) - score(1007, 1003)) < 1e-9 and abs(score(7, 3) - score(3, 7)) > 1e-3
turned = positions.rope(q[None], torch.tensor([12345]))[0]
assert torch.allclose(turned.norm(), q.norm())
# %% [markdown] lang="zh" ids="decay"
# ### 远了就弱？看情况
#
# 常说 RoPE 让分数随距离衰减。取 $q = k$，每一对都贡献 $\cos(m\theta_i)$，平均下来确实越远越小，还会振荡。对照：$q$ 和 $k$ 互不相干时，分数的大小与距离无关。衰减是“相像的向量”的性质，不是 RoPE 对所有向量的保证。
# %% [markdown] lang="en" ids="decay"
# ### Weaker with distance? It depends
#
# RoPE is often said to make scores decay with distance. With $q = k$ every pair contributes $\cos(m\theta_i)$, and the mean does fall, with ripples. The control: if $q$ and $k$ have nothing to do with each other, the size of the score does not depend on distance. The decay belongs to vectors that are alike; RoPE does not promise it for all.
# %%
distance = torch.arange(0, 257)
same = {base: positions.angles(distance, 64, base).cos().mean(-1) for base in (400.0, 10000.0)}
pairs = torch.randn(2, 400, 64, generator=g, dtype=torch.float64)
far = positions.rotate(pairs[1][:, None], positions.angles(distance, 64)[None])
unlike = ((pairs[0][:, None] * far).sum(-1).abs() / 64).mean(0)
print(f"{same[10000.0][1]:.2f} {same[10000.0][256]:.2f} {unlike[1]:.2f} {unlike[256]:.2f}")
assert same[10000.0][256] < 0.6 * same[10000.0][1] and 0.8 < unlike[256] / unlike[1] < 1.25
# %%
fig, ax = plots.figure(4.8, 2.5)
#zh> words = ("q = k，b = 10000", "q = k，b = 400", "q、k 无关：|分数|", "距离（词元）", "每对的平均贡献")
#en> words = ("q = k, b = 10000", "q = k, b = 400", "q, k unrelated: |score|", "distance (tokens)", "mean of the pairs")
ax.plot(distance, same[10000.0], color=plots.BLUE, label=words[0])
ax.plot(distance, same[400.0], color=plots.ORANGE, linestyle="--", label=words[1])
ax.plot(distance, unlike, color=plots.GREEN, linestyle=":", label=words[2])
ax.set(xlabel=words[3], ylabel=words[4], ylim=(-0.3, 1.35))
ax.legend(loc="upper right", ncols=1)
#zh> plots.show(fig, "相同向量之间的分数随距离下降并振荡，底数小降得更低；互不相干的向量之间分数的大小不随距离变。")
#en> plots.show(fig, "The score between equal vectors falls with distance and ripples, lower for the smaller base; between unrelated vectors its size stays level.")
# %% [markdown] lang="zh" ids="rope-2d"
# ## 二维 RoPE：行转一半，列转一半
#
# 图像的词元排成格子。把它拉成一行再用一维 RoPE，上下相邻的两格就隔了整整一行。二维 RoPE 把对分成两半，一半按行号转，一半按列号转；分数于是只取决于行差和列差。
# %% [markdown] lang="en" ids="rope-2d"
# ## 2D-RoPE: half the pairs turn with the row, half with the column
#
# Picture tokens stand in a grid. Unrolled into one line for RoPE in one dimension, two cells one above the other are a whole row apart. 2D-RoPE splits the pairs: half turn with the row, half with the column, and a score depends on both differences.
# %%
side, ones = 13, torch.ones(64, dtype=torch.float64)
rows, cols = positions.grid_positions(side, side)
centre = int((rows == side // 2).int().argmax()) + side // 2

def map_of(angle):
    keys = positions.rotate(ones.expand(side * side, 64), angle)
    return (keys @ keys[centre] / 64).reshape(side, side)

line = map_of(positions.angles(torch.arange(side * side), 64, 400.0))
grid = map_of(positions.angles_2d(rows, cols, 64, 400.0))
below, right = (side // 2 + 1, side // 2), (side // 2, side // 2 + 1)
print(f"1D: {line[below]:.2f} {line[right]:.2f}   2D: {grid[below]:.2f} {grid[right]:.2f}")
assert torch.allclose(grid, grid.T) and line[right] - line[below] > 0.2
# %%
fig, axes = plots.figure(4.8, 2.4, cols=2)
#zh> words = ("拉成一行，一维", "二维")
#en> words = ("one line, 1D", "2D")
for ax, values, title in zip(axes, (line, grid), words):
    ax.imshow(values, vmin=-0.2, vmax=1)
    ax.plot(side // 2, side // 2, "x", color="white")
    plots.bare(ax, title)
#zh> plots.show(fig, "格子里每一格对中心（叉）的分数，亮的高。一维时亮带是横的，上下邻居是暗的；二维时上下左右对称。")
#en> plots.show(fig, "The score of each cell of a grid towards its centre (cross), bright is high. In 1D the bright band is horizontal and the cells above and below are dark; in 2D all four sides are alike.")
# %% [markdown] lang="zh" ids="m-rope"
# ## M-RoPE：时间、高、宽
#
# 文本一维，图像二维，视频三维，要放进同一个序列。[Qwen2-VL](https://arxiv.org/abs/2409.12191) 的 M-RoPE 给每个词元三个坐标 $(t, h, w)$，把 $D/2$ 对分成三段，各按一个坐标转。文本的三个坐标相等，所以在文本上它就是一维 RoPE；下一段从“已用过的最大坐标加一”开始。公开实现里 $D = 128$，三段是 16、24、24 对。
# %% [markdown] lang="en" ids="m-rope"
# ## M-RoPE: time, height, width
#
# Text has one dimension, a picture two, a video three, and all stand in one sequence. M-RoPE of [Qwen2-VL](https://arxiv.org/abs/2409.12191) gives every token three coordinates $(t, h, w)$ and splits the $D/2$ pairs into three sections, each turned by one coordinate. A text token has three equal coordinates, so on text this is RoPE in one dimension; the next part begins one after the largest coordinate so far. In the published implementation $D = 128$ and the sections have 16, 24 and 24 pairs.
# %%
parts = [4, (1, 3, 5), 3, (2, 2, 2), 2]
place = positions.mrope_positions(parts)
print(place.numpy())
sections = (16, 24, 24)
text_only = positions.mrope_positions([10])
assert torch.equal(positions.mrope_angles(text_only, sections), positions.angles(torch.arange(10), 128))
assert place.shape == (3, 4 + 15 + 3 + 8 + 2) and place.max() + 1 < place.shape[1]
# %%
fig, ax = plots.figure(4.8, 2.3)
#zh> words = ("时间", "高", "宽", "词元的序号", "坐标", "图", "视频")
#en> words = ("time", "height", "width", "token number", "coordinate", "picture", "video")
for axis, (colour, mark) in enumerate(zip((plots.BLUE, plots.ORANGE, plots.GREEN), "o^s")):
    ax.plot(place[axis], mark, color=colour, markersize=4 - axis * 0.5, label=words[axis], alpha=0.8)
for left, n, name in ((4, 15, words[5]), (22, 8, words[6])):
    ax.axvspan(left - 0.5, left + n - 0.5, color=plots.INK, alpha=0.15)
    ax.text(left + n / 2 - 0.5, 15.2, name, ha="center")
ax.set(xlabel=words[3], ylabel=words[4], ylim=(-1, 17.5))
ax.legend(loc="lower right")
#zh> plots.show(fig, "一个序列里每个词元的三个坐标：文本上三者重合、逐个加一；图里时间不动，高一行行上升，宽反复；视频里时间也走。")
#en> plots.show(fig, "The three coordinates of each token of a sequence: on text they coincide and grow by one; in the picture time stands still, height climbs row by row and width repeats; in the video time moves too.")
# %% [markdown] lang="zh"
# 序列有 {= place.shape[1] =} 个词元，坐标只用到 {= int(place.max()) =}：图像占 15 个词元，坐标只前进 5。图越大省得越多，长序列里的坐标因此小得多。
# %% [markdown] lang="en"
# The sequence has {= place.shape[1] =} tokens, and coordinates only go up to {= int(place.max()) =}: the picture takes 15 tokens and moves the coordinates on by 5. The larger the picture the more is saved, so coordinates stay far smaller in long sequences.
# %% [markdown] lang="zh" ids="extrapolation task"
# ## 外推：没见过的距离
#
# RoPE 对任何位置都算得出角度，但模型只在训练时见过的距离上学过怎样用它。下面用一个只有一层注意力的小模型来看。
#
# ### 两种问题
#
# 序列里每个词元是一对（键，值），最后一个是问题：
#
# - **查找**：“键 37 的值是多少？”在哪儿都可能，靠内容。
# - **往回数**：“倒数第 3 个的值是多少？”靠精确的近距离，第 1 到第 4。
#
# 训练长度 64，八个值，瞎猜是八分之一。底数取 $b = 400$，使最慢一对的波长与训练长度之比，和 $b = 10000$、每头 128 维、训练长度 2048 的配置一样，下面第一行输出就是这两个比。
# %% [markdown] lang="en" ids="extrapolation task"
# ## Extrapolation: distances never seen
#
# RoPE has an angle for any position, but a model has learnt to use them only at the distances of its training. A small model with one layer of attention shows it.
#
# ### Two kinds of question
#
# Each token of a sequence is a pair (key, value), and the last one is a question:
#
# - **lookup**: “what is the value of key 37?” It may be anywhere; content decides.
# - **counting back**: “what is the value 3 places back?” Near distances, exactly, 1 to 4.
#
# The trained length is 64, there are eight values, guessing gives one in eight. The base is $b = 400$, so that the longest wavelength compares with the trained length as it does with $b = 10000$, heads of 128 and a trained length of 2,048; the first line printed below has both ratios.
# %%
TRAINED, KEYS, VALUES, BACK, WIDTH, HEADS, BASE = 64, 256, 8, 4, 64, 2, 400.0
HEAD = WIDTH // HEADS
longest = [2 * math.pi / float(positions.frequencies(d, b)[-1]) / n for d, b, n in ((HEAD, BASE, TRAINED), (128, 1e4, 2048))]
print([round(ratio) for ratio in longest])

def questions(n, length, generator, kind):
    pick = torch.arange(n)
    keys = torch.rand(n, KEYS, generator=generator).argsort(1)[:, :length]
    values = torch.randint(VALUES, (n, length), generator=generator)
    anywhere = torch.randint(length, (n,), generator=generator)
    back = torch.randint(BACK, (n,), generator=generator)
    at = torch.where(kind == 0, anywhere, length - 1 - back)
    asked = torch.where(kind == 0, keys[pick, at], KEYS + back)
    return keys, values, asked, values[pick, at]
# %%
class OneLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.key, self.value = nn.Embedding(KEYS + BACK, WIDTH), nn.Embedding(VALUES, WIDTH)
        self.q, self.k, self.v = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.out = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, VALUES))

    def forward(self, keys, values, asked, angle):
        def split(x):
            return x.unflatten(-1, (HEADS, HEAD)).transpose(1, 2)

        x = self.key(keys) + self.value(values)
        k = positions.rotate(split(self.k(x)), angle[:-1])
        q = positions.rotate(split(self.q(self.key(asked))[:, None]), angle[-1:])
        self.weights = (q @ k.transpose(2, 3) / math.sqrt(HEAD)).softmax(-1)
        return self.out((self.weights @ split(self.v(x))).transpose(1, 2).flatten(1))
# %% [markdown] lang="zh" ids="cures"
# ### 三种转法
#
# 测试长度是训练的 $s$ 倍时：
#
# - **外推**：什么也不改，$m\theta_i$。
# - **位置插值**（[PI](https://arxiv.org/abs/2306.15595)）：$(m/s)\,\theta_i$，所有距离压回训练过的范围。
# - **NTK**（见 [YaRN](https://arxiv.org/abs/2309.00071)）：换底数 $b' = b\,s^{D/(D-2)}$，最慢的一对慢 $s$ 倍，最快的一对不变。
# %% [markdown] lang="en" ids="cures"
# ### Three ways to turn
#
# Where the test length is $s$ times the trained one:
#
# - **extrapolation**: nothing changes, $m\theta_i$.
# - **position interpolation** ([PI](https://arxiv.org/abs/2306.15595)): $(m/s)\,\theta_i$; all distances are squeezed into the trained range.
# - **NTK** (given in [YaRN](https://arxiv.org/abs/2309.00071)): another base, $b' = b\,s^{D/(D-2)}$; the slowest pair is $s$ times slower, the fastest as before.
# %%
CURES = {
    "plain": lambda m, s: positions.angles(m, HEAD, BASE),
    "pi": lambda m, s: positions.angles(m / s, HEAD, BASE),
    "ntk": lambda m, s: positions.angles(m, HEAD, positions.ntk_base(BASE, s, HEAD)),
}

def right(model, cure, length, kind, generator, n=500):
    *given, answer = questions(n, length, generator, torch.full((n,), kind))
    angle = cure(torch.arange(length + 1), length / TRAINED)
    with torch.inference_mode():
        return float((model(*given, angle).argmax(1) == answer).float().mean())

model = OneLayer()
g = torch.Generator().manual_seed(run.seed)
trained_angle = CURES["plain"](torch.arange(TRAINED + 1), 1)

def loss(picked):
    *given, answer = questions(len(picked), TRAINED, g, torch.randint(2, (len(picked),), generator=g))
    return nn.functional.cross_entropy(model(*given, trained_angle), answer)

history = train.fit(model, loss, 10**4, steps=700, batch=128, lr=3e-3, seed=run.seed, label="one layer")
validation = [right(model, CURES["plain"], TRAINED, kind, g) for kind in (0, 1)]
print(f"loss {history.smooth()[-1]:.3f}", *(f"{accuracy:.2f}" for accuracy in validation))
assert min(validation) > 0.9
# %%
LENGTHS, KINDS = (64, 96, 128, 192, 256), ("lookup", "back")
for kind, name in enumerate(KINDS):
    for cure, turn in CURES.items():
        for length in LENGTHS:
            test = torch.Generator().manual_seed(10**6 + length + 1000 * run.seed)
            run.record(f"{name}.{cure}.{length}", right(model, turn, length, kind, test))
    print(name, *(f"{cure}: {run.recorded[f'{name}.{cure}.128']:.2f} {run.recorded[f'{name}.{cure}.256']:.2f}" for cure in CURES))
got = run.recorded
assert got["lookup.plain.256"] < 0.6 < got["lookup.ntk.256"] and got["lookup.pi.256"] > 0.85
assert got["back.pi.128"] < 0.5 < got["back.ntk.128"] and got["back.plain.256"] < 0.5
# %%
fig, axes = plots.figure(4.8, 2.9, cols=2, sharey=True)
#zh> words = ("查找：靠内容", "往回数：靠距离", "外推", "PI", "NTK", "序列长度", "测试准确率")
#en> words = ("lookup: content", "counting back", "extrapolated", "PI", "NTK", "sequence length", "test accuracy")
looks = zip(CURES, words[2:5], (plots.ORANGE, plots.BLUE, plots.GREEN), "s^o", ("-", "--", ":"))
for cure, name, colour, mark, style in looks:
    for ax, kind in zip(axes, KINDS):
        mean, std = zip(*((run.mean(f"{kind}.{cure}.{n}"), run.std(f"{kind}.{cure}.{n}")) for n in LENGTHS))
        ax.errorbar(LENGTHS, mean, std, color=colour, marker=mark, linestyle=style, markersize=4, label=name)
for ax, title in zip(axes, words):
    ax.axhline(1 / VALUES, color=plots.INK, linewidth=1)
    ax.axvline(TRAINED, color=plots.INK, linewidth=1)
    ax.set(title=title, xlabel=words[5], xticks=(64, 128, 256), ylim=(0, 1.05))
axes[0].set_ylabel(words[6])
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
#zh> plots.show(fig, "训练长度 64（竖线）之后：查找时外推一路下降，PI 保持，NTK 居中；往回数时外推和 PI 都掉到瞎猜（横线）附近，NTK 撑得最久。")
#en> plots.show(fig, "Beyond the trained length 64 (vertical line): in lookup extrapolation falls, PI holds, NTK is between; in counting back extrapolation and PI fall to guessing (horizontal line) while NTK lasts longest.")
# %% [markdown] lang="zh" ids="where-it-fails"
# ### 坏在哪里：两次测量
#
# 四倍长度、外推。查找：把答案在训练过的距离以内（64 以内）和以外的题分开算。往回数：要看的词元都在 4 以内，那就看有多少注意力落到了 64 以外。
# %% [markdown] lang="en" ids="where-it-fails"
# ### Where it fails: two measurements
#
# Four times the length, extrapolated. Lookup: count apart the questions whose answer is within the trained distance (64) and beyond. Counting back: all that matters is within 4, so see how much attention goes beyond 64.
# %%
def probe(cure, kind):
    test = torch.Generator().manual_seed(7 + run.seed)
    keys, values, asked, answer = questions(1500, 256, test, torch.full((1500,), kind))
    with torch.inference_mode():
        good = model(keys, values, asked, cure(torch.arange(257), 4)).argmax(1) == answer
    away = 256 - (keys == asked[:, None]).int().argmax(1)
    beyond = model.weights[..., : 256 - TRAINED].sum(-1).mean()
    return good[away <= TRAINED].float().mean(), good[away > TRAINED].float().mean(), beyond

for name, cure in CURES.items():
    near, beyond = probe(cure, 0)[:2]
    leaked = probe(cure, 1)[2]
    for figure, value in (("near", near), ("beyond", beyond), ("leaked", leaked)):
        run.record(f"{figure}.{name}", value)
    print(f"{name:6} lookup, near {near:.2f}, beyond {beyond:.2f}; counting back, attention beyond {leaked:.2f}")
assert run.recorded["near.pi"] > 0.85 and run.recorded["near.plain"] > run.recorded["beyond.plain"]
# %% [markdown] lang="zh" ids="what-it-shows"
# ### 说明什么
#
# 均值 ± 标准差，各种子合计：
#
# | | 外推 | PI | NTK |
# | --- | --- | --- | --- |
# | 查找，4 倍长 | {= run.spread("lookup.plain.256") =} | {= run.spread("lookup.pi.256") =} | {= run.spread("lookup.ntk.256") =} |
# | 往回数，2 倍长 | {= run.spread("back.plain.128") =} | {= run.spread("back.pi.128") =} | {= run.spread("back.ntk.128") =} |
# | 往回数，4 倍长 | {= run.spread("back.plain.256") =} | {= run.spread("back.pi.256") =} | {= run.spread("back.ntk.256") =} |
#
# 查找要“不管多远都算数”，可是没见过的角度上分数不可信：外推时，答案在 64 以内的题对 {= run.spread("near.plain") =}，以外的对 {= run.spread("beyond.plain") =}。PI 把距离压回见过的范围，两者是 {= run.spread("near.pi") =} 和 {= run.spread("beyond.pi") =}。
#
# 往回数要分清 1 和 2。外推时要看的距离都见过，它照样坏：{= run.spread("leaked.plain") =} 的注意力被 64 以外的词元抢走了。PI 之下 1 和 2 只差四分之一格，模型没学过。NTK 让快的对不动、慢的对变慢，两头都照顾，长了也会坏；练习一有更好的。真实系统在 PI 之后还要微调，这里一步也没有训练。
# %% [markdown] lang="en" ids="what-it-shows"
# ### What it shows
#
# Mean ± standard deviation over the seeds:
#
# | | extrapolated | PI | NTK |
# | --- | --- | --- | --- |
# | lookup, 4 times as long | {= run.spread("lookup.plain.256") =} | {= run.spread("lookup.pi.256") =} | {= run.spread("lookup.ntk.256") =} |
# | counting back, twice | {= run.spread("back.plain.128") =} | {= run.spread("back.pi.128") =} | {= run.spread("back.ntk.128") =} |
# | counting back, 4 times | {= run.spread("back.plain.256") =} | {= run.spread("back.pi.256") =} | {= run.spread("back.ntk.256") =} |
#
# A lookup wants “it counts, however far away”, but at unseen angles scores cannot be trusted: extrapolated, questions with their answer within 64 score {= run.spread("near.plain") =}, those beyond {= run.spread("beyond.plain") =}. PI squeezes distances into the range that was seen: {= run.spread("near.pi") =} and {= run.spread("beyond.pi") =}.
#
# Counting back must tell 1 from 2. Extrapolated, the distances that matter were all seen, and it fails all the same: tokens beyond 64 take {= run.spread("leaked.plain") =} of the attention. Under PI 1 and 2 are a quarter of a place apart, which was never learnt. NTK leaves the fast pairs alone and slows the slow ones; it serves both, up to a length. Exercise 1 has something better. Real systems fine-tune after PI; here not one step was trained.
# %% [markdown] lang="zh" ids="tiling"
# ## 一幅图多少词元：三种办法
#
# | 系统 | 怎样放进去 | 每块的词元 |
# | --- | --- | --- |
# | [LLaVA-NeXT](https://llava-vl.github.io/blog/2024-01-30-llava-next/) | 在几种分辨率里挑一种，等比缩放、补边，切成 336 像素的块，另加一幅整图 | $(336/14)^2 = 576$ |
# | [InternVL 1.5](https://internvl.github.io/blog/2024-04-30-InternVL-1.5/) | 在 1 到 12 块的格子里挑长宽比最近的，拉伸填满，切成 448 像素的块；多于一块时另加整图 | $(448/28)^2 = 256$ |
# | [Qwen2-VL](https://arxiv.org/abs/2409.12191) | 不切，宽和高各取整到 28 的倍数 | 每 28 × 28 像素 1 个 |
#
# LLaVA-NeXT 随后还会去掉补边上的词元、加上换行标记，Qwen2-VL 加首尾两个标记；下面都不算。
# %% [markdown] lang="en" ids="tiling"
# ## How many tokens is a picture: three ways
#
# | system | how the picture is fitted | tokens of a tile |
# | --- | --- | --- |
# | [LLaVA-NeXT](https://llava-vl.github.io/blog/2024-01-30-llava-next/) | picks one of a few resolutions, scales evenly, fills up with border, cuts into tiles of 336 pixels, adds the whole picture | $(336/14)^2 = 576$ |
# | [InternVL 1.5](https://internvl.github.io/blog/2024-04-30-InternVL-1.5/) | picks the grid of 1 to 12 tiles with the closest ratio of sides, stretches to fill it, cuts into tiles of 448 pixels; adds the whole picture if there is more than one | $(448/28)^2 = 256$ |
# | [Qwen2-VL](https://arxiv.org/abs/2409.12191) | no tiles; width and height are rounded to multiples of 28 | 1 for each 28 × 28 pixels |
#
# LLaVA-NeXT then drops tokens of the border and adds marks at row ends, Qwen2-VL adds one mark at either end; neither is counted below.
# %%
def bill(width, height):
    llava, intern = positions.best_fit_grid(width, height), positions.closest_ratio_grid(width, height)
    w, h = positions.native_size(width, height)
    return (
        (llava.tiles + 1) * positions.tile_tokens(336, 14),
        (intern.tiles + (intern.tiles > 1)) * positions.tile_tokens(448, 14, 2),
        w * h // 28**2,
    )

SIZES = {"thumbnail": (224, 224), "photo": (640, 480), "screen": (1920, 1080), "phone": (1080, 2400), "page": (1240, 1754), "4K": (3840, 2160)}
bills = {name: bill(*size) for name, size in SIZES.items()}
for name, tokens in bills.items():
    print(f"{name:10}{'{} × {}'.format(*SIZES[name]):>12}", *(f"{n:7,}" for n in tokens))
assert bills["4K"][2] == max(bills["4K"]) and bills["thumbnail"][2] == 64
# %%
fig, axes = plots.figure(4.8, 1.9, cols=2)
#zh> words = ("LLaVA-NeXT：补边", "InternVL 1.5：拉伸")
#en> words = ("LLaVA-NeXT: border", "InternVL 1.5: stretched")
from PIL import Image
picture = Image.fromarray(scenes.draw(next(iter(scenes.random_scenes(1, 5)))[3], np.random.default_rng(5), 480)).resize((960, 540))
for ax, grid_of, title in zip(axes, (positions.best_fit_grid(1920, 1080), positions.closest_ratio_grid(1920, 1080)), words):
    w, h = grid_of.size
    height = round(w * 1080 / 1920) if "LLaVA" in title else h
    ax.imshow(picture.resize((w // 4, height // 4)), extent=(0, w, (h + height) / 2, (h - height) / 2))
    for left, top, right_side, bottom in grid_of.boxes():
        ax.plot([left, right_side, right_side, left, left], [top, top, bottom, bottom, top], color=plots.BLUE, linewidth=1)
    ax.set(xlim=(-8, w + 8), ylim=(h + 8, -8))
    plots.bare(ax, title)
#zh> plots.show(fig, "同一幅 1920 × 1080 的图：左边切成 2 × 2 块，上下有补边；右边压扁成 4 × 2 块，没有补边但变了形。两边都有图形被块的边界切开。")
#en> plots.show(fig, "One picture of 1920 × 1080: on the left 2 × 2 tiles with a border above and below; on the right 4 × 2 tiles, no border but out of shape. In both a tile's edge may cut through a shape.")
# %% [markdown] lang="zh"
# 三种账各有脾气。LLaVA-NeXT 至多 4 块，4K 的图和手机截图一样便宜，也一样糊。InternVL 1.5 只看长宽比与像素数，640 × 480 的照片也要 {= f"{bills['photo'][1]:,}" =} 个词元。Qwen2-VL 与面积成正比，小图最省，4K 要 {= f"{bills['4K'][2]:,}" =} 个，所以上线时必须自己设上限。
# %% [markdown] lang="en"
# Each bill has its temper. LLaVA-NeXT has at most 4 tiles, so a 4K picture costs no more than a photo and is as blurred. InternVL 1.5 goes by the ratio of sides and the number of pixels, and takes {= f"{bills['photo'][1]:,}" =} tokens for a photo of 640 × 480. Qwen2-VL is proportional to the area: cheapest for small pictures, {= f"{bills['4K'][2]:,}" =} for 4K, so whoever serves it must set a limit.
# %% [markdown] lang="zh" ids="merging matching"
# ## 合并词元
#
# 图里大片是背景，许多词元说的是同一件事。[ToMe](https://arxiv.org/abs/2210.09461) 在每一层合并 $r$ 个词元，不用重新训练。
#
# ### 二分软匹配
#
# 词元按奇偶分成 A、B 两组；A 的每一个在 B 里找余弦最像的（比较注意力的键），取最像的 $r$ 对合并。合并是按**大小** $s$（代表几块）加权的平均，所以 $\sum_j s_j x_j$ 不变；注意力的分数加上 $\log s$，一个大小为 $s$ 的词元就顶 $s$ 个：
#
# $$A = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt{d}} + \log s\right)$$
# %% [markdown] lang="en" ids="merging matching"
# ## Merging tokens
#
# Much of a picture is background, and many tokens say the same. [ToMe](https://arxiv.org/abs/2210.09461) merges $r$ tokens in each layer, without retraining.
#
# ### Bipartite soft matching
#
# Tokens at even places are A, at odd places B; each of A looks for the one in B that is most like it by the cosine (of the attention's keys), and the $r$ best pairs are merged. A merge is a mean weighted by **size** $s$ (how many patches a token stands for), so that $\sum_j s_j x_j$ stays; and $\log s$ is added to the attention's scores, so that a token of size $s$ counts for $s$:
#
# $$A = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt{d}} + \log s\right)$$
# %%
g = torch.Generator().manual_seed(run.seed)
x, size = torch.randn(2, 10, 4, generator=g), torch.randint(1, 4, (2, 10, 1), generator=g).float()
merged, sizes = positions.merge(x, size, positions.match(x, 4))
print(tuple(x.shape), "→", tuple(merged.shape))
assert torch.allclose((x * size).sum(1), (merged * sizes).sum(1), atol=1e-4)
assert torch.equal(size.sum(1), sizes.sum(1))
# %% [markdown] lang="zh" ids="encoder"
# ### 先训练一个图像编码器
#
# 任务：图里有哪两样东西？16 种（颜色，形状）里选对两样才算对。编码器是三层小 ViT，32 × 32 的图切成 64 个词元；训练时**不合并**。结构和步数在验证集上选，测试集只开一次。
# %% [markdown] lang="en" ids="encoder"
# ### First train a picture encoder
#
# The task: which two things are in the picture? Both must be right, out of 16 pairs of colour and shape. The encoder is a ViT of three layers, a picture of 32 × 32 becomes 64 tokens; in training **nothing is merged**. Architecture and steps were chosen on the validation set; the test set is opened once.
# %%
THINGS = [scenes.Thing(colour, shape) for colour in scenes.COLOURS for shape in scenes.SHAPES]

def pictures_of(n, stream):
    rng = run.rng(stream)
    made = list(scenes.random_scenes(n, int(rng.integers(2**31))))
    targets = torch.zeros(n, len(THINGS))
    for row, (a, _, b, _) in enumerate(made):
        targets[row, [THINGS.index(a), THINGS.index(b)]] = 1
    drawn = np.stack([scenes.draw(scene, rng, 32) for *_, scene in made])
    return drawn, encoders.preprocess(drawn), targets

_, pixels, targets = pictures_of(2000, 1)
_, check_pixels, check_targets = pictures_of(400, 2)

def both_right(encoder, pixels, targets, **options):
    with torch.inference_mode():
        logits = torch.cat([encoder(part, **options) for part in pixels.split(100)])
    return float((logits.topk(2).indices.sort().values == targets.topk(2).indices.sort().values).all(1).float().mean())
# %%
encoder = positions.MergingEncoder(len(THINGS), dim=48, layers=3)

def loss(picked):
    return 16 * nn.functional.binary_cross_entropy_with_logits(encoder(pixels[picked]), targets[picked])

history = train.fit(
    encoder, loss, len(pixels), steps=560, batch=64, lr=5e-3, seed=run.seed,
    check=lambda: both_right(encoder, check_pixels, check_targets), label="encoder",
)
print(f"{train.parameters(encoder):,}", [f"{accuracy:.2f}" for _, accuracy in history.checks])
assert history.checks[-1][1] > 0.8
# %% [markdown] lang="zh" ids="where-merged"
# ### 谁和谁合并了
#
# 每层合并 16 个，64 → 48 → 32 → 16。把每个词元代表的那几块涂成它们的平均色：
# %% [markdown] lang="en" ids="where-merged"
# ### Who was merged with whom
#
# 16 in each layer, 64 → 48 → 32 → 16. Paint the patches that a token stands for in their mean colour:
# %%
drawn, test_pixels, test_targets = pictures_of(600, 3)
with torch.inference_mode():
    _, sizes, source = encoder.features(test_pixels[:4], 16)
colours = torch.from_numpy(drawn[:4].reshape(4, 8, 4, 8, 4, 3)).float().mean((2, 4)).reshape(4, 64, 3)
painted = (source.transpose(1, 2) @ (source @ colours / sizes)).reshape(4, 8, 8, 3) / 255
print(sizes.shape[1], sizes[0].flatten().int().tolist())
assert torch.equal(source.sum(1), torch.ones(4, 64))
# %%
fig, axes = plots.figure(4.8, 2.6, rows=2, cols=4)
for column in range(4):
    axes[0, column].imshow(drawn[column])
    axes[1, column].imshow(painted[column])
    plots.bare(axes[0, column])
    plots.bare(axes[1, column])
#zh> axes[0, 0].set_ylabel("原图")
#zh> axes[1, 0].set_ylabel("16 个词元")
#zh> plots.show(fig, "上排四幅原图，下排每块涂成它所属词元的平均色：背景并成了几大片，两个图形的位置和颜色还认得出，图形边缘的块和零星的背景块并到一起，带上了淡色。")
#en> axes[0, 0].set_ylabel("picture")
#en> axes[1, 0].set_ylabel("16 tokens")
#en> plots.show(fig, "Above four pictures, below each patch in the mean colour of its token: the background has become a few large areas, place and colour of both shapes are still plain, and some patches at their edges are merged with stray patches of background, which look faintly coloured.")
# %% [markdown] lang="zh" ids="cost"
# ### 代价，和两个对照
#
# 同样少掉这么多词元，但**随机**挑谁合并；或者随机挑出来直接**丢掉**。如果三条线一样，那“找相像的”就没有用。
# %% [markdown] lang="en" ids="cost"
# ### The price, and two controls
#
# Remove as many tokens, but choose at **random** whom to merge; or choose at random and **drop** them. If all three lines agree, looking for what is alike is of no use.
# %%
RS = (0, 8, 12, 16, 20, 24, 32)
kept = [encoder.features(test_pixels[:1], r)[0].shape[1] for r in RS]
for how in positions.HOW:
    for r, n in zip(RS, kept):
        run.record(f"merge.{how}.{n}", both_right(encoder, test_pixels, test_targets, r=r, how=how))
    print(f"{how:8}", *(f"{n}: {run.recorded[f'merge.{how}.{n}']:.2f}" for n in kept))
flat = run.record("merge.flat.8", both_right(encoder, test_pixels, test_targets, r=32, proportional=False))
got = run.recorded
assert got["merge.similar.64"] - got["merge.similar.16"] < 0.08
assert got["merge.similar.10"] > got["merge.random.10"] and got["merge.similar.10"] > got["merge.drop.10"] - 0.02
# %%
fig, ax = plots.figure(4.8, 2.6)
#zh> words = ("合并相像的", "随机合并", "随机丢掉", "剩下的词元（共 64）", "测试准确率")
#en> words = ("merge what is alike", "merge at random", "drop at random", "tokens left of 64", "test accuracy")
for how, name, colour, mark, style in zip(positions.HOW, words, plots.CYCLE, "o^s", ("-", "--", ":")):
    mean, std = zip(*((run.mean(f"merge.{how}.{n}"), run.std(f"merge.{how}.{n}")) for n in kept))
    ax.errorbar(kept, mean, std, color=colour, marker=mark, linestyle=style, markersize=5, label=name)
ax.set(xlabel=words[3], ylabel=words[4], xscale="log", xticks=(8, 16, 32, 64), xticklabels=(8, 16, 32, 64))
ax.minorticks_off()
ax.legend(loc="lower right")
#zh> plots.show(fig, "剩下 16 个词元时，合并相像的几乎不掉；随机合并和随机丢掉掉得更早、更多。误差棒是各种子的标准差。")
#en> plots.show(fig, "With 16 tokens left, merging what is alike loses next to nothing; merging or dropping at random loses earlier and more. Bars are the standard deviation over seeds.")
# %% [markdown] lang="zh"
# 剩四分之一：合并相像的 {= run.spread("merge.similar.16") =}，随机丢掉 {= run.spread("merge.drop.16") =}，随机合并 {= run.spread("merge.random.16") =}。剩八分之一：依次是 {= run.spread("merge.similar.8") =}、{= run.spread("merge.drop.8") =}、{= run.spread("merge.random.8") =}。随机合并没有胜过丢掉，均值还低些，只是各种子相差很大：平均会把不相干的东西混成一团，丢掉至少不弄脏留下的。所以好处来自“相像”，不是来自“合并”。注意力里不加 $\log s$（剩 8 个时）：{= run.spread("merge.flat.8") =}，与加了的分不出高下。
# %% [markdown] lang="en"
# With a quarter left: merging what is alike {= run.spread("merge.similar.16") =}, dropping at random {= run.spread("merge.drop.16") =}, merging at random {= run.spread("merge.random.16") =}. With an eighth left, in the same order: {= run.spread("merge.similar.8") =}, {= run.spread("merge.drop.8") =}, {= run.spread("merge.random.8") =}. Merging at random does not beat dropping; its mean is lower, though the seeds differ widely. A mean of unrelated things is mud, while dropping at least leaves the rest clean. So the gain is in “alike”, not in “merge”. Without $\log s$ in the attention (8 left): {= run.spread("merge.flat.8") =}, which cannot be told apart from the result with it.
# %% [markdown] lang="zh" ids="time"
# ### 少了词元，快了多少
#
# 换一个大些的编码器来量时间：576 个词元（LLaVA-1.5 的数目），宽 192，6 层，没有训练过；时间与权重无关。乘加数按公式算，时间是五次里最快的一次。
# %% [markdown] lang="en" ids="time"
# ### Fewer tokens: how much faster
#
# Time is measured on a larger encoder: 576 tokens (as many as LLaVA-1.5's), width 192, 6 layers, untrained; time does not depend on weights. Multiply–adds follow from a formula; the time is the best of five.
# %%
large = positions.MergingEncoder(16, size=96, patch=4, dim=192, layers=6, heads=6).eval()
batch = torch.randn(2, 3, 96, 96)

def multiply_adds(r, n=576, d=192, layers=6):
    total = 0
    for _ in range(layers):
        before, n = n, n - min(r, n // 2)
        total += before * 4 * d * d + 2 * before**2 * d + n * 4 * d * d
    return total

def seconds(r):
    runs = []
    for _ in range(5):
        started = time.process_time()
        with torch.inference_mode():
            large(batch, r)
        runs.append(time.process_time() - started)
    return min(runs)

large(batch)
times = {576 - 6 * r: (seconds(r), multiply_adds(r)) for r in (0, 16, 32, 48, 64, 80)}
most = times[576]
for n, (t, work) in times.items():
    print(f"{n:4}  {t / most[0]:4.0%}  {work / most[1]:4.0%}")
assert times[96][0] < times[576][0]
# %%
fig, ax = plots.figure(4.6, 2.3)
#zh> words = ("时间（实测）", "乘加数（算出）", "按词元数等比", "最后剩下的词元", "与不合并相比")
#en> words = ("time (measured)", "multiply–adds (computed)", "in proportion to tokens", "tokens left at the end", "against no merging")
ax.plot(list(times), [t / most[0] for t, _ in times.values()], "o-", color=plots.BLUE, label=words[0])
ax.plot(list(times), [w / most[1] for _, w in times.values()], "^--", color=plots.ORANGE, label=words[1])
ax.plot([96, 576], [96 / 576, 1], ":", color=plots.INK, label=words[2])
ax.set(xlabel=words[3], ylabel=words[4], ylim=(0, 1.2))
ax.legend(loc="lower right")
#zh> plots.show(fig, "词元从 576 减到 96，时间和乘加数都下降，但都高于“按词元数等比”的点线：前几层仍然要看几乎全部词元。")
#en> plots.show(fig, "From 576 tokens to 96 both time and multiply–adds fall, yet stay above the dotted line in proportion to tokens: the first layers still see nearly all of them.")
# %% [markdown] lang="zh"
# 最后剩六分之一的词元，时间是 {= f"{times[96][0] / most[0]:.0%}" =}，乘加数是 {= f"{times[96][1] / most[1]:.0%}" =}。合并是一层层来的，前面的层省不到；匹配本身（排序、搬动）也要时间。给语言模型的词元倒是真的只有六分之一，那才是大头，见[预填充](../principles/efficiency.md#prefill)。
# %% [markdown] lang="en"
# With a sixth of the tokens left at the end, time is {= f"{times[96][0] / most[0]:.0%}" =} and multiply–adds {= f"{times[96][1] / most[1]:.0%}" =}. Merging goes layer by layer, so early layers save little; and matching itself (sorting, moving) takes time. What a language model would receive is truly a sixth, and that is the larger bill: see [prefill](../principles/efficiency.md#prefill).
# %% [markdown] lang="zh" ids="breaks"
# ## 什么会让它失灵
#
# - **底数和训练长度**：$b$ 大得多时，最慢的几对在四倍长度内几乎不转，查找的外推会好看一些。小模型用哪几对也带偶然性，所以要看几个种子。
# - **词元合并**：形色的背景是一片纯色，合并占了便宜。满是小字的页面没有多余的词元，合并会先吃掉细节。要定位、要读字的任务应当单独测。
# - **切图**：账只数词元，没有说看得清不清。同样的词元数，补边浪费一部分，拉伸改变形状，切开会断字。
# - **时间**：在这台机器、单线程、这种大小上量的。GPU 上小矩阵喂不饱，省下的更少。
# %% [markdown] lang="en" ids="breaks"
# ## What would break this
#
# - **Base and trained length**: with a far larger $b$ the slowest pairs hardly turn within four times the length, and lookup extrapolates better. Which pairs a small model uses is partly chance, so look at several seeds.
# - **Merging**: ShapeTalk's background is one plain colour, which favours merging. A page of small print has no tokens to spare, and merging eats the detail first. Test tasks of reading and locating by themselves.
# - **Tiling**: the bill counts tokens and does not say how well one sees. For equal tokens a border wastes some, stretching changes shapes, and cuts go through words.
# - **Time**: measured on this machine, one thread, this size. Small matrices do not fill a GPU, where less is saved.
# %% [markdown] lang="zh" ids="exercises exercise-parts" tags=["exercise"]
# ## 练习
#
# ### 练习一：只压慢的
#
# NTK 对每一对都动一点。更干脆的办法：波长比训练长度**短**的对，训练时转过整圈，一点不动；波长更**长**的对，除以 $s$。写出这样的角度（YaRN 论文里叫 “NTK-by-parts”，过渡更平滑），在四倍长度上和 NTK 比。
# %% [markdown] lang="en" ids="exercises exercise-parts" tags=["exercise"]
# ## Exercises
#
# ### Exercise 1: squeeze only the slow ones
#
# NTK moves every pair a little. More bluntly: pairs with a wavelength **shorter** than the trained length have made whole turns in training and stay as they are; pairs with a **longer** one are divided by $s$. Write these angles (the YaRN paper has a smoother version, “NTK-by-parts”) and compare with NTK at four times the length.
# %% tags=["exercise"]
def by_parts(m, s):
    #zh| 在这里写你的代码：返回 (长度, HEAD / 2) 的角度
    #en| Your code: return angles of shape (length, HEAD / 2)
    pass
# %% tags=["solution"]
def by_parts(m, s):
    theta = positions.frequencies(HEAD, BASE)
    slow = 2 * math.pi / theta > TRAINED
    return m[:, None] * torch.where(slow, theta / s, theta)

for kind, name in enumerate(KINDS):
    fresh = torch.Generator().manual_seed(5 + run.seed)
    mine = run.record(f"{name}.parts.256", right(model, by_parts, 256, kind, fresh))
    print(name, f"{mine:.2f}", f"NTK {run.recorded[f'{name}.ntk.256']:.2f}")
assert run.recorded["lookup.parts.256"] > 0.8 and run.recorded["back.parts.256"] > 0.7
# %% [markdown] lang="zh" tags=["solution"]
# 四倍长度：查找 {= run.spread("lookup.parts.256") =}，往回数 {= run.spread("back.parts.256") =}。快的对管“第几个”，慢的对管“不管多远”，分开处理就两头都不误。
# %% [markdown] lang="en" tags=["solution"]
# At four times the length: lookup {= run.spread("lookup.parts.256") =}, counting back {= run.spread("back.parts.256") =}. Fast pairs say “which place”, slow ones “however far”; treated apart, neither suffers.
# %% [markdown] lang="zh" ids="exercise-shift" tags=["exercise"]
# ### 练习二：图放前面还是后面
#
# 一段 100 个词元的提问和一幅 24 × 24 的图。用 M-RoPE，图在前和图在后，提问最后一个词元的坐标各是多少？用一维位置呢？
# %% [markdown] lang="en" ids="exercise-shift" tags=["exercise"]
# ### Exercise 2: picture first or last
#
# A question of 100 tokens and a picture of 24 × 24. With M-RoPE, what is the largest coordinate if the picture comes first, and if it comes last? And with positions in one dimension?
# %% tags=["solution"]
first, last = (int(positions.mrope_positions(order).max()) for order in ([(1, 24, 24), 100], [100, (1, 24, 24)]))
print(first, last, 24 * 24 + 100 - 1)
assert first == last == 123
# %% [markdown] lang="zh" ids="exercise-size" tags=["exercise"]
# ### 练习三：忘了大小
#
# 合并之后平均，如果不按大小加权，会怎样？改写最后的平均，在剩 8 个词元时比较。
# %% [markdown] lang="en" ids="exercise-size" tags=["exercise"]
# ### Exercise 3: forgetting the sizes
#
# What if the final mean over merged tokens is not weighted by size? Rewrite it and compare with 8 tokens left.
# %% tags=["solution"]
with torch.inference_mode():
    tokens, sizes, _ = encoder.features(check_pixels, 32)
    logits = {"weighted": encoder.head((tokens * sizes).sum(1) / sizes.sum(1)), "plain": encoder.head(tokens.mean(1))}
wanted = check_targets.topk(2).indices.sort().values
for name, values in logits.items():
    print(name, f"{float((values.topk(2).indices.sort().values == wanted).all(1).float().mean()):.2f}")
# %% [markdown] lang="zh" tags=["solution"]
# 在这个任务上几乎没有差别：要回答的是“有没有”，不是“占多大”，大片背景少算几票也无妨。任务若问面积或个数，就不能忘。
# %% [markdown] lang="en" tags=["solution"]
# On this task it makes next to no difference: the question is whether a thing is there, not how much of the picture it fills, and a background with fewer votes does no harm. A task about areas or counts cannot forget the sizes.
# %% [markdown] lang="zh" ids="predictions"
# ## 对答案
#
# 1. 不变：分数只看位置之差。
# 2. {= run.spread("lookup.plain.256") =}，训练长度上是 {= run.spread("lookup.plain.64") =}。
# 3. 查找救回 {= run.spread("lookup.pi.256") =}；往回数在两倍长度上就坏成 {= run.spread("back.pi.128") =}。
# 4. 依次是 {= f"{bills['screen'][0]:,}" =}、{= f"{bills['screen'][1]:,}" =}、{= f"{bills['screen'][2]:,}" =}。
# 5. 从 {= run.spread("merge.similar.64") =} 到 {= run.spread("merge.similar.16") =}；随机合并是 {= run.spread("merge.random.16") =}。时间省得比词元少。
# %% [markdown] lang="en" ids="predictions"
# ## Your predictions against the run
#
# 1. No: scores know differences of positions only.
# 2. {= run.spread("lookup.plain.256") =}; at the trained length {= run.spread("lookup.plain.64") =}.
# 3. Lookup is saved, {= run.spread("lookup.pi.256") =}; counting back breaks at twice the length already, {= run.spread("back.pi.128") =}.
# 4. {= f"{bills['screen'][0]:,}" =}, {= f"{bills['screen'][1]:,}" =} and {= f"{bills['screen'][2]:,}" =}.
# 5. From {= run.spread("merge.similar.64") =} to {= run.spread("merge.similar.16") =}; merged at random it is {= run.spread("merge.random.16") =}. Less time is saved than tokens.
# %% [markdown] lang="zh" ids="further"
# ## 接着看
#
# - 章节：[注意力](../principles/attention.md)、[推理与效率](../principles/efficiency.md)、[编码器：图像](../principles/encoders.md#image)
# - 面试题：[多模态学习的挑战](../interview/q/seed-7-2.md)、[注意力机制](../interview/q/seed-7-5.md)
# %% [markdown] lang="en" ids="further"
# ## Where to go next
#
# - Chapters: [attention](../principles/attention.md), [inference and efficiency](../principles/efficiency.md), [encoders: pictures](../principles/encoders.md#image)
# - Questions: [the challenges of multimodal learning](../interview/q/seed-7-2.md), [attention](../interview/q/seed-7-5.md)
