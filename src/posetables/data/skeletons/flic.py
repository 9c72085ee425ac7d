"""The 10 upper-body joints of FLIC (Sapp & Taskar, CVPR 2013) on which HCRN and Chen & Yuille (NIPS 2014) train.

HCRN draws its hierarchy for LSP only: here the nose takes the place of the head top and the legs are left out. In
MSSA the same, with the neck where MPII has the thorax.
"""

from posetables.data.skeletons import Skeleton, limbs_matched, sides

SKELETON = Skeleton(
    joints=(
        "nose",
        "neck",
        "right shoulder",
        "right elbow",
        "right wrist",
        "right hip",
        "left shoulder",
        "left elbow",
        "left wrist",
        "left hip",
    ),
    mirror=sides("shoulder", "elbow", "wrist", "hip"),
    parents={"nose": "neck"}
    | {f"{side} {child}": "neck" for side in ("right", "left") for child in ("shoulder", "hip")}
    | {
        f"{side} {child}": f"{side} {parent}"
        for side in ("right", "left")
        for child, parent in (("elbow", "shoulder"), ("wrist", "elbow"))
    },
    matched=limbs_matched(("shoulder", "elbow", "wrist"))
    | {f"{side} shoulder": (f"{side} elbow",) for side in ("right", "left")}
    | {"right hip": ("left hip",), "left hip": ("right hip",), "nose": ("neck",), "neck": ("nose",)},
    groups={"Nose": ("nose",)}
    | {name.title(): (f"right {name}", f"left {name}") for name in ("shoulder", "elbow", "wrist", "hip")},
)
