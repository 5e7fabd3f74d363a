"""What a training step takes of a GPU, counted on fake tensors: no number is computed, and no GPU touched."""

import weakref
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.data import DataLoader
from torch.utils.flop_counter import flop_registry

from acr_lightning.data.datamodule import LabelledCrops, TrainingBatches
from acr_lightning.errors import UserError
from acr_lightning.training.as_on_gpu import as_on_gpu
from acr_lightning.training.fake_numbers import answer, is_mask, without_masks

BLOCK = 512  # torch gives out a GPU's memory in blocks of so many bytes


class Footprint(NamedTuple):
    """What a step takes.

    Attributes:
        memory: the most bytes that tensors have at one time: parameters, gradients, what the optimisers keep, and what
            a forward pass keeps for its backward pass.
        work: floating-point operations of its matrix products and convolutions; a multiplication and an addition are
            two.
    """

    memory: int
    work: int


class Meter(TorchDispatchMode):
    """Follows every storage from its first tensor to its end, and counts work.

    Attributes:
        most: bytes at the fullest moment.
        work: floating-point operations.
    """

    def __init__(self) -> None:
        super().__init__()
        self.held, self.sizes = 0, dict[int, int]()
        self.begin()

    def begin(self) -> None:
        """Begin anew, with the tensors that there are."""
        self.most, self.work = self.held, 0

    def see(self, values: Any) -> None:
        """Count the storages of the tensors in a value from now on."""
        for tensor in tree_leaves(values):
            if not isinstance(tensor, Tensor):
                continue
            storage = tensor.untyped_storage()
            key = storage._cdata
            if key not in self.sizes:
                self.sizes[key] = -(-storage.nbytes() // BLOCK) * BLOCK
                self.held += self.sizes[key]
                self.most = max(self.most, self.held)
                weakref.finalize(storage, self._end, key)

    def _end(self, key: int) -> None:
        self.held -= self.sizes.pop(key)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name, kwargs = func._schema.name.partition("::")[2], kwargs or {}
        if args and isinstance(args[0], FakeTensor):
            if (number := answer(name, args[0])) is not None:
                return number()
            if name in ("index", "index_put", "index_put_") and any(map(is_mask, args[1])):
                args = (args[0], without_masks(args[1]), *args[2:])
        result = func(*args, **kwargs)
        self.see(result)
        if (formula := flop_registry.get(getattr(torch.ops.aten, name.replace("_for_cpu", ""), None))) is not None:
            self.work += formula(*args, **kwargs, out_val=result)
        return result


class _Second(Callback):
    """Reads the meter over the second step: by then optimisers hold what they keep."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter

    def on_train_batch_start(self, *_: Any) -> None:
        self.meter.begin()


class _Stays(SingleDeviceStrategy):
    """Moves no tensor: torch cannot move fake parameters."""

    def model_to_device(self) -> None:
        pass

    def teardown(self) -> None:
        pass


def footprint(module: LightningModule, batch: Mapping[str, Any], precision: str, max_epochs: int = 1) -> Footprint:
    """Take the second training step of the last epoch, on fake tensors.

    Args:
        module: whose parameters become fake, and stay so.
        batch: of which fakes are made.
        precision: of the Trainer.
        max_epochs: of the training; a method's last epoch does all that it ever does.
    """
    known = (one.fake_mode for one in module.parameters() if isinstance(one, FakeTensor))
    mode, meter = next(known, None) or FakeTensorMode(allow_non_fake_inputs=True), Meter()
    precision = "bf16-mixed" if precision == "16-mixed" else precision  # of one size; a CPU has no 16-mixed
    with as_on_gpu(), mode, meter:
        trainer = Trainer(
            accelerator="cpu", devices=1, strategy=_Stays(torch.device("cpu")), precision=precision,  # type: ignore[arg-type]
            max_epochs=max_epochs, callbacks=[_Second(meter)], logger=False, enable_progress_bar=False,
            enable_model_summary=False, enable_checkpointing=False,
        )  # fmt: skip
        trainer.fit_loop.epoch_progress.current.processed = max_epochs - 1  # type: ignore[attr-defined]
        _make_fake(module, mode, meter)
        module.log = module.log_dict = lambda *_, **__: None  # type: ignore[assignment,method-assign]  # copies numbers
        fakes = {key: mode.from_tensor(one) if isinstance(one, Tensor) else one for key, one in batch.items()}
        meter.see(fakes)
        trainer.fit(module, DataLoader([fakes, fakes], batch_size=None))  # type: ignore[arg-type]
    return Footprint(meter.most, meter.work)


def batch_like(data: TrainingBatches, photos: int) -> dict[str, Any]:
    """A batch of black photos with one tag each, as large as a stage's batches.

    Args:
        data: the stage's.
        photos: in the batch.

    Raises:
        UserError: the data does not say how large its photos are.
    """
    side = getattr(data, "crop", None) or getattr(data, "size", None)
    if not isinstance(side, int):
        raise UserError(f"data: {type(data).__name__} has no crop and no size, so nobody knows how large a batch is")
    tags = torch.nn.functional.one_hot(torch.zeros(photos, dtype=torch.long), data.num_classes).float()
    batch = {"id": ["photo"] * photos, "image": torch.zeros(photos, 3, side, side), "tags": tags}
    cells = torch.zeros(photos, side, side, dtype=torch.long)
    return {**batch, "label": cells} if isinstance(data, LabelledCrops) else {**batch, "valid": cells == 0}


def _make_fake(module: nn.Module, mode: FakeTensorMode, meter: Meter) -> None:
    """Put fakes of a module's parameters and buffers in their place; what was shared stays shared."""
    fakes = dict[int, tuple[Tensor, Tensor]]()
    for part in module.modules():
        for values in (part._parameters, part._buffers):
            for name, value in values.items():
                if value is None:
                    continue
                if id(value) not in fakes:
                    fakes[id(value)] = value, value if isinstance(value, FakeTensor) else mode.from_tensor(value)
                    meter.see(fakes[id(value)][1])
                values[name] = fakes[id(value)][1]  # type: ignore[assignment]
