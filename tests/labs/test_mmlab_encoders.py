"""mmlab.encoders: shapes, masks that mask, order that counts, VGG16's weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mmlab import data, encoders
from mmlab.errors import BadFile

quick = settings(max_examples=15, deadline=None)


def ragged(lengths: list[int], total: int | None = None) -> torch.Tensor:
    """(B, L) mask with these many True at the front of each row."""
    return torch.arange(total or max(lengths))[None] < torch.tensor(lengths)[:, None]


# ---- before and after ---------------------------------------------------------------------------------------------


def test_preprocess_agrees_with_the_datasets_own() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3), dtype=np.uint8)
    pixels = data.Standardise.fit(images)
    x = encoders.preprocess(images, pixels)
    assert x.dtype == torch.float32 and x.shape == (5, 3, 6, 7)
    assert torch.allclose(x, torch.stack([pixels(image) for image in images]), atol=1e-5)
    assert torch.allclose(x.mean((0, 2, 3)), torch.zeros(3), atol=1e-4)


def test_preprocess_without_statistics_and_with_wrong_type() -> None:
    images = np.array([0, 255], np.uint8)[:, None, None, None].repeat(3, 3)
    assert encoders.preprocess(images).flatten(1).tolist() == [[-1.0] * 3, [1.0] * 3]
    with pytest.raises(TypeError, match="float"):
        encoders.preprocess(images / 255)


@quick
@given(st.lists(st.integers(0, 7), min_size=1, max_size=5), st.sampled_from(encoders.POOLS), st.integers(0, 99))
def test_pool_is_pooling_of_the_real_part(lengths: list[int], how: str, seed: int) -> None:
    torch.manual_seed(seed)
    mask = ragged(lengths, 7)
    x = torch.randn(len(lengths), 7, 3)
    pooled = encoders.pool(x, mask, how)
    for row, n in enumerate(lengths):
        real = x[row, :n]
        wanted = {"mean": real.mean(0), "last": real[-1] if n else None, "max": real.amax(0) if n else None}[how]
        assert torch.allclose(pooled[row], torch.zeros(3) if n == 0 else wanted, atol=1e-6)
    assert torch.equal(pooled, encoders.pool(x.masked_fill(~mask[..., None], 1e6), mask, how)) or how == "mean"


def test_pool_without_a_mask_and_with_a_wrong_name() -> None:
    x = torch.randn(2, 3, 4)
    assert torch.allclose(encoders.pool(x), x.mean(1), atol=1e-6)
    assert torch.equal(encoders.pool(x, how="last"), x[:, -1])
    with pytest.raises(ValueError, match="median"):
        encoders.pool(x, how="median")


# ---- attention ------------------------------------------------------------------------------------------------------


def test_attention_is_torchs_own() -> None:
    torch.manual_seed(0)
    ours = encoders.Attention(12, heads=3)
    theirs = nn.MultiheadAttention(12, 3, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.q.weight, ours.k.weight, ours.v.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.q.bias, ours.k.bias, ours.v.bias]))
        theirs.out_proj.load_state_dict(ours.out.state_dict())
    x, to, mask = torch.randn(2, 5, 12), torch.randn(2, 7, 12), ragged([4, 7])
    got, weights = ours(x, to, mask)
    wanted, wanted_weights = theirs(x, to, to, key_padding_mask=~mask, average_attn_weights=False)
    assert torch.allclose(got, wanted, atol=1e-5) and torch.allclose(weights, wanted_weights, atol=1e-6)


def test_attention_ignores_padding_and_survives_an_empty_row() -> None:
    attention = encoders.Attention(8, heads=2, dim_kv=5)
    x, to, mask = torch.randn(3, 4, 8), torch.randn(3, 6, 5), ragged([6, 2, 0])
    _, weights = attention(x, to, mask)
    assert (weights[1, :, :, 2:] == 0).all() and torch.allclose(weights[1].sum(-1), torch.ones(2, 4))
    assert (weights[2] == 0).all()
    out, _ = attention(x, to, mask)
    out.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in attention.parameters() if p.grad is not None)
    with pytest.raises(ValueError, match="evenly"):
        encoders.Attention(10, heads=4)


def test_attention_gradients() -> None:
    torch.manual_seed(0)
    attention = encoders.Attention(4, heads=2).double()
    x = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    mask = ragged([3, 2])
    assert torch.autograd.gradcheck(lambda x: attention(x, x, mask)[0], (x,))


# ---- pictures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "stride", "grid"), [(32, 8, (4, 4)), (32, 4, (8, 8)), ((8, 16), 4, (2, 4))])
def test_picture_encoders_make_the_tokens_they_promise(
    size: int | tuple[int, int], stride: int, grid: tuple[int, int]
) -> None:
    height, width = (size, size) if isinstance(size, int) else size
    picture = torch.randn(3, 3, height, width)
    for encoder in (encoders.ConvEncoder(16, size, stride), encoders.PatchEncoder(16, size, stride)):
        assert encoder.grid == grid and encoder(picture).shape == (3, encoder.tokens, 16)


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="power of 2"):
        encoders.ConvEncoder(stride=6, size=36)
    with pytest.raises(ValueError, match="power of 2"):
        encoders.ConvEncoder(size=36)
    with pytest.raises(ValueError, match="do not tile"):
        encoders.PatchEncoder(patch=5)


@quick
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.integers(1, 3))
def test_patches_are_the_picture(rows: int, cols: int, patch: int, channels: int) -> None:
    picture = torch.randn(2, channels, rows * patch, cols * patch)
    patches = encoders.patchify(picture, patch)
    assert patches.shape == (2, rows * cols, channels * patch * patch)
    last = picture[:, :, -patch:, -patch:]
    assert torch.equal(patches[:, -1], last.flatten(1))
    unfolded = nn.functional.unfold(picture, patch, stride=patch).transpose(1, 2)
    assert torch.equal(patches, unfolded)


def test_a_patch_embedding_is_a_convolution() -> None:
    encoder = encoders.PatchEncoder(16, size=8, patch=4)
    picture = torch.randn(2, 3, 8, 8)
    weight = encoder.project.weight.view(16, 3, 4, 4)
    convolved = nn.functional.conv2d(picture, weight, encoder.project.bias, stride=4).flatten(2).transpose(1, 2)
    assert torch.allclose(encoder.project(encoders.patchify(picture, 4)), convolved, atol=1e-5)


def test_positions_tell_the_places_of_equal_patches_apart() -> None:
    blank = torch.ones(1, 3, 32, 32)
    with torch.inference_mode():
        x = encoders.PatchEncoder(16)(blank)[0]
        bare = encoders.PatchEncoder(16)
        bare.position.zero_()
        y = bare(blank)[0]
    assert (x - x[0]).abs().max() > 1e-3 and torch.allclose(y, y[0].expand_as(y), atol=1e-5)


# ---- VGG16 ----------------------------------------------------------------------------------------------------------


def small_vgg() -> encoders.VGG16:
    return encoders.VGG16(classes=5, widths=(2, 3, 4, 4, 4), hidden=6, side=1)


def test_vgg16_has_the_published_size_and_torchvisions_names() -> None:
    with torch.device("meta"):
        model = encoders.VGG16()
    weights = model.state_dict()
    assert sum(p.numel() for p in model.parameters()) == 138_357_544  # torchvision's page on vgg16
    convolutions = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    names = [f"features.{k}" for k in convolutions] + [f"classifier.{k}" for k in (0, 3, 6)]
    assert list(weights) == [f"{name}.{part}" for name in names for part in ("weight", "bias")]
    assert weights["features.28.weight"].shape == (512, 512, 3, 3)
    assert weights["classifier.0.weight"].shape == (4096, 25088)


def test_vgg16_shapes() -> None:
    model = small_vgg().eval()
    with torch.inference_mode():
        assert model(torch.randn(2, 3, 64, 64)).shape == (2, 5)
        assert model.tokens(torch.randn(2, 3, 64, 64)).shape == (2, 4, 4)


def test_vgg16_weights_from_a_file(tmp_path, monkeypatch) -> None:
    trained = small_vgg().eval()
    path = tmp_path / "vgg16.pth"
    torch.save(trained.state_dict(), path)
    picture = torch.randn(1, 3, 32, 32)
    monkeypatch.setenv("MMLAB_VGG16", str(path))
    for loaded in (encoders.load_vgg16_weights(path, small_vgg()), encoders.load_vgg16_weights(model=small_vgg())):
        assert not loaded.training and torch.equal(loaded(picture), trained(picture))


def test_vgg16_weights_from_the_net_by_default(monkeypatch) -> None:
    asked = []
    trained = small_vgg()

    def fetch(url: str, **options: object) -> dict[str, torch.Tensor]:
        asked.append((url, options["check_hash"]))
        return trained.state_dict()

    monkeypatch.delenv("MMLAB_VGG16", raising=False)
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fetch)
    encoders.load_vgg16_weights(model=small_vgg())
    assert asked == [("https://download.pytorch.org/models/vgg16-397923af.pth", True)]


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"PK\x03\x04 cut"])
def test_a_bad_file_of_weights_is_named(tmp_path, content: bytes) -> None:
    path = tmp_path / "broken.pth"
    path.write_bytes(content)
    with pytest.raises(BadFile, match=r"broken\.pth"):
        encoders.load_vgg16_weights(path, small_vgg())


def test_foreign_or_missing_weights_are_named(tmp_path) -> None:
    path = tmp_path / "other.pth"
    for content in ({"linear.weight": torch.zeros(2, 2)}, torch.zeros(3)):
        torch.save(content, path)
        with pytest.raises(BadFile, match=r"other\.pth.*fit VGG16"):
            encoders.load_vgg16_weights(path, small_vgg())
    with pytest.raises(BadFile, match=r"nowhere\.pth"):
        encoders.load_vgg16_weights(tmp_path / "nowhere.pth", small_vgg())


# ---- text and sound -------------------------------------------------------------------------------------------------


def readers() -> list[nn.Module]:
    torch.manual_seed(0)
    return [
        encoders.LSTMEncoder(20, 16),
        encoders.LSTMEncoder(20, 16, both=True, layers=2),
        encoders.TransformerEncoder(20, 16),
    ]


@pytest.mark.parametrize("reader", readers(), ids=["lstm", "lstm-both", "transformer"])
def test_text_encoders_do_not_see_padding(reader: nn.Module) -> None:
    lengths = [5, 1, 9]
    mask = ragged(lengths, 12)
    ids = torch.randint(4, 20, (3, 12))
    with torch.inference_mode():
        states = reader(ids * mask, mask)
        assert states.shape == (3, 12, 16) and (states[~mask] == 0).all()
        assert torch.allclose(states, reader(ids, mask), atol=1e-6)  # whatever stands in the padding
        for row, n in enumerate(lengths):
            alone = reader(ids[row : row + 1, :n], mask[row : row + 1, :n])
            assert torch.allclose(states[row, :n], alone[0], atol=1e-5)


@pytest.mark.parametrize("reader", readers(), ids=["lstm", "lstm-both", "transformer"])
def test_text_encoders_know_the_order_and_bear_an_empty_row(reader: nn.Module) -> None:
    mask = ragged([3, 3, 0])
    states = reader(torch.tensor([[5, 6, 7], [7, 6, 5], [0, 0, 0]]), mask)
    pooled = encoders.pool(states, mask)
    assert (pooled[0] - pooled[1]).abs().max() > 1e-3
    assert torch.isfinite(states).all() and (states[2] == 0).all()
    pooled.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in reader.parameters() if p.grad is not None)


def test_a_sentence_longer_than_the_positions_is_refused() -> None:
    with pytest.raises(ValueError, match="9 tokens"):
        encoders.TransformerEncoder(20, 16, length=8)(torch.ones(1, 9, dtype=torch.int64), torch.ones(1, 9).bool())


@quick
@given(st.lists(st.integers(1, 12), min_size=1, max_size=4))
def test_the_audio_encoder_does_not_hear_padding(lengths: list[int]) -> None:
    torch.manual_seed(0)
    listen = encoders.AudioEncoder(mels=6, dim=8)
    mask = ragged(lengths, 12)
    mel = torch.randn(len(lengths), 12, 6)
    with torch.inference_mode():
        states, half = listen(mel, mask)
        assert states.shape == (len(lengths), 6, 8) and half.sum(1).tolist() == [(n + 1) // 2 for n in lengths]
        assert (states[~half] == 0).all()
        for row, n in enumerate(lengths):
            alone, alone_mask = listen(mel[row : row + 1, :n], mask[row : row + 1, :n])
            assert alone_mask.all() and torch.allclose(states[row, : alone.shape[1]], alone[0], atol=1e-5)


def test_sinusoids() -> None:
    table = encoders.sinusoids(50, 8)
    assert table.shape == (50, 8) and torch.allclose(table[0], torch.tensor([0.0] * 4 + [1.0] * 4))
    dots = table @ table.T  # depend on the distance alone
    assert torch.allclose(dots.diagonal(3), dots[0, 3].expand(47), atol=1e-4)
