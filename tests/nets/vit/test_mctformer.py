"""MCTFormer against plain implementations of its formulas, without any pretrained weight."""

import pytest
import timm
import torch
from torch.nn import functional as F

from acr_lightning.errors import UserError
from acr_lightning.nets.checkpoint import describe_in, load_network
from acr_lightning.nets.classifier import Classifier
from acr_lightning.nets.vit.attention import run_block
from acr_lightning.nets.vit.mctformer import MCTFormer

K, VIT = 3, "test_vit"  # timm's: 6 blocks of 64 channels and 2 heads, patches of 16 pixels, made for 160×160


def mctformer(num_classes=K, *, equal=False, **options):
    torch.manual_seed(0)
    made = MCTFormer(num_classes, VIT, **{"drop_path": 0.0, **options}).eval()
    for name, one in made.named_parameters():  # timm's start is so small that all attention is even
        if one.ndim > 1 and not (equal and name.startswith("class_")):
            torch.nn.init.normal_(one, std=0.1)
    return made


def explicit(block, tokens):
    """A block head by head, query by query, and the mean attention `[B, N, N]`."""
    attention, normed = block.attn, block.norm1(tokens)
    d = attention.head_dim
    query, key, value = attention.qkv(normed).chunk(3, dim=-1)
    heads, maps = [], []
    for head in range(attention.num_heads):
        part = slice(head * d, (head + 1) * d)
        rows = [
            ((query[:, i : i + 1, part] * key[..., part]).sum(-1) / d**0.5).softmax(-1) for i in range(tokens.shape[1])
        ]
        maps.append(torch.stack(rows, dim=1))
        heads.append(torch.einsum("bij,bjd->bid", maps[-1], value[..., part]))
    tokens = tokens + attention.proj(torch.cat(heads, dim=-1))
    return tokens + block.mlp(block.norm2(tokens)), torch.stack(maps).mean(dim=0)


def slow(net, image, layers=3):
    """CAM and both answers, with every attention kept: `Σ class rows × ReLU(conv)`, spread by `Σ patch rows`."""
    patches = net.vit.patch_embed(image)
    h, w = patches.shape[1:3]
    positions = net.patch_positions.reshape(1, 10, 10, -1).permute(0, 3, 1, 2)
    if (h, w) != (10, 10):
        positions = F.interpolate(positions, (h, w), mode="bicubic", antialias=True)
    tokens = torch.cat(
        [
            (net.class_tokens + net.class_positions).expand(len(image), -1, -1),
            patches.flatten(1, 2) + positions.permute(0, 2, 3, 1).flatten(1, 2),
        ],
        dim=1,
    )
    kept = []
    for block in net.vit.blocks:
        tokens, attention = explicit(block, tokens)
        kept.append(attention)
    M = sum(one[:, :K, K:] for one in kept[-layers:])
    maps = net.classify(tokens[:, K:].transpose(1, 2).reshape(len(image), -1, h, w))
    cam = M * F.relu(maps).flatten(2)
    T = sum(one[:, K:, K:] for one in kept)
    out = torch.zeros_like(cam)
    for i in range(h * w):
        for j in range(h * w):
            out[:, :, i] += T[:, i, j, None] * cam[:, :, j]
    # The scale is this project's own: sums over blocks are means, even attention is 1.
    cam = out.reshape(len(image), K, h, w) * (h * w / layers / len(kept))
    return cam, tokens[:, :K].mean(-1), maps.mean(dim=(2, 3))


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("size", [(48, 64), (64, 48)])
def test_cam_answers_and_their_gradients_are_those_of_a_slow_implementation(size, recompute):
    net = mctformer(recompute=recompute)
    image = torch.randn(2, 3, *size)
    cam, tokens, patches = slow(net, image)
    weights = torch.rand_like(cam)
    ((cam * weights).sum() + tokens.square().sum() + patches.square().sum()).backward()
    wanted = {name: one.grad.clone() for name, one in net.named_parameters() if one.grad is not None}
    net.zero_grad()
    output = net(image)
    assert cam.amax() > 0
    assert cam.std() > 0.01 * cam.mean()
    torch.testing.assert_close(output.cam_logits, cam, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(net.cam(image), output.cam_logits)
    torch.testing.assert_close(output.own.tokens, tokens)
    torch.testing.assert_close(output.own.patches, patches)
    torch.testing.assert_close(output.class_logits, (tokens + patches) / 2)
    loss = (output.cam_logits * weights).sum() + tokens.detach().square().sum() * 0
    (loss + output.own.tokens.square().sum() + output.own.patches.square().sum()).backward()
    got = {name: one.grad for name, one in net.named_parameters() if one.grad is not None}
    assert got.keys() == wanted.keys()
    for name, gradient in wanted.items():
        torch.testing.assert_close(got[name], gradient, rtol=1e-10, atol=1e-10 * gradient.abs().max().item(), msg=name)


def test_with_one_class_it_is_timms_own_forward_at_any_size(tmp_path):
    vit = timm.create_model(VIT, dynamic_img_size=True).eval()
    for one in vit.parameters():
        if one.ndim > 1:
            torch.nn.init.normal_(one, std=0.1)
    torch.save(vit.state_dict(), tmp_path / "weights.pth")
    net = MCTFormer(1, VIT, str(tmp_path / "weights.pth")).eval()
    for size in [(160, 160), (96, 128), (192, 160)]:
        image = torch.randn(1, 3, *size)
        wanted = vit.forward_features(image)[:, 1:].transpose(1, 2).unflatten(2, (size[0] // 16, size[1] // 16))
        torch.testing.assert_close(net(image).features[-1], wanted, rtol=1e-4, atol=1e-4)


def test_class_tokens_start_as_copies_that_look_alike():
    net = mctformer(equal=True)
    image = torch.randn(1, 3, 48, 64)
    read, _ = net._run(image)
    assert read.classes[0].std(dim=-1).min() > 0
    torch.testing.assert_close(read.classes, read.classes[:, :1].expand_as(read.classes))


@pytest.mark.usefixtures("double")
def test_rows_of_attention_sum_to_one():
    block, tokens = mctformer().vit.blocks[0], torch.randn(2, 9, 64)
    after, attention = run_block(block, tokens)
    torch.testing.assert_close(attention.sum(dim=-1), torch.ones(2, 9))
    torch.testing.assert_close(after, block(tokens))
    torch.testing.assert_close(run_block(block, tokens, slice(2, 5))[1], attention[:, 2:5])


def test_no_softmax_is_kept_for_the_gradient():
    net, image, squares = mctformer(), torch.randn(2, 3, 64, 80), []

    def packed(one):
        if one.ndim >= 2 and one.shape[-1] >= 20 and one.shape[-2] >= 20 and one.shape[-1] in (20, 20 + K):
            squares.append(tuple(one.shape))
        return one

    with torch.autograd.graph.saved_tensors_hooks(packed, lambda one: one):
        net(image).cam_logits.sum()
    # `T` alone, once.
    assert [shape for shape in squares if shape[-2] in (20, 20 + K)] == [(2, 20, 20)]


@pytest.mark.parametrize("size", [(17, 23), (41, 71), (50, 100)])
def test_odd_sizes_are_padded_and_cut(size):
    net = mctformer()
    image = torch.randn(1, 3, *size)
    below, right = -size[0] % 16, -size[1] % 16
    whole = F.pad(image, (0, right, 0, below), mode="replicate")
    wanted = F.interpolate(net.cam(whole), whole.shape[-2:], mode="bilinear")[..., : size[0], : size[1]]
    torch.testing.assert_close(net(image).cam_logits, wanted)
    assert net(image).features[0].shape[-2:] == size


def test_a_dot_stays_where_it_is_in_an_image_of_odd_size():
    """Blocks that pass on what they get, and a classifier that says how bright a patch is."""
    net = MCTFormer(1, VIT, refine=False).eval()
    with torch.no_grad():
        for name, one in net.named_parameters():
            if not name.startswith("vit.norm"):
                one.zero_()
        net.vit.patch_embed.proj.weight[0] = 1 / (3 * 16 * 16)
        net.classify.weight[0, 0, 1, 1] = 1.0
    height, width = 145, 175  # stretched over it, a grid of 10×11 patches would be 15 and 1 pixels too small
    image = torch.zeros(1, 3, height, width)
    image[..., 96:112, 128:144] = 1.0
    cam = F.interpolate(net.cam(image), (height, width), mode="bilinear")[0, 0]
    rows, columns = torch.arange(height) + 0.5, torch.arange(width) + 0.5
    assert abs((cam.sum(1) @ rows) / cam.sum() - 104) < 1
    assert abs((cam.sum(0) @ columns) / cam.sum() - 136) < 1


def test_in_half_precision_the_cam_has_32_bits():
    net, image = mctformer(), torch.randn(2, 3, 48, 64)
    with torch.autocast("cpu", torch.bfloat16):
        output = net(image)
        loss = net.classification_loss(output, torch.eye(K)[:2]) + output.cam_logits.mean()
    loss.backward()
    assert output.cam_logits.dtype == torch.float32
    wanted = net.cam(image)
    assert (output.cam_logits - wanted).abs().max() < 0.1 * wanted.max()
    assert all(one.grad is None or one.grad.isfinite().all() for one in net.parameters())


@pytest.mark.usefixtures("double")
def test_options_change_what_they_say():
    image, tags = torch.randn(2, 3, 48, 64), torch.tensor([[1.0, 0, 0], [0, 1, 1]])
    v2, plus = mctformer(), mctformer(layers=None, fusion="root", pooling="rank", contrast=0.5)
    read, maps = plus._run(image)
    M, T = read.classes * (12 / 6), read.patches / 6
    wanted = torch.einsum("bij,bkj->bki", T, (M * F.relu(maps).flatten(2)).sqrt()).view_as(maps)
    torch.testing.assert_close(plus(image).cam_logits, wanted, rtol=1e-2, atol=1e-2)
    output = plus(image)
    bce = F.binary_cross_entropy_with_logits
    loss = bce(output.own.tokens, tags) + bce(output.own.patches, tags)
    assert v2(image).own.similarities is None
    torch.testing.assert_close(v2.classification_loss(output._replace(own=v2(image).own), tags),
                               bce(v2(image).own.tokens, tags) + bce(v2(image).own.patches, tags))  # fmt: skip
    assert plus.classification_loss(output, tags) > loss
    halves = [plus.classification_loss(plus(image[i : i + 1]), tags[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(torch.stack(halves).mean(), plus.classification_loss(output, tags))
    flat = mctformer(refine=False)
    read, maps = flat._run(image)
    torch.testing.assert_close(flat.cam(image), (read.classes * (12 / 3)).view_as(maps) * F.relu(maps))
    plain = mctformer(fusion="patches", refine=False)
    torch.testing.assert_close(plain.cam(image), F.relu(plain._run(image)[1]))


def test_a_checkpoint_makes_it_again(tmp_path):
    net = mctformer(layers=2, contrast=1.0)
    assert isinstance(net, Classifier)
    assert {id(one) for one in net.parameters()} - {id(one) for one in net.pretrained_parameters()} == {
        id(one) for one in net.classify.parameters()
    }
    checkpoint = {"state_dict": {f"c.{name}": value for name, value in net.state_dict().items()}}
    describe_in(checkpoint, net, "c")
    torch.save(checkpoint, tmp_path / "last.ckpt")
    image = net.normalise(torch.rand(1, 3, 48, 48))
    again = load_network(tmp_path / "last.ckpt", Classifier, "acr fit")
    assert torch.equal(again.cam(image), net.cam(image))
    alone = {"refine": False, "fusion": "patches"}
    plain = load_network(tmp_path / "last.ckpt", Classifier, "acr fit", overrides=alone)
    assert torch.equal(plain.cam(image), F.relu(net._run(image)[1]))
    with pytest.raises(UserError, match=r"the network has no 'refined'\. Did you mean 'refine'"):
        load_network(tmp_path / "last.ckpt", Classifier, "acr fit", overrides={"refined": False})


@pytest.mark.parametrize("name", ["test_resnet", "deit_tiny_distilled_patch16_224", "vit_tiny_r_s16_p8_224", "nothing"])
def test_other_networks_are_refused(name):
    with pytest.raises(UserError, match="backbone: "):
        MCTFormer(K, name)


def test_blocks_that_are_not_there():
    with pytest.raises(UserError, match="test_vit has 1 to 6"):
        MCTFormer(K, VIT, layers=7)
    with pytest.raises(UserError, match="test_vit has the blocks 1 to 6"):
        MCTFormer(K, VIT, blocks=[2, 4, 8])
