"""Mask R-CNN with ResNet-50 and FPN (He et al., ICCV 2017), trained on COCO by torchvision; HCRN's Table X uses the
same network, trained by Detectron."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from posetables.data.detections import PERSON
from posetables.data.detectors import Detector
from posetables.errors import InputError

FILE = "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth"
LEAST_SCORE = 0.05


def load(weights: Path | None, device: str) -> Detector:
    """The detector with the weights in the folder or file `weights`, on `device`.

    Raises `InputError` if torchvision, an optional extra, cannot be imported, and for weights that do not fit.
    """
    try:
        from torchvision.models.detection import maskrcnn_resnet50_fpn
    except (ImportError, RuntimeError, OSError) as error:  # beside another torch than its own it dies in its own ways
        raise InputError(
            f"torchvision: cannot be imported ({str(error).partition(chr(10))[0]}); "
            "install the extra `detectors` (pip install 'posetables[detectors]') or choose another detector"
        ) from error
    if weights is None:
        raise InputError("mask_rcnn: no weights; name the data set mask-rcnn beside the detector")
    network = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, box_score_thresh=LEAST_SCORE)
    path = weights / FILE if weights.is_dir() else weights
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, pickle.UnpicklingError, RuntimeError, EOFError, KeyError) as error:
        raise InputError(f"{path}: does not hold the weights of Mask R-CNN; fetch the data set again") from error
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 0.0  # as torchvision does for these weights, whose training had none
    network.to(device).eval()

    @torch.inference_mode()
    def detect(image: NDArray[np.uint8]) -> NDArray[np.float64]:
        pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float().div(255)
        (found,) = network([pixels.to(device)])
        score = found["scores"]
        people = (found["labels"] == PERSON) & (score >= LEAST_SCORE)
        corners = found["boxes"][people]
        boxes = torch.cat([corners[:, :2], corners[:, 2:] - corners[:, :2], score[people, None]], 1)
        return np.asarray(boxes.cpu(), np.float64)

    return detect
