"""Fake tensors on the CPU that are as large as a GPU's would be.

Fake tensors can be on a GPU that is not there, but then torch finds no gradients without NVIDIA's driver. What decides
their sizes is the device's part in autocast, and which kernels keep what for backward.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

# Ops that autocast runs in 32 bits on a GPU and not on a CPU: "CUDA Ops that can autocast to float32" in torch's
# documentation of automatic mixed precision. A second list: those that sum in 32 bits, without a copy.
EXACT = (
    *("acos", "asin", "cosh", "erfinv", "exp", "expm1", "log", "log10", "log1p", "log2", "reciprocal", "rsqrt", "sinh"),
    *("tan", "pow.Scalar", "pow.Tensor_Scalar", "pow.Tensor_Tensor", "softplus", "logsumexp", "dist"),
    *("layer_norm", "native_layer_norm", "group_norm", "rms_norm", "renorm", "cosine_similarity"),
    *("norm.Scalar", "norm.ScalarOpt_dim", "linalg_vector_norm", "linalg_matrix_norm", "nuclear_norm", "pdist"),
    *("upsample_nearest2d", "_upsample_nearest_exact2d", "upsample_bilinear2d", "upsample_bicubic2d"),
    *("_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", "upsample_linear1d", "upsample_trilinear3d"),
)
EXACT_SUMS = ("sum", "sum.dim_IntList", "softmax.int", "log_softmax.int", "cumsum", "cumprod")


@contextmanager
def as_on_gpu() -> Iterator[None]:
    """In this context a tensor on the CPU is as large as it would be on a GPU; of use for fake ones alone."""
    with torch.library._scoped_library("aten", "IMPL") as library:
        for name in EXACT:
            library.impl(name, _in_32_bits(_op(name), lambda args, kwargs: (tree_map(_exact, args), kwargs)), AUTOCAST)
        for name in EXACT_SUMS:
            library.impl(name, _in_32_bits(_op(name), _exact_result), AUTOCAST)
        library.impl("dropout", _dropout, "AutogradCPU")
        yield


AUTOCAST = "AutocastCPU"


def _op(name: str) -> Any:
    name, _, overload = name.partition(".")
    return getattr(getattr(torch.ops.aten, name), overload or "default")


def _in_32_bits(op: Any, exact: Callable[..., Any]) -> Callable[..., Any]:
    keys = torch._C.DispatchKeySet(getattr(torch._C.DispatchKey, AUTOCAST))

    def kernel(*args: Any, **kwargs: Any) -> Any:
        with torch._C._ExcludeDispatchKeyGuard(keys):
            args, kwargs = exact(args, kwargs)
            return op(*args, **kwargs)

    return kernel


def _exact(value: Any) -> Any:
    return value.float() if _is_half(value) else value


def _exact_result(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    has_own = "dtype" in kwargs or any(isinstance(one, torch.dtype) for one in args)
    return args, kwargs if has_own or not _is_half(args[0]) else {**kwargs, "dtype": torch.float32}


def _is_half(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype in (torch.float16, torch.bfloat16)


def _dropout(tensor: Tensor, share: float, train: bool) -> Tensor:
    """A GPU keeps a byte for each number; a CPU keeps a number."""
    return torch.native_dropout(tensor, share, train)[0] if train else tensor
