"""Where views print, and what a reader must know of each scale before comparing anything with a paper."""

from __future__ import annotations

import sys

from rich.console import Console

SCALE_NOTES = {
    "mini": "mini scale: synthetic people and tiny networks prove the path; the numbers say nothing about the methods.",
    "lite": "lite scale: real people, narrow networks from random weights; not comparable with the paper's numbers.",
    "paper": "paper scale: the paper's recipe.",
}

WIDTH = 200
"""Columns where nobody's terminal sets them: lines are cut by nobody, and paths stay whole."""


def console() -> Console:
    return Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False, soft_wrap=True)
