"""A classifier of one's own: four convolutions, from random weights."""

from torch import Tensor, nn
from torch.nn import functional as F

from acr_lightning.nets.classifier import Classifier, ClassifierOutput


class FourConvolutions(Classifier):
    """Small, and its class logits are the largest value of each map instead of the mean.

    Args:
        num_classes: K, without background (taken from the data set).
        width: channels.
    """

    def __init__(self, num_classes: int, width: int = 32) -> None:
        super().__init__()
        self.num_classes, self.channels = num_classes, (width, 2 * width, 4 * width)
        self.stem = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.middle = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.last = nn.Conv2d(2 * width, 4 * width, 3, padding=1)
        self.classify = nn.Conv2d(4 * width, num_classes, 1, bias=False)

    def normalise(self, image: Tensor) -> Tensor:
        """Photos in `[0, 1]` to -1..1."""
        return 2 * image - 1

    def forward(self, image: Tensor) -> ClassifierOutput:
        """Normalised photos `[B, 3, H, W]` to CAM logits, class logits and the maps that a reconstructor may use."""
        early = F.relu(self.stem(image))
        middle = F.relu(self.middle(early))
        final = F.relu(self.last(middle))
        cam_logits = self.classify(final)
        return ClassifierOutput(cam_logits, cam_logits.amax(dim=(2, 3)), (early, middle, final))
