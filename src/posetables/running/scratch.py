"""Crops read from the node's own disk: copied there once, from the shared file system that all jobs load.

`POSETABLES_SCRATCH` names the folder; where it is not set, `SLURM_TMPDIR` does. A copy is named by its content, made
aside, checked against the manifest and renamed, so that all jobs of a node share one and none sees half of it. The
kernel drops a job's locks with the job, however that ends. Whatever goes wrong is said in one line, and the crops are
read where they lie: scratch changes how long a job takes, never what it makes.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from posetables.progress import say
from posetables.provenance import hashes, manifest
from posetables.provenance.artifact import Artifact, Stage
from posetables.provenance.identity import digest
from posetables.provenance.manifest import Content

SETTING, OF_JOB = "POSETABLES_SCRATCH", "SLURM_TMPDIR"


def keep_setting() -> None:
    """Let what is started from here find the job's own folder by the setting's name as well."""
    if OF_JOB in os.environ:
        os.environ.setdefault(SETTING, os.environ[OF_JOB])


def near(artifact: Artifact, stage: Stage) -> Stage:
    """The stage, given crops on the node's own disk in place of those that the artifact is made from."""

    def run(_: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]) -> Mapping[str, Any]:
        with copies(artifact.inputs) as inputs:
            return stage(inputs, outputs)

    return run


@contextmanager
def copies(inputs: Mapping[str, Artifact]) -> Iterator[dict[str, Mapping[str, Path]]]:
    """Paths of the outputs of each input, those of crops on the node's own disk where it has room for them.

    Copies that are in use are not removed; these are in use until the end of the block.
    """
    paths = {name: artifact.outputs for name, artifact in inputs.items()}
    named = os.environ.get(SETTING, os.environ.get(OF_JOB))
    with ExitStack() as held:
        for name, artifact in inputs.items():
            if named and artifact.stage == "crop":
                try:
                    folder = _copy_of(artifact, _own_folder(Path(os.path.expandvars(named))), held)
                except OSError as error:
                    say(f"scratch: {named}: {error.strerror}; {artifact.outputs['pixels']} is read where it lies")
                else:
                    paths[name] = {key: folder / path.name for key, path in artifact.outputs.items()}
        yield paths


def _own_folder(scratch: Path) -> Path:
    """This user's part of a folder that all users of a node share."""
    folder = scratch / f"posetables-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise OSError(errno.EPERM, f"{folder.name} is of another user")
    return folder


def _copy_of(artifact: Artifact, folder: Path, held: ExitStack) -> Path:
    """The copy of an artifact, made if there is none, and kept from removal while `held` is open."""
    record = manifest.read(artifact.manifest)
    assert record is not None, "inputs are verified before they are read"
    copy = folder / digest({name: output.sha256 for name, output in record.outputs.items()})
    recorded = {copy / path.name: record.outputs[name] for name, path in artifact.outputs.items()}
    with ExitStack() as making:
        _lock(folder / "lock", fcntl.LOCK_EX, making)  # one job copies, the others wait for it
        if not _is_whole(recorded):
            _make(copy, list(artifact.outputs.values()))
            if not _is_whole(recorded):
                raise OSError(errno.EIO, "keeps other bytes than those that were copied")
        os.utime(copy)  # the copies that were not used for longest go first
        _lock(copy, fcntl.LOCK_SH, held)
    return copy


def _is_whole(recorded: Mapping[Path, Content]) -> bool:
    """Processes of one training ask for the same copy: what cannot have changed since is not read again."""
    return all(
        path.exists() and manifest.difference(content, path, hashes.remembered) is None
        for path, content in recorded.items()
    )


def _make(copy: Path, files: Sequence[Path]) -> None:
    for left in (*copy.parent.glob("*.aside"), copy):  # by jobs that were killed; and a copy that is damaged
        shutil.rmtree(left, ignore_errors=True)
    size = sum(file.stat().st_size for file in files)
    _make_room(copy.parent, size)
    say(f"scratch: copying {size / 1e6:,.0f} MB of crops to {copy}")
    aside = copy.with_suffix(".aside")
    aside.mkdir()
    try:
        for file in files:
            shutil.copyfile(file, aside / file.name)
        aside.rename(copy)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _make_room(folder: Path, size: int) -> None:
    """Remove copies that no job uses, the oldest first; none where that would not be enough."""
    free = shutil.disk_usage(folder).free
    with ExitStack() as held:
        unused = [copy for copy in folder.iterdir() if copy.is_dir() and _is_unused(copy, held)]
        sizes = {copy: sum(file.stat().st_size for file in copy.iterdir()) for copy in unused}
        if free + sum(sizes.values()) < size:
            raise OSError(errno.ENOSPC, f"{size / 1e6:,.0f} MB of crops do not fit")
        for copy in sorted(unused, key=lambda copy: copy.stat().st_mtime):
            if free < size:
                shutil.rmtree(copy)
                free += sizes[copy]


def _is_unused(copy: Path, held: ExitStack) -> bool:
    try:
        _lock(copy, fcntl.LOCK_EX | fcntl.LOCK_NB, held)
    except BlockingIOError:
        return False
    return True


def _lock(path: Path, kind: int, held: ExitStack) -> None:
    """Lock a file, made if it is not there, or a folder, until `held` is closed."""
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT, 0o600)
    held.callback(os.close, descriptor)
    fcntl.flock(descriptor, kind)
