"""What a GPU would be asked to do, by the function of this project that asks."""

import sys
from collections import Counter
from pathlib import Path

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import acr_lightning
from acr_lightning.training.fake_numbers import SOME, answer, is_mask, without_masks

SOURCE = str(Path(acr_lightning.__file__).parent)
PRODUCTS = {"mm", "bmm", "addmm", "baddbmm"}
# Ops that raise on a GPU where `deterministic: true`, as `torch.use_deterministic_algorithms` lists them.
RAISING = {
    "_adaptive_avg_pool2d_backward", "adaptive_max_pool2d_backward", "nll_loss2d_forward", "nll_loss2d_backward",
    "nll_loss_forward", "reflection_pad1d_backward", "reflection_pad2d_backward", "upsample_linear1d_backward",
    "upsample_bilinear2d_backward", "upsample_bicubic2d_backward", "_upsample_bilinear2d_aa_backward",
    "grid_sampler_2d_backward", "histc", "bincount", "median", "put_", "kthvalue",
}  # fmt: skip
# Functions whose products of matrices are in 32 bits whatever the precision, and those that a gradient is asked for in.
EXACT = {
    "loss.class_features", "prototypes.seeds", "prototypes.prototype_maps", "refined_cam._columns",
    "region_cam.attention", "contrast.losses", "contrast.semi_hard", "mctformer._cam",
    "tag_losses.token_similarities",
}  # fmt: skip
BACKWARD = {"alternating.update"}


def halved(products):
    """Products of `EXACT` functions, and of their gradients, that are in half precision; and how many there are.

    A gradient's product has the sides of the one that it is the gradient of.
    """
    exact = {tuple(sizes) for where, sizes, _ in products if where in EXACT}
    parts = [one for one in products if one[0] in EXACT or (one[0] in BACKWARD and tuple(one[1]) in exact)]
    return [one for one in parts if one[2] != "float32"], len(parts)


class Recorder(TorchDispatchMode):
    """Records, and answers for a fake GPU what hangs on numbers.

    Attributes:
        syncs: how often the host waits for the GPU, by op and function.
        copies: how often something crosses the bus, by direction and function.
        raising: ops that are not deterministic, by op and function.
        kernels: how often something is computed.
        products: products of matrices, by function, sizes and type of the result.
    """

    def __init__(self):
        super().__init__()
        self.forget()

    def forget(self):
        """Begin anew."""
        self.syncs, self.copies, self.raising, self.products = Counter(), Counter(), Counter(), Counter()
        self.kernels = 0

    def report(self):
        """What was recorded, as JSON can hold it."""
        products = [[where, list(sizes), str(dtype).removeprefix("torch.")] for where, sizes, dtype in self.products]
        counters = {"syncs": self.syncs, "copies": self.copies, "raising": self.raising}
        return {
            **{name: dict(counter) for name, counter in counters.items()}, "products": products, "kernels": self.kernels
        }  # fmt: skip

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func._schema.name.split("::")[1]
        tensors = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
        on_gpu = any(one.device.type == "cuda" for one in tensors)
        self._count(func, name, args, on_gpu)
        if args and isinstance(args[0], FakeTensor):
            # One of the host, four of what a GPU counts; the scaler found no infinities.
            number = 1 if args[0].device.type == "cpu" else 0 if where() in BACKWARD else SOME
            if (made := answer(name, args[0], number)) is not None:
                if on_gpu:
                    self.syncs[f"{name} in {where()}"] += 1
                return made()
            if name in ("index", "index_put", "index_put_") and any(map(is_mask, args[1])):
                if on_gpu and not (name != "index" and args[2].dim() == 0):  # filling by a mask needs no indices
                    self.syncs[f"{name} by a mask in {where()}"] += 1
                args = (args[0], without_masks(args[1]), *args[2:])
        if name in ("_to_copy", "copy_"):
            source, target = (args[1], args[0].device) if name == "copy_" else (args[0], kwargs.get("device"))
            if target is not None and source.device.type != torch.device(target).type:
                self.copies[f"{source.device.type} to {torch.device(target).type} in {where()}"] += 1
        return func(*args, **kwargs)

    def _count(self, func, name, args, on_gpu):
        if name in PRODUCTS:
            left, right = args[-2:]
            sizes = *left.shape[:-2], *sorted([*left.shape[-2:], right.shape[-1]])
            self.products[where(), sizes, left.dtype] += 1
        if on_gpu and func.namespace == "aten" and not func.is_view and not name.startswith(("empty", "new_empty")):
            self.kernels += 1
        if on_gpu and name in RAISING:
            self.raising[f"{name} in {where()}"] += 1


def where():
    """The innermost function of this project that is at work, or "" where there is none."""
    frame = sys._getframe(1)
    while frame:
        if frame.f_code.co_filename.startswith(SOURCE):
            return f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}"
        frame = frame.f_back
    return ""
