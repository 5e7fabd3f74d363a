"""A configuration with the keys that a user types, which W&B shows as dotted columns to filter and group by."""

from typing import Any


def filterable(node: Any) -> Any:
    """The node with `init_args` taken up a level, and the last word of each `class_path` under `class`.

    So `fit.model.init_args.cu.target` is `fit.model.cu.target`, as on the command line.
    """
    if isinstance(node, list | tuple):
        return [filterable(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "class_path" not in node:
        return {key: filterable(value) for key, value in node.items()}
    return {"class": str(node["class_path"]).rpartition(".")[2], **filterable(node.get("init_args") or {})}
