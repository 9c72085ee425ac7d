"""The 16 joints of MPII Human Pose (Andriluka et al., CVPR 2014).

HCRN draws its hierarchy for LSP only: here the upper neck is the root, as LSP's neck is, and MPII's additional joints,
thorax and pelvis, stand in the second layer with the shoulders and hips.
"""

from posetables.data.skeletons import Skeleton, sides

SKELETON = Skeleton(
    joints=(
        "right ankle",
        "right knee",
        "right hip",
        "left hip",
        "left knee",
        "left ankle",
        "pelvis",
        "thorax",
        "upper neck",
        "head top",
        "right wrist",
        "right elbow",
        "right shoulder",
        "left shoulder",
        "left elbow",
        "left wrist",
    ),
    mirror=sides("ankle", "knee", "hip", "wrist", "elbow", "shoulder"),
    parents=dict.fromkeys(("head top", "thorax", "pelvis"), "upper neck")
    | {f"{side} {child}": "upper neck" for side in ("right", "left") for child in ("shoulder", "hip")}
    | {
        f"{side} {child}": f"{side} {parent}"
        for side in ("right", "left")
        for child, parent in (("elbow", "shoulder"), ("wrist", "elbow"), ("knee", "hip"), ("ankle", "knee"))
    },
    groups={"Head": ("upper neck", "head top")}
    | {
        name.title(): (f"right {name}", f"left {name}")
        for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    },
)
