"""What is remembered between commands to save time alone: it may be deleted, cut short, or on a disk that is full."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any


def recall(file: Path) -> Any:
    """What was kept, None if nothing readable is there."""
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        return None


def keep(file: Path, content: Any) -> None:
    """Written aside, so that no other program reads half of it; where nothing can be written, it is not kept."""
    aside = file.with_suffix(f".{os.getpid()}.aside")
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps(content))
        aside.rename(file)
