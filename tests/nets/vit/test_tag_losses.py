import math

import pytest
import torch
from torch.nn import functional as F

from acr_lightning.nets.vit.tag_losses import class_contrast, rank_pooled, token_similarities


@pytest.mark.usefixtures("double")
def test_rank_pooling_number_by_number():
    maps = torch.randn(2, 3, 4, 5)
    for decay in (0.5, 0.996, 1.0):
        for b in range(2):
            for k in range(3):
                values = sorted(maps[b, k].flatten().tolist(), reverse=True)
                wanted = sum(decay**r * value for r, value in enumerate(values)) / sum(decay**r for r in range(20))
                assert math.isclose(rank_pooled(maps, decay)[b, k], wanted, rel_tol=1e-10, abs_tol=1e-10)
    torch.testing.assert_close(rank_pooled(maps, 1.0), maps.mean(dim=(2, 3)))


@pytest.mark.usefixtures("double")
def test_class_contrast_class_by_class():
    tokens = [torch.randn(2, 4, 8) for _ in range(3)]
    tags = torch.tensor([[1.0, 0, 0, 1], [0, 1, 0, 0]])
    similarities = token_similarities(tokens)
    images = []
    for b in range(2):
        found = []
        for layer, one in enumerate(tokens):
            s = torch.tensor([[F.cosine_similarity(one[b, i], one[b, j], dim=0) for j in range(4)] for i in range(4)])
            torch.testing.assert_close(similarities[b, layer], s)
            found += [F.cross_entropy(s[:, i], torch.tensor(i)) for i in range(4) if tags[b, i]]
        images.append(sum(found) / len(found))
    torch.testing.assert_close(class_contrast(similarities, tags), sum(images) / 2)
