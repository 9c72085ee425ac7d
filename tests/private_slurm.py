"""A Slurm of two nodes with two GPUs each, on this machine and for one test session: real daemons, pretended hardware.

Nothing outside its folder is read or written, its ports are free ones, and its daemons end with the process that
started them, whatever ends that. It needs root, as slurmd does.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

NODES = ("n1", "n2")
PROGRAMS = ("munged", "slurmctld", "slurmd", "slurmdbd", "mariadbd", "mariadb-install-db", "sbatch", "setpriv")
DEADLINE = 60.0
"""Seconds in which a daemon answers; a tenth of a second where nothing else runs."""

CONF = """\
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[slurmctld]}
AuthType=auth/munge
# A job that lost its node is held until the credential of its first start is void: two minutes by default.
AuthInfo=socket={folder}/munge.socket,cred_expire=10
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
SlurmdSpoolDir={folder}/%n
StateSaveLocation={folder}/state
# Neither systemd nor cgroups are needed.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
# A node may claim more than this machine has.
SlurmdParameters=config_overrides
SlurmctldParameters=node_reg_mem_percent=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1,batch_sched_delay=0,sched_min_interval=0
# A dead node and a time limit are noticed in seconds.
SlurmdTimeout=10
SlurmctldTimeout=10
KillWait=3
MinJobAge=300
UnkillableStepTimeout=20
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports[slurmdbd]}
AccountingStoragePass={folder}/munge.socket
AccountingStoreFlags=job_comment
AccountingStorageTRES=gres/gpu
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
{nodes}
PartitionName=gpu Nodes=n[1-2] Default=YES DefMemPerCPU=500 State=UP PriorityTier=1
PartitionName=urgent Nodes=n[1-2] DefMemPerCPU=500 State=UP PriorityTier=2
"""
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} State=UNKNOWN Gres=gpu:fake:2"
    " CPUs={cpus} Boards=1 SocketsPerBoard=1 CoresPerSocket={cpus} ThreadsPerCore=1 RealMemory=8000"
)
DATABASE_CONF = """\
AuthType=auth/munge
AuthInfo={folder}/munge.socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={ports[slurmdbd]}
SlurmUser=root
PidFile={folder}/slurmdbd.pid
LogFile={folder}/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={ports[mariadbd]}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
"""
GRANTS = """\
create database if not exists slurm_acct_db;
create user if not exists slurm@'127.0.0.1' identified by 'slurm'; grant all on slurm_acct_db.* to slurm@'127.0.0.1';
create user if not exists slurm@localhost identified by 'slurm'; grant all on slurm_acct_db.* to slurm@localhost;
"""


def missing() -> str | None:
    """Why there can be no Slurm here, if there cannot."""
    if os.geteuid() != 0:
        return "a Slurm of its own needs root"
    absent = [program for program in PROGRAMS if _where(program) is None]
    return f"Slurm is not installed: no {', '.join(absent)}; .ci/run says how" if absent else None


class PrivateSlurm:
    """Its daemons are `munged`, `mariadbd`, `slurmdbd`, `slurmctld`, `n1` and `n2`: start, kill and start them again.

    folder: logs (`slurmctld.log`, `n1.log`) and state; cpus: of each node; environment: what a program needs to use it.
    """

    def __init__(self, folder: Path, cpus: int = 4) -> None:
        self.folder, self.cpus = folder, cpus
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = os.environ | {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": os.pathsep.join([str(folder / "bin"), *os.get_exec_path(), "/usr/sbin"]),
        }
        ports = dict(zip(["slurmctld", "slurmdbd", "mariadbd", *NODES], _free_ports(3 + len(NODES)), strict=True))
        self.port = ports["mariadbd"]
        host = socket.gethostname().split(".")[0]
        nodes = "\n".join(NODE.format(name=name, host=host, port=ports[name], cpus=cpus) for name in NODES)
        _write(folder / "slurm.conf", CONF.format(folder=folder, host=host, ports=ports, nodes=nodes))
        _write(folder / "slurmdbd.conf", DATABASE_CONF.format(folder=folder, host=host, ports=ports))
        _write(folder / "munge.key", os.urandom(1024))
        # The plugin's job step (0.6.1) drops SLURM_CONF from the environment of the srun that it starts in a job.
        _write(folder / "bin/srun", f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {_where("srun")} "$@"\n', 0o755)
        self._make_gpus()

    def start(self) -> None:
        for name in ("munged", "mariadbd", "slurmdbd", "slurmctld", *NODES):
            self.start_daemon(name)
        wait_until(lambda: self.ask("sinfo", "-hN", "-p", "gpu", "-o", "%T").split() == ["idle"] * len(NODES), "nodes")

    def start_daemon(self, name: str) -> None:
        """Start one daemon, for the first time or after its end."""
        {"mariadbd": self._start_database, "slurmdbd": self._start_accounting}.get(name, lambda: self._run(name))()

    def kill(self, name: str) -> None:
        """kill -9 of a daemon; a job of a node lives on, in the hands of its slurmstepd."""
        self.daemons[name].kill()
        self.daemons[name].wait()

    def ask(self, *command: str) -> str:
        """What a client of Slurm prints; nothing where it fails."""
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False).stdout

    def stop(self) -> None:
        """End every job, then every daemon, in the order in which they need each other."""
        with contextlib.suppress(AssertionError):
            if self.daemons["slurmctld"].poll() is None:
                self.ask("scancel", "--user=root", "--full")
                wait_until(lambda: not self.ask("squeue", "-h"), "end of all jobs", 20)
        for daemon in reversed(self.daemons.values()):
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def _start_database(self) -> None:
        data, sock = self.folder / "database", self.folder / "sql"
        if not data.exists():
            subprocess.run(
                ["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}", "--skip-test-db",
                 "--auth-root-authentication-method=normal"],
                check=True, capture_output=True,
            )  # fmt: skip
        self._run("mariadbd")
        client = ["mariadb", "--no-defaults", "-uroot", f"--socket={sock}"]
        wait_until(lambda: _works([*client, "-e", "select 1"]), "the database")
        subprocess.run([*client, "-e", GRANTS], check=True)

    def _start_accounting(self) -> None:
        self._run("slurmdbd")
        wait_until(lambda: _works(["sacctmgr", "-n", "show", "cluster"], self.environment), "slurmdbd")
        for record in (["cluster", "lab"], ["account", "lab", "Cluster=lab"], ["user", "root", "Account=lab"]):
            self.ask("sacctmgr", "-i", "add", *record)

    def _run(self, name: str) -> None:
        folder = self.folder
        command = {
            "munged": ["munged", "--foreground", "--force", f"--key-file={folder}/munge.key",
                       f"--socket={folder}/munge.socket", f"--pid-file={folder}/munged.pid",
                       f"--log-file={folder}/munged.log", f"--seed-file={folder}/munge.seed"],
            "mariadbd": ["mariadbd", "--no-defaults", "--user=root", f"--datadir={folder}/database",
                         f"--socket={folder}/sql", f"--port={self.port}", "--bind-address=127.0.0.1",
                         f"--pid-file={folder}/mariadbd.pid", "--innodb-buffer-pool-size=64M",
                         "--innodb-lock-wait-timeout=900"],
            "slurmdbd": ["slurmdbd", "-D"],
            "slurmctld": ["slurmctld", "-D"],
        }.get(name, ["slurmd", "-D", "-N", name])  # fmt: skip
        with (folder / f"{name}.out").open("ab") as output:
            self.daemons[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *command], env=self.environment, cwd=folder,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        if name == "munged":
            wait_until((folder / "munge.socket").exists, "munged")

    def _make_gpus(self) -> None:
        """Devices that are a second /dev/null: slurmd looks no closer, and sets CUDA_VISIBLE_DEVICES by them."""
        lines = []
        for name in NODES:
            for index in range(2):
                os.mknod(self.folder / f"{name}-gpu{index}", 0o20666, os.makedev(1, 3))
            lines.append(f"NodeName={name} Name=gpu Type=fake File={self.folder}/{name}-gpu[0-1]\n")
        _write(self.folder / "gres.conf", "".join(lines))


@contextlib.contextmanager
def private_slurm(folder: Path, cpus: int = 4) -> Iterator[PrivateSlurm]:
    slurm = PrivateSlurm(folder, cpus)
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()


def wait_until(holds: Callable[[], bool], what: str, seconds: float = DEADLINE) -> None:
    """Look every tenth of a second; AssertionError when the time is up."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"{what}: not within {seconds:g} s"
        time.sleep(0.1)


def _where(program: str) -> str | None:
    return shutil.which(program, path=os.pathsep.join([*os.get_exec_path(), "/usr/sbin"]))


def _works(command: list[str], environment: dict[str, str] | None = None) -> bool:
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0


def _write(path: Path, content: str | bytes, mode: int = 0o600) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
