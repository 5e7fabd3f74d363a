"""YAML and JSON that people wrote, or strangers: one line where something is wrong, with its place."""

import pytest
import yaml

from acr_lightning.artefacts.text_file import parse_yaml, read_json, read_yaml
from acr_lightning.cli.main import main
from acr_lightning.errors import UserError


def bomb(depth):
    """Ten to the power of `depth` values, in `depth` lines."""
    levels = [f"  l{at}: &l{at} [{', '.join([f'*l{at - 1}'] * 10)}]" for at in range(1, depth)]
    return "\n".join(["fit:", "  l0: &l0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]", *levels])


REFUSED = {
    "a key twice": (
        "run: a\nfit:\n  seed: 1\n  model: {}\n  seed: 2\n",
        "line 5: the key 'seed' stands in line 3, too",
    ),
    "a key twice in braces": ("fit: {seed: 1, seed: 2}", "line 1: the key 'seed' stands in line 1, too"),
    "a number": ("run: a\n1: 2\n", "line 2: the key '1' is no text in a line; put it in quotes if it is"),
    "null": ("fit:\n  null: 2\n", "line 2: the key 'null' is no text"),
    "a key that YAML 1.1 takes for true": ("on: 2\n", "line 1: the key 'on' is no text"),
    "a list as a key": ("? [a, b]\n: 2\n", "line 1: a key is no text"),
    "a list of itself": ("run: a\nfit: &me\n  - *me\n", "not YAML (found unconstructable recursive node"),
    "a mapping of itself": ("fit: &me\n  model: {init_args: *me}\n", "not YAML (found unconstructable recursive node"),
    "an anchor bomb": (bomb(9), "stands for more than 100,000 values"),
    "an unfinished list": ("fit: [1,", "not YAML (while parsing a flow node"),
    "two documents": ("a: 1\n---\nb: 2\n", "not YAML (expected a single document"),
    "an object": ("fit: !!python/object/apply:os.getcwd []\n", "not YAML (could not determine a constructor"),
}
ALLOWED = {
    "a key again in another mapping": "fit: {seed: 1}\ncam: {seed: 1}\n",
    "a number in quotes": "'1': 2\n",
    "an anchor that several use": "fit: &it {a: [1, 2]}\ncam: *it\nlabel: {x: *it}\n",
    "a merged mapping, with a value of its own": "fit: &it {a: 1, b: 2}\ncam: {<<: *it, b: 3}\n",
    "two merged mappings": "fit: &it {a: 1}\ncam: &two {b: 2, a: 3}\nlabel: {<<: [*two, *it], c: 4}\nx: {<<: *two}\n",
    "a thousand uses of an anchor": bomb(3),
    "merged again": "x: {y: &it {<<: &b {a: 1}, a: 2}}\ncam: {<<: *it}\nz: {<<: [*b, *it]}\n",
    "nothing": "",
    "a date": "written: 2026-01-01\n",
}


@pytest.mark.parametrize("what", REFUSED)
def test_yaml_that_cannot_be_meant_is_refused_with_its_line(tmp_path, what):
    text, said = REFUSED[what]
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        read_yaml(tmp_path / "a.yaml")
    assert str(caught.value).startswith(f"{tmp_path}/a.yaml: {said}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("what", ALLOWED)
def test_other_yaml_is_read_as_by_any_reader(tmp_path, what):
    (tmp_path / "a.yaml").write_text(ALLOWED[what])
    assert read_yaml(tmp_path / "a.yaml") == yaml.safe_load(ALLOWED[what])


def test_changing_what_an_alias_stands_for_changes_no_other():
    values = parse_yaml("a: &net {width: [1]}\nb: *net\nc: {<<: *net, depth: 2}")
    values["a"]["width"].append(2)
    assert values["b"] == {"width": [1]}
    assert values["c"] == {"width": [1], "depth": 2}


@pytest.mark.parametrize("what", ["a key twice", "a number", "a mapping of itself", "an anchor bomb"])
@pytest.mark.parametrize("words", [["run", "--check"], ["compare"]])
def test_every_command_says_so_in_one_line(tmp_path, capsys, what, words):
    (tmp_path / "a.yaml").write_text(REFUSED[what][0])
    assert main([*words, "--config", str(tmp_path / "a.yaml")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert REFUSED[what][1] in said


@pytest.mark.parametrize(
    ("value", "said"), [("{1: 2}", "the key '1' is no text"), ("{a: 1, a: 2}", "the key 'a' stands")]
)
def test_a_value_on_the_command_line_is_read_as_in_a_file(capsys, value, said):
    assert main(["run", "--check", "--config", "demo.yaml", f"--fit.model={value}"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert f"--fit.model: {value!r} is not a YAML value ({said}" in line.replace("line 1: ", "")


@pytest.mark.parametrize("text", ['{"a.jpg": 1, "b.jpg": 2, "a.jpg": 3}', '{"x": [{"a.jpg": 1, "a.jpg": 1}]}'])
def test_json_that_has_a_key_twice_is_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match=r"a\.json: damaged JSON \('a\.jpg' stands there twice\); mend it"):
        read_json(tmp_path / "a.json")


def test_json_may_have_a_key_in_several_objects(tmp_path):
    (tmp_path / "a.json").write_text('[{"a.jpg": 1}, {"a.jpg": {"a.jpg": 2}}]')
    assert read_json(tmp_path / "a.json") == [{"a.jpg": 1}, {"a.jpg": {"a.jpg": 2}}]
