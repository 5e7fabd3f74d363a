import pytest

from acr_lightning.class_names import SHORT, import_class
from acr_lightning.errors import UserError


@pytest.mark.parametrize("name", SHORT)
def test_every_short_name_is_a_class_where_it_says(name):
    made = import_class(name, "model", object)
    assert f"{made.__module__}.{made.__name__}" == SHORT[name]


@pytest.mark.parametrize("name", ["TaggedImages", "acr_lightning.data.datamodule.TaggedImages"])
def test_a_class_that_was_renamed_is_named(name):
    with pytest.raises(UserError, match=f"fit: '{name}' is called TaggedCrops now"):
        import_class(name, "fit", object)
