"""The 16 joints of MPII Human Pose (Andriluka et al., CVPR 2014).

HCRN draws its hierarchy for LSP only: here the upper neck is the root, as LSP's neck is, and MPII's additional joints,
thorax and pelvis, stand in the second layer with the shoulders and hips.

MSSA (sec. 3.3) matches head-thorax, shoulder-elbow, wrist-elbow, hip-hip, knee-ankle and, at elbows and knees alone,
the triplets shoulder-elbow-wrist and hip-knee-ankle: hip-knee is inside of one. It names neither neck nor pelvis: these
are matched by themselves.
"""

from posetables.data.skeletons import Skeleton, limbs_matched, sides

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
    matched=limbs_matched(("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
    | {f"{side} shoulder": (f"{side} elbow",) for side in ("right", "left")}
    | {"right hip": ("left hip",), "left hip": ("right hip",)}
    | {"head top": ("thorax",), "thorax": ("head top",)},
    aliases={"neck": "upper neck"},
    groups={"Head": ("upper neck", "head top")}
    | {
        name.title(): (f"right {name}", f"left {name}")
        for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    },
)
