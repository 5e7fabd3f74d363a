"""Steps that do the same as ACR's in another way, to compare with."""

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.methods.acr.module import ACR
from acr_lightning.methods.acr.reconstructor import Reconstructor


class PlainReconstructor(Reconstructor):
    """Resizes the features to the image's size, masks them there, and decodes every reconstruction by itself."""

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **options)
        last: Any = self.decoder.last
        last.forward = partial(upsample_then_convolve, last)

    def encode(self, image: Tensor) -> Any:
        sides, classified = super().encode(image)
        # One resize does for maps of one size; joining the large ones would be a copy that no release makes.
        if len({side.shape[-2:] for side in sides}) == 1:
            sides = [torch.cat(sides, dim=1)]
        size = self.working_size(image)
        resized = [F.interpolate(side, size, mode="bilinear", align_corners=False) for side in sides]
        return [resized[0] if len(resized) == 1 else torch.cat(resized, dim=1)], classified

    def decode(self, *fed: Any) -> tuple[Tensor, ...]:
        decoder: Any = self.decoder
        first, finish = decoder.down[0][0], decoder.after_first_convolution
        return tuple(finish(first(features * mask)) for (features,), masks in fed for mask in masks)


def upsample_then_convolve(layer: torch.nn.Conv2d, small: Tensor) -> Tensor:
    """The decoder's last layer as it is published."""
    return torch.nn.Conv2d.forward(layer, F.interpolate(small, scale_factor=2))


class AtOnceACR(ACR):
    """Builds the graphs of both phases before either goes backward."""

    def training_step(self, batch: dict[str, Any], batch_index: int) -> None:
        step = self.draw(batch, batch_index)
        ru, cu = self.reconstructor_update(step), self.classifier_update(step)
        self.manual_backward(ru.total(self.ru) + cu.total(self.cu))
        optimizers: Any = self.optimizers()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
