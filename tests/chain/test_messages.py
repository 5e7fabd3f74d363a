from collections.abc import Callable
from dataclasses import dataclass

import pytest
from jsonargparse import ArgumentError, ArgumentParser

from acr_lightning.chain.messages import readable

NESTED = """Parser key "data":
  Does not validate against any of the Union subtypes
  Errors:
    - Problem with given class_path 'mine.Data':
        Parser key "crop":
          Expected a <class 'int'>. Got value: wide
    - Expected a <class 'NoneType'>
  Given value type: <class 'dict'>"""


def test_the_innermost_key_and_its_reason():
    assert readable(ValueError(NESTED)) == "data.crop: Expected int. Got value: wide"


class Net:
    def __init__(self, num_classes: int, width: int | None = 3) -> None: ...


@dataclass
class Rates:
    lr: float = 1.0


RATES = Rates()


class Model:
    def __init__(
        self,
        net: Net | None = None,
        make: Callable[[int], Net] | None = None,
        nets: list[Net] | None = None,
        group: Rates = RATES,
    ) -> None: ...


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"net": {"num_classes": 3, "wdth": 4}}, "model.net: no such key 'wdth'"),
        ({"net": {"width": 4}}, "model.net: num_classes is missing"),
        ({"net": {"num_classes": "x"}}, "model.net.num_classes: Expected int. Got value: x"),
        ({"net": {"num_classes": 3, "width": "x"}}, "model.net.width: Expected int, or null. Got value: x"),
        ({"group": {"lrr": 1}}, "model: no such key 'group.lrr'"),
        ({"make": {"wdth": 4}}, "model.make: no such key 'wdth'"),
        ({"nets": [{"num_classes": "x"}]}, "model.nets.num_classes: Expected int. Got value: x"),
    ],
)
def test_the_true_reason_of_a_refusal(arguments, message):
    def named(value):
        if isinstance(value, list):
            return [named(one) for one in value]
        return value if "lrr" in value else {"class_path": f"{__name__}.Net", "init_args": value}

    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(Model, "model")
    node = {"class_path": f"{__name__}.Model", "init_args": {key: named(value) for key, value in arguments.items()}}
    with pytest.raises(ArgumentError) as raised:
        parser.parse_object({"model": node})
    assert readable(raised.value) == message


def test_a_message_without_keys_becomes_one_line():
    assert readable(ValueError("two\n  lines")) == "two lines"
