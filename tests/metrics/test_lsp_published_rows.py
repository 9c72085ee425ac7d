"""Published predictions on LSP score what was found for them outside this package, one test a row of a paper's table.

In lsp_rescored_cells.csv `paper` is what the paper prints, `rescored` what the released predictions score.
"""

import csv
import os
from collections import defaultdict
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from posetables.data.skeletons import LSP
from posetables.metrics import pck, pcp

CELLS = Path(__file__).with_name("lsp_rescored_cells.csv")
MIRROR = Path(os.environ.get("POSETABLES_MIRROR", ""))
JOINT_COLUMNS = dict(zip(("Head", "Sho", "Elb", "Wri", "Hip", "Knee", "Ank"), LSP.groups, strict=True))
STICK_COLUMNS = dict(zip(("Torso", "ULeg", "LLeg", "UArm", "FArm", "Head"), LSP.sticks, strict=True))
# A joint ends up to two sticks: where each of the 14 joints of LSP is found among the 20 ends in a file of sticks.
JOINTS_AMONG_STICK_ENDS = [0, 1, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17]

pytestmark = pytest.mark.skipif(
    not os.environ.get("POSETABLES_MIRROR") or not (MIRROR / "lsp_predictions").is_dir(),
    reason="needs published predictions: set POSETABLES_MIRROR to a folder that holds lsp/ and lsp_predictions/",
)


def rows() -> dict[tuple[str, str], list[dict[str, str]]]:
    found = defaultdict(list)
    with CELLS.open(encoding="utf-8", newline="") as file:
        for cell in csv.DictReader(file):
            found[cell["table"], cell["row"]].append(cell)
    return found


ROWS = rows()


@cache
def truth(setting: str) -> np.ndarray:
    """(1000, 14, 2): images 1001 to 2000."""
    return loadmat(MIRROR / "lsp" / f"joints_{setting}.mat")["joints"][:2, :, 1000:].transpose(2, 1, 0)


@cache
def predictions(source: str, setting: str) -> np.ndarray:
    """(1000, 14, 2) of one published method."""
    folder = MIRROR / "lsp_predictions"
    if source == "CPM_LSP":
        file = loadmat(folder / "WeiCVPR16_LSPonly" / "LSP_prediction_model_LSP_6s.mat")
        return file["prediction_all"].transpose(2, 0, 1)
    # Rafi's joints come as MATLAB 7.3, which SciPy does not read; his sticks do not, and hold the same joints.
    kind = "sticks" if source == "RafiBMVC16" else "keypoints"
    points = loadmat(folder / source / f"pred_{kind}_lsp_{setting.lower()}.mat")["pred"].transpose(2, 1, 0)
    return points[:, JOINTS_AMONG_STICK_ENDS] if kind == "sticks" else points


def score_pck(source: str, setting: str) -> dict[str, float]:
    true, labelled = truth(setting), np.ones((1000, 14), bool)
    torso = pck.torso_normaliser(true, LSP.index("left shoulder"), LSP.index("right hip"))
    hits = pck.correct(pck.distances(predictions(source, setting), true, labelled, torso), 0.2)
    groups = [[LSP.index(joint) for joint in LSP.groups[name]] for name in JOINT_COLUMNS.values()]
    return dict(zip([*JOINT_COLUMNS, "Avg"], pck.columns(hits, [*groups, range(14)]), strict=True))


def score_pcp(source: str, setting: str) -> dict[str, float]:
    sticks, groups = [], []
    for name in STICK_COLUMNS.values():
        groups.append(range(len(sticks), len(sticks) + len(LSP.sticks[name])))
        sticks += [tuple(tuple(map(LSP.index, end)) for end in stick) for stick in LSP.sticks[name]]
    hits = pcp.strict(predictions(source, setting), truth(setting), np.ones((1000, 14), bool), sticks)
    return dict(zip([*STICK_COLUMNS, "Total"], pck.columns(hits, [*groups, range(10)]), strict=True))


@pytest.mark.parametrize(("table", "row"), ROWS, ids="/".join)
def test_published_predictions_score_as_found_outside(table: str, row: str) -> None:
    cells = ROWS[table, row]
    score = {"PCK": score_pck, "PCP": score_pcp}[cells[0]["metric"]]
    found = score(cells[0]["prediction_source"], cells[0]["setting"])
    # Three decimals are on file, and one joint of one person would move a column by .05.
    assert found == pytest.approx({cell["column"]: float(cell["rescored"]) for cell in cells}, abs=6e-4)
