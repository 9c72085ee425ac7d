"""The official file of MPII: joints of the test are withheld."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from posetables.data.conventions import Check, none_of
from posetables.data.people import People


def conventions(people: People) -> Iterator[Check]:
    """Whoever has joints is no test person; whoever has no place cannot be tested."""
    test = np.array([split == "test" for split in people.split], bool)
    labelled = (people.labels["pc"].visible[test] > 0).any(1)
    yield none_of("test people with labelled joints", int(labelled.sum()), int(test.sum()), "people")
    if people.side is not None:
        names = len(people.names) - len(set(people.names))
        yield none_of("people who are named twice", names, len(people.names), "people")
