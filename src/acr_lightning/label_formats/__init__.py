"""Label maps in the formats of other tools: a writer for each."""

from acr_lightning.label_formats.coco import write_coco
from acr_lightning.label_formats.cvat import write_cvat
from acr_lightning.label_formats.hugging_face import write_hugging_face
from acr_lightning.label_formats.label_map import Writer
from acr_lightning.label_formats.label_studio import write_label_studio
from acr_lightning.label_formats.ultralytics import write_semantic
from acr_lightning.label_formats.yolo import write_yolo

WRITERS: dict[str, Writer] = {
    "coco": write_coco,
    "cvat": write_cvat,
    "labelstudio": write_label_studio,
    "yolo": write_yolo,
    "semantic": write_semantic,
    "huggingface": write_hugging_face,
}
