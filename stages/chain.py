"""The stages in their order, and the recipes that an experiment chooses by a word."""

import yaml

from acr_lightning.chain.stage import Chain
from acr_lightning.data.id_list import shipped
from acr_lightning.stages.affinity_labels import AFFINITY_LABELS
from acr_lightning.stages.inference import AFFINITY_WALK, CAM, EVALUATE
from acr_lightning.stages.label import LABEL
from acr_lightning.stages.proposals import PROPOSALS
from acr_lightning.stages.report import REPORT
from acr_lightning.stages.training import AFFINITY_TRAIN, FIT, SEGMENT

STAGES = (FIT, CAM, AFFINITY_LABELS, AFFINITY_TRAIN, AFFINITY_WALK, PROPOSALS, LABEL, SEGMENT, EVALUATE, REPORT)
CHAIN = Chain(
    {stage.name: stage for stage in STAGES},
    {
        word: yaml.safe_load(shipped(f"presets/{word}.yaml").read_text())
        for word in ("affinity", "proposals", "segment")
    },
)
