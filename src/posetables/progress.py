"""How far a long job is: a bar with rate and time left for a person who watches, plain lines for a log."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

Item = TypeVar("Item")

LINE_EVERY = 10.0
"""Seconds between two plain lines."""


FIRST = os.environ.get("RANK", "0") == "0"
"""Whether this is the first, or the only one, of the processes of a job: it speaks for all of them."""


def say(line: str) -> None:
    """Tell the user one line. Standard error, because standard output belongs to results."""
    if FIRST:
        print(line, file=sys.stderr, flush=True)


def track(items: Iterable[Item], description: str, total: int | None = None) -> Iterator[Item]:
    """Yield `items` and show how many are done; `total` is taken from their length where they have one.

    Loops that show their progress are not nested: a terminal has one live bar.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with progress(description, total) as advance:
        for item in items:
            yield item
            advance(1)


@contextmanager
def progress(
    description: str,
    total: int | None,
    *,
    done: int = 0,
    unit: str = "",
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Callable[[int], None]]:
    """Show a job of `total` steps (None: unknown) and give the function that reports steps done.

    `done` steps were there before. With `unit` "MB" a step is a byte. A bar if standard error is a terminal;
    otherwise one line first, one every `LINE_EVERY` seconds and one last.
    """
    meter = _Meter(description, total, done, unit, clock)
    show = _bar if sys.stderr.isatty() and FIRST else _lines
    with show(meter) as refresh:

        def advance(steps: int) -> None:
            meter.done += steps
            refresh()

        yield advance


@dataclass
class _Meter:
    description: str
    total: int | None
    done: int
    unit: str
    clock: Callable[[], float]
    began: float = field(init=False)
    resumed_at: int = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()
        self.resumed_at = self.done

    @property
    def seconds(self) -> float:
        return self.clock() - self.began

    def amount(self) -> str:
        done, total = self._count(self.done), None if self.total is None else self._count(self.total)
        return " ".join([done, *(["of", total] if total else []), *([self.unit] if self.unit else [])])

    def text(self) -> str:
        """`312 of 2,000, 45.2/s, 37 s left`"""
        seconds, steps = self.seconds, self.done - self.resumed_at
        if seconds <= 0 or steps <= 0:
            return self.amount()
        rate = steps / seconds
        speed = f"{rate / 1e6:,.1f} MB/s" if self.unit == "MB" else f"{rate:,.1f}/s"
        left = [] if self.total is None else [f"{_duration((self.total - self.done) / rate)} left"]
        return ", ".join([self.amount(), speed, *left])

    def _count(self, steps: int) -> str:
        return f"{steps / 1e6:,.1f}" if self.unit == "MB" else f"{steps:,}"


@contextmanager
def _lines(meter: _Meter) -> Iterator[Callable[[], None]]:
    last = meter.began

    def refresh() -> None:
        nonlocal last
        if meter.clock() - last >= LINE_EVERY:
            last = meter.clock()
            say(f"{meter.description}: {meter.text()}")

    say(f"{meter.description}: {meter.amount()}")
    try:
        yield refresh
    finally:
        say(f"{meter.description}: {meter.amount()} in {_duration(meter.seconds)}")


@contextmanager
def _bar(meter: _Meter) -> Iterator[Callable[[], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[text]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(meter.description, total=meter.total, completed=meter.done, text=meter.amount())
        yield lambda: bar.update(task, completed=meter.done, text=meter.text())


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
