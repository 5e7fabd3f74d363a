"""Inference in a pool of processes that need not be on this machine, each with a model of its own."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from acr_lightning.chain.stage import Job

# Photos that a process is given at once: few beside their number, for a machine that is slower than the others.
PHOTOS = 16


def predict_in_pool(job: Job, ids: Sequence[str], writer: Any) -> None:
    """Run a section's model over photos, each process on one device.

    Args:
        job: of the stage.
        ids: of the photos.
        writer: a `ResultWriter`; what it writes with travels to other processes.

    Raises:
        UserError: photos are damaged; the others are done.
    """
    from acr_lightning.system.pool import map_in_pool

    section = deepcopy(job.section)
    section["trainer"] |= {"devices": 1, "num_nodes": 1, "strategy": "auto", "enable_progress_bar": False}
    section["data"]["init_args"]["num_workers"] = 0
    writer.workers = 0  # a process has one core, and would start others anew for each few photos
    parts = [list(ids[start : start + PHOTOS]) for start in range(0, len(ids), PHOTOS)]
    for _ in map_in_pool(_Prediction(section, job.folder.name, writer), parts, job.folder.name, on_gpus=True):
        pass


class _Prediction:
    """What a process does; its model and data set are built where it is, at the first photos."""

    def __init__(self, section: dict[str, Any], name: str, writer: Any) -> None:
        self.section, self.name, self.writer = section, name, writer
        self.parts: Any = None

    def __call__(self, ids: list[str]) -> None:
        """Predict on these photos; each damaged one is a fault."""
        from acr_lightning.chain.trainer_section import build
        from acr_lightning.errors import Faults, UserError
        from acr_lightning.system.launch import stand_alone

        stand_alone()  # the cluster itself may have been started by srun, in many tasks
        self.parts = self.parts or build(self.section, self.name, [self.writer])
        model, data, trainer, _ = self.parts
        faults = []
        for left in (ids, *([image_id] for image_id in ids)):
            data.left = left
            try:
                trainer.predict(model, data, return_predictions=False)
            except UserError as error:
                faults.append(str(error))
            if left is ids and not faults:
                return  # else each by itself
        if faults[1:]:
            raise Faults(*faults[1:])
