"""The 17 joints of COCO (Lin et al., ECCV 2014) and a hierarchy for HCRN, which gives one for LSP alone (Fig. 1b)."""

from posetables.data.skeletons import Skeleton, sides

SKELETON = Skeleton(
    joints=(
        "nose",
        "left eye",
        "right eye",
        "left ear",
        "right ear",
        "left shoulder",
        "right shoulder",
        "left elbow",
        "right elbow",
        "left wrist",
        "right wrist",
        "left hip",
        "right hip",
        "left knee",
        "right knee",
        "left ankle",
        "right ankle",
    ),
    mirror=sides("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"),
    # COCO labels neither neck nor head top: the nose takes their place.
    parents={f"{side} {child}": "nose" for side in ("right", "left") for child in ("eye", "ear", "shoulder", "hip")}
    | {
        f"{side} {child}": f"{side} {parent}"
        for side in ("right", "left")
        for child, parent in (("elbow", "shoulder"), ("wrist", "elbow"), ("knee", "hip"), ("ankle", "knee"))
    },
    # The edges of COCO's own annotations: Graph-PCNN names none.
    limbs=tuple(
        (f"{side} {one}", f"{side} {other}")
        for side in ("left", "right")
        for one, other in (
            ("ankle", "knee"),
            ("knee", "hip"),
            ("hip", "shoulder"),
            ("shoulder", "elbow"),
            ("elbow", "wrist"),
            ("eye", "ear"),
            ("ear", "shoulder"),
        )
    )
    + tuple((f"{side} eye", "nose") for side in ("left", "right"))
    + tuple((f"left {joint}", f"right {joint}") for joint in ("hip", "shoulder", "eye")),
    groups={"Head": ("nose", "right eye", "left eye", "right ear", "left ear")}
    | {
        name.title(): (f"right {name}", f"left {name}")
        for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    },
)
