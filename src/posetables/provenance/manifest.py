"""The record beside every artifact. It is written last: an artifact without its manifest does not exist.

The manifest holds what made the artifact and what came out, so that content can be checked where it is used: a stage
hashes its inputs against their producers' manifests before it reads them, and nothing forged or truncated goes on.
Canonical JSON, of the schema that `docs/manifest.schema.json` publishes.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from posetables.errors import InputError
from posetables.provenance import hashes
from posetables.provenance.identity import canonical_json
from posetables.provenance.processor import processor

Sha256 = str
"""64 hexadecimal digits."""


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Content(Record):
    """One file or folder as a stage left it."""

    path: str = Field(description="from the root of the project")
    sha256: Sha256 = Field(description="of the file, or of the canonical JSON of a folder's `files`")
    files: Mapping[str, Sha256] | None = Field(None, description="of a folder: every file in it")


class Used(Record):
    """One artifact that was read: its own manifest, and the content that it had."""

    manifest: str
    manifest_sha256: Sha256
    identity: Sha256
    outputs: Mapping[str, Sha256]


class Code(Record):
    """The modules that the stage could reach, as hashes of their syntax trees without comments and docstrings."""

    sha256: Sha256
    modules: Mapping[str, Sha256]


class Environment(Record):
    """Versions and hardware that can change the last bits of a result; torch only where the stage has loaded it."""

    lock: Sha256 | None = Field(description="of constraints.txt; another one makes the artifact `behind`")
    python: str
    platform: str
    processor: str
    numpy: str
    torch: str | None = None
    threads: int | None = None
    cuda: str | None = None
    cudnn: int | None = None
    gpu: str | None = None
    driver: str | None = None


class Circumstances(Record):
    """Where, when and by which command: recorded, never part of identity."""

    command: tuple[str, ...]
    host: str
    slurm_job: str | None
    git_commit: str | None
    git_dirty: bool
    start: str = Field(description="ISO 8601, UTC, as `end`")
    end: str
    seconds: float
    gpu_seconds: float = Field(description="seconds times the GPUs that the process could see")
    peak_memory_mb: int
    restarts: int = Field(description="how often the stage went on from a checkpoint")


class Manifest(Record):
    format: Literal["posetables-manifest-1"] = "posetables-manifest-1"
    stage: str
    identity: Sha256 = Field(description="hash of stage, recipe, code and the inputs' identities")
    seed: int | None
    recipe: Mapping[str, Any]
    recipe_sha256: Sha256
    code: Code
    inputs: Mapping[str, Used]
    outputs: Mapping[str, Content]
    facts: Mapping[str, Any] = Field(description="what the stage counted: people, steps, licence, addresses, device")
    environment: Environment
    circumstances: Circumstances


def beside(output: Path) -> Path:
    """Where the manifest of an artifact lies that shares its folder with others: `<stem>.manifest.json`."""
    return output.with_name(f"{output.stem}.manifest.json")


def write(path: Path, manifest: Manifest) -> None:
    """Write a manifest aside and rename it into place."""
    aside = path.with_name(path.name + ".aside")
    aside.write_text(canonical_json(manifest.model_dump()) + "\n")
    aside.rename(path)


def read(path: Path) -> Manifest | None:
    """The manifest, or None where there is none or it is damaged: the artifact is then made again."""
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def describe(path: Path, place: Path) -> Content:
    """What a manifest records of one output, found at `path` and to lie at `place`."""
    sha256, files = hashes.content(path)
    return Content(path=str(place), sha256=sha256, files=files)


Hashing = Callable[[Path], tuple[str, dict[str, str] | None]]


def verify(manifest: Path, outputs: Mapping[str, Path], hashing: Hashing = hashes.content) -> Manifest:
    """The manifest, once every output has the content that it records; `InputError` names the first that has not."""
    record = read(manifest)
    if record is None:
        raise InputError(f"{manifest}: missing or unreadable; run: snakemake {manifest}")
    for name, path in outputs.items():
        recorded = record.outputs.get(name)
        if recorded is None:
            raise InputError(f"{manifest}: outputs: no {name}; run: snakemake {manifest}")
        if not path.exists():
            raise InputError(f"{path}: missing, though recorded; delete {manifest} and run snakemake again")
        if (altered := difference(recorded, path, hashing)) is not None:
            raise InputError(f"{altered}: not what its stage wrote; delete {manifest} and run snakemake again")
    return record


def difference(recorded: Content, path: Path, hashing: Hashing = hashes.content) -> Path | None:
    """The file that is altered, missing from its folder or new in it; None if the content is that of the record."""
    sha256, files = hashing(path)
    if sha256 == recorded.sha256:
        return None
    before, now = recorded.files or {}, files or {}
    names = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    return path / names[0] if names else path


def environment() -> Environment:
    found: dict[str, Any] = {}
    if (torch := sys.modules.get("torch")) is not None:
        found |= {"torch": str(torch.__version__), "threads": torch.get_num_threads(), "cuda": torch.version.cuda}
        if torch.cuda.is_available():
            found |= {
                "gpu": torch.cuda.get_device_name(),
                "cudnn": torch.backends.cudnn.version(),
                "driver": _run("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"),
            }
    return Environment(
        lock=lock(),
        python=platform.python_version(),
        platform=platform.platform(),
        processor=processor(),
        numpy=importlib.metadata.version("numpy"),
        **found,
    )


def lock() -> str | None:
    """SHA-256 of the pinned packages of this project."""
    path = Path("constraints.txt")
    return hashes.sha256(path) if path.exists() else None


MADE_FROM = (".", ":!data", ":!results")
"""What git must hold unchanged for a commit to name it: making a result changes the committed ones."""


def circumstances(start: datetime.datetime, restarts: int) -> Circumstances:
    seconds = round((now() - start).total_seconds(), 3)
    torch = sys.modules.get("torch")
    return Circumstances(
        command=(Path(sys.argv[0]).name, *sys.argv[1:]),  # not the path: records travel between machines
        host=socket.gethostname(),
        slurm_job=os.environ.get("SLURM_JOB_ID"),
        git_commit=_run("git", "rev-parse", "HEAD"),
        git_dirty=bool(_run("git", "status", "--porcelain", "--untracked-files=no", "--", *MADE_FROM)),
        start=start.isoformat(timespec="seconds"),
        end=now().isoformat(timespec="seconds"),
        seconds=seconds,
        gpu_seconds=seconds * (0 if torch is None else torch.cuda.device_count()),
        peak_memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        restarts=restarts,
    )


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _run(*command: str) -> str | None:
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
