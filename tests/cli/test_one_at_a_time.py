"""Two commands on one stage, and what a done stage stands for."""

from acr_lightning.artefacts import checkpoint_file
from acr_lightning.cli.main import main


def test_a_second_command_is_refused_while_the_first_one_trains(config, started, tmp_path, capsys):
    checkpoint = tmp_path / "run" / "fit" / "last.ckpt"
    words = ["fit", "--config", str(config)]
    first = started(*words, "--trainer.max_epochs=200", until=checkpoint.exists)
    for more in (["--trainer.max_epochs=200"], [], ["--force"]):
        assert main([*words, *more]) == 2
        assert f"acr fit: {checkpoint.parent} is in use by process {first.pid} on " in capsys.readouterr().err
    assert first.poll() is None
    assert [path.name for path in (tmp_path / "run").iterdir() if path.is_dir()] == ["fit"]
    first.kill()
    first.wait()
    assert main(words) == 0  # the lock of the killed one is in nobody's way
    assert (tmp_path / "run" / "fit.old-1").exists()


def test_stages_stand_on_the_checkpoint_that_the_training_ended_with(config, tmp_path, capsys):
    fit, cam = (["fit", "--config", str(config), "--trainer.max_epochs=1"], ["cam", "--config", str(config)])
    checkpoint = tmp_path / "run" / "fit" / "last.ckpt"
    assert main(fit) == main(cam) == 0
    checkpoint_file.write({**checkpoint_file.read(checkpoint), "more": 1}, checkpoint)  # as another process may
    assert main(cam) == 2
    assert f"cam: needs the stage fit, which is not done in {tmp_path / 'run'}" in capsys.readouterr().err
    assert main(fit) == 0
    assert "last.ckpt is not the one that it ended with; goes on from what is there" in capsys.readouterr().err
    assert main(fit) == 0
    assert "done before" in capsys.readouterr().err
    assert main(cam) == 0
    assert "cam: fit changed; the result before was moved to" in capsys.readouterr().err
