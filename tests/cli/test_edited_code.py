"""A stage that other code has made: an own class's is done again, this package's is told."""

import json

import yaml
from commands import acr

METHOD = """
from acr_lightning.methods.plain.module import Plain
from acr_lightning.training.alternating import Update


class Weighted(Plain):
    def losses(self, photos):
        return Update(1.0 * super().losses(photos).loss, {})
"""


def test_an_edited_loss_is_trained_again(config, tmp_path):
    method, content = tmp_path / "weighted.py", yaml.safe_load(config.read_text())
    method.write_text(METHOD)
    model = {"classifier": content["fit"]["model"]["classifier"]}
    content["fit"] |= {"model": {"class_path": "weighted.Weighted", "init_args": model}}
    content["fit"]["trainer"]["max_epochs"] = 1
    config.write_text(yaml.safe_dump(content))
    words = ["run", "--config", config, "--stages=fit,cam"]
    first = acr(*words, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    again = acr(*words, cwd=tmp_path)
    assert "fit: done before\ncam: done before\n" in again.stderr
    assert "other code" not in again.stderr
    method.write_text(METHOD.replace("1.0 *", "2.0 *"))
    edited = acr(*words, cwd=tmp_path)
    assert edited.returncode == 0, edited.stderr
    for said in (
        "fit: code of weighted.Weighted changed; the result before was moved to",
        "cam: fit changed",
    ):
        assert said in edited.stderr


def test_results_of_another_version_are_told(whole, config, tmp_path):
    run = tmp_path / "whole"
    manifest = run / "cam" / "manifest.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "code": "0.0.1"}))
    done = acr("run", "--config", config, "--run", run, "--stages=fit,cam,label")
    assert done.returncode == 0
    told = [line for line in done.stderr.splitlines() if "other code" in line]
    assert len(told) == 1
    assert told[0].startswith("cam: done before, by other code (0.0.1; this is ")
    assert told[0].endswith("; --stages=cam --force does it again")
