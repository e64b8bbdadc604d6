# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   mmlab:
#     description:
#       zh: 卷积、图块、LSTM、Transformer 与对数梅尔编码器每一步的形状；七种融合；证明并实测：可加的融合在交叉的四道题里至多答对三道。
#       en: Shapes at every step of convolution, patches, LSTM, Transformer and log-mel encoders; seven fusions; why additive fusion gets at most three of four.
#     seeds: 3
#     headline:
#       - {figure: test.text, zh: 只看问题, en: question only}
#       - {figure: test.image, zh: 只看图像, en: picture only}
#       - {figure: test.concat, zh: 拼接 + 线性, en: concatenation + linear}
#       - {figure: test.product, zh: 乘积融合, en: product fusion}
#       - {figure: few.concat-mlp, zh: 拼接 + MLP，只有 240 个样本, en: "concatenation + MLP, 240 samples only"}
# ---
# %% [markdown] lang="zh" ids="features"
# # 实验二：特征抽取与融合
#
# 一个编码器看图，一个编码器读问题，两个向量合成一个，答案从中读出。编码器可以换大，**合成的那一步却可能让答案根本出不来。哪些融合会这样，为什么？**
#
# 先写下你的预测，再运行。末尾对答案。
#
# 1. VGG16 有一亿三千多万个参数。13 个卷积层占多少，3 个线性层占多少？
# 2. 一句话后面填充 20 个位置，忘了掩码。平均、最大、取末位三种池化，哪一种的结果会变？
# 3. 在交叉的题目上，“拼接 + 线性”至多对四分之三。训练完，它会到 75% 吗？
# 4. 把交叉注意力要看的 8 个图像词元先压成 1 个向量，准确率会掉到多少？
# 5. “拼接 + MLP”能表达任何交互。给它 6000 个样本，再只给 240 个，它都追得上乘积融合吗？
#
# 背景在[编码器](../principles/encoders.md)和[融合](../principles/fusion.md)两章；对应的面试题是[实现多模态特征提取器](../interview/q/seed-6-2.md)。
# %% [markdown] lang="en" ids="features"
# # Lab 2: features and fusion
#
# One encoder looks at the picture, one reads the question; two vectors become one, and the answer is read from that. Encoders can be made larger, **yet the step that joins them may put the answer out of reach. Which fusions do that, and why?**
#
# Write down your predictions before you run anything. The answers are at the end.
#
# 1. VGG16 has more than 130 million parameters. What share sits in its 13 convolutions, what share in its 3 linear layers?
# 2. A sentence is followed by 20 positions of padding and nobody thinks of the mask. Pool by mean, by maximum, by the last position: which result changes?
# 3. On crossed questions “concatenate, then linear” gets at most three in four. Will it reach 75 % once trained?
# 4. Cross-attention looks at 8 picture tokens. Squeeze them into 1 vector first: how far does its accuracy fall?
# 5. “Concatenate, then an MLP” can express any interaction. Does it keep up with the product given 6,000 samples, and given 240?
#
# The background is in the chapters on [encoders](../principles/encoders.md) and [fusion](../principles/fusion.md); the interview question is [implement a multimodal feature extractor](../interview/q/seed-6-2.md).
# %% tags=["setup"] needs="numpy pillow torch matplotlib scikit-learn tqdm pylopdf-fonts-zh-cn"
# %%
import re

import numpy as np
import torch
from torch import nn

from mmlab import audio, digits, encoders, fusion, plots, scenes, text, train
from mmlab.runs import Run

run = Run("02-feature-extraction")
# %% [markdown] lang="zh" ids="shapes"
# ## 看得见的形状
#
# 形状错，程序会停；形状碰巧对而含义错，程序不会停。所以先做一件小工具：给每一层挂一个**钩子**（hook），数据流过时记下输出的形状。下面每个编码器都用它过一遍。
# %% [markdown] lang="en" ids="shapes"
# ## Shapes you can see
#
# A wrong shape stops the program; a right shape with the wrong meaning does not. So first a small tool: hang a **hook** on every layer, and note the shape of what comes out as the data passes. Every encoder below goes through it.
# %%
def shapes(module, *inputs):
    rows, hooks = [], []

    def note(name, layer):
        def hook(_, given, result):
            result = result if torch.is_tensor(result) else result[0]
            size = result.data.shape if hasattr(result, "batch_sizes") else result.shape
            rows.append(f"{name:12} {type(layer).__name__:18} {tuple(size)}")
        return layer.register_forward_hook(hook)

    for name, layer in module.named_modules():
        inside_block = re.search(r"blocks\.\d+\.", name)
        if isinstance(layer, encoders.Block) or not (inside_block or list(layer.children())):
            hooks.append(note(name, layer))
    with torch.inference_mode():
        result = module(*inputs)
    for hook in hooks:
        hook.remove()
    print(*rows, sep="\n")
    return result
# %% [markdown] lang="zh" ids="image-encoders cnn"
# ## 图像编码器
#
# ### 卷积：每层把边长减半
#
# 一批 4 幅 32 × 32 的形色图，形状是 $(B, C, H, W)=(4,3,32,32)$。三个步长为 2 的卷积之后，每个位置概括原图的一块；把网格摊平，就是一串**词元** $(B,N,D)$。
# %% [markdown] lang="en" ids="image-encoders cnn"
# ## Encoders for pictures
#
# ### Convolution: each layer halves the side
#
# A batch of 4 ShapeTalk pictures of 32 × 32 has the shape $(B, C, H, W)=(4,3,32,32)$. After three convolutions of stride 2 each position sums up a patch of the picture; roll the grid out and it is a row of **tokens** $(B,N,D)$.
# %%
some = list(scenes.random_scenes(4, seed=1))
images = np.stack([scenes.draw(scene, run.rng(0)) for *_, scene in some])
pictures = encoders.preprocess(images)
print(images.shape, images.dtype, "→", tuple(pictures.shape), pictures.dtype)
conv = encoders.ConvEncoder(dim=64, size=32, stride=8)
tokens = shapes(conv, pictures)
print("→", tuple(tokens.shape))
assert tokens.shape == (4, 16, 64)
# %% [markdown] lang="zh" ids="patches"
# ### 图块：切开，摊平，乘一个矩阵
#
# ViT 不用卷积核滑动，直接把图切成 $P\times P$ 的方块，每块摊平成 $3P^2$ 个数，过同一个线性层，加上位置，再进 Transformer。词元数是
#
# $$N=\frac{HW}{P^2}$$
#
# 见[图像编码一节](../principles/encoders.md#image)。
# %% [markdown] lang="en" ids="patches"
# ### Patches: cut, flatten, multiply
#
# ViT slides no kernel. It cuts the picture into squares of $P\times P$, flattens each into $3P^2$ numbers, puts all through one linear layer, adds positions, and goes on to a Transformer. The number of tokens is
#
# $$N=\frac{HW}{P^2}$$
#
# See [the section on images](../principles/encoders.md#image).
# %%
patches = encoders.patchify(pictures, 8)
print(tuple(pictures.shape), "→", tuple(patches.shape))
vit = encoders.PatchEncoder(dim=64, size=32, patch=8)
tokens = shapes(vit, pictures)
print("→", tuple(tokens.shape))
assert patches.shape == (4, 16, 3 * 8 * 8) and tokens.shape == (4, 16, 64)
# %%
cut = encoders.patchify(torch.from_numpy(images[:1]).permute(0, 3, 1, 2), 8)
squares = cut.view(16, 3, 8, 8).permute(0, 2, 3, 1).numpy()
fig, axes = plots.figure(4.4, 2.3, rows=1, cols=2, width_ratios=[1, 1])
axes[0].imshow(images[0])
spread_out = np.full((4 * 10 - 2, 4 * 10 - 2, 4), 0, np.uint8)
for i, square in enumerate(squares):
    row, col = 10 * (i // 4), 10 * (i % 4)
    spread_out[row : row + 8, col : col + 8, :3] = square
    spread_out[row : row + 8, col : col + 8, 3] = 255
axes[1].imshow(spread_out)
#zh> for ax, title in zip(axes, ("32 × 32 像素", "16 块，每块 192 个数")): plots.bare(ax, title)
#zh> plots.show(fig, "左边是一幅有两个彩色图形的图，右边是同一幅图切成的四行四列十六块。")
#en> for ax, title in zip(axes, ("32 × 32 pixels", "16 patches of 192 numbers")): plots.bare(ax, title)
#en> plots.show(fig, "On the left a picture of two coloured shapes, on the right the same picture cut into sixteen squares in four rows and columns.")
# %% [markdown] lang="zh" ids="vgg16"
# ### VGG16：真实的大小
#
# 上面两个编码器各有几万个参数。VGG16 是 2014 年的 ImageNet 网络，[论文](https://arxiv.org/abs/1409.1556)里的配置 D：13 个 3 × 3 卷积，5 次最大池化，3 个线性层。`mmlab.encoders.VGG16` 照论文写成，权重的名字与 torchvision 一致。先在 `meta` 设备上建，只有形状，不占内存。torchvision 公布的参数个数是 [138357544](https://pytorch.org/vision/stable/models/generated/torchvision.models.vgg16.html)。
# %% [markdown] lang="en" ids="vgg16"
# ### VGG16: life size
#
# The two encoders above have some ten thousand parameters each. VGG16 is an ImageNet network of 2014, configuration D of [the paper](https://arxiv.org/abs/1409.1556): 13 convolutions of 3 × 3, 5 max-poolings, 3 linear layers. `mmlab.encoders.VGG16` is written from the paper, and its weights bear torchvision's names. Build it on the `meta` device first: shapes only, no memory. The number of parameters that torchvision publishes is [138357544](https://pytorch.org/vision/stable/models/generated/torchvision.models.vgg16.html).
# %%
with torch.device("meta"):
    skeleton = encoders.VGG16()
count = train.parameters(skeleton)
in_linear = train.parameters(skeleton.classifier) / count
print(f"{count:,}", f"{in_linear:.0%}")
print(f"{train.parameters(conv):,}", f"{train.parameters(vit):,}")
assert count == 138_357_544
# %% [markdown] lang="zh" ids="vgg16-weights"
# #### 真权重是选项
#
# 权重文件有 528 MiB，所以默认**不下载**：下面用随机权重，只验形状，特征没有意义。想用真权重，先下载 [vgg16-397923af.pth](https://download.pytorch.org/models/vgg16-397923af.pth)，把环境变量 `MMLAB_VGG16` 设为它的路径，再运行；`encoders.load_vgg16_weights()` 会去读它，没设变量则从网上取。输入要用 ImageNet 的均值和标准差（`encoders.IMAGENET`），不是 0 到 1 的像素。
# %% [markdown] lang="en" ids="vgg16-weights"
# #### Real weights are an option
#
# The file of weights has 528 MiB, so **nothing is downloaded** by default: the weights below are random, they check shapes, and the features mean nothing. For real ones download [vgg16-397923af.pth](https://download.pytorch.org/models/vgg16-397923af.pth), set the environment variable `MMLAB_VGG16` to its path, and run again; `encoders.load_vgg16_weights()` reads it, and without the variable fetches it. The input wants ImageNet's mean and deviation (`encoders.IMAGENET`), not pixels from 0 to 1.
# %%
import os

vgg = encoders.load_vgg16_weights() if "MMLAB_VGG16" in os.environ else encoders.VGG16().eval()
large = np.stack([scenes.draw(scene, run.rng(1), size=224) for *_, scene in some[:2]])
x = encoders.preprocess(large, encoders.IMAGENET)
print(tuple(x.shape))
with torch.inference_mode():
    for layer in vgg.features:
        x = layer(x)
        if isinstance(layer, nn.MaxPool2d):
            print(tuple(x.shape))
    scores = vgg.classifier(vgg.avgpool(x).flatten(1))
print(tuple(x.flatten(2).transpose(1, 2).shape), tuple(scores.shape))
assert x.shape == (2, 512, 7, 7) and scores.shape == (2, 1000)
# %% [markdown] lang="zh" ids="vgg16-join"
# #### 拼不起来的两个形状
#
# 讲义里的特征提取器直接拼接 $(2,128)$ 的文本特征和 VGG16 的特征图，秩不同，当场报错（[勘误表](../reference/errata.md) C35）。先**池化**成 $(2,512)$，才拼得成 $(2,640)$。
# %% [markdown] lang="en" ids="vgg16-join"
# #### Two shapes that do not join
#
# The notes' feature extractor concatenates text features of $(2,128)$ with VGG16's feature map; the ranks differ and it stops at once (C35 of the [errata](../reference/errata.md)). **Pool** it to $(2,512)$ first, and they join to $(2,640)$.
# %%
words = torch.zeros(2, 128)
try:
    torch.cat([words, x], 1)
except RuntimeError as error:
    print(str(error)[:70])
joined = torch.cat([words, x.mean((2, 3))], 1)
print(tuple(joined.shape))
assert joined.shape == (2, 640)
del vgg, x
# %% [markdown] lang="zh" ids="text-encoders"
# ## 文本编码器
#
# 编号 $(B,L)$ 加掩码 $(B,L)$，得到状态 $(B,L,D)$。LSTM 从左到右读，第 $i$ 个状态只知道前 $i$ 个词元；Transformer 的每个状态都看见整句。LSTM 那一行是**压紧**（packed）的：填充被拿掉，只剩真词元，所以行数不是 $B\times L$。
# %% [markdown] lang="en" ids="text-encoders"
# ## Encoders for text
#
# Ids $(B,L)$ and a mask $(B,L)$ become states $(B,L,D)$. The LSTM reads from left to right, and its state $i$ knows only the first $i$ tokens; in the Transformer every state sees the whole sentence. The LSTM's row is **packed**: the padding is taken out and real tokens remain, so it has fewer rows than $B\times L$.
# %%
captions = [scenes.caption(a, relation, b, lang) for (a, relation, b, _), lang in zip(some, ("zh", "en") * 2)]
vocabulary = text.Vocabulary.fit(captions)
ids, mask = map(torch.from_numpy, text.pad([vocabulary.encode(c) for c in captions]))
print(tuple(ids.shape), int(mask.sum()))
lstm = encoders.LSTMEncoder(len(vocabulary), dim=64)
transformer = encoders.TransformerEncoder(len(vocabulary), dim=64, length=40)
print("→", tuple(shapes(lstm, ids, mask).shape))
print("→", tuple(shapes(transformer, ids, mask).shape))
# %% [markdown] lang="zh" ids="order"
# ### 谁记得词序
#
# “红圆在蓝星左边”和“蓝星在红圆左边”用的是同样几个词。把两句分别变成一个向量，看它们差多少（相对于向量的长度）。网络还没训练，这里只问：**结构上**分不分得出。
# %% [markdown] lang="en" ids="order"
# ### Who remembers the order
#
# “A red circle left of a blue star” and “a blue star left of a red circle” use the same words. Make each a vector and see how far apart they are, relative to their length. Nothing is trained yet; we ask only whether the **structure** can tell them apart.
# %%
import copy

there = scenes.caption(scenes.Thing("red", "circle"), "left", scenes.Thing("blue", "star"), "en")
back = scenes.caption(scenes.Thing("blue", "star"), "left", scenes.Thing("red", "circle"), "en")
own = text.Vocabulary.fit([there, back])
pair, whole = map(torch.from_numpy, text.pad([own.encode(there), own.encode(back)]))
readers = {"lstm": encoders.LSTMEncoder(len(own)), "transformer": encoders.TransformerEncoder(len(own))}
readers["no positions"] = copy.deepcopy(readers["transformer"])
nn.init.zeros_(readers["no positions"].position)
states = {name: reader(pair, whole).detach() for name, reader in readers.items()}
states["embeddings"] = readers["lstm"].embed(pair).detach()
gap = {}
for name, state in states.items():
    u, v = encoders.pool(state, whole, "mean")
    gap[name] = float((u - v).norm() / v.norm())
    print(f"{name:14} {gap[name]:.4f}")
assert max(gap["embeddings"], gap["no positions"]) < 1e-5 < 5e-4 < min(gap["lstm"], gap["transformer"])
# %% [markdown] lang="zh"
# 词向量的平均是一个**词袋**：换了次序，一个数也不变。没有位置编码的 Transformer 也是，注意力本身不知道谁先谁后。有位置编码的差别还很小，因为位置向量从接近 0 开始，训练会把它放大。
# %% [markdown] lang="en"
# The mean of embeddings is a **bag of words**: change the order and no number moves. So is a Transformer without positions; attention by itself does not know who comes first. With positions the gap is still small, because they start near 0; training enlarges it.
# %% [markdown] lang="zh" ids="audio-encoder"
# ## 声音编码器
#
# 对数梅尔谱 $(B,F,40)$ 过两个一维卷积，第二个步长为 2，帧数减半，与 Whisper 的编码器同一个布局，只是小得多。**掩码也要跟着减半**：输出第 $j$ 个状态以第 $2j$ 帧为中心。
# %% [markdown] lang="en" ids="audio-encoder"
# ## An encoder for sound
#
# Log-mel frames $(B,F,40)$ pass two 1-D convolutions, the second of stride 2, so their number halves: the plan of Whisper's encoder, much smaller. **The mask must halve as well**: state $j$ of the output has frame $2j$ at its centre.
# %%
lengths = (0.4, 0.25)
mels = [audio.log_mel(audio.tone(a, run.rng(2), s)) for s, (a, *_) in zip(lengths, some)]
mel = torch.zeros(2, len(mels[0]), audio.N_MELS)
mel_mask = torch.zeros(2, len(mels[0]), dtype=torch.bool)
for row, frames in enumerate(mels):
    mel[row, : len(frames)], mel_mask[row, : len(frames)] = torch.from_numpy(frames), True
listen = encoders.AudioEncoder(mels=audio.N_MELS, dim=64)
heard, heard_mask = shapes(listen, mel, mel_mask)
print(mel_mask.sum(1).tolist(), "→", heard_mask.sum(1).tolist(), tuple(heard.shape))
assert heard_mask.sum(1).tolist() == [(len(m) + 1) // 2 for m in mels]
# %% [markdown] lang="zh" ids="pooling"
# ## 池化：一串变一个
#
# 分类头要一个向量。三种常见的做法：平均、逐维取最大、取最后一个真词元的状态。三者都要掩码。下面给一句话填充 0 到 20 个位置，比较“有掩码”和“忘了掩码”的向量差多远：
#
# $$\delta=\frac{\lVert p_{\mathrm{wrong}}-p\rVert}{\lVert p\rVert}$$
# %% [markdown] lang="en" ids="pooling"
# ## Pooling: from many to one
#
# A classifier wants one vector. Three common ways: the mean, the maximum of each dimension, the state of the last real token. All three need the mask. Below a sentence gets 0 to 20 positions of padding, and we compare the vector made with the mask to the one made without:
#
# $$\delta=\frac{\lVert p_{\mathrm{wrong}}-p\rVert}{\lVert p\rVert}$$
# %%
sentence = torch.tensor([vocabulary.encode(captions[1])])
pads = range(0, 21, 2)

def drift(reader, how, masked):
    start = encoders.pool(reader(sentence, sentence > 0), how=how)
    moved = []
    for n in pads:
        longer = nn.functional.pad(sentence, (0, n))
        seen = longer > 0 if masked else torch.ones_like(longer, dtype=torch.bool)
        wrong = encoders.pool(reader(longer, seen), seen, how)
        moved.append(float((wrong - start).norm() / start.norm()))
    return moved

with torch.inference_mode():
    drifts = {how: drift(transformer, how, False) for how in ("mean", "max")} | {"last": drift(lstm, "last", False)}
    kept = [drift(transformer, "mean", True), drift(transformer, "max", True), drift(lstm, "last", True)]
assert np.max(kept) < 1e-4 and min(d[-1] for d in drifts.values()) > 0.1
# %%
fig, ax = plots.figure(4.6, 2.6)
for (how, moved), colour, marker in zip(drifts.items(), plots.CYCLE, plots.MARKERS):
    ax.plot(pads, moved, color=colour, marker=marker, markersize=4, label=how)
ax.plot(pads, kept[0], color=plots.INK, linestyle="--", label="mask")
ax.set(ylim=(-0.05, None), xticks=range(0, 21, 5))
#zh> names = {"mean": "平均（Transformer）", "max": "最大（Transformer）", "last": "末位（LSTM）", "mask": "有掩码，三种都是"}
#zh> ax.set(xlabel="填充的位置数", ylabel="相对偏离 δ")
#en> names = {"mean": "mean (Transformer)", "max": "maximum (Transformer)", "last": "last (LSTM)", "mask": "with mask, all three"}
#en> ax.set(xlabel="positions of padding", ylabel="relative drift δ")
handles, labels = ax.get_legend_handles_labels()
ax.legend(handles, [names[k] for k in labels], fontsize=8)
#zh> plots.show(fig, "三条曲线随填充数上升：没有掩码时，平均、最大、末位三种池化都偏离；有掩码的虚线停在 0。")
#en> plots.show(fig, "Three curves rise with the padding: without a mask, mean, maximum and last position all drift; the dashed line with a mask stays at 0.")
# %% [markdown] lang="zh" ids="fusions operators"
# ## 七种融合
#
# ### 同一个接口
#
# 记问题向量 $a\in\mathbb{R}^{d_a}$，图像向量 $b\in\mathbb{R}^{d_b}$，输出 $h\in\mathbb{R}^{d}$。`mmlab.fusion` 里七个类，建法都是 `Fusion(dim_a, dim_b, dim)`，用法都是 `fusion(a, b)`。
#
# | 名字 | 公式 | 可加吗 |
# | --- | --- | --- |
# | 拼接 | $h=W[a;b]+b_0$ | 是 |
# | 平均 | $h=\frac12(W_aa+W_bb)$ | 是 |
# | 加权 | $h=\alpha W_aa+(1-\alpha)W_bb$ | 是，$\alpha$ 对所有样本相同 |
# | 门控 | $h=z\odot\tanh(W_aa)+(1-z)\odot\tanh(W_bb),\ z=\sigma(W_z[a;b])$ | 否 |
# | FiLM | $h=\gamma(a)\odot W_bb+\beta(a)$ | 否 |
# | 乘积 | $h=(W_aa)\odot(W_bb)$ | 否 |
# | 交叉注意力 | $h=W_aa+\mathrm{softmax}(QK^\top/\sqrt{d})V$ | 看 $K,V$ 有几个，见下 |
#
# 每一行的出处和代价在[融合的运算](../principles/fusion.md#operators)。
# %% [markdown] lang="en" ids="fusions operators"
# ## Seven fusions
#
# ### One interface
#
# Let the question be $a\in\mathbb{R}^{d_a}$, the picture $b\in\mathbb{R}^{d_b}$, the result $h\in\mathbb{R}^{d}$. `mmlab.fusion` has seven classes; each is built as `Fusion(dim_a, dim_b, dim)` and called as `fusion(a, b)`.
#
# | name | formula | additive? |
# | --- | --- | --- |
# | concatenation | $h=W[a;b]+b_0$ | yes |
# | mean | $h=\frac12(W_aa+W_bb)$ | yes |
# | weighting | $h=\alpha W_aa+(1-\alpha)W_bb$ | yes, $\alpha$ is the same for all samples |
# | gating | $h=z\odot\tanh(W_aa)+(1-z)\odot\tanh(W_bb),\ z=\sigma(W_z[a;b])$ | no |
# | FiLM | $h=\gamma(a)\odot W_bb+\beta(a)$ | no |
# | product | $h=(W_aa)\odot(W_bb)$ | no |
# | cross-attention | $h=W_aa+\mathrm{softmax}(QK^\top/\sqrt{d})V$ | depends on how many $K,V$ there are, see below |
#
# Where each comes from and what it costs is under [operators](../principles/fusion.md#operators).
# %%
a, b_pooled, b_tokens = torch.randn(2, 128), torch.randn(2, 512), torch.randn(2, 49, 512)
for name, cls in fusion.FUSIONS.items():
    layer = cls(128, 512, 256)
    b = b_tokens if name == "cross-attention" else b_pooled
    print(f"{name:16}{tuple(a.shape)} {tuple(b.shape)} → {tuple(layer(a, b).shape)} {train.parameters(layer):>8,}")
h, weights = layer.attend(a, b_tokens)
print(tuple(weights.shape), weights.sum(-1).flatten()[:3].tolist())
# %% [markdown] lang="zh" ids="same-thing"
# ### 拼接、平均、加权是同一件事
#
# $W[a;b]=W_aa+W_bb$：把拼接的矩阵竖着切成两半，就是两个投影之和。把一个的权重搬给另一个，输出分毫不差。三种都能写成 $f(a)+g(b)$，这就是**可加**。
# %% [markdown] lang="en" ids="same-thing"
# ### Concatenation, mean and weighting are one thing
#
# $W[a;b]=W_aa+W_bb$: cut the matrix of a concatenation in two, left and right, and it is a sum of two projections. Move the weights of one into the other and the outputs agree. All three can be written as $f(a)+g(b)$; that is what **additive** means.
# %%
concat, weighted = fusion.Concat(128, 512, 256), fusion.Weighted(128, 512, 256)
with torch.no_grad():
    weighted.w.fill_(1.5)
    weighted.to_a.weight.copy_(concat.linear.weight[:, :128] / weighted.alpha)
    weighted.to_b.weight.copy_(concat.linear.weight[:, 128:] / (1 - weighted.alpha))
    weighted.to_a.bias.copy_(concat.linear.bias / weighted.alpha)
    weighted.to_b.bias.zero_()
    difference = (concat(a, b_pooled) - weighted(a, b_pooled)).abs().max()
print(f"{difference:.0e}")
assert difference < 1e-4
# %% [markdown] lang="zh" ids="what-is-lost"
# ### 平均和加权丢了什么
#
# 不加投影、直接平均，还会再丢一层：$2d$ 个数压成 $d$ 个，而且 $a$ 和 $b$ 对调，结果不变，谁是谁就此不知。拿两组独立的正态随机向量，混成 $\alpha a+(1-\alpha)b$，再用线性回归把 $a$ 和 $b$ 猜回来。能猜回的方差比例是
#
# $$R^2_a=\frac{\alpha^2}{\alpha^2+(1-\alpha)^2},\qquad R^2_b=1-R^2_a$$
#
# 权重只能在两者之间**分配**损失，不能消除它。拼接则一个数也不丢。
# %% [markdown] lang="en" ids="what-is-lost"
# ### What mean and weighting lose
#
# A plain mean, without projections, loses more: $2d$ numbers become $d$, and with $a$ and $b$ exchanged the result is the same, so nobody knows any more which was which. Take two sets of independent normal vectors, mix them as $\alpha a+(1-\alpha)b$, and guess $a$ and $b$ back by linear regression. The share of variance that comes back is
#
# $$R^2_a=\frac{\alpha^2}{\alpha^2+(1-\alpha)^2},\qquad R^2_b=1-R^2_a$$
#
# A weight can only **divide** the loss between the two, never remove it. Concatenation loses not one number.
# %%
left, right = run.rng(3).standard_normal((2, 2000, 16))

def recovered(mixed, wanted):
    guess = mixed @ np.linalg.lstsq(mixed, wanted, rcond=None)[0]
    return 1 - ((wanted - guess) ** 2).sum() / (wanted**2).sum()

alphas = np.linspace(0, 1, 11)
of_a = [recovered(alpha * left + (1 - alpha) * right, left) for alpha in alphas]
of_b = [recovered(alpha * left + (1 - alpha) * right, right) for alpha in alphas]
from_concat = recovered(np.concatenate([left, right], 1), left)
print(f"{of_a[5]:.2f} {of_b[5]:.2f} {from_concat:.2f}")
assert np.allclose(of_a, alphas**2 / (alphas**2 + (1 - alphas) ** 2), atol=0.03) and from_concat > 0.999
# %%
fig, ax = plots.figure(4.4, 2.4)
ax.plot(alphas, of_a, color=plots.BLUE, marker="o", markersize=4)
ax.plot(alphas, of_b, color=plots.ORANGE, marker="s", markersize=4)
ax.axhline(from_concat, color=plots.INK, linestyle="--")
ax.text(0.98, 0.78, "a", color=plots.BLUE, ha="right")
ax.text(0.02, 0.78, "b", color=plots.ORANGE)
ax.set_ylim(-0.05, 1.2)
#zh> ax.text(0.5, 1.05, "拼接：a、b 都是 1", ha="center", fontsize=9)
#zh> ax.set(xlabel="权重 α", ylabel="能猜回的比例 R²")
#zh> plots.show(fig, "权重从 0 到 1，a 能猜回的比例从 0 升到 1，b 从 1 降到 0，在 0.5 处相交于一半；拼接的虚线始终在 1。")
#en> ax.text(0.5, 1.05, "concatenation: 1 for a and b", ha="center", fontsize=9)
#en> ax.set(xlabel="weight α", ylabel="share recovered, R²")
#en> plots.show(fig, "As the weight goes from 0 to 1 the recovered share of a rises from 0 to 1 and that of b falls; they cross at one half. The dashed line of concatenation stays at 1.")
# %% [markdown] lang="zh" ids="ceiling proof"
# ## 可加的上限：四道题至多对三道
#
# ### 纸上的证明
#
# 两幅图，两个问题，四个答案交叉：问题 1 的答案是甲、乙，问题 2 的是乙、甲。令 $s_{ij}$ 为甲的得分减去乙的得分。可加就是 $s_{ij}=f_i+g_j$。四题全对要求
#
# $$s_{11}>0,\quad s_{22}>0,\quad s_{12}<0,\quad s_{21}<0$$
#
# 前两个相加是正数，后两个相加是负数；可是
#
# $$s_{11}+s_{22}=f_1+f_2+g_1+g_2=s_{12}+s_{21}$$
#
# 一个数不能既正又负。编码器多大，与此无关。完整的推导见[证明](../principles/fusion.md#proof)。
# %% [markdown] lang="en" ids="ceiling proof"
# ## The additive ceiling: three of four at most
#
# ### On paper
#
# Two pictures, two questions, four answers that cross: A and B for question 1, B and A for question 2. Let $s_{ij}$ be the score of A minus that of B. Additive means $s_{ij}=f_i+g_j$. To be right in all four we need
#
# $$s_{11}>0,\quad s_{22}>0,\quad s_{12}<0,\quad s_{21}<0$$
#
# The first two sum to a positive number, the last two to a negative one; and yet
#
# $$s_{11}+s_{22}=f_1+f_2+g_1+g_2=s_{12}+s_{21}$$
#
# No number is both positive and negative. How large the encoders are does not enter. The derivation in full is under [proof](../principles/fusion.md#proof).
# %% [markdown] lang="zh" ids="enumeration"
# ### 穷举
#
# 不信证明，就全试一遍：四个数 $f_1,f_2,g_1,g_2$ 各取 −3 到 3 的整数，共 2401 种。只看问题或只看图像的上限也能这样数出来。
# %% [markdown] lang="en" ids="enumeration"
# ### By trying them all
#
# If you distrust proofs, try everything: let each of $f_1,f_2,g_1,g_2$ take the whole numbers from −3 to 3, 2401 ways in all. The ceilings of one who sees only the question or only the picture can be counted as well.
# %%
crossed = np.array([["A", "B"], ["B", "A"]])
print(scenes.additive_ceiling(crossed), *map(float, scenes.unimodal_ceiling(crossed)))
assert scenes.additive_ceiling(crossed) == 0.75 and scenes.unimodal_ceiling(crossed) == (0.5, 0.5)
# %% [markdown] lang="zh" ids="free-scores"
# ### 让优化器来试
#
# 现在没有编码器，$f$ 和 $g$ 就是可以自由调的数，从 500 个随机起点出发用 Adam 下降。三种设置：
#
# 1. 可加，损失尽量贴近“答错几道”（陡的 sigmoid）；
# 2. 可加，损失是训练分类器用的交叉熵 $\log(1+e^{-s})$；
# 3. 加一个乘积项 $s_{ij}=f_i+g_j+w f_i g_j$，损失同 1。
# %% [markdown] lang="en" ids="free-scores"
# ### Let an optimiser try
#
# No encoders now: $f$ and $g$ are numbers free to move, and Adam descends from 500 random starts. Three settings:
#
# 1. additive, with a loss close to “how many are wrong” (a steep sigmoid);
# 2. additive, with the cross-entropy that trains classifiers, $\log(1+e^{-s})$;
# 3. with one product, $s_{ij}=f_i+g_j+w f_i g_j$, and the loss of 1.
# %%
wanted = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])

def descend(loss, product, starts=500, steps=1500):
    f = torch.randn(starts, 2, 1, requires_grad=True)
    g = torch.randn(starts, 1, 2, requires_grad=True)
    w = (0.1 * torch.randn(starts, 1, 1)).requires_grad_()
    optimiser = torch.optim.Adam([f, g, w], 0.05)
    for _ in range(steps):
        lead = wanted * (f + g + (w * f * g if product else 0))
        optimiser.zero_grad()
        loss(lead).sum().backward()
        optimiser.step()
    right = (lead > 0).sum((1, 2))
    return torch.bincount(right, minlength=5).numpy() / starts, float(lead.detach().abs().mean())

def wrong_ones(lead):
    return torch.sigmoid(-4 * lead)
# %%
steep, _ = descend(wrong_ones, product=False)
entropy, size = descend(lambda lead: nn.functional.softplus(-lead), product=False)
multiplied, _ = descend(wrong_ones, product=True)
for share in (steep, entropy, multiplied):
    print(np.round(share, 2))
print(f"{size:.0e}")
assert steep[4] == entropy[4] == 0 and steep[3] > 0.9 and multiplied[4] > 0.7 and size < 0.01
# %%
fig, ax = plots.figure(4.8, 2.3)
left_edge = np.zeros(3)
for k, (colour, hatch) in enumerate(zip((plots.PINK, plots.AMBER, plots.SKY, plots.BLUE, plots.GREEN), plots.HATCHES)):
    values = np.array([steep[k], entropy[k], multiplied[k]])
    ax.barh(range(3), values, left=left_edge, color=colour, hatch=hatch, edgecolor="white", linewidth=0, label=f"{k}/4")
    left_edge += values
ax.invert_yaxis()
ax.legend(ncols=5, loc="lower center", bbox_to_anchor=(0.4, 1), fontsize=8, handlelength=1.2, columnspacing=0.8)
#zh> ax.set_yticks(range(3), ["可加，数错题", "可加，交叉熵", "加乘积项，数错题"])
#zh> ax.set_xlabel("起点的比例（颜色：四道题对几道）")
#zh> plots.show(fig, "三条横条：可加并数错题，几乎所有起点停在四对三；可加用交叉熵，多数停在四对二或更少；加了乘积项，绝大多数到四对四。")
#en> ax.set_yticks(range(3), ["additive, count", "additive, entropy", "product, count"])
#en> ax.set_xlabel("share of starts (colour: how many of four are right)")
#en> plots.show(fig, "Three bars: additive with the counting loss, nearly all starts end at three of four; additive with cross-entropy, most end at two or fewer; with a product term, nearly all reach four of four.")
# %% [markdown] lang="zh" ids="why-half"
# ### 为什么交叉熵停在一半
#
# 可加的得分到不了四对四，一次也没有。但数错题的损失能稳稳走到四对三，交叉熵却不能：它是凸的，在交叉的块上最小值恰在所有 $s_{ij}=0$，也就是“甲乙各一半”，得分的绝对值最后只剩 {= f"{size:.0e}" =}。剩下的正负号是噪声。所以训练好的可加模型，准确率多半落在 50% 附近，**低于**它的上限 75%。下面看真的模型是不是这样。
# %% [markdown] lang="en" ids="why-half"
# ### Why cross-entropy stops at one half
#
# Additive scores never reach four of four, not once. The counting loss walks safely to three of four; cross-entropy does not: it is convex, and on a crossed block its minimum lies exactly where all $s_{ij}=0$, “A and B are equally likely”. The scores end at an absolute size of {= f"{size:.0e}" =}; their signs are noise. So a trained additive model will mostly land near 50 %, **below** its ceiling of 75 %. Now see whether real models do.
# %% [markdown] lang="zh" ids="experiment data"
# ## 真实手写数字上的实验
#
# ### 题目
#
# scikit-learn 自带 1797 个真实手写数字。两个并排成一幅 8 × 16 的图，问“左边是数字几？”或“右边是数字几？”，中英文轮流。每块四道题：同样两个数字，换边再问一遍，答案交叉。训练、验证、测试用**不同的**手写样本。模型和训练步数都在验证集上选定；测试集只在最后打开一次。
# %% [markdown] lang="en" ids="experiment data"
# ## An experiment on real handwriting
#
# ### The task
#
# scikit-learn brings 1,797 real handwritten digits. Two side by side make a picture of 8 × 16, and the question is “Which digit is on the left?” or “… on the right?”, in Chinese and English by turns. A block has four questions: the same two digits, exchanged and asked again, so the answers cross. Training, validation and test use **different** pieces of handwriting. Models and training steps were chosen on the validation split; the test split is opened once, at the end.
# %%
made = {part: digits.pairs(blocks, int(run.rng(4, k).integers(2**31)), part)
        for k, (part, blocks) in enumerate({"train": 1500, "val": 200, "test": 400}.items())}
vocabulary = text.Vocabulary.fit(made["train"].questions)
mean, std = made["train"].images.mean(), made["train"].images.std()

def tensors(pairs):
    ids, mask = text.pad([vocabulary.encode(q) for q in pairs.questions])
    pictures = (pairs.images - mean) / std
    return torch.from_numpy(pictures)[:, None], *map(torch.from_numpy, (ids, mask, pairs.answers))

data = {part: tensors(pairs) for part, pairs in made.items()}
print([tuple(x.shape) for x in data["train"]], len(vocabulary))
# %%
first = made["train"]
fig, axes = plots.figure(4.8, 1.9, cols=2)
for ax, k in zip(axes, (0, 2)):
    ax.imshow(first.images[k], cmap="gray_r")
#zh> for ax, k in zip(axes, (0, 2)): plots.bare(ax, f"左边？{first.answers[k]}　右边？{first.answers[k + 1]}")
#zh> plots.show(fig, f"一块题目的两幅图：先是 {first.answers[0]} 和 {first.answers[1]}，再是换边之后的 {first.answers[2]} 和 {first.answers[3]}。")
#en> for ax, k in zip(axes, (0, 2)): plots.bare(ax, f"left? {first.answers[k]}   right? {first.answers[k + 1]}")
#en> plots.show(fig, f"The two pictures of a block: first {first.answers[0]} and {first.answers[1]}, then exchanged, {first.answers[2]} and {first.answers[3]}.")
# %% [markdown] lang="zh" ids="model"
# ### 模型：只有融合不同
#
# 卷积编码器给出 2 × 4 = 8 个图像词元，LSTM 的末位状态代表问题，中间是融合，最后一个线性层给出 10 个数字的得分。除交叉注意力外，8 个词元摊平成一个向量，一个数也不丢。
# %% [markdown] lang="en" ids="model"
# ### The model: only the fusion differs
#
# A convolutional encoder gives 2 × 4 = 8 picture tokens, the LSTM's last state stands for the question, the fusion is in between, and one linear layer scores the 10 digits. Except for cross-attention the 8 tokens are flattened into one vector, which loses nothing.
# %%
class Answerer(nn.Module):
    def __init__(self, join, head="linear", view="flat", dim=32, wide=64):
        super().__init__()
        self.look = encoders.ConvEncoder(dim, size=(8, 16), stride=4, channels=1)
        self.read = encoders.LSTMEncoder(len(vocabulary), dim)
        self.view = view
        self.join = join(dim, dim * self.look.tokens if view == "flat" else dim, wide)
        self.head = nn.Linear(wide, 10)
        if head == "mlp":
            self.head = nn.Sequential(nn.ReLU(), nn.Linear(wide, wide), nn.ReLU(), self.head)

    def forward(self, picture, ids, mask):
        question = encoders.pool(self.read(ids, mask), mask, "last")
        return self.head(self.join(question, self.see(picture)))

    def see(self, picture):
        seen = self.look(picture)
        return {"flat": seen.flatten(1), "mean": seen.mean(1), "tokens": seen}[self.view]
# %%
class OnlyText(fusion.Fusion):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.linear = nn.Linear(self.dim_a, self.dim)

    def forward(self, a, b):
        return self.linear(a)

class OnlyImage(OnlyText):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.linear = nn.Linear(self.dim_b, self.dim)

    def forward(self, a, b):
        return self.linear(b)

recipes = {"text": (OnlyText,), "image": (OnlyImage,)}
recipes |= {name: (cls, "linear", "tokens" if name == "cross-attention" else "flat") for name, cls in fusion.FUSIONS.items()}
recipes |= {"concat-mlp": (fusion.Concat, "mlp"), "one-token": (fusion.CrossAttention,)}
recipes |= {"product-mean": (fusion.Product, "linear", "mean")}
# %%
def right(model, part):
    with torch.inference_mode():
        chunks = zip(*(x.split(400) for x in part))
        return torch.cat([model(p, i, m).argmax(1) == answer for p, i, m, answer in chunks])

def learn(name, n, steps):
    torch.manual_seed(run.seed)
    model = Answerer(*recipes[name])
    p, i, m, answer = data["train"]
    history = train.fit(
        model, lambda k: nn.functional.cross_entropy(model(p[k], i[k], m[k]), answer[k]), n,
        steps=steps, lr=3e-3, seed=run.seed, check=lambda: right(model, data["val"]).float().mean(), checks=15,
    )
    return model, history
# %%
models, histories = {}, {}
for name in recipes:
    models[name], histories[name] = learn(name, n=6000, steps=300)
    score = run.record(f"val.{name}", histories[name].checks[-1][1])
    print(f"{name:16}{train.parameters(models[name]):>7,}{score:7.2f}")
# %% [markdown] lang="zh" ids="test"
# ### 打开测试集，一次
#
# 两条上限已经证明：只看一个模态 ≤ 50%，可加 ≤ 75%。“最好的块”数的是 400 块里答对最多的那一块。
# %% [markdown] lang="en" ids="test"
# ### The test split, opened once
#
# Two ceilings are proved: one modality ≤ 50 %, additive ≤ 75 %. “Best block” is the block with most right answers among 400.
# %%
results = {name: right(model, data["test"]) for name, model in models.items()}
best = {name: int(r.view(-1, 4).sum(1).max()) for name, r in results.items()}
for name, r in results.items():
    run.record(f"test.{name}", r.float().mean())
    print(f"{name:16}{run.recorded[f'test.{name}']:.3f}  {best[name]}/4")
additive = (*fusion.ADDITIVE, "one-token")
interacting = ("gated", "film", "product", "cross-attention", "concat-mlp")
assert all(best[name] <= 2 for name in ("text", "image"))
assert all(best[name] <= 3 and run.recorded[f"test.{name}"] < 0.65 for name in additive)
assert all(best[name] == 4 and run.recorded[f"test.{name}"] > 0.85 for name in interacting)
# %%
order = ("text", "image", *additive, *interacting)
fig, ax = plots.figure(4.9, 3.7)
for row, name in enumerate(order):
    kind = 0 if row < 2 else 1 if name in additive else 2
    ax.barh(row, run.mean(f"test.{name}"), xerr=run.std(f"test.{name}"), color=(plots.SKY, plots.ORANGE, plots.BLUE)[kind],
            hatch=plots.HATCHES[kind], edgecolor="white", linewidth=0, ecolor=plots.INK, capsize=3)
    ax.text(0.02, row, f"{run.mean(f'test.{name}'):.2f}", va="center", fontsize=8, color="black",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})
for limit in (0.5, 0.75):
    ax.axvline(limit, color=plots.INK, linestyle="--", linewidth=1)
ax.invert_yaxis()
ax.set_xlim(0, 1)
#zh> labels = ["只看问题", "只看图像", "拼接", "平均", "加权", "交叉注意力，1 个词元", "门控", "FiLM", "乘积", "交叉注意力，8 个词元", "拼接 + MLP"]
#zh> ax.set(xlabel="测试准确率（虚线：单模态与可加的上限）")
#zh> ax.set_yticks(range(len(order)), labels)
#zh> plots.show(fig, "十一根横条：单模态和四种可加的融合都不超过一半左右，五种有交互的融合都在 0.9 以上；虚线标出 0.5 和 0.75。")
#en> labels = ["question only", "picture only", "concatenation", "mean", "weighting", "attention, 1 token", "gating", "FiLM", "product", "attention, 8 tokens", "concat + MLP"]
#en> ax.set(xlabel="test accuracy (dashed: ceilings, unimodal and additive)")
#en> ax.set_yticks(range(len(order)), labels)
#en> plots.show(fig, "Eleven bars: one modality and four additive fusions stay at about one half or below, five fusions with interaction are all above 0.9; dashed lines mark 0.5 and 0.75.")
# %% [markdown] lang="zh" ids="reading-it"
# ### 怎么读这张图
#
# 图上是 {= len(run.over_seeds("test.product")) =} 个随机种子的均值，误差线是样本标准差；种子换的是初始权重和配对，手写样本的划分不变。拼接 {= run.spread("test.concat", 3) =}，乘积 {= run.spread("test.product", 3) =}。可加的四个停在一半，正是上面推出的：学会了图里有哪两个数字，不知道问的是哪一个。只看问题的连一半也没有：十个数字，问题一句也没透露，只能瞎猜。加权学到的 $\alpha$ 是 {= f"{models['weighted'].join.alpha:.2f}" =}：调一个数救不了它。
#
# 五种有交互的融合差别不大，**不要从这里排名次**。这个题太小；名次在[实验三](03-training.ipynb)的留出组合上才拉开，而且会颠倒。
# %% [markdown] lang="en" ids="reading-it"
# ### How to read it
#
# The figure has means over {= len(run.over_seeds("test.product")) =} random seeds, with the sample standard deviation; a seed changes initial weights and pairings, not the split of the handwriting. Concatenation {= run.spread("test.concat", 3) =}, product {= run.spread("test.product", 3) =}. The four additive ones stop at one half, as derived above: they learned which two digits are there, not which one is asked for. The question alone does not even get that far: it gives away none of the ten digits, so it is a blind guess. Weighting learned $\alpha$ = {= f"{models['weighted'].join.alpha:.2f}" =}: tuning one number does not save it.
#
# The five with interaction differ little; **do not rank them by this**. The task is too small; ranks come apart on the held-out combinations of [lab 3](03-training.ipynb), and turn round.
# %% [markdown] lang="zh" ids="one-token"
# ### 只有一个词元的交叉注意力
#
# 最出人意料的一行：交叉注意力，图像先压成**一个**向量，就和拼接一样停在一半。单个得分的 softmax 恒等于 1，不论问什么：
#
# $$\mathrm{softmax}(s_1)=\frac{e^{s_1}}{e^{s_1}}=1\quad\Rightarrow\quad h=W_aa+W_vb$$
#
# 注意力要有得选，才是交互。叫“交叉注意力”，不等于有交互；先池化、后注意力，正好把它关掉。
# %% [markdown] lang="en" ids="one-token"
# ### Cross-attention with one token
#
# The most surprising row: cross-attention over a picture squeezed into **one** vector stops at one half, like concatenation. The softmax of a single score is always 1, whatever was asked:
#
# $$\mathrm{softmax}(s_1)=\frac{e^{s_1}}{e^{s_1}}=1\quad\Rightarrow\quad h=W_aa+W_vb$$
#
# Attention interacts only if it has a choice. The name “cross-attention” promises nothing; pool first, attend afterwards, and it is switched off.
# %%
def attention(name, part):
    model, (p, i, m, _) = models[name], data[part]
    with torch.inference_mode():
        question = encoders.pool(model.read(i, m), m, "last")
        return model.join.attend(question, model.see(p))[1].mean(1)

single, several = attention("one-token", "test"), attention("cross-attention", "test")
print(tuple(single.shape), float(single.min()), float(single.max()))
assert (single == 1).all()
maps = several.view(-1, 2, 4)
on_left = maps[:, :, :2].sum((1, 2))
asked_left, asked_right = on_left[0::2].mean(), on_left[1::2].mean()
print(f"{asked_left:.2f} {asked_right:.2f}")
assert asked_left - asked_right > 0.3
# %%
fig, axes = plots.figure(4.8, 2.9, rows=2, cols=2)
for ax, k in zip(axes.flat, range(4)):
    ax.imshow(made["test"].images[k], cmap="gray_r", extent=(0, 16, 8, 0))
    for token, weight in enumerate(maps[k].flatten().tolist()):
        row, col = divmod(token, 4)
        ax.plot(4 * col + 2, 4 * row + 2, "o", color=plots.ORANGE, alpha=0.75, markersize=26 * weight**0.5)
#zh> for ax, k in zip(axes.flat, range(4)): plots.bare(ax, "左边？右边？"[3 * (k % 2) :][:3])
#zh> plots.show(fig, "两幅图，各问左边和右边：问左边时，代表注意力权重的圆点在左半，问右边时在右半。")
#en> for ax, k in zip(axes.flat, range(4)): plots.bare(ax, ("left?", "right?")[k % 2])
#en> plots.show(fig, "Two pictures, each asked for left and right: asked for the left the dots that stand for attention lie on the left half, asked for the right on the right half.")
# %% [markdown] lang="zh"
# 问左边时，左半的词元得到 {= f"{float(asked_left):.0%}" =} 的权重；问右边时，{= f"{float(asked_right):.0%}" =}。注意，三层卷积之后一个词元的感受野有 15 像素宽，几乎是整幅图：权重落在左半，说明信息从那里取，不说明别处没看。
# %% [markdown] lang="en"
# Asked for the left, the left half's tokens get {= f"{float(asked_left):.0%}" =} of the weight; asked for the right, {= f"{float(asked_right):.0%}" =}. Mind that after three convolutions a token's receptive field is 15 pixels wide, nearly the whole picture: weight on the left half says where the information is taken from, not that nothing else was seen.
# %% [markdown] lang="zh" ids="pool-first"
# ### 平均掉的方位
#
# 8 个词元换一种压法：不摊平，而是**平均**，再做乘积（表里的 `product-mean`）。它从 {= run.spread("test.product") =} 掉到 {= run.spread("test.product-mean") =}。平均不问词元来自哪里，左右只剩下卷积顺手写进特征里的那一点。问题问的是“哪里”，就别在问之前平均。
# %% [markdown] lang="en" ids="pool-first"
# ### A place averaged away
#
# Squeeze the 8 tokens in another way: not flattened but **averaged**, then the product (`product-mean` in the table). It falls from {= run.spread("test.product") =} to {= run.spread("test.product-mean") =}. A mean does not ask where a token came from; of left and right only what the convolution happened to write into its features is left. If the question is “where”, do not average before it is asked.
# %%
assert run.recorded["test.product-mean"] < run.recorded["test.product"] - 0.04
# %% [markdown] lang="zh" ids="few curves"
# ## 能表达，不等于学得会
#
# ### 谁先学会
#
# “拼接 + MLP”最后也到了顶，路上却不同。所有模型先学会“图里有哪两个数字”（0.5 的平台），再学会“问的是哪一个”。看谁先离开平台。
# %% [markdown] lang="en" ids="few curves"
# ## To express is not to learn
#
# ### Who learns first
#
# “Concatenation + MLP” also gets to the top, but by another road. Every model first learns which two digits are there (the plateau at 0.5), then which one is asked for. See who leaves the plateau first.
# %%
shown = ("concat", "concat-mlp", "gated", "film", "product", "cross-attention")
fig, ax = plots.figure(4.8, 2.9)
for name, colour, marker in zip(shown, (plots.INK, *plots.CYCLE), ("x", *plots.MARKERS)):
    ax.plot(*zip(*histories[name].checks), color=colour, marker=marker, markersize=4, label=name)
ax.axhline(0.5, color=plots.INK, linestyle="--", linewidth=1)
ax.set_ylim(0, 1.02)
#zh> names = ("拼接", "拼接 + MLP", "门控", "FiLM", "乘积", "交叉注意力")
#zh> ax.legend(names, fontsize=8, loc="lower right")
#zh> ax.set(xlabel="训练步数", ylabel="验证准确率")
#zh> plots.show(fig, "六条学习曲线：拼接停在 0.5；交叉注意力、乘积、FiLM 先离开平台，门控和拼接加 MLP 在平台上多停一阵，最后都接近 1。")
#en> names = ("concatenation", "concat + MLP", "gating", "FiLM", "product", "attention")
#en> ax.legend(names, fontsize=8, loc="lower right")
#en> ax.set(xlabel="training steps", ylabel="validation accuracy")
#en> plots.show(fig, "Six learning curves: concatenation stays at 0.5; attention, product and FiLM leave the plateau first, gating and concatenation + MLP rest on it for longer; all but the first end near 1.")
# %% [markdown] lang="zh" ids="few-samples"
# ### 只有 240 个样本
#
# 数据少，差别就大了。只用训练集的前 60 块（240 题，至多 120 个手写样本），训练 200 步，在同一个测试集上评。
# %% [markdown] lang="en" ids="few-samples"
# ### With 240 samples only
#
# With little data the difference is large. Take the first 60 blocks of the training set (240 questions, at most 120 pieces of handwriting), train for 200 steps, and score on the same test split.
# %%
for name in shown:
    small, _ = learn(name, n=240, steps=200)
    score = run.record(f"few.{name}", right(small, data["test"]).float().mean())
    print(f"{name:16}{score:.3f}")
assert run.recorded["few.concat"] < 0.6
assert max(run.recorded[f"few.{name}"] for name in ("film", "product", "cross-attention")) > run.recorded["few.concat-mlp"]
# %%
fig, ax = plots.figure(4.8, 2.6)
for row, name in enumerate(shown):
    for part, colour, marker in (("few", plots.ORANGE, "s"), ("test", plots.BLUE, "o")):
        ax.errorbar(run.mean(f"{part}.{name}"), row, xerr=run.std(f"{part}.{name}"), color=colour, marker=marker, capsize=3)
ax.axvline(0.75, color=plots.INK, linestyle="--", linewidth=1)
ax.invert_yaxis()
ax.set_xlim(0.2, 1.02)
#zh> ax.set_yticks(range(len(shown)), ["拼接", "拼接 + MLP", "门控", "FiLM", "乘积", "交叉注意力"])
#zh> ax.set_xlabel("测试准确率（■ 240 个样本，● 6000 个）")
#zh> plots.show(fig, "六种融合在 240 个和 6000 个样本下的准确率：样本少时拼接加 MLP 明显落后于乘积、FiLM 和交叉注意力，样本多时追平；拼接两次都在 0.5 左右。")
#en> ax.set_yticks(range(len(shown)), ["concatenation", "concat + MLP", "gating", "FiLM", "product", "attention"])
#en> ax.set_xlabel("test accuracy (■ 240 samples, ● 6,000)")
#en> plots.show(fig, "Six fusions with 240 and with 6,000 samples: with few, concatenation + MLP is clearly behind product, FiLM and attention; with many it has caught up; plain concatenation is near 0.5 both times.")
# %% [markdown] lang="zh"
# “拼接 + MLP”只有 {= run.spread("few.concat-mlp") =}，交叉注意力有 {= run.spread("few.cross-attention") =}。ReLU 网络要用一段段折线去拼出“问哪边、取哪边”的选择，乘积、FiLM 和注意力生来就有。结构里写进了什么，数据里就可以省什么。
# %% [markdown] lang="en"
# “Concatenation + MLP” gets {= run.spread("few.concat-mlp") =}, cross-attention {= run.spread("few.cross-attention") =}. A network of ReLUs has to piece the choice “asked for this side, take this side” together from straight bits; product, FiLM and attention are born with it. What is written into the structure need not be in the data.
# %% [markdown] lang="zh" ids="controls"
# ## 对照
#
# 高分要经得起破坏。拿乘积融合：图像换成全零，问题在样本之间打乱，图像左右对调而答案不变。三者都该把分数打下来，而且降到可以预言的位置：0.1 左右，一半左右，几乎为零。
# %% [markdown] lang="en" ids="controls"
# ## Controls
#
# A high score must bear being tampered with. Take the product: blank the picture; shuffle the questions among samples; exchange left and right in the picture and keep the answers. All three must bring the score down, and to a place that can be foretold: about 0.1, about one half, nearly nothing.
# %%
p, i, m, answer = data["test"]
shuffled = torch.from_numpy(run.rng(5).permutation(len(i)))
mirrored = torch.cat([p[..., 8:], p[..., :8]], 3)
tampered = {
    "blank": (torch.zeros_like(p), i, m, answer),
    "questions": (p, i[shuffled], m[shuffled], answer),
    "exchanged": (mirrored, i, m, answer),
}
for name, part in tampered.items():
    score = run.record(f"control.{name}", right(models["product"], part).float().mean())
    print(f"{name:12}{score:.2f}")
assert run.recorded["control.blank"] < 0.25 and run.recorded["control.exchanged"] < 0.1
assert 0.4 < run.recorded["control.questions"] < 0.6
# %% [markdown] lang="zh" ids="seed-listing"
# ## 常见写法错在哪里
#
# 讲义里的特征提取器有五处毛病，编号见[勘误表](../reference/errata.md)。
#
# | 编号 | 它这样写 | 结果 | 这里怎么做 |
# | --- | --- | --- | --- |
# | C34 | 用到 `vocab_size`、`embedding_size`，没有定义 | `NameError` | 大小由词表决定，写进构造函数 |
# | C35 | `tf.concat` 拼 `(2, 128)` 和 `(2, 7, 7, 512)` | 秩不同，报错 | 先池化 |
# | C36 | 把 0 到 1 的像素送进 VGG16 | 不报错，特征失真 | `preprocess` 用骨干自己的均值和标准差 |
# | C37 | 层建在函数里 | 每次调用都是新的随机权重 | 层在 `__init__` 里建一次 |
# | C38 | 填充后没有掩码 | 短句被冲淡 | 编码和池化都带掩码 |
# %% [markdown] lang="en" ids="seed-listing"
# ## What the usual listing gets wrong
#
# The notes' feature extractor has five faults; the numbers are those of the [errata](../reference/errata.md).
#
# | no. | what it writes | what happens | what we do |
# | --- | --- | --- | --- |
# | C34 | uses `vocab_size` and `embedding_size`, defined nowhere | `NameError` | sizes come from the vocabulary, into the constructor |
# | C35 | `tf.concat` of `(2, 128)` and `(2, 7, 7, 512)` | the ranks differ, it raises | pool first |
# | C36 | feeds VGG16 pixels from 0 to 1 | no error, spoiled features | `preprocess` with the backbone's own mean and deviation |
# | C37 | makes its layers inside the function | new random weights at each call | layers are made once, in `__init__` |
# | C38 | pads without a mask | short sentences are diluted | encoders and pooling take the mask |
# %%
#zh| C37 重演：层建在函数里，同一个输入，两次结果不同
#en| C37 again: layers made inside the function, one input, two different results
def features(x):
    return nn.Linear(8, 4)(x)

one = torch.ones(1, 8)
changed = float((features(one) - features(one)).abs().max().detach())
print(f"{changed:.2f}")
assert changed > 0.001
# %% [markdown] lang="zh" ids="predictions"
# ## 对答案
#
# 1. 卷积只占 {= f"{1 - in_linear:.0%}" =}，三个线性层占 {= f"{in_linear:.0%}" =}，第一个尤其大：它把 7 × 7 × 512 个数接到 4096 个。池化后再接线性层，就省下了它。
# 2. 三种都会。填充 20 个位置：平均偏离 {= f"{drifts['mean'][-1]:.0%}" =}，最大 {= f"{drifts['max'][-1]:.0%}" =}，末位 {= f"{drifts['last'][-1]:.0%}" =}。权重未经训练，数值只作参考；有掩码，都是 0。
# 3. 不会，停在 {= run.spread("test.concat", 3) =}。75% 是上限，交叉熵的最优点在 50%。
# 4. 掉到 {= run.spread("test.one-token", 3) =}，与拼接无异。
# 5. 6000 个样本，追得上：{= run.spread("test.concat-mlp") =}。240 个，追不上：{= run.spread("few.concat-mlp") =}，乘积是 {= run.spread("few.product") =}。
# %% [markdown] lang="en" ids="predictions"
# ## Your predictions against the run
#
# 1. The convolutions have only {= f"{1 - in_linear:.0%}" =}, the three linear layers {= f"{in_linear:.0%}" =}, most of it in the first: it joins 7 × 7 × 512 numbers to 4096. Pool before the linear layers and it is saved.
# 2. All three. With 20 positions of padding the mean drifts by {= f"{drifts['mean'][-1]:.0%}" =}, the maximum by {= f"{drifts['max'][-1]:.0%}" =}, the last by {= f"{drifts['last'][-1]:.0%}" =}. The weights are untrained, so take the size as a hint; with the mask all are 0.
# 3. No, it stops at {= run.spread("test.concat", 3) =}. The ceiling is 75 %, the optimum of cross-entropy is at 50 %.
# 4. To {= run.spread("test.one-token", 3) =}, the same as concatenation.
# 5. With 6,000 samples, yes: {= run.spread("test.concat-mlp") =}. With 240, no: {= run.spread("few.concat-mlp") =}, and the product {= run.spread("few.product") =}.
# %% [markdown] lang="zh" ids="breaks"
# ## 什么会推翻这些结论
#
# - **上限只对交叉的题成立**。真实问答里，许多题只看问题就能猜，可加模型的分数会高得多，却不说明它会交互。先量[单模态基线](../principles/evaluation.md#blind-baselines)。
# - **融合之后再有非线性，就不再可加**。“拼接 + MLP”、拼成一列再做自注意力，都没有这个上限；早一层相遇也是。
# - **证明不管学得快慢**。它说可加的做不到，没说乘积的一定学得会：换学习率、换数据量，曲线的先后会变。这里所有模型用同一个学习率。
# - **玩具的边界**：两个数字，一句话只差一个词。这里看得见融合的结构性差别，看不见哪种融合在大模型里更好。
# %% [markdown] lang="en" ids="breaks"
# ## What would break this
#
# - **The ceiling holds for crossed questions only**. In real question answering many can be guessed from the question, and an additive model scores far higher without any interaction. Measure the [unimodal baselines](../principles/evaluation.md#blind-baselines) first.
# - **A non-linearity after the fusion ends additivity**. “Concatenation + MLP” and self-attention over one joint sequence have no such ceiling; nor has meeting one layer earlier.
# - **The proof says nothing about speed**. Additive models cannot; it does not follow that a product will learn: with another learning rate or amount of data the curves change places. All models here share one learning rate.
# - **The limits of a toy**: two digits, and questions that differ in one word. It shows how fusions differ in structure, not which is better in a large model.
# %% [markdown] lang="zh" ids="exercises exercise-1" tags=["exercise"]
# ## 练习
#
# ### 练习一：图块嵌入就是卷积
#
# 把 `PatchEncoder.project` 的权重搬进一个核为 8、步长为 8 的 `nn.Conv2d`，验证两者输出相同。
# %% [markdown] lang="en" ids="exercises exercise-1" tags=["exercise"]
# ## Exercises
#
# ### Exercise 1: a patch embedding is a convolution
#
# Move the weights of `PatchEncoder.project` into an `nn.Conv2d` with kernel 8 and stride 8, and check that both give the same.
# %% tags=["exercise"]
same = nn.Conv2d(3, 64, kernel_size=8, stride=8)
#zh| 在这里写你的代码
#en| Your code here
# %% tags=["solution"]
with torch.no_grad():
    same.weight.copy_(vit.project.weight.view(64, 3, 8, 8))
    same.bias.copy_(vit.project.bias)
    by_patches = vit.project(patches)
    by_convolution = same(pictures).flatten(2).transpose(1, 2)
print(tuple(by_convolution.shape), torch.allclose(by_patches, by_convolution, atol=1e-4))
assert torch.allclose(by_patches, by_convolution, atol=1e-4)
# %% [markdown] lang="zh" ids="exercise-2" tags=["exercise"]
# ### 练习二：交互到底贡献了多少
#
# 把训练好的模型投影到最近的可加模型（EMAP，见[融合一章](../principles/fusion.md#limits)）。测试集只有 4 种问题，所以能算全：对每幅图、每个问题求得分 $F$，再减到只剩行均值加列均值。乘积和拼接各掉多少？
# %% [markdown] lang="en" ids="exercise-2" tags=["exercise"]
# ### Exercise 2: how much did interaction contribute?
#
# Project the trained models onto their nearest additive model (EMAP, see [the chapter on fusion](../principles/fusion.md#limits)). The test split has only 4 different questions, so it can be computed in full: the score $F$ of every picture with every question, reduced to row means plus column means. How far do product and concatenation fall?
# %% tags=["solution"]
questions, which = torch.unique(i, dim=0, return_inverse=True)
answers_right = {}
for name in ("product", "concat"):
    with torch.inference_mode():
        F = torch.stack([models[name](p, q.expand(len(p), -1), (q > 0).expand(len(p), -1)) for q in questions], 1)
    additive_part = F.mean(0, keepdim=True) + F.mean(1, keepdim=True) - F.mean((0, 1), keepdim=True)
    samples = torch.arange(len(p))
    full, flat = ((scores[samples, which].argmax(1) == answer).float().mean() for scores in (F, additive_part))
    answers_right[name] = (float(full), float(flat))
    print(f"{name:8} {full:.2f} → {flat:.2f}")
assert answers_right["product"][1] < 0.75 < answers_right["product"][0]
assert abs(answers_right["concat"][0] - answers_right["concat"][1]) < 0.02
# %% [markdown] lang="zh" ids="exercise-3" tags=["exercise"]
# ### 练习三：题目不全交叉时
#
# 设有 $q$ 的块不交叉：两幅图对同一个问题答案相同。此时只看问题的上限和可加的上限各是多少？先推公式，再用 `scenes` 里的函数数出来。你的基准要让可加模型不超过 80%，$q$ 至多多大？
# %% [markdown] lang="en" ids="exercise-3" tags=["exercise"]
# ### Exercise 3: when not all questions cross
#
# Let a share $q$ of the blocks not cross: both pictures give the same answer to a question. What are the ceilings of the question alone and of additive models? Derive a formula, then count with the functions of `scenes`. Your benchmark is to keep additive models at 80 % or below: how large may $q$ be?
# %% tags=["solution"]
plain = np.array([["A", "B"], ["A", "B"]])
for q in (0.0, 0.2, 0.5):
    only_text = q * scenes.unimodal_ceiling(plain)[1] + (1 - q) * scenes.unimodal_ceiling(crossed)[1]
    added = q * scenes.additive_ceiling(plain) + (1 - q) * scenes.additive_ceiling(crossed)
    print(q, round(only_text, 3), round(added, 3))
    assert np.isclose(only_text, 0.5 + 0.5 * q) and np.isclose(added, 0.75 + 0.25 * q)
# %% [markdown] lang="zh" ids="exercise-3-why" tags=["solution"]
# #### 答案
#
# 只看问题：$\frac12+\frac12q$；可加：$\frac34+\frac14q$。要 $\frac34+\frac14q\le0.8$，$q$ 至多 0.2。
# %% [markdown] lang="en" ids="exercise-3-why" tags=["solution"]
# #### Answer
#
# Question alone: $\frac12+\frac12q$; additive: $\frac34+\frac14q$. For $\frac34+\frac14q\le0.8$ the share $q$ is at most 0.2.
# %% [markdown] lang="zh" ids="exercise-4" tags=["exercise"]
# ### 练习四：张量融合，手写权重
#
# 写出张量融合 $[a;1]\otimes[b;1]$（Zadeh 等，2017），输出 $(d_a+1)(d_b+1)$ 维。取 $a,b\in\{-1,+1\}$，不训练，手写一个线性层，让它答对全部四道交叉题。
# %% [markdown] lang="en" ids="exercise-4" tags=["exercise"]
# ### Exercise 4: tensor fusion, weights by hand
#
# Write tensor fusion $[a;1]\otimes[b;1]$ (Zadeh et al. 2017), whose output has $(d_a+1)(d_b+1)$ dimensions. With $a,b\in\{-1,+1\}$, without training, write down a linear layer that is right on all four crossed questions.
# %% tags=["solution"]
def tensor_fusion(a, b):
    one = torch.ones(len(a), 1)
    return (torch.cat([a, one], 1)[:, :, None] * torch.cat([b, one], 1)[:, None, :]).flatten(1)

asked = torch.tensor([[1.0], [1.0], [-1.0], [-1.0]])
shown_picture = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]])
h = tensor_fusion(asked, shown_picture)
print(h.tolist())
weight = torch.tensor([1.0, 0.0, 0.0, 0.0])
lead = h @ weight
assert h.shape == (4, (1 + 1) * (1 + 1)) and torch.equal(lead > 0, torch.tensor([True, False, False, True]))
# %% [markdown] lang="zh" ids="further"
# ## 接着看
#
# - 章节：[编码器](../principles/encoders.md)、[融合](../principles/fusion.md)、[注意力](../principles/attention.md#cross-attention)、[交互](../principles/concepts.md#interactions)
# - 面试题：[实现多模态特征提取器](../interview/q/seed-6-2.md)、[常见的多模态架构](../interview/q/seed-7-3.md)
# - 下一个实验：[训练](03-training.ipynb)
# %% [markdown] lang="en" ids="further"
# ## Where to go next
#
# - Chapters: [encoders](../principles/encoders.md), [fusion](../principles/fusion.md), [attention](../principles/attention.md#cross-attention), [interactions](../principles/concepts.md#interactions)
# - Questions: [implement a multimodal feature extractor](../interview/q/seed-6-2.md), [common multimodal architectures](../interview/q/seed-7-3.md)
# - The next lab: [training](03-training.ipynb)
