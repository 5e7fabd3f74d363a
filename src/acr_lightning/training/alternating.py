"""Networks that are updated at every batch, several of them in turn: what a training needs around its losses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, cast

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from acr_lightning.classes.bounded import PositiveInt
from acr_lightning.errors import UserError
from acr_lightning.nets.checkpoint import CLASS_NAMES, describe_in
from acr_lightning.training.nonfinite import NonFinite
from acr_lightning.training.optimisation import WHOLE_RUN, OptimizerSettings, Span
from acr_lightning.training.whole_batch import mean_of_processes

# Batches after which a GPU is asked whether its losses are finite.
ASK_EVERY = 10

Part = TypeVar("Part")


class Player(NamedTuple):
    """One of the networks that take turns.

    Attributes:
        network: what its optimiser trains.
        optimizer: how it learns.
        spans: when; one over the whole run by default.
    """

    network: nn.Module
    optimizer: OptimizerSettings
    spans: Sequence[Span] = WHOLE_RUN


class Update(NamedTuple):
    """What one update of one player minimises.

    Attributes:
        loss: a scalar.
        terms: what it is made of, by name, for the log.
    """

    loss: Tensor
    terms: Mapping[str, Tensor]


@dataclass(frozen=True)
class StepSettings:
    """How a batch becomes a step of each network.

    Args:
        micro_batches: a batch goes through the networks in this many parts, one after the other (gradient
            accumulation): less memory, the same step.
        max_nonfinite: an update whose loss is not finite changes nothing by its gradient; so many in a row, of one
            network, stop the run.
    """

    micro_batches: PositiveInt = 1
    max_nonfinite: PositiveInt = 10


class AlternatingModule(LightningModule):
    """Manual optimisation of one player or several: whose turn it is, accumulation, clipping, schedules, logging.

    Lightning's `global_step` counts the steps of all optimisers; schedules and loggers count batches.

    Attributes:
        described: name of the network that checkpoints say how to make, without this module.
        knows_classes: whether that network is for the classes of its data set alone, which checkpoints then name.

    Args:
        optimizer: of every player, each of which has one of its own.
        step: how a batch becomes a step.
    """

    described = "classifier"
    knows_classes = True

    def __init__(self, optimizer: OptimizerSettings, step: StepSettings = StepSettings()) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.optimizer_settings, self.micro_batches = optimizer, step.micro_batches
        self.nonfinite = NonFinite(step.max_nonfinite)

    def players(self) -> Mapping[str, Player]:
        """The networks, by name, always in the same order; by default the one that checkpoints describe."""
        return {self.described: Player(getattr(self, self.described), self.optimizer_settings)}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what it takes to build and to use the network without this module and without the data set."""
        describe_in(checkpoint, getattr(self, self.described), self.described)
        if self.knows_classes and (dataset := getattr(self.trainer.datamodule, "dataset", None)):  # type: ignore[attr-defined]
            checkpoint[CLASS_NAMES] = list(dataset.class_names)

    def update(self, player: str, name: str, parts: Sequence[Part], update: Callable[[Part], Update]) -> None:
        """One step of one player; the others get no gradient.

        Args:
            player: whose turn it is.
            name: of the update, in the log.
            parts: of the batch; the step follows the mean of their losses.
            update: what the player minimises on a part.
        """
        optimizer = self._optimizer(player)
        self._begin_anew(self.players()[player], optimizer)
        means: dict[str, Tensor] = {}
        parameters = [*self.players()[player].network.parameters()]
        with self.toggled_optimizer(optimizer):
            for part in parts:
                loss, terms = update(part)
                # Where the forward pass left autocast to be exact, its gradient is as exact only outside of it, too.
                with torch.autocast(self.device.type, enabled=False):
                    self.manual_backward(loss / len(parts))
                for key, value in {name: loss, **{f"{name}/{term}": value for term, value in terms.items()}}.items():
                    means[key] = means.get(key, torch.zeros_like(loss)) + value.detach() / len(parts)
            finite = torch.isfinite(means[name]).float()
            mean_of_processes(finite, *(one.grad for one in parameters if one.grad is not None))
            self.nonfinite.leave_out(name, finite == 1, parameters)
            optimizer.step()
            optimizer.zero_grad()  # now, so that no gradient takes memory in another player's turn
        # A progress bar wants the number at once, and a GPU would be waited for.
        self.log(name, means.pop(name), prog_bar=self.device.type == "cpu")
        self.log_dict({**means, f"{name}/skipped": self.nonfinite.skipped[name].float()})

    def step_schedules(self) -> None:
        """To be called once a batch."""
        for schedule in cast(list[LambdaLR], _as_list(self.lr_schedulers())):
            schedule.step()

    def split_evenly(self, images: int) -> int:
        """How many images a part has.

        Raises:
            UserError: the parts cannot be equal.
        """
        if images % self.micro_batches:
            raise UserError(
                f"model.step.micro_batches: the {images} photos of a device cannot be split evenly in "
                f"{self.micro_batches}"
            )
        return images // self.micro_batches

    def configure_optimizers(self) -> tuple[list[torch.optim.Optimizer], list[LambdaLR]]:
        """An optimiser and a schedule for each player; checkpoints keep both."""
        # With `max_epochs` this is the number of batches (with `max_steps` it would count each optimiser's steps).
        total, epochs = int(self.trainer.estimated_stepping_batches), self.trainer.max_epochs or 1
        players = self.players().values()
        optimizers = [player.optimizer.build(player.network) for player in players]
        schedules = [
            player.optimizer.build_schedule(optimizer, total, epochs, player.spans)
            for player, optimizer in zip(players, optimizers, strict=True)
        ]
        return optimizers, schedules

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip here: only here are the gradients unscaled in 16-mixed."""
        at = [id(getattr(one, "optimizer", one)) for one in _as_list(self.optimizers())].index(id(optimizer))
        if (most := list(self.players().values())[at].optimizer.gradient_clip_val) is not None:
            self.clip_gradients(optimizer, most, gradient_clip_algorithm="norm")

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Stop a run that cannot recover; asking makes a GPU wait, so it is done now and then."""
        if batch_idx % ASK_EVERY == 0 or self.device.type == "cpu":
            self.nonfinite.stop_if_hopeless(f"epoch {self.current_epoch}")

    def _begin_anew(self, player: Player, optimizer: LightningOptimizer) -> None:
        """Forget, at the first batch of a later span, what the optimiser knows of gradients of another kind.

        AdamW's mean square of the gradient is dominated for a thousand steps by those of a network that knew nothing.
        """
        if self.trainer.fit_loop.epoch_loop.batch_idx == 0 and self.current_epoch in {
            one.start for one in player.spans
        }:
            optimizer.optimizer.state.clear()

    def _optimizer(self, player: str) -> LightningOptimizer:
        return cast(LightningOptimizer, _as_list(self.optimizers())[list(self.players()).index(player)])


def _as_list(value: Any) -> list[Any]:
    """Lightning hands out one optimiser bare, several in a list."""
    return value if isinstance(value, list) else [value]
