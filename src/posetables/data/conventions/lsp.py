"""LSP: a flag of 1 is an occluded joint, pixels count from 1, and there are two sets of labels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from posetables.data.conventions import Check, within
from posetables.data.people import People
from posetables.data.readers.lsp import observer_centric


def conventions(people: People) -> Iterator[Check]:
    """7.3 % of the joints are occluded, and the rule agrees with 93.9 % of the observer-centric ones; if the two files
    were exchanged, it would agree with 71 %."""
    pc, oc = people.labels["pc"], people.labels["oc"]
    occluded = float((pc.visible == 1).mean())
    yield within("third row is 1 where a joint is occluded", occluded, 0, 0.5, "7 %, less than half")
    least = min(float(labels.joints.min()) for labels in (pc, oc)) + 1
    yield Check("pixels count from 1", f"least coordinate {least:.4g}", "above 0", least > 0)
    by_rule = observer_centric(pc.joints, pc.visible).joints
    agreed = float(np.isclose(by_rule, oc.joints).all(2).mean())
    yield within("joints_OC.mat is observer-centric: joints on which the rule agrees", agreed, 0.83, 1, "94 %")
