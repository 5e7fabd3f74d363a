"""A training step of MCTFormer on ViT-S at 224 pixels, its CAM with gradient: attention that is kept, and all of it.

fused   the same network without reading any attention: what everything but the maps needs
kept    as MCTFormer does: the mean over heads, computed again for the gradient
all     every head's softmax of every block, kept, stacked and averaged at the end, as the published code does

Each in a process of its own; memory of the maps is the peak of the process beyond that of `fused`. Seconds on a CPU are
those that the process had of it.
"""

import argparse
import json
import time
from collections.abc import Sequence

import torch
from timm.models.vision_transformer import Block
from torch import Tensor

from acr_lightning.nets.vit import mctformer
from acr_lightning.nets.vit.attention import Reading
from benchmarks.probe import measure, megabytes

MODES = ("fused", "kept", "all")
CLASSES, SIZE = 20, 224


def main() -> None:
    """Measure every mode, print a table and `figure` lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=3, help="timed steps after a first one that is not")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--one", choices=MODES, help="measure in this process, print JSON")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(step(options.one, options.batch, options.steps, options.device)))
        return
    words = ("--batch", options.batch, "--steps", options.steps, "--device", options.device)
    found = {mode: measure("vit", "--one", mode, *words) for mode in MODES}
    maps = {mode: one["peak_mb"] - found["fused"]["peak_mb"] for mode, one in found.items()}
    print("| attention | images/s | peak memory, MB | of which maps, MB |\n|---|---|---|---|")
    for mode, one in found.items():
        print(f"| {mode} | {options.batch / one['seconds']:.2f} | {one['peak_mb']:.0f} | {maps[mode]:.0f} |")
    print(f"figure vit.memory.ratio {maps['all'] / max(maps['kept'], 1):.1f}")
    print(f"figure vit.speedup {found['all']['seconds'] / found['kept']['seconds']:.2f}")


def step(mode: str, batch: int, steps: int, device: str) -> dict[str, float]:
    """The fastest of some steps, in seconds, and the peak of memory, in MB."""
    torch.manual_seed(0)
    if mode == "fused":
        mctformer.read_blocks = read_nothing
    elif mode == "all":
        mctformer.read_blocks = read_with_everything_kept
    net = mctformer.MCTFormer(CLASSES, "deit_small_patch16_224").to(device).train()
    images = torch.rand(batch, 3, SIZE, SIZE, device=device)
    tags = torch.eye(CLASSES, device=device)[:1].expand(batch, -1)
    optimizer, on_gpu = torch.optim.AdamW(net.parameters(), lr=1e-5), device != "cpu"
    clock = time.perf_counter if on_gpu else time.process_time
    seconds = []
    for _ in range(steps + 1):
        since = clock()
        output = net(images)
        (net.classification_loss(output, tags) - output.cam_logits.square().mean()).backward()
        optimizer.step()
        optimizer.zero_grad()
        if on_gpu:
            torch.cuda.synchronize()
        seconds.append(clock() - since)
    peak = torch.cuda.max_memory_allocated() / 2**20 if on_gpu else megabytes("VmHWM")
    return {"seconds": min(seconds[1:]), "peak_mb": peak}


def read_nothing(blocks: Sequence[Block], tokens: Tensor, num_classes: int, *_: object) -> Reading:
    """The blocks alone; the class rows are made up."""
    after = []
    for block in blocks:
        tokens = block(tokens)
        after.append(tokens)
    count = tokens.shape[1] - num_classes
    return Reading(after, tokens[:, :num_classes, :1].expand(-1, -1, count), None)


def read_with_everything_kept(
    blocks: Sequence[Block], tokens: Tensor, num_classes: int, last: int, *_: object
) -> Reading:
    """What `read_blocks` gives, the straightforward way."""
    kept, after = [], []
    for block in blocks:
        attention = block.attn
        batch, count, _channels = tokens.shape
        qkv = attention.qkv(block.norm1(tokens)).reshape(batch, count, 3, attention.num_heads, attention.head_dim)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        softmax = (query @ key.transpose(-2, -1) * attention.scale).softmax(dim=-1)
        kept.append(softmax)
        mixed = (softmax @ value).transpose(1, 2).reshape(batch, count, -1)
        tokens = tokens + block.drop_path1(block.ls1(attention.proj(mixed)))
        tokens = tokens + block.drop_path2(block.ls2(block.mlp(block.norm2(tokens))))
        after.append(tokens)
    attention = torch.stack(kept).mean(dim=2)
    return Reading(
        after,
        attention[-last:, :, :num_classes, num_classes:].sum(dim=0),
        attention[:, :, num_classes:, num_classes:].sum(dim=0),
    )


if __name__ == "__main__":
    main()
