"""The 14 joints of LSP (Johnson & Everingham, BMVC 2010) and the hierarchy that HCRN gives them (Fig. 1b).

MSSA has no LSP: its pairs and triplets are those of MPII, with the neck where MPII has the thorax.
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
        "right wrist",
        "right elbow",
        "right shoulder",
        "left shoulder",
        "left elbow",
        "left wrist",
        "neck",
        "head top",
    ),
    mirror=sides("ankle", "knee", "hip", "wrist", "elbow", "shoulder"),
    parents={"head top": "neck"}
    | {f"{side} {child}": "neck" for side in ("right", "left") for child in ("shoulder", "hip")}
    | {
        f"{side} {child}": f"{side} {parent}"
        for side in ("right", "left")
        for child, parent in (("elbow", "shoulder"), ("wrist", "elbow"), ("knee", "hip"), ("ankle", "knee"))
    },
    matched=limbs_matched(("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
    | {f"{side} shoulder": (f"{side} elbow",) for side in ("right", "left")}
    | {"right hip": ("left hip",), "left hip": ("right hip",)}
    | {"head top": ("neck",), "neck": ("head top",)},
    groups={"Head": ("neck", "head top")}
    | {
        name.title(): (f"right {name}", f"left {name}")
        for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    },
    sticks={"Torso": ((("right hip", "left hip"), ("right shoulder", "left shoulder")),)}
    | {
        part: tuple(((f"{side} {a}",), (f"{side} {b}",)) for side in ("right", "left"))
        for part, a, b in (
            ("Upper leg", "hip", "knee"),
            ("Lower leg", "knee", "ankle"),
            ("Upper arm", "shoulder", "elbow"),
            ("Forearm", "elbow", "wrist"),
        )
    }
    | {"Head": ((("neck",), ("head top",)),)},
)
