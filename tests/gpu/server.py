"""A process with a fake GPU: reads a case's name and a precision, writes what the case asks of the GPU, as JSON.

To be started with `driver.c` loaded, see `test_gpu.py`.
"""

import contextlib
import json
import logging
import sys
import tempfile
import traceback
from pathlib import Path

import torch
from cases import inferences, label_batch, methods, networks, photo_batch, photo_samples
from fake_gpu import DEVICE, take, to_gpu, trainer_on_gpu
from lightning.pytorch import Callback
from recorder import Recorder
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.data import DataLoader


class OneBatch(Callback):
    """Forgets what was recorded before the batch, and keeps what was by its end."""

    def __init__(self, recorder):
        self.recorder = recorder

    def on_train_batch_start(self, *_):
        self.recorder.forget()

    on_predict_batch_start = on_train_batch_start

    def on_train_batch_end(self, *_):
        self.report = self.recorder.report()

    on_predict_batch_end = on_train_batch_end


class Server:
    """Runs cases; all their tensors are of one kind of fake, so that what the project keeps may be kept."""

    def __init__(self, folder):
        self.mode = FakeTensorMode(allow_non_fake_inputs=True)
        self.inferences, self.methods, self.networks = inferences(folder), methods(folder), networks()

    def run(self, name, precision):
        recorder = Recorder()
        callback = OneBatch(recorder)
        with self.mode, recorder:
            # What raises under `deterministic: true` is tried there, too.
            trainer = trainer_on_gpu(
                precision, callbacks=[callback], deterministic=precision == "32-true", inference_mode=False
            )
            if name in self.inferences:
                module = to_gpu(self.inferences[name](), self.mode)
                trainer.predict(module, DataLoader([photo_samples()], batch_size=None), return_predictions=False)
            else:
                module = to_gpu((self.methods | self.networks)[name](), self.mode)
                batch = label_batch() if name in self.networks else photo_batch()
                # A second batch does what the first one does, without what is done now and then.
                trainer.fit(module, DataLoader([batch] * (2 if precision == "16-mixed" else 1), batch_size=None))
        return callback.report


def main(lines):
    take()
    logging.disable()
    try:
        with FakeTensorMode():
            torch.ones(1, device=DEVICE, requires_grad=True).sum().backward()
    except RuntimeError as error:
        return print(json.dumps({"cannot": str(error)}), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        print(json.dumps([*server.methods, *server.networks, *server.inferences]), flush=True)
        for line in lines:
            try:
                with contextlib.redirect_stdout(sys.stderr):
                    report = server.run(*json.loads(line))
            except Exception:
                report = {"error": traceback.format_exc()}
            print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main(sys.stdin)
