"""Telling when the game is lost: the CAM has shrunk to nothing, or covers everything."""

from collections.abc import Mapping

# Share of the photo that the CAM covers on average; VOC's objects cover between a tenth and a third.
SMALLEST_AREA, LARGEST_AREA = 0.02, 0.8


def collapse(values: Mapping[str, float]) -> str | None:
    """What is wrong, and what to change; None where nothing is, or nobody plays yet.

    Args:
        values: what is logged: `monitor/cam_area`, and since the game began `cu/target`; any of them may be missing.
    """
    area = values.get("monitor/cam_area")
    if area is None or "cu/target" not in values:
        return None
    if area < SMALLEST_AREA:
        return (
            f"the CAM covers {area:.1%} of the photos: L_t has won; lower model.cu.target or raise model.cu.non_target"
        )
    if area > LARGEST_AREA:
        return (
            f"the CAM covers {area:.0%} of the photos: L_nt has won; lower model.cu.non_target or raise model.cu.target"
        )
    return None
