import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from acr_lightning.artefacts.palette import write_mask
from acr_lightning.data.datamodule import LabelledCrops, TaggedCrops, TaggedPhotos
from acr_lightning.data.epoch_sampler import EpochSampler
from acr_lightning.data.samples import groups_of_one_size
from acr_lightning.data.transforms import MEAN_COLOUR, segmentation_transform
from acr_lightning.errors import UserError


def batches(shapes, workers, epoch):
    loader = TaggedCrops(shapes, 48, (64, 96), batch_size=4, num_workers=workers, seed=1).train_dataloader()
    loader.sampler.set_epoch(epoch)
    return list(loader)


def test_augmentation_depends_on_seed_and_epoch_only(shapes):
    alone, shared, later = batches(shapes, 0, 0), batches(shapes, 2, 0), batches(shapes, 0, 1)
    for one, two in zip(alone, shared, strict=True):
        assert one["id"] == two["id"]
        assert torch.equal(one["image"], two["image"])
    assert [b["id"] for b in alone] != [b["id"] for b in later]
    crops = {}
    for batch in (*alone, *later):
        for image_id, image in zip(batch["id"], batch["image"], strict=True):
            crops.setdefault(image_id, []).append(image)
    # albumentations by itself would draw the same crop again in every epoch
    assert sum(torch.equal(first, second) for first, second in crops.values()) < 4


@pytest.mark.parametrize("count", [10, 11])
def test_two_ranks_read_together_what_one_process_reads(count):
    data = list(range(count))
    alone = EpochSampler(data, 1, 0, seed=5)
    ranks = [EpochSampler(data, 2, rank, seed=5) for rank in (0, 1)]
    for sampler in (alone, *ranks):
        sampler.set_epoch(3)
    indices = [[index for _, index in sampler] for sampler in (alone, *ranks)]
    assert [index for pair in zip(*indices[1:], strict=True) for index in pair] == indices[0][:10]
    assert sorted(indices[0]) == data


def test_a_stopped_epoch_goes_on_where_it_was():
    data = list(range(10))
    whole, rest = EpochSampler(data, 1, 0, seed=5), EpochSampler(data, 1, 0, seed=5, done=(3, 4))
    for epoch, left_out in ((3, 4), (4, 0)):
        whole.set_epoch(epoch)
        rest.set_epoch(epoch)
        assert list(rest) == list(whole)[left_out:]


def test_batch_holds_images_tags_and_ids(shapes):
    batch = batches(shapes, 0, 0)[0]
    assert batch["image"].shape == (4, 3, 48, 48)
    assert batch["image"].min() >= 0
    assert batch["image"].max() <= 1
    for image_id, tags in zip(batch["id"], batch["tags"], strict=True):
        assert tags.nonzero().flatten().tolist() == shapes.tags(image_id).tolist()


def test_padding_is_never_a_class():
    transform = segmentation_transform(crop=64, scale=(0.5, 0.5))
    result = transform(image=np.zeros((64, 64, 3), np.uint8), mask=np.ones((64, 64), np.uint8))
    assert set(np.unique(result["mask"])) == {1, 255}
    assert (result["mask"] == 1).sum() == 32 * 32


def test_valid_is_what_of_the_crop_is_photo(shapes):
    samples = TaggedCrops(shapes, 96, (64, 64), batch_size=4, num_workers=0).samples()
    for index in range(4):
        sample = samples[0, index]
        valid = sample["valid"]
        rows, columns = valid.any(dim=1), valid.any(dim=0)
        assert (int(rows.sum()), int(columns.sum())) == (64, 64)
        assert torch.equal(valid, rows[:, None] & columns)
        padding = (sample["image"][:, ~valid] * 255).round().int()
        assert torch.equal(padding, torch.tensor(MEAN_COLOUR)[:, None].expand_as(padding).int())
    whole = TaggedCrops(shapes, 32, (64, 64), batch_size=4, num_workers=0).samples()[0, 0]
    assert whole["valid"].all()


def test_photo_and_label_stay_together(shapes):
    masks = LabelledCrops(shapes, "masks", crop=48, scale=(0.8, 1.25), batch_size=4, num_workers=0)
    batch = next(iter(masks.train_dataloader()))
    assert batch["label"].shape == (4, 48, 48)
    for image_id, label in zip(batch["id"], batch["label"], strict=True):
        assert set(label.unique().tolist()) <= {0, 255} | {tag + 1 for tag in shapes.tags(image_id)}


def test_wrong_labels_are_named(shapes, tmp_path):
    data = LabelledCrops(shapes, str(tmp_path), crop=48, batch_size=4, num_workers=0)
    with pytest.raises(UserError, match=r"train_\d+\.png: no such mask"):
        next(iter(data.train_dataloader()))
    for label, reason in (
        (np.full((64, 64), 5, np.uint8), "holds the value 5, labels are 0 to 4"),
        (np.zeros((8, 9), np.uint8), "9×8"),
    ):
        for image_id in shapes.ids("train"):
            write_mask(tmp_path / f"{image_id}.png", label)
        with pytest.raises(UserError, match=rf"train_\d+\.png: .*{reason}"):
            next(iter(data.train_dataloader()))


def test_batch_larger_than_the_data_is_said(shapes):
    with pytest.raises(UserError, match="batch_size: 17 is more than the 16"):
        TaggedCrops(shapes, 48, (64, 64), batch_size=17).train_dataloader()


def test_whole_photos_leave_out_what_is_done(shapes, tmp_path):
    data = TaggedPhotos(shapes, ["train", "seed"], num_workers=0)
    ids = list(data.ids)
    assert len(ids) == 22
    (tmp_path / f"{ids[0]}.npz").write_text("whole")
    (tmp_path / f"{ids[1]}.npz").write_text("damaged")

    def read(path):
        if not path.is_file() or path.read_text() != "whole":
            raise UserError("damaged")

    left = data.leave_out(tmp_path, ".npz", read)
    assert left == 21
    assert [sample["id"] for (sample,) in data.predict_dataloader()] == ids[1:]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([(3, 4), (4, 3), (5, 5)])), st.integers(1, 4))
def test_groups_hold_each_photo_once_and_one_size_each(sizes, most):
    groups = groups_of_one_size(enumerate(sizes), most)
    assert sorted(index for group in groups for index in group) == list(range(len(sizes)))
    assert all(len({sizes[index] for index in group}) == 1 for group in groups)
    assert all(len(group) <= most for group in groups)
    small = [sizes[group[0]] for group in groups if len(group) < most]
    assert len(small) == len(set(small))  # one group a size is not full
