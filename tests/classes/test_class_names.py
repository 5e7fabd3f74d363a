import pytest

from acr_lightning.classes.class_names import SHORT, import_class


@pytest.mark.parametrize("name", SHORT)
def test_every_short_name_is_a_class_where_it_says(name):
    made = import_class(name, "model", object)
    assert f"{made.__module__}.{made.__name__}" == SHORT[name]
