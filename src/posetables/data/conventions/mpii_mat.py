"""The official file of MPII: joints of the test are withheld."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from posetables.data.conventions import Check, none_of
from posetables.data.people import People


def conventions(people: People) -> Iterator[Check]:
    """Whoever has joints is no test person; a file of results calls people by name."""
    test = np.array([split == "test" for split in people.split], bool)
    labelled = sum(int((labels.visible[test] > 0).any(1).sum()) for labels in people.labels.values())
    yield none_of("test people with labelled joints", labelled, int(test.sum()), "people")
    twice = len(people.names) - len(set(people.names))
    yield none_of("people who are named twice", twice, len(people.names), "people")
