import numpy as np

from acr_lightning.data.first_photos import FirstPhotos


def test_a_few_photos_are_those_of_the_whole(shapes, shapes_root):
    recipe = {"root": str(shapes_root), "num_train": 16, "num_val": 6, "size": 64, "seed": 3}
    few = FirstPhotos({"class_path": "Shapes", "init_args": recipe}, photos=4)
    assert few.class_names == shapes.class_names
    assert few.num_stored_labels == shapes.num_stored_labels
    assert [few.ids("train"), few.ids("val")] == [shapes.ids("train")[:4], shapes.ids("val")[:4]]
    for image_id in few.ids("val"):
        for one in ("image", "mask", "tags"):
            np.testing.assert_array_equal(getattr(few, one)(image_id), getattr(shapes, one)(image_id))
