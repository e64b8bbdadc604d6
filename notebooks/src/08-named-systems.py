# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   mmlab:
#     description:
#       zh: VGG16、LSTM、BERT、GPT、BLIP-2、PLATO 逐个运行：什么进、什么出、看不看得见图；再照论文写一个 PLATO，把隐变量关掉又打开。
#       en: VGG16, LSTM, BERT, GPT, BLIP-2 and PLATO at work, each asked what goes in, what comes out and whether it sees a picture; PLATO with its latent off and on.
#     seeds: 3
#     headline:
#       - {figure: on.distinct, zh: PLATO，隐变量打开：每句话得到的不同合适回复（共 4 种）, en: "PLATO, latent on: different fitting replies to one utterance (of 4)"}
#       - {figure: off.distinct, zh: 隐变量关掉，贪心解码, en: "latent off, greedy"}
#       - {figure: on.steady, zh: 同一个隐变量取值，同一种意图, en: "one number of the latent, one intention"}
#       - {figure: draws.steady, zh: 同一次抽样，同一种意图, en: "one draw without the latent, one intention"}
# ---
# %% [markdown] lang="zh" ids="named-systems"
# # 实验八：点过名的系统，一个个跑起来
#
# 本书的起点是一份讲义，里面点了六个名字：VGG16、LSTM、BERT、GPT-3、BLIP-2、PLATO，后四个被列为“多模态大模型”。**四个里到底有几个看得见图？** 读论文能回答；这里用另一种办法：给每个系统换一张图，看输出变不变。
#
# 先写下你的预测，再运行。末尾对答案。
#
# 1. GPT-3、BERT、BLIP-2、PLATO，有几个能接收图像？
# 2. 把图像交给 GPT-2 的 `forward`：报错，还是不报错？
# 3. VGG16 的参数大头在卷积层还是全连接层？计算量呢？
# 4. 一句话有 4 种合适的回复，其中“我不知道”占四成。不带隐变量的模型用贪心解码，会回复哪几种？
# 5. 把 PLATO 的单向掩码去掉、改成 BERT 那样的双向，训练损失会更高还是更低？生成呢？
#
# 背景在[种子文档的四个模型](../models/seed-four.md)和[编码器](../principles/encoders.md)；对应的面试题是[国外有哪些多模态大模型](../interview/q/seed-4.md)。
# %% [markdown] lang="en" ids="named-systems"
# # Lab 8: the systems with names, one by one
#
# This book began with a set of notes that names six systems: VGG16, LSTM, BERT, GPT-3, BLIP-2 and PLATO. It lists the last four as “multimodal large models”. **How many of the four can see a picture?** Reading the papers answers it. Here is another way: hand each system a different picture and watch whether its output changes.
#
# Write down your predictions before you run anything. The answers are at the end.
#
# 1. GPT-3, BERT, BLIP-2, PLATO: how many take pictures?
# 2. Hand a picture to the `forward` of GPT-2. Does it raise an error?
# 3. Are most of VGG16's parameters in its convolutions or in its linear layers? And most of its arithmetic?
# 4. An utterance has 4 fitting replies, and “I do not know” is given 40 % of the time. Which of them does a model without a latent variable give, decoded greedily?
# 5. Take PLATO's left-to-right mask away, so that it sees both ways like BERT. Is its training loss higher or lower? And what does it write?
#
# The background is in [the seed document's four models](../models/seed-four.md) and [the chapter on encoders](../principles/encoders.md); the interview question is [name some large multimodal models](../interview/q/seed-4.md).
# %% tags=["setup"] needs="numpy pillow torch matplotlib transformers safetensors tqdm pylopdf-fonts-zh-cn"
# %%
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mmlab import plato, plots, scenes, tiny
from mmlab.encoders import IMAGENET, VGG16, load_vgg16_weights
from mmlab.runs import Run
from mmlab.train import fit, parameters

run = Run("08-named-systems")
tiny.quiet()
# %% [markdown] lang="zh" ids="checkpoints"
# ## 真的还是小的：一个变量决定
#
# 下面的单元格都走 `from_pretrained` 这条真实的路。检查点的名字来自环境变量；没有设，就当场造一个**结构相同、权重随机**的小模型，不用下载。随机权重写出来的是噪声，这一页凡是这样的输出都会注明；而形状、接口、谁看得见谁，与权重无关，照样作数。
#
# | 变量 | 设成 `default` 时 | 下载多大 |
# | --- | --- | --- |
# | `MMLAB_BERT` | [google-bert/bert-base-chinese](https://huggingface.co/google-bert/bert-base-chinese/tree/main)（英文页是 [bert-base-uncased](https://huggingface.co/google-bert/bert-base-uncased/tree/main)） | 412 MB（440 MB） |
# | `MMLAB_GPT2` | [openai-community/gpt2](https://huggingface.co/openai-community/gpt2/tree/main) | 548 MB |
# | `MMLAB_BLIP2` | [Salesforce/blip2-opt-2.7b](https://huggingface.co/Salesforce/blip2-opt-2.7b/tree/main) | 15 GB（10 + 4.98） |
# | `MMLAB_VGG16` | （填文件的路径）torchvision 格式的[权重文件](https://download.pytorch.org/models/vgg16-397923af.pth) | 553 MB |
#
# 变量的值也可以是本地文件夹：先用别的办法下载好，再指过去。
# %% [markdown] lang="en" ids="checkpoints"
# ## The real one or a tiny one: a variable decides
#
# The cells below take the real road, `from_pretrained`. The name of the checkpoint comes from an environment variable. If it is not set, a tiny model of **the same structure with random weights** is made on the spot, and nothing is downloaded. What random weights write is noise, and this page says so each time; shapes, interfaces and who sees whom do not depend on the weights, and count all the same.
#
# | variable | set to `default` it means | download |
# | --- | --- | --- |
# | `MMLAB_BERT` | [google-bert/bert-base-uncased](https://huggingface.co/google-bert/bert-base-uncased/tree/main) (on the Chinese page [bert-base-chinese](https://huggingface.co/google-bert/bert-base-chinese/tree/main)) | 440 MB (412 MB) |
# | `MMLAB_GPT2` | [openai-community/gpt2](https://huggingface.co/openai-community/gpt2/tree/main) | 548 MB |
# | `MMLAB_BLIP2` | [Salesforce/blip2-opt-2.7b](https://huggingface.co/Salesforce/blip2-opt-2.7b/tree/main) | 15 GB (10 + 4.98) |
# | `MMLAB_VGG16` | (give the path of a file) [weights](https://download.pytorch.org/models/vgg16-397923af.pth) in torchvision's format | 553 MB |
#
# The value may also be a local folder: download it by any means, then point the variable at it.
# %% tags=["both"]
from mmlab import lang, say

checkpoint = {kind: tiny.named(kind, "lab-08-checkpoints", lang()) for kind in ("bert", "gpt2", "blip2")}
for kind, named in checkpoint.items():
    print(f"{kind:6}", named, say("（随机权重：输出是噪声）", "(random weights: its output is noise)") if named.random else "")
# %% [markdown] lang="zh" ids="sizes"
# ### 下载之前先算好
#
# 大小不用查，可以算：把结构建在 `meta` 设备上，只有形状、没有内存，数参数再乘每个参数 4 字节（float32）。
# %% [markdown] lang="en" ids="sizes"
# ### Know the size before the download
#
# A size need not be looked up, it can be computed: build the structure on the `meta` device, which has shapes and no memory, count the parameters, and take 4 bytes for each (float32).
# %%
from transformers import BertConfig, BertForMaskedLM, Blip2Config, Blip2ForConditionalGeneration, GPT2Config, GPT2LMHeadModel

OPT_2_7B = {
    "model_type": "opt", "vocab_size": 50304, "hidden_size": 2560, "word_embed_proj_dim": 2560,
    "num_hidden_layers": 32, "ffn_dim": 10240, "num_attention_heads": 32,
}
with torch.device("meta"):
    real = {
        "VGG16": VGG16(),
        "BERT-base": BertForMaskedLM(BertConfig()),
        "GPT-2": GPT2LMHeadModel(GPT2Config()),
        "BLIP-2": Blip2ForConditionalGeneration(Blip2Config(text_config=OPT_2_7B, num_query_tokens=32)),
    }
for name, model in real.items():
    print(f"{name:10}{parameters(model) / 1e6:8.1f} M{parameters(model) * 4 / 1e6:8.0f} MB")
assert abs(parameters(real["VGG16"]) / 138.36e6 - 1) < 1e-3 and abs(parameters(real["BLIP-2"]) * 4 / 14.98e9 - 1) < 1e-3
# %% [markdown] lang="zh" ids="sizes-checked"
# #### 和文件对一对
#
# BLIP-2 算出 {= f"{parameters(real['BLIP-2']) * 4 / 1e9:.2f}" =} GB，与文件的 10 + 4.98 GB 相符。GPT-2 的文件比算出来的多约 50 MB：12 层各存了一张 1024×1024 的浮点因果掩码，$12 \times 1024^2 \times 4$ 字节正好是 50 MB。BERT 的文件略大，因为还存着“下一句”任务的头。
# %% [markdown] lang="en" ids="sizes-checked"
# #### Against the files
#
# BLIP-2 comes to {= f"{parameters(real['BLIP-2']) * 4 / 1e9:.2f}" =} GB, in agreement with the 10 + 4.98 GB of its files. GPT-2's file is some 50 MB larger than computed: each of its 12 layers stores a causal mask of 1024 × 1024 floats, and $12 \times 1024^2 \times 4$ bytes are 50 MB. BERT's file is slightly larger as it also holds the head of the next-sentence task.
# %% [markdown] lang="zh" ids="vgg16"
# ## VGG16：图像进，分数出
#
# 13 个 3×3 卷积分成 5 组，每组末尾把宽高减半、通道翻倍（到 512 为止），再接 3 个全连接层（[Simonyan 与 Zisserman，2014](https://arxiv.org/abs/1409.1556)）。做多模态时通常只要卷积部分：$7 \times 7 \times 512$，也就是 49 个词元，每个 512 维。
# %% [markdown] lang="en" ids="vgg16"
# ## VGG16: pictures in, scores out
#
# Thirteen 3 × 3 convolutions in 5 groups; each group ends by halving height and width, and the channels double up to 512; then 3 linear layers ([Simonyan and Zisserman, 2014](https://arxiv.org/abs/1409.1556)). A multimodal model usually takes only the convolutions: $7 \times 7 \times 512$, that is 49 tokens of 512 dimensions.
# %%
x = torch.zeros(1, 3, 224, 224, device="meta")
held, work, group = {}, {}, 1
for layer in real["VGG16"].features:
    x = layer(x)
    if isinstance(layer, nn.Conv2d):
        held[group] = held.get(group, 0) + parameters(layer)
        work[group] = work.get(group, 0) + layer.weight.numel() * x.shape[2] * x.shape[3]
    if isinstance(layer, nn.MaxPool2d):
        print(group, tuple(x.shape), f"{held[group] / 1e6:5.1f} M  {work[group] / 1e9:5.2f} G")
        group += 1
held["fc"] = parameters(real["VGG16"].classifier)
work["fc"] = sum(layer.weight.numel() for layer in real["VGG16"].classifier if isinstance(layer, nn.Linear))
print("fc", (1, 1000), f"     {held['fc'] / 1e6:5.1f} M  {work['fc'] / 1e9:5.2f} G")
# %%
def shares(counts):
    return np.array([counts[g] for g in (1, 2, 3, 4, 5, "fc")]) / sum(counts.values())

fig, ax = plots.figure(4.8, 2.3)
ax.bar(np.arange(6) - 0.2, shares(held), 0.4, color=plots.BLUE)
ax.bar(np.arange(6) + 0.2, shares(work), 0.4, color=plots.ORANGE, hatch="//", edgecolor=plots.INK, linewidth=0)
ax.set_xticks(range(6))
#zh> ax.set_xticklabels(["卷积 1", "2", "3", "4", "5", "全连接"])
#zh> ax.legend(["参数", "乘加次数"]); ax.set_ylabel("占比")
#zh> plots.show(fig, "VGG16 各组的参数与乘加次数占比：参数几乎都在全连接层，乘加几乎都在卷积层。")
#en> ax.set_xticklabels(["conv 1", "2", "3", "4", "5", "linear"])
#en> ax.legend(["parameters", "multiply–adds"]); ax.set_ylabel("share")
#en> plots.show(fig, "Share of parameters and of multiply–adds in each group of VGG16: nearly all parameters are in the linear layers, nearly all arithmetic in the convolutions.")
assert shares(held)[-1] > 0.85 and shares(work)[-1] < 0.02
# %% [markdown] lang="zh" ids="vgg16-real"
# ### 用真的权重
#
# 设了 `MMLAB_VGG16`，下面就用 ImageNet 上训练好的权重；没有设，就用一个窄的随机副本，分数没有意义。
# %% [markdown] lang="en" ids="vgg16-real"
# ### With the real weights
#
# With `MMLAB_VGG16` set, this runs the weights trained on ImageNet; without it, a narrow random copy whose scores mean nothing.
# %%
def picture(seed, size=224):
    a, relation, b, scene = next(scenes.random_scenes(1, seed=seed))
    return scenes.draw(scene, np.random.default_rng(seed), size=size)

vgg = load_vgg16_weights() if os.environ.get("MMLAB_VGG16") else VGG16(widths=(8, 8, 16, 16, 16), hidden=32).eval()
with torch.no_grad():
    pixels = torch.stack([IMAGENET(picture(seed)) for seed in (1, 2)])
    print(tuple(pixels.shape), "→", tuple(vgg.tokens(pixels).shape), "→", tuple(vgg(pixels).shape))
    vgg_change = float((vgg(pixels[:1]) - vgg(pixels[1:])).abs().max())
# %% [markdown] lang="zh" ids="lstm"
# ## LSTM：一步，用手算
#
# 给定这一步的输入 $x_t$ 和上一步的 $h_{t-1}, c_{t-1}$，四组数一次算出，其中三个是门：
#
# $$[i; f; g; o] = W x_t + U h_{t-1} + b, \qquad c_t = \sigma(f) \odot c_{t-1} + \sigma(i) \odot \tanh(g), \qquad h_t = \sigma(o) \odot \tanh(c_t)$$
#
# $f$ 决定忘多少，$i$ 决定写多少，$o$ 决定露出多少；$W$ 是 $4d \times d_x$，$U$ 是 $4d \times d$。PyTorch 的次序是 $i, f, g, o$，偏置有两份。
# %% [markdown] lang="en" ids="lstm"
# ## LSTM: one step, by hand
#
# From this step's input $x_t$ and the last step's $h_{t-1}, c_{t-1}$, four groups of numbers come at once, three of them gates:
#
# $$[i; f; g; o] = W x_t + U h_{t-1} + b, \qquad c_t = \sigma(f) \odot c_{t-1} + \sigma(i) \odot \tanh(g), \qquad h_t = \sigma(o) \odot \tanh(c_t)$$
#
# $f$ says how much to keep, $i$ how much to write, $o$ how much to show; $W$ is $4d \times d_x$, $U$ is $4d \times d$. PyTorch's order is $i, f, g, o$, and it has two biases.
# %%
lstm = nn.LSTM(input_size=5, hidden_size=3, batch_first=True)
inputs = torch.randn(1, 7, 5)
W, U, b = lstm.weight_ih_l0, lstm.weight_hh_l0, lstm.bias_ih_l0 + lstm.bias_hh_l0

def step(x, h, c):
    i, f, g, o = (W @ x + U @ h + b).chunk(4)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c

h, c = torch.zeros(3), torch.zeros(3)
for t in range(7):
    h, c = step(inputs[0, t], h, c)
theirs, (h_n, c_n) = lstm(inputs)
print("W", tuple(W.shape), "U", tuple(U.shape), "→", tuple(theirs.shape))
assert torch.allclose(h, theirs[0, -1], atol=1e-6) and torch.allclose(c, c_n[0, 0], atol=1e-6)
# %% [markdown] lang="zh" ids="lstm-anything"
# ### 它不知道喂进来的是什么
#
# LSTM 只要一串向量。词嵌入是一串向量，图像的一行行像素也是。**所以“文本模型”不在层里，而在入口上**：只有一张词嵌入表，别的东西就进不来。后面每个系统都问这一句：门开在哪里？
# %% [markdown] lang="en" ids="lstm-anything"
# ### It does not know what it is fed
#
# An LSTM wants a sequence of vectors. Word embeddings are one; so are a picture's rows of pixels. **What makes a “text model” is not in its layers but at its entrance**: with an embedding table for words as the only door, nothing else gets in. Ask each system below: where is the door?
# %%
words = nn.Embedding(100, 96)(torch.tensor([[7, 3, 42, 9]]))
rows = torch.from_numpy(picture(1, 32) / 255).float().flatten(1)[None]
reader = nn.LSTM(96, 16, batch_first=True)
print(tuple(words.shape), "→", tuple(reader(words)[0].shape))
print(tuple(rows.shape), "→", tuple(reader(rows)[0].shape))
# %% [markdown] lang="zh" ids="bert"
# ## BERT：盖住一个词，两边都看
#
# BERT 的训练题是填空：盖住 15% 的词元，看着左右两边把它们猜出来（[Devlin 等，2018](https://arxiv.org/abs/1810.04805)）。进去的是编号 $[B, T]$，出来的是每个位置上整个词表的分数 $[B, T, C]$。
# %% [markdown] lang="en" ids="bert"
# ## BERT: cover a word, look both ways
#
# BERT learns by filling gaps: cover 15 % of the tokens and guess them from what stands left and right ([Devlin et al., 2018](https://arxiv.org/abs/1810.04805)). In go ids $[B, T]$, out come scores over the whole vocabulary at each position $[B, T, C]$.
# %%
from transformers import AutoProcessor, AutoTokenizer

#zh> sentence = "巴黎是[MASK]国的首都"
#en> sentence = "The capital of France is [MASK]."
name = checkpoint["bert"].name
tokenizer = AutoTokenizer.from_pretrained(name)
bert = BertForMaskedLM.from_pretrained(name).eval()
tokens = tokenizer(sentence, return_tensors="pt")
with torch.no_grad():
    scores = bert(**tokens).logits
where = tokens["input_ids"][0].tolist().index(tokenizer.mask_token_id)
best = scores[0, where].softmax(-1).topk(5)
print(tuple(tokens["input_ids"].shape), "→", tuple(scores.shape))
#zh> print("随机权重，是噪声：" if checkpoint["bert"].random else "猜测：", end="")
#en> print("random weights, noise:" if checkpoint["bert"].random else "guesses:", end=" ")
print(*(f"{tokenizer.decode([int(k)])} {p:.2f}" for p, k in zip(best.values, best.indices)))
# %% [markdown] lang="zh" ids="gpt"
# ## GPT：只看左边，一个接一个
#
# GPT-3 的权重没有公开。它与 GPT-2 同属一族：只有解码器的 Transformer，每个位置只看左边，猜下一个词元（[Brown 等，2020](https://arxiv.org/abs/2005.14165)）。小的跑得起来，接口一样：编号进，下一个词元的分数出。
# %% [markdown] lang="en" ids="gpt"
# ## GPT: look left only, one after another
#
# GPT-3's weights are not public. It is of one family with GPT-2: a decoder-only Transformer in which each position sees what is on its left and guesses the next token ([Brown et al., 2020](https://arxiv.org/abs/2005.14165)). The small one runs here, and the interface is the same: ids in, scores for the next token out.
# %%
name = checkpoint["gpt2"].name
gpt_words = AutoTokenizer.from_pretrained(name)
gpt = GPT2LMHeadModel.from_pretrained(name).eval()
prompt = gpt_words("Once upon a time", return_tensors="pt")
story = gpt.generate(**prompt, max_new_tokens=12, do_sample=False, pad_token_id=gpt_words.eos_token_id)
print(tuple(prompt["input_ids"].shape), "→", tuple(gpt(**prompt).logits.shape))
print("noise:" if checkpoint["gpt2"].random else "text:", repr(gpt_words.decode(story[0])))
# %% [markdown] lang="zh" ids="gpt-by-hand"
# ### `generate` 不神秘
#
# 取最后一个位置的分数，选最大的，接在后面，再来一遍。缓存（`use_cache`）只是省掉重算：左边的状态不会因为右边多了词而改变。
# %% [markdown] lang="en" ids="gpt-by-hand"
# ### `generate` is no mystery
#
# Take the scores at the last position, pick the highest, append it, go round again. The cache (`use_cache`) merely saves work: states on the left do not change when a token is added on the right.
# %%
ids = prompt["input_ids"]
with torch.no_grad():
    while ids.shape[1] < story.shape[1]:
        ids = torch.cat([ids, gpt(input_ids=ids).logits[:, -1:].argmax(-1)], 1)
assert torch.equal(ids, story)
# %% [markdown] lang="zh" ids="gpt-api"
# ### GPT-3 那一族，通过接口调用
#
# 最初的 GPT-3（`davinci` 等）已于 2024 年 1 月 4 日[停止服务](https://developers.openai.com/api/docs/deprecations)，今天调不到了。同一公司现在的模型这样调用，写法依[官方 Python SDK](https://github.com/openai/openai-python)（3.3.1 版）的说明。下面是文字，不在这里运行；模型名会换，以官方文档为准。
#
# ```python
# from openai import OpenAI  # pip install openai
#
# client = OpenAI()  # 密钥在环境变量 OPENAI_API_KEY 里
# response = client.responses.create(
#     model="gpt-5.5",
#     input="用一句话说明什么是多模态学习。",
# )
# print(response.output_text)
# ```
#
# 用得到的今天的模型能收图像（`input_image`），那是后来的事；GPT-3 只收文本。
# %% [markdown] lang="en" ids="gpt-api"
# ### The family of GPT-3, through the API
#
# The original GPT-3 models (`davinci` and others) were [shut down](https://developers.openai.com/api/docs/deprecations) on 4 January 2024 and can no longer be called. The same company's present models are called like this, as the notes of the [official Python SDK](https://github.com/openai/openai-python) (version 3.3.1) have it. It stands here as text and is not run; names of models change, so look yours up.
#
# ```python
# from openai import OpenAI  # pip install openai
#
# client = OpenAI()  # the key is in the environment variable OPENAI_API_KEY
# response = client.responses.create(
#     model="gpt-5.5",
#     input="Say in one sentence what multimodal learning is.",
# )
# print(response.output_text)
# ```
#
# Today's models do take pictures (`input_image`). That came later; GPT-3 takes text alone.
# %% [markdown] lang="zh" ids="who-sees-whom"
# ## 谁看得见谁：量出来
#
# 不看代码，只做实验：换掉第 $j$ 个词元，看第 $i$ 个位置的输出变不变。变了，$i$ 就看得见 $j$。三个模型，权重全是随机的也没关系：量的是结构。PLATO 还没训练，先量它的掩码。
# %% [markdown] lang="en" ids="who-sees-whom"
# ## Who sees whom: measured
#
# No reading of code, just an experiment: exchange token $j$ and watch whether the output at position $i$ changes. If it does, $i$ sees $j$. Random weights are no hindrance: it is structure that is measured. PLATO has not been trained yet; we measure its mask first.
# %%
def sees(outputs, ids, other):
    #zh| outputs: 编号 (1, n) → (1, n, d)。返回 (n, n)：第 i 行看得见第 j 列
    #en| outputs: ids (1, n) → (1, n, d). Gives (n, n): row i sees column j
    before, columns = outputs(ids), []
    for j in range(ids.shape[1]):
        changed = ids.clone()
        changed[0, j] = other
        columns.append((outputs(changed) - before).abs().amax(-1)[0] > 1e-5)
    return torch.stack(columns, 1)

talk = plato.Plato(len(plato.vocabulary())).eval()
zero = torch.zeros(1, 64)
ids = torch.arange(10, 28)[None]
with torch.inference_mode():
    maps = {
        "BERT": sees(lambda i: bert(input_ids=i).logits, ids[:, :10], 9),
        "GPT": sees(lambda i: gpt(input_ids=i).logits, ids[:, :10], 9),
        "PLATO": sees(lambda i: talk.states(zero, i[:, :8], i[:, 8:], talk.mask)[:, 1:], ids, 9),
    }
assert maps["BERT"].all() and torch.equal(maps["GPT"], torch.ones(10, 10).bool().tril())
assert torch.equal(maps["PLATO"], talk.mask[1:, 1:])
# %%
fig, axes = plots.figure(4.9, 2.1, cols=3)
for ax, (name, seen) in zip(axes, maps.items()):
    ax.imshow(seen.float(), vmin=0, vmax=1.3)
    plots.bare(ax, name)
#zh> axes[0].set_ylabel("看的位置"); axes[1].set_xlabel("被看的位置（亮：看得见）")
#zh> plots.show(fig, "三张实测的可见图：BERT 全亮；GPT 只有下三角亮；PLATO 左边一块是上文，全亮，右下的回复部分是下三角。")
#en> axes[0].set_ylabel("who looks"); axes[1].set_xlabel("at whom (bright: it sees it)")
#en> plots.show(fig, "Three measured maps of who sees whom: BERT is bright all over, GPT in the lower triangle; PLATO is bright over the context on the left and triangular over the reply at the lower right.")
# %% [markdown] lang="zh" ids="blip-2"
# ## BLIP-2：第二道门
#
# BLIP-2 有两道门。文字走词嵌入表；图像走视觉编码器，再由 **Q-Former** 的 32 个可学习查询取出 32 个向量，过一层线性，排在文字前面交给语言模型（[Li 等，2023](https://arxiv.org/abs/2301.12597)）。处理器先在文字前面放 32 个占位的 `<image>`，模型再把这些位置换成图像的向量。
# %% [markdown] lang="en" ids="blip-2"
# ## BLIP-2: a second door
#
# BLIP-2 has two doors. Text comes through the embedding table. Pictures come through a vision encoder; the **Q-Former** draws 32 vectors from it with 32 learned queries, a linear layer fits them to the language model, and they stand before the text ([Li et al., 2023](https://arxiv.org/abs/2301.12597)). The processor puts 32 placeholders `<image>` in front of the text; the model replaces them with the picture's vectors.
# %%
name = checkpoint["blip2"].name
processor = AutoProcessor.from_pretrained(name)
blip2 = Blip2ForConditionalGeneration.from_pretrained(name).eval()
question = "Question: what is in the picture? Answer:"
inputs = processor(images=picture(1), text=question, return_tensors="pt")
for key, value in inputs.items():
    print(f"{key:15}", tuple(value.shape))
holders = inputs["input_ids"] == blip2.config.image_token_index
print("<image> ×", int(holders.sum()))
assert holders[0, :32].all() and holders.sum() == 32
# %% [markdown] lang="zh" ids="blip-2-shapes"
# ### 每一步的形状
#
# 左列是这里载入的检查点，右列是真实大小的 BLIP-2（OPT 2.7B），在 `meta` 设备上走一遍：37 亿参数，不占内存，形状照样对。
# %% [markdown] lang="en" ids="blip-2-shapes"
# ### The shape at every step
#
# On the left the checkpoint loaded here, on the right BLIP-2 in its real size (OPT 2.7B), walked through on the `meta` device: 3.7 billion parameters, no memory, and the shapes are right all the same.
# %%
def walk(model, pixels, length):
    seen = model.vision_model(pixels).last_hidden_state
    queries = model.query_tokens.expand(len(pixels), -1, -1)
    drawn = model.qformer(query_embeds=queries, encoder_hidden_states=seen).last_hidden_state
    front = model.language_projection(drawn)
    text = model.language_model.get_input_embeddings()(torch.zeros(1, length, dtype=torch.int64, device=pixels.device))
    scores = model.language_model(inputs_embeds=torch.cat([front, text], 1)).logits
    return [tuple(t.shape) for t in (pixels, seen, queries, drawn, front, text, scores)]

with torch.inference_mode(), torch.device("meta"):
    large = walk(real["BLIP-2"], torch.zeros(1, 3, 224, 224), 11)
with torch.inference_mode():
    small = walk(blip2, inputs["pixel_values"], 11)
for step_name, a, b in zip(("pixels", "ViT", "queries", "Q-Former", "linear", "text", "scores"), small, large):
    print(f"{step_name:9}{a!s:18}{b}")
assert large[1] == (1, 257, 1408) and large[3] == (1, 32, 768) and large[6] == (1, 43, 50304)
# %% [markdown] lang="zh" ids="blip-2-parts"
# ### 谁冻结，谁训练
#
# 257 个图像向量压成 32 个，再多的像素，语言模型也只多看 32 个位置。训练的只有中间的桥。
# %% [markdown] lang="en" ids="blip-2-parts"
# ### What is frozen, what is trained
#
# 257 image vectors become 32: however many pixels there are, the language model reads 32 positions more. Only the bridge is trained.
# %% tags=["both"]
total = parameters(real["BLIP-2"])
bridge = parameters(real["BLIP-2"].qformer) + parameters(real["BLIP-2"].language_projection) + 32 * 768
for part, module in real["BLIP-2"].named_children():
    trained = part in ("qformer", "language_projection")
    mark = say("训练", "trained") if trained else say("冻结", "frozen")
    print(f"{part:20}{parameters(module) / 1e6:8.1f} M  {mark}")
print(f"{bridge / total:.1%}")
assert bridge / total < 0.04
# %%
with torch.inference_mode():
    answer = blip2.generate(**inputs, max_new_tokens=8, do_sample=False)
said = processor.batch_decode(answer[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)[0]
print("noise:" if checkpoint["blip2"].random else "answer:", repr(said))
# %% [markdown] lang="zh" ids="picture-test"
# ## 换一张图，输出变不变
#
# 现在回答开头的问题。文字不动，换一张图，量输出变了多少。对照：同一张图跑两遍，差必须是 0。
#
# 小心一个陷阱：`transformers` 里 BERT 和 GPT-2 的 `forward` 都有 `**kwargs`。把 `pixel_values` 塞给它们，**不报错，也不理会**。“没报错”不等于“看见了”。
# %% [markdown] lang="en" ids="picture-test"
# ## Exchange the picture: does the output change?
#
# Now the opening question. Keep the text, exchange the picture, measure the change of the output. The control: the same picture twice must give a difference of 0.
#
# Beware of a trap: in `transformers`, the `forward` of BERT and of GPT-2 takes `**kwargs`. Push `pixel_values` at them and they **neither complain nor look**. “No error” is not “it saw it”.
# %%
other = processor(images=picture(2), text=question, return_tensors="pt")
text_only = {"input_ids": torch.arange(10, 18)[None]}

@torch.inference_mode()
def change(model, texts, one, two):
    first, second = (model(**texts, pixel_values=p).logits for p in (one, two))
    return float((first - second).abs().max())

p, q = inputs["pixel_values"], other["pixel_values"]
blip_text = {k: inputs[k] for k in ("input_ids", "attention_mask")}
moved = {
    "BERT": change(bert, text_only, p, q),
    "GPT-2": change(gpt, text_only, p, q),
    "BLIP-2": change(blip2, blip_text, p, q),
    "BLIP-2, control": change(blip2, blip_text, p, p),
}
for name, value in moved.items():
    print(f"{name:16} {value:.4f}")
assert moved["BERT"] == moved["GPT-2"] == moved["BLIP-2, control"] == 0 and moved["BLIP-2"] > 1e-3 and vgg_change > 0
# %% [markdown] lang="zh" ids="plato"
# ## PLATO：一句话，许多种回复
#
# 剩下 PLATO。它是百度的对话模型（[Bao 等，2019](https://arxiv.org/abs/1910.07931)），只收文本；真正的贡献是一个**离散隐变量**。“你喜欢猫吗？”可以答喜欢、反问、拒绝，也可以敷衍。普通模型只好在这些之间取一个平均的分布；PLATO 先用 $z$ 定下意图，再写回复：
#
# $$p(r \mid c) = \sum_{z=1}^{K} p(z)\, p(r \mid c, z)$$
#
# [原代码](https://github.com/PaddlePaddle/Research/tree/master/NLP/Dialogue-PLATO)写给 PaddlePaddle 1.6.1；这里照论文重写了一个小的，在 `mmlab/plato.py`。同一个 Transformer 做两件事，由第一个位置和掩码区分：
#
# - **识别** $q(z \mid c, r)$：首位放 `[M]`，双向地看上文和回复，猜这是哪种意图；用 Gumbel-softmax 抽一个 $z$，梯度能通过。
# - **生成** $p(r \mid c, z)$：首位放 $z$ 的向量，上文双向，回复单向。
#
# 损失是 $\mathcal{L} = \mathcal{L}_{\mathrm{NLL}} + \mathcal{L}_{\mathrm{BOW}}$；后一项要求只凭 $z$ 处的状态猜出回复里有哪些词，逼 $z$ 装进东西。论文还有第三项，学着从 $K$ 个候选里挑最连贯的，这里省去。
# %% [markdown] lang="en" ids="plato"
# ## PLATO: one utterance, many replies
#
# PLATO remains. It is a dialogue model by Baidu ([Bao et al., 2019](https://arxiv.org/abs/1910.07931)) and takes text alone; its real contribution is a **discrete latent variable**. “Do you like cats?” can be met with a yes, a question, a refusal or a shrug. An ordinary model has to spread itself over them. PLATO settles the intention $z$ first, then writes:
#
# $$p(r \mid c) = \sum_{z=1}^{K} p(z)\, p(r \mid c, z)$$
#
# The [original code](https://github.com/PaddlePaddle/Research/tree/master/NLP/Dialogue-PLATO) was written for PaddlePaddle 1.6.1; here a small one was written from the paper, in `mmlab/plato.py`. One Transformer does two things, told apart by its first position and its mask:
#
# - **Recognition** $q(z \mid c, r)$: `[M]` stands first, everything sees everything, and the state of `[M]` guesses the intention; Gumbel-softmax draws a $z$ that lets gradients through.
# - **Generation** $p(r \mid c, z)$: the vector of $z$ stands first; the context is seen both ways, the reply from left to right.
#
# The loss is $\mathcal{L} = \mathcal{L}_{\mathrm{NLL}} + \mathcal{L}_{\mathrm{BOW}}$; the second term asks for the reply's words from the state of $z$ alone, which forces $z$ to carry something. The paper has a third, which learns to pick the most coherent of the $K$ candidates; it is left out here.
# %% [markdown] lang="zh" ids="plato-world"
# ### 一个小对话世界
#
# 两种语言，各 16 个话题、4 种开场，共 128 句话；每句恰好有 4 种合适的回复。“我不知道”对谁都合适，占四成，另外三种各两成。**每个话题的 4 种开场里，2 种用来训练，1 种验证，1 种测试**：测试时的词都认识，整句话没见过。$K$ 取论文的 20。
# %% [markdown] lang="en" ids="plato-world"
# ### A small world of dialogue
#
# Two languages with 16 topics and 4 openings each: 128 utterances, and exactly 4 replies fit each. “I do not know” fits everything and is given 40 % of the time, the other three 20 % each. **Of each topic's 4 openings, 2 are for training, 1 for validation, 1 for testing**: in the test every word is known and every utterance is new. $K$ is the paper's 20.
# %%
vocabulary = plato.vocabulary()
split = plato.split_contexts(run.rng(0))
talks = plato.conversations(vocabulary, split["train"], 6000, run.rng(1))
K = 20
print({part: len(contexts) for part, contexts in split.items()}, len(vocabulary))
for context in (split["train"][0], split["train"][-1]):
    print(context.text, "→", " | ".join(context.replies))
assert not set(split["train"]) & set(split["test"])
# %% [markdown] lang="zh" ids="plato-train"
# ### 关掉，打开
#
# 同样的数据、同样的步长。关掉隐变量（$K=0$），剩下普通的条件语言模型；它 300 步已经到底，打开的训练 600 步。层数、步长、Gumbel 温度都在验证集上选；下面的测试集只打开一次。
# %% [markdown] lang="en" ids="plato-train"
# ### Off, and on
#
# The same data, the same learning rate. With the latent off ($K=0$) an ordinary conditional language model is left; 300 steps take it to its end, the other gets 600. Layers, learning rate and Gumbel temperature were chosen on the validation set; the test set is opened once, below.
# %%
def train(latents, steps, **options):
    torch.manual_seed(run.seed)
    model, likelihoods = plato.Plato(len(vocabulary), latents, **options), []

    def loss(picked):
        parts = model.losses(talks.context[picked], talks.reply[picked])
        likelihoods.append(parts.nll.item())
        return parts.total

    fit(model, loss, len(talks), steps=steps, batch=32, lr=6e-3, seed=run.seed, label=f"K={latents}")
    return model, np.array(likelihoods)

off, off_losses = train(latents=0, steps=300)
on, on_losses = train(latents=K, steps=600)
print(f"{parameters(off):,} {parameters(on):,}")
# %%
frequency = np.array(plato.FREQUENCY)
per_reply = float(((talks.reply != 0).sum(1) - 1).float().mean())
floor = float(-(frequency * np.log(frequency)).sum()) / per_reply
ends = {name: run.record(f"{name}.nll", losses[-50:].mean()) for name, losses in (("off", off_losses), ("on", on_losses))}
print(f"floor {floor:.3f}, off {ends['off']:.3f}, on {ends['on']:.3f}")
assert 0.85 * floor < ends["off"] < 1.3 * floor and ends["on"] < 0.6 * floor
# %% [markdown] lang="zh" ids="plato-floor"
# ### 一条越不过的线
#
# 不知道意图，就总要为“是哪一种”付出 $H(0.4, 0.2, 0.2, 0.2)$，即 {= f"{floor * per_reply:.2f}" =} 纳特，分摊到每个词元上就是下图的虚线。关掉隐变量的模型停在线上；打开的越过了它，因为 $z$ 看过回复，把意图告诉了它。这不是更会预测，是**多得了信息**：两条曲线不能直接比高下，越过虚线只证明 $z$ 真的装了东西。
# %% [markdown] lang="en" ids="plato-floor"
# ### A line that cannot be crossed
#
# Whoever does not know the intention pays $H(0.4, 0.2, 0.2, 0.2)$, {= f"{floor * per_reply:.2f}" =} nats, for “which one”, and spread over the tokens that is the dashed line. The model without a latent stops at it. The other crosses it, because $z$ has seen the reply and tells it the intention. That is no better prediction but **more information**: the curves are not to be ranked; crossing the line only proves that $z$ carries something.
# %%
fig, ax = plots.figure(4.8, 2.4)
for losses, colour, style in ((off_losses, plots.BLUE, "-"), (on_losses, plots.ORANGE, "--")):
    smooth = np.convolve(losses, np.ones(20) / 20, "valid")
    ax.plot(np.arange(len(smooth)) + 20, smooth, color=colour, linestyle=style)
ax.axhline(floor, color=plots.INK, linestyle=":")
ax.set(ylim=(0, 1.0))
#zh> ax.set(xlabel="步", ylabel="每个词元的损失（纳特）"); ax.legend(["关", "开", "不知意图的下限"])
#zh> plots.show(fig, "两条训练曲线：关掉隐变量的停在下限上，打开的越过下限，接近 0。")
#en> ax.set(xlabel="step", ylabel="loss per token (nats)"); ax.legend(["off", "on", "floor without the intention"])
#en> plots.show(fig, "Two training curves: with the latent off the loss stops at the floor; with it on the loss crosses the floor and nears 0.")
# %% [markdown] lang="zh" ids="plato-test"
# ### 在没见过的话上
#
# 打开：$z$ 取遍 20 个值，各写一个回复。关掉：贪心解码，写一个；为了公平，再让它**抽样** 20 次。
# %% [markdown] lang="en" ids="plato-test"
# ### On utterances never seen
#
# On: let $z$ take its 20 values and write one reply for each. Off: decode greedily, one reply; and, to be fair, let it also **draw** 20 times.
# %%
asked = split["test"]
ids = plato.encode_contexts(vocabulary, asked)
draw = torch.Generator().manual_seed(run.seed)
replies = {
    "off": [off.reply(ids)],
    "draws": [off.reply(ids, sample=draw) for _ in range(K)],
    "on": [on.reply(ids, act) for act in range(K)],
}
acts = {name: plato.acts_of(vocabulary, asked, made) for name, made in replies.items()}
for row in (0, -1):
    print(asked[row].text)
    for name, made in replies.items():
        print(f"  {name:6}", " | ".join(dict.fromkeys(plato.said(vocabulary, m[row : row + 1 or None])[0] for m in made)))
# %%
def steady(found):
    #zh| 每种语言各 16 句，分别量
    #en| 16 utterances in each language, measured apart
    return np.mean([plato.steadiness(found[:16]), plato.steadiness(found[16:])])

for name, found in acts.items():
    run.record(f"{name}.distinct", plato.distinct(found))
    run.record(f"{name}.valid", (found >= 0).mean())
    run.record(f"{name}.dull", (found == 0).mean())
    run.record(f"{name}.steady", steady(found))
    print(f"{name:6}", *(f"{k} {run.recorded[f'{name}.{k}']:.2f}" for k in ("distinct", "valid", "dull", "steady")))
assert run.recorded["off.distinct"] <= 1 and run.recorded["off.dull"] > 0.9
assert run.recorded["on.distinct"] > 3 and run.recorded["on.valid"] > 0.8
assert run.recorded["on.steady"] > run.recorded["draws.steady"] + 0.2
# %% [markdown] lang="zh" ids="plato-fair"
# ### 抽样也能多样，那隐变量有什么用
#
# {= len(run.over_seeds("on.distinct")) =} 个种子的平均（± 标准差）：
#
# | | 不同的合适回复（共 4） | 合适的比例 | “我不知道”的比例 | 同一编号、同一意图 |
# | --- | --- | --- | --- | --- |
# | 关，贪心 | {= run.spread("off.distinct") =} | {= run.spread("off.valid") =} | {= run.spread("off.dull") =} | — |
# | 关，抽 20 次 | {= run.spread("draws.distinct") =} | {= run.spread("draws.valid") =} | {= run.spread("draws.dull") =} | {= run.spread("draws.steady") =} |
# | 开，20 个取值 | {= run.spread("on.distinct") =} | {= run.spread("on.valid") =} | {= run.spread("on.dull") =} | {= run.spread("on.steady") =} |
#
# 贪心解码只会说最常见的那句敷衍话：这就是“我也不知道”的来历。抽样 20 次几乎也能凑齐 4 种，所以**多样不是隐变量独有的**。独有的是**把手**：在同一种语言里，同一个 $z$ 在没见过的话上大多还是同一种意图，而第 7 次抽样是什么意图，每句话都不一样。打开时“我不知道”占多少，只看有几个编号分给了它，所以各个种子相差很大。
# %% [markdown] lang="en" ids="plato-fair"
# ### Drawing gives variety too. What is the latent for?
#
# Means over {= len(run.over_seeds("on.distinct")) =} seeds (± standard deviation):
#
# | | different fitting replies (of 4) | share that fits | share of “I do not know” | same number, same intention |
# | --- | --- | --- | --- | --- |
# | off, greedy | {= run.spread("off.distinct") =} | {= run.spread("off.valid") =} | {= run.spread("off.dull") =} | — |
# | off, 20 draws | {= run.spread("draws.distinct") =} | {= run.spread("draws.valid") =} | {= run.spread("draws.dull") =} | {= run.spread("draws.steady") =} |
# | on, 20 values | {= run.spread("on.distinct") =} | {= run.spread("on.valid") =} | {= run.spread("on.dull") =} | {= run.spread("on.steady") =} |
#
# Greedy decoding says the commonest thing, the shrug: that is where “I don't know” comes from. Drawing 20 times collects nearly all 4 as well, so **variety is not the latent's alone**. What is its alone is a **handle**: within a language, one value of $z$ mostly means one intention on utterances never seen, while the intention of the seventh draw is different each time. With the latent on, the share of “I do not know” only says how many numbers fell to it, so it differs much between seeds.
# %%
def handle(found):
    #zh| 每种语言、每个编号：最常见的意图和它的比例
    #en| For each language and number: the commonest act and its share
    halves = [found[:16], found[16:]]
    share = np.array([[[(h[:, k] == a).mean() for a in range(4)] for k in range(K)] for h in halves])
    return share.argmax(-1), share.max(-1)

fig, axes = plots.figure(4.9, 2.4, rows=2, sharex=True)
for ax, name in zip(axes, ("on", "draws")):
    act, share = handle(acts[name])
    shown = ax.imshow(share, vmin=0, vmax=1, aspect="auto")
    for y, x in np.ndindex(2, K):
        ax.text(x, y, "DAQR"[act[y, x]], ha="center", va="center", fontsize=8, color="black" if share[y, x] > 0.6 else "white")
    ax.set_yticks([0, 1], ["中文", "English"])
    ax.set_xticks([])
bar = fig.colorbar(shown, ax=axes, shrink=0.8)
#zh> axes[0].set_title("开：z 的 20 个取值"); axes[1].set_title("关：20 次抽样"); bar.set_label("最常见意图的比例")
#zh> plots.show(fig, "每个编号在两种语言里最常见的意图（D 敷衍、A 赞同、Q 反问、R 拒绝）和它的比例：隐变量打开时大多很亮，抽样时都暗。")
#en> axes[0].set_title("on: the 20 values of z"); axes[1].set_title("off: 20 draws"); bar.set_label("share of commonest act")
#en> plots.show(fig, "The commonest act of each number in each language (D dull, A agree, Q question, R refuse) and its share: mostly bright with the latent on, dim for draws.")
# %%
act, _ = handle(acts["on"])
run.record("on.shared", (act[0] == act[1]).mean())
# %% [markdown] lang="zh" ids="plato-languages"
# ### 一个没想到的结果
#
# 比一比图的上半部分两行的字母：同一个编号在中文和英文里是同一种意图的，这一次占 {= f"{run.recorded['on.shared']:.0%}" =}（{= len(run.over_seeds("on.shared")) =} 个种子的平均是 {= f"{run.mean('on.shared'):.0%}" =}）。没有人告诉模型“反问”和“ask”是一回事：识别网络看得见上文，就可以每种语言各编一套号。**隐变量没有监督，编号没有名字**；要用它当“意图”，先得自己对照着看。
# %% [markdown] lang="en" ids="plato-languages"
# ### A result not expected
#
# Compare the letters in the two rows of the upper half: in this run {= f"{run.recorded['on.shared']:.0%}" =} of the numbers have the same act in Chinese and in English (mean of {= len(run.over_seeds("on.shared")) =} seeds: {= f"{run.mean('on.shared'):.0%}" =}). Nobody told the model that “反问” and “ask” are one: the recogniser sees the context and may number each language by itself. **A latent without supervision has numbers and no names**; to use it as “intention”, look first at what it does.
# %%
#zh| 对照：识别出 z，再用这个 z 生成，意图还是原来的吗？把认出的 z 在样本间打乱呢？
#en| Control: recognise z, then write with it. Is it the same act? And with the recognised z shuffled between samples?
fresh = plato.conversations(vocabulary, asked, 200, run.rng(2))
with torch.no_grad():
    recognised = on.recognise(fresh.context, fresh.reply).argmax(-1)
shuffled = recognised[torch.from_numpy(run.rng(3).permutation(200))]
by_ids = {tuple(i.tolist()): c for i, c in zip(ids, asked)}
spoken_to = [by_ids[tuple(i.tolist())] for i in fresh.context]
for name, z in (("trip", recognised), ("trip.shuffled", shuffled)):
    back = plato.acts_of(vocabulary, spoken_to, [on.reply(fresh.context, z)])[:, 0]
    print(f"{name:14}{run.record(name, (back == fresh.act.numpy()).mean()):.2f}")
assert run.recorded["trip"] > 0.75 and run.recorded["trip.shuffled"] < run.recorded["trip"] - 0.2
# %% [markdown] lang="zh" ids="leak"
# ## BERT 为什么不能从左往右写
#
# 三个理由，头两个从可见图上就看得出来：它的题目总有右边的上文；加一个词，左边所有状态都要重算。第三个做实验：把 PLATO 回复部分的单向掩码去掉（`causal=False`），其余不变，照样训练“猜下一个词元”。
# %% [markdown] lang="en" ids="leak"
# ## Why BERT cannot write from left to right
#
# Three reasons. Two can be read off the map of who sees whom: its exercise always has a right-hand side; and each word added changes every state to its left, so all is computed again. The third is an experiment: take the left-to-right mask off PLATO's reply (`causal=False`), leave the rest alone, and train on “guess the next token” as before.
# %%
both_ways, leaked = train(latents=0, steps=300, causal=False)
written = both_ways.reply(ids)
fits = plato.acts_of(vocabulary, asked, [written]) >= 0
run.record("leak.nll", leaked[-50:].mean())
run.record("leak.valid", fits.mean())
print(f"loss {run.recorded['leak.nll']:.3f} (floor {floor:.3f}), fits {run.recorded['leak.valid']:.2f}")
print(*(plato.said(vocabulary, written[k : k + 1])[0] or "∅" for k in (0, 5, 16, 20)), sep=" | ")
assert run.recorded["leak.nll"] < 0.3 * floor and run.recorded["leak.valid"] < run.recorded["off.valid"] - 0.1
# %% [markdown] lang="zh" ids="leak-why"
# ### 损失越低，写得越差
#
# 损失降到 {= f"{run.recorded['leak.nll']:.3f}" =}，远在“不可能”的下限之下：答案就在右边，它学会了抄。生成时右边是空的，没得抄，合适的回复只剩 {= f"{run.recorded['leak.valid']:.0%}" =}（单向的是 {= f"{run.recorded['off.valid']:.0%}" =}）。**损失低得超过理论下限，先查泄漏。** BERT 用 `[MASK]` 盖住答案来避免抄，代价是它学的是填空，不是续写。掩码的三种形状见[注意力一章](../principles/attention.md#masks)。
# %% [markdown] lang="en" ids="leak-why"
# ### The lower the loss, the worse the writing
#
# The loss falls to {= f"{run.recorded['leak.nll']:.3f}" =}, far below the floor that cannot be crossed: the answer stands on the right, and it has learned to copy. In writing the right is empty, there is nothing to copy, and only {= f"{run.recorded['leak.valid']:.0%}" =} of the replies fit (with the left-to-right mask, {= f"{run.recorded['off.valid']:.0%}" =}). **When a loss is lower than theory allows, look for a leak.** BERT avoids copying by covering the answer with `[MASK]`; the price is that it learns to fill gaps, not to go on. The three shapes of mask are in [the chapter on attention](../principles/attention.md#masks).
# %% [markdown] lang="zh" ids="verdict"
# ## 判决
#
# | 系统 | 什么进 | 什么出 | 换图，输出变吗 | 多模态？ |
# | --- | --- | --- | --- | --- |
# | VGG16 | 图像 | 1000 个分数，或 49 个向量 | 变 | 否：只有图像 |
# | LSTM | 任何向量序列 | 向量序列 | 看喂什么 | 是零件，不是系统 |
# | BERT | 文本 | 每个词元的表示 | 不变（{= f"{moved['BERT']:.0f}" =}） | 否 |
# | GPT-3（这里是 GPT-2） | 文本 | 文本 | 不变（{= f"{moved['GPT-2']:.0f}" =}） | 否 |
# | BLIP-2 | 图像和文本 | 文本 | 变 | **是** |
# | PLATO | 文本 | 文本 | 没有收图像的参数 | 否 |
#
# 讲义的四个“多模态大模型”里，只有 BLIP-2 是。GPT-3、BERT、PLATO 都是好模型，都是文本模型。
# %% [markdown] lang="en" ids="verdict"
# ## The verdict
#
# | system | in | out | new picture, new output? | multimodal? |
# | --- | --- | --- | --- | --- |
# | VGG16 | pictures | 1000 scores, or 49 vectors | yes | no: pictures alone |
# | LSTM | any sequence of vectors | a sequence of vectors | depends on what it is fed | a part, not a system |
# | BERT | text | a representation of each token | no ({= f"{moved['BERT']:.0f}" =}) | no |
# | GPT-3 (here GPT-2) | text | text | no ({= f"{moved['GPT-2']:.0f}" =}) | no |
# | BLIP-2 | pictures and text | text | yes | **yes** |
# | PLATO | text | text | has no argument for one | no |
#
# Of the four “multimodal large models” in the notes only BLIP-2 is one. GPT-3, BERT and PLATO are fine models, and models of text.
# %% [markdown] lang="zh" ids="predictions"
# ## 对答案
#
# 1. 一个：BLIP-2。
# 2. 不报错，也不看：`**kwargs` 收下后丢掉，输出的变化是 {= f"{moved['GPT-2']:.0f}" =}。
# 3. 参数的 {= f"{shares(held)[-1]:.0%}" =} 在全连接层，乘加的 {= f"{1 - shares(work)[-1]:.0%}" =} 在卷积层。
# 4. 只有“我不知道”：占 {= f"{run.recorded['off.dull']:.0%}" =}。
# 5. 损失更低（{= f"{run.recorded['leak.nll']:.3f}" =}，单向 {= f"{ends['off']:.3f}" =}），生成更差：它抄惯了答案。
# %% [markdown] lang="en" ids="predictions"
# ## Your predictions against the run
#
# 1. One: BLIP-2.
# 2. No error, and no look: `**kwargs` takes it and drops it, and the output changes by {= f"{moved['GPT-2']:.0f}" =}.
# 3. {= f"{shares(held)[-1]:.0%}" =} of the parameters are in the linear layers, {= f"{1 - shares(work)[-1]:.0%}" =} of the multiply–adds in the convolutions.
# 4. Only “I do not know”: {= f"{run.recorded['off.dull']:.0%}" =} of its replies.
# 5. The loss is lower ({= f"{run.recorded['leak.nll']:.3f}" =}, left to right {= f"{ends['off']:.3f}" =}), and the writing worse: it is used to copying.
# %% [markdown] lang="zh" ids="breaks"
# ## 什么会推翻这些结论
#
# - **换图测试**只证明“看得见”，不证明“看得懂”。随机权重的 BLIP-2 也通过了。反过来，训练坏的模型可以忽略图像：那要另测，见[盲测基线](../principles/evaluation.md#blind-baselines)。
# - **小世界**里回复只有 4 种，词表是封闭的，没见过的话也只是旧词的新组合。真的 PLATO 面对的是开放的 Reddit 对话；这里的数字不是它的成绩。
# - **温度**：作者代码的 Gumbel 温度是 0.67；在这样小的模型、这样少的步数里，意图会挤到一起（练习三）。这里用 4，是在验证集上选的。
# - **“编号就是意图”**只在一种语言里大致成立。
# - **GPT-2 代替 GPT-3** 说明结构和接口，不说明能力：差 1400 倍参数。
# %% [markdown] lang="en" ids="breaks"
# ## What would break this
#
# - **The picture test** proves that a model sees, not that it understands. BLIP-2 passes it with random weights. Conversely a badly trained model may ignore its picture; that takes another test, see [blind baselines](../principles/evaluation.md#blind-baselines).
# - **The small world** has 4 replies and a closed vocabulary, and its new utterances are new combinations of old words. The real PLATO met open conversation from Reddit; the figures here are not its figures.
# - **Temperature**: the authors' code has a Gumbel temperature of 0.67; in so small a model and so few steps the acts crowd together (exercise 3). The 4 used here was chosen on the validation set.
# - **“A number is an intention”** holds roughly, and within one language only.
# - **GPT-2 in place of GPT-3** shows structure and interface, not ability: 1,400 times fewer parameters.
# %% [markdown] lang="zh" ids="exercises exercise-1" tags=["exercise"]
# ## 练习
#
# ### 练习一：Q-Former 的 1.88 亿在哪里
#
# 论文说 Q-Former 有 1.88 亿参数，上面数出来只有 1.05 亿。`Blip2QFormerConfig(use_qformer_text_input=True)` 会多出什么？再加上词和位置的嵌入（BERT 的 30522 个词、512 个位置，768 维），能补到多少？
# %% [markdown] lang="en" ids="exercises exercise-1" tags=["exercise"]
# ## Exercises
#
# ### Exercise 1: where are the Q-Former's 188 million?
#
# The paper gives the Q-Former 188 million parameters; above we counted 105 million. What does `Blip2QFormerConfig(use_qformer_text_input=True)` add? With the embeddings of words and positions (BERT's 30,522 words, 512 positions, 768 dimensions), how far do you get?
# %% tags=["exercise"]
def q_former_parameters(text):
    #zh| 在这里写你的代码：在 meta 设备上建 Q-Former，返回参数个数
    #en| Your code: build a Q-Former on the meta device and return its number of parameters
    pass
# %% tags=["solution"]
from transformers import Blip2QFormerConfig, Blip2QFormerModel

def q_former_parameters(text):
    with torch.device("meta"):
        return parameters(Blip2QFormerModel(Blip2QFormerConfig(use_qformer_text_input=text)))

tables = (30522 + 512) * 768
queries_only, with_text = q_former_parameters(False), q_former_parameters(True)
print(f"{queries_only / 1e6:.1f} M, {with_text / 1e6:.1f} M, {(with_text + tables) / 1e6:.1f} M")
assert 0.97 < (with_text + tables) / 188e6 < 1.0
# %% [markdown] lang="zh" ids="exercise-1-why" tags=["solution"]
# #### 答案
#
# 第一阶段训练时，Q-Former 还要读文字：每层多一个给文字用的前馈网络，外加词嵌入。加起来与论文的 1.88 亿差不到 3%。第二阶段接语言模型时，文字那一半用不上，检查点里就没有。
# %% [markdown] lang="en" ids="exercise-1-why" tags=["solution"]
# #### The answer
#
# In the first stage of training the Q-Former reads text as well: each layer has one more feed-forward network for it, and there are word embeddings. Together they come within 3 % of the paper's 188 million. Joined to a language model in the second stage, the half for text is not needed, and the checkpoint leaves it out.
# %% [markdown] lang="zh" ids="exercise-2" tags=["exercise"]
# ### 练习二：给 GPT-2 开一道门
#
# GPT-2 的 `forward` 收 `inputs_embeds`。把图像切成 4 块、每块过一层线性变成 $d$ 维，排在词嵌入前面，再做一次换图测试。输出变吗？这就成了多模态模型吗？
# %% [markdown] lang="en" ids="exercise-2" tags=["exercise"]
# ### Exercise 2: cut a door into GPT-2
#
# GPT-2's `forward` takes `inputs_embeds`. Cut a picture into 4 patches, map each to $d$ dimensions with a linear layer, put them before the word embeddings, and repeat the picture test. Does the output change? Is this a multimodal model now?
# %% tags=["solution"]
door = nn.Linear(16 * 16 * 3, gpt.config.n_embd)

def with_picture(seed):
    patches = torch.from_numpy(picture(seed, 32) / 255).float().unfold(0, 16, 16).unfold(1, 16, 16).flatten(2).flatten(0, 1)
    texts = gpt.get_input_embeddings()(prompt["input_ids"])
    return gpt(inputs_embeds=torch.cat([door(patches)[None], texts], 1)).logits[:, -1]

with torch.no_grad():
    opened = float((with_picture(1) - with_picture(2)).abs().max())
print(f"{opened:.4f}")
assert opened > 0
# %% [markdown] lang="zh" ids="exercise-2-why" tags=["solution"]
# #### 答案
#
# 变了：它看得见图，却看不懂。这层线性没有训练过，图像的向量落在词嵌入从来不去的地方。训练这一层（LLaVA），或训练一个 Q-Former（BLIP-2），就是[桥接](../models/bridging.md)要做的事。
# %% [markdown] lang="en" ids="exercise-2-why" tags=["solution"]
# #### The answer
#
# It changes: the model sees the picture and does not understand it. The linear layer is untrained, and the picture's vectors land where word embeddings never go. To train that layer (LLaVA), or a Q-Former (BLIP-2), is the whole matter of [bridging](../models/bridging.md).
# %% [markdown] lang="zh" ids="exercise-3" tags=["exercise"]
# ### 练习三：温度，和没有词袋损失
#
# 用 `train(K, 600, temperature=0.67)` 再训一个，数一数验证集上不同的合适回复。再写一个去掉 $\mathcal{L}_{\mathrm{BOW}}$ 的训练，它是否像论文说的那样不可缺？
# %% [markdown] lang="en" ids="exercise-3" tags=["exercise"]
# ### Exercise 3: temperature, and no bag of words
#
# Train once more with `train(K, 600, temperature=0.67)` and count the different fitting replies on the validation set. Then train without $\mathcal{L}_{\mathrm{BOW}}$. Is that term needed here?
# %% tags=["solution"]
def variety(model):
    contexts = split["validation"]
    known = plato.encode_contexts(vocabulary, contexts)
    return plato.distinct(plato.acts_of(vocabulary, contexts, [model.reply(known, k) for k in range(K)]))

cold, _ = train(K, 600, temperature=0.67)
torch.manual_seed(run.seed)
bare = plato.Plato(len(vocabulary), K)
fit(bare, lambda i: bare.losses(talks.context[i], talks.reply[i]).nll, len(talks), steps=600, batch=32, lr=6e-3, seed=run.seed)
for name, model in (("on", on), ("cold", cold), ("no-bow", bare)):
    print(f"{name:8}{run.record(f'{name}.validation', variety(model)):.2f}")
assert run.recorded["cold.validation"] < run.recorded["on.validation"] + 0.3
# %% [markdown] lang="zh" ids="exercise-3-why" tags=["solution"]
# #### 答案
#
# 温度低时只有 {= run.spread("cold.validation") =} 种（温度 4 是 {= run.spread("on.validation") =}），而且各个种子相差很大。一个说得通的解释是：选择一开始就近乎硬，几个编号先占了便宜，别的编号很少再得到梯度；这里没有单独验证它。去掉词袋损失是 {= run.spread("no-bow.validation") =} 种：**在这个小世界里看不出它必要**，回复短，解码器小。解码器强大时隐变量常被忽略（后验坍缩），论文加这一项正是为此；这个实验没有复现它。
# %% [markdown] lang="en" ids="exercise-3-why" tags=["solution"]
# #### The answer
#
# At the low temperature there are only {= run.spread("cold.validation") =} different replies (at 4, {= run.spread("on.validation") =}), and the seeds differ much. A plausible reason: the choice is nearly hard from the first step, a few numbers get ahead, and the others seldom see a gradient again; that was not tested by itself. Without the bag of words there are {= run.spread("no-bow.validation") =}: **in this small world the term is not seen to be needed**, with short replies and a small decoder. Strong decoders tend to ignore a latent (posterior collapse), which is what the term is for; this experiment does not reproduce that.
# %% [markdown] lang="zh" ids="exercise-4" tags=["exercise"]
# ### 练习四：没有缓存的代价
#
# BERT 每添一个词就要把整句重算一遍，GPT 只算新的那个位置。写 $T$ 个词元，两者各要算多少个位置？用上面的可见图说明为什么 BERT 不能缓存。
# %% [markdown] lang="en" ids="exercise-4" tags=["exercise"]
# ### Exercise 4: the price of no cache
#
# For each word added BERT computes the whole sentence again, GPT only the new position. How many positions does each compute for $T$ tokens? Use the map of who sees whom to say why BERT cannot cache.
# %% tags=["solution"]
T = 1000
no_cache, cached = T * (T + 1) // 2, T
print(f"{no_cache:,} / {cached:,} = {no_cache / cached:.0f} ×")
#zh| 第 0 行：最后一个词元变了，第 0 个位置的状态变不变？
#en| Row 0: when the last token changes, does the state at position 0?
print({name: bool(seen[0, -1]) for name, seen in maps.items()})
assert maps["BERT"][0, -1] and not maps["GPT"][0, -1]
# %% [markdown] lang="zh" ids="further"
# ## 接着看
#
# - 章节：[种子文档的四个模型](../models/seed-four.md)、[把视觉接进语言模型](../models/bridging.md#blip-2)、[三种掩码](../principles/attention.md#masks)、[编码器](../principles/encoders.md)
# - 面试题：[国外有哪些多模态大模型](../interview/q/seed-4.md)、[实现多模态特征提取器](../interview/q/seed-6-2.md)
# %% [markdown] lang="en" ids="further"
# ## Where to go next
#
# - Chapters: [the seed document's four models](../models/seed-four.md), [connecting vision to a language model](../models/bridging.md#blip-2), [three masks](../principles/attention.md#masks), [encoders](../principles/encoders.md)
# - Questions: [name some large multimodal models](../interview/q/seed-4.md), [implement a multimodal feature extractor](../interview/q/seed-6-2.md)
