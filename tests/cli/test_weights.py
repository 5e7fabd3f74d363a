import pytest

from acr_lightning.cli.weights import weights
from acr_lightning.errors import UserError


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["konvert"], "'konvert' is no command of acr weights. Did you mean 'convert'"),
        (["convert", "a.params"], "convert takes two files, FILE.params and OUT.safetensors, not 1"),
        (["convert", "a.params", "b.safetensors", "c"], "convert takes two files, .* not 3"),
        (["convert", "a.params", "b.safetensors", "--sha=1"], "--sha: no such option"),
        (["convert", "a.params", "b.safetensors", "--check"], "--check: no such option"),
        (["convert", "a.params", "b.safetensors", "--config", "voc.yaml"], "--config: no such option"),
        (["convert", "a.params", "b.safetensors", "--sha256", "12ab"], "--sha256: 12ab is not 64 hexadecimal digits"),
        (["convert", "a.params", "b.pth"], r"b\.pth: the name must end in \.safetensors"),
        (["convert", "a.params", "b.safetensors"], r"a\.params: cannot be read \(No such file or directory\)"),
    ],
)
def test_wrong_command_lines(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"^{message}"):
        weights(words)
    assert not list(tmp_path.iterdir())
