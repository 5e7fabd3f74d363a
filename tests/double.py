"""Calculation in 64 bits: two ways to one result then differ by less than 1e-10, whatever kernels a CPU has."""

from contextlib import contextmanager

import pytest
import torch


@contextmanager
def double():
    """Networks that are made in it, and losses that ask for 32 bits, have 64."""
    usual = torch.get_default_dtype()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "float", torch.Tensor.double)
        patch.setattr("acr_lightning.nets.vit.attention.WIDE", torch.float64)
        torch.set_default_dtype(torch.float64)
        try:
            yield
        finally:
            torch.set_default_dtype(usual)
