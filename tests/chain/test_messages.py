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
    assert readable(ValueError(NESTED)) == "data.crop: Expected int, or null. Got value: wide"


def test_a_message_without_keys_becomes_one_line():
    assert readable(ValueError("two\n  lines")) == "two lines"
