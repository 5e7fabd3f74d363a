"""Telling when the game is lost: the CAM has shrunk to nothing, covers everything, or is only pushed about."""

from collections.abc import Mapping

# Share of the photo that the CAM covers on average; VOC's objects cover between a tenth and a third.
SMALLEST_AREA, LARGEST_AREA = 0.02, 0.8
# How many times as hard as the classification loss `L_t` may pull.
LARGEST_FORCE = 20.0


def collapse(values: Mapping[str, float]) -> str | None:
    """What is wrong, and what to change; None where nothing is.

    Args:
        values: what is logged: `monitor/cam_area`, `force/classification`, `force/target`; any of them may be missing.
    """
    area = values.get("monitor/cam_area")
    if area is not None and area < SMALLEST_AREA:
        return (
            f"the CAM covers {area:.1%} of the photos: L_t has won; lower model.cu.target or raise model.cu.non_target"
        )
    if area is not None and area > LARGEST_AREA:
        return (
            f"the CAM covers {area:.0%} of the photos: L_nt has won; lower model.cu.non_target or raise model.cu.target"
        )
    classification = values.get("force/classification", 0.0)
    if classification and (ratio := values.get("force/target", 0.0) / classification) > LARGEST_FORCE:
        return f"L_t pulls {ratio:.0f} times as hard as the classification loss; lower model.cu.target"
    return None
