"""The record beside every artifact. It is written last: an artifact without its manifest does not exist.

The manifest holds what made the artifact and what came out, so that content can be checked where it is used: a stage
hashes its inputs against their producers' manifests before it reads them, and nothing forged or truncated goes on.
"""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import json
import os
import platform
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from posetables.errors import InputError
from posetables.provenance.identity import canonical_json, digest
from posetables.provenance.processor import processor


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a manifest aside and rename it into place."""
    aside = path.with_name(path.name + ".aside")
    aside.write_text(canonical_json(content) + "\n")
    aside.rename(path)


def read(path: Path) -> dict[str, Any] | None:
    """The manifest, or None where there is none or it is damaged: the artifact is then made again."""
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
        return None
    return content if isinstance(content, dict) and {"identity", "outputs"} <= content.keys() else None


def hash_path(path: Path) -> str:
    """SHA-256 of a file, or of the names and hashes of a folder's files."""
    if path.is_dir():
        return digest(hash_files(path))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_files(folder: Path) -> dict[str, str]:
    """Every file below a folder -> its SHA-256."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): hash_path(file) for file in files}


def describe(path: Path, place: Path) -> dict[str, Any]:
    """What a manifest records of one output, found at `path` and to lie at `place`; of a folder, every file in it."""
    if path.is_dir():
        files = hash_files(path)
        return {"path": str(place), "sha256": digest(files), "files": files}
    return {"path": str(place), "sha256": hash_path(path)}


def verify(manifest: Path, outputs: Mapping[str, Path]) -> dict[str, Any]:
    """The manifest, once every output has the content that it records; `InputError` names the first that has not."""
    content = read(manifest)
    if content is None:
        raise InputError(f"{manifest}: missing or unreadable; run: snakemake {manifest}")
    for name, path in outputs.items():
        if not path.exists():
            raise InputError(f"{path}: missing, though recorded; delete {manifest} and run snakemake again")
        recorded = content["outputs"][name]
        found = describe(path, path)
        if found["sha256"] != recorded["sha256"]:
            altered = _first_difference(path, recorded.get("files", {}), found.get("files", {}))
            raise InputError(f"{altered}: not what its stage wrote; delete {manifest} and run snakemake again")
    return content


def _first_difference(path: Path, recorded: Mapping[str, str], found: Mapping[str, str]) -> Path:
    """The file of a folder that is altered, missing or new; the path itself if it is a file."""
    names = sorted(name for name in {*recorded, *found} if recorded.get(name) != found.get(name))
    return path / names[0] if names else path


def environment() -> dict[str, Any]:
    """Versions and hardware that can change the last bits of a result; torch only where the stage has loaded it."""
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "lock": _lock_hash(),
        "numpy": importlib.metadata.version("numpy"),
    }
    if (torch := sys.modules.get("torch")) is not None:
        found |= {"torch": str(torch.__version__), "threads": torch.get_num_threads(), "cuda": torch.version.cuda}
        if torch.cuda.is_available():
            found |= {
                "gpu": torch.cuda.get_device_name(),
                "cudnn": torch.backends.cudnn.version(),
                "driver": _run("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"),
            }
    return found


def circumstances(start: datetime.datetime) -> dict[str, Any]:
    """Where, when and by which command: recorded, never part of identity."""
    return {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],  # not the path: records travel between machines
        "host": socket.gethostname(),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "git_commit": _run("git", "rev-parse", "HEAD"),
        "git_dirty": bool(_run("git", "status", "--porcelain", "--untracked-files=no")),
        "start": start.isoformat(timespec="seconds"),
        "end": now().isoformat(timespec="seconds"),
        "seconds": round((now() - start).total_seconds(), 3),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _lock_hash() -> str | None:
    lock = Path("constraints.txt")
    return hash_path(lock) if lock.exists() else None


def _run(*command: str) -> str | None:
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
