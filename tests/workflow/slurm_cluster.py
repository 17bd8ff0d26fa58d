"""A real Slurm on this machine: a controller and four node daemons, on loopback."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
SETTINGS = Path("/etc/slurm")
CLUSTER = "ClusterName=equicryo"
LINKS = ("slurm.conf", "gres.conf")
NODES = ("n1", "n2", "n3", "n4")
# Met only by what never comes: on a busy machine a job takes a minute to begin.
WAIT_SECONDS = 600.0
STOP_SECONDS = 15.0

# Memory is polled and enforced without cgroups. Requeued jobs wait for `cred_expire`.
# Jobs go to the node of least weight first: the others have GPUs. What kills nodes and
# jobs has a partition of its own, so that runs beside it are left alone.
SLURM_CONF = """\
{cluster}
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=10
CredType=cred/munge
SlurmctldPort={ports[0]}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherParams=OverMemoryKill
JobAcctGatherFrequency=task=1
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdTimeout=10
InactiveLimit=0
KillWait=3
MinJobAge=3600
JobRequeue=1
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,batch_sched_delay=0,bf_interval=2,sched_min_interval=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
GresTypes=gpu
AccountingStorageType=accounting_storage/none
NodeName=DEFAULT CPUs=8 RealMemory=16000
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} Weight=2 Gres=gpu:2
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} Weight=1
NodeName=n3 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[3]} Weight=2 Gres=gpu:2
NodeName=n4 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[4]} Weight=1
PartitionName=DEFAULT MaxTime=2880
PartitionName=cpu Nodes=n1,n2 Default=YES
PartitionName=gpu Nodes=n1
PartitionName=faulty Nodes=n3,n4
PartitionName=urgent Nodes=n3 PriorityTier=2
"""
GRES_CONF = "NodeName=n[1,3] Name=gpu Count=2 File=/dev/null,/dev/zero\n"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job as Slurm knows it.

    Attributes:
        number: Slurm's job id.
        run: id of the Snakemake run that submitted it.
        comment: ``rule_<rule>_wildcards_<wildcards>``, or with the group's name.
        state: e.g. ``RUNNING``.
        reason: why it is in that state.
        partition: where it runs.
        gres: generic resources, e.g. ``gres:gpu:1``; empty without.
        memory: that it asked for, e.g. ``300M``.
        node: where it runs, or ran.
        requeues: how many times Slurm put it back into the queue.
    """

    number: int
    run: str
    comment: str
    state: str
    reason: str
    partition: str
    gres: str
    memory: str
    node: str
    requeues: int


@dataclass(frozen=True)
class SlurmCluster:
    """The running daemons, with all their files in one folder."""

    folder: Path
    daemons: dict[str, subprocess.Popen] = field(default_factory=dict)

    def start(self, name: str, *command: str) -> None:
        """Start a daemon in the foreground, so that it ends with this process."""
        self.daemons[name] = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=end_with_parent,
        )

    def start_node(self, node: str) -> None:
        """Start a node's daemon and wait until jobs can go there."""
        self.start(node, "slurmd", "-D", "-N", node)
        wait_for(lambda: node_state(node) in ("idle", "mix", "alloc"), f"node {node}")

    def kill_job(self, number: int) -> None:
        """Kill what a job runs, as the kernel does where memory is short."""
        for process in job_processes(number):
            kill(process)

    def kill_node(self, node: str) -> None:
        """Kill a node's daemon and all that runs there, as a loss of power would."""
        numbers = [
            job.number
            for job in self.jobs()
            if (job.node, job.state) == (node, "RUNNING")
        ]
        self.daemons[node].kill()
        self.daemons[node].wait()
        for number in numbers:
            for process in [*step_daemons(number), *job_processes(number)]:
                kill(process)

    def stop(self, name: str) -> None:
        """Ask a daemon to end, and kill it if it does not."""
        daemon = self.daemons[name]
        daemon.terminate()
        try:
            daemon.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def jobs(self, name: str = "", *, run: str = "") -> list[Job]:
        """Return the jobs that were ever submitted, oldest first.

        Args:
            name: of a rule or group; empty for all.
            run: that submitted them; empty for all.
        """
        lines = ask("scontrol", "show", "job", "--oneliner").splitlines()
        jobs = [read_job(line) for line in lines if line.startswith("JobId=")]
        chosen = [job for job in select_jobs(jobs, name) if run in ("", job.run)]
        return sorted(chosen, key=lambda job: job.number)

    def preempt_gpus(self) -> None:
        """Let a job of more right have a GPU, and end at once."""
        ask("sbatch", "-p", "urgent", "--gres=gpu:1", "-o/dev/null", "--wrap=true")

    def limit_time(self, number: int) -> None:
        """Let a running job have a minute in all, the shortest limit of Slurm."""
        ask("scontrol", "update", f"JobId={number}", "TimeLimit=1")


def select_jobs(jobs: list[Job], name: str) -> list[Job]:
    """Return the jobs of a rule or group."""
    return [job for job in jobs if f"{job.comment}_".startswith(f"rule_{name}")]


def read_job(line: str) -> Job:
    """Read one line of ``scontrol show job --oneliner``."""
    fields = dict(part.split("=", 1) for part in line.split() if "=" in part)
    return Job(
        number=int(fields["JobId"]),
        run=fields["JobName"],
        comment=fields.get("Comment", ""),
        state=fields["JobState"],
        reason=fields["Reason"],
        partition=fields["Partition"],
        gres=fields.get("TresPerNode", ""),
        memory=fields.get("MinMemoryNode", ""),
        node=fields.get("BatchHost", ""),
        requeues=int(fields["Restarts"]),
    )


@contextmanager
def run_slurm(folder: Path) -> Iterator[SlurmCluster]:
    """Start Slurm with its files in a folder; stop it whatever happens.

    Skips the test, with a message, where Slurm cannot be started.
    """
    require_slurm()
    cluster = SlurmCluster(folder)
    try:
        configure(folder)
        for name in LINKS:
            (SETTINGS / name).unlink(missing_ok=True)
            (SETTINGS / name).symlink_to(folder / name)
        start_munge(cluster)
        cluster.start("slurmctld", "slurmctld", "-D", "-c")
        for node in NODES:
            cluster.start_node(node)
        # Asked to end, the tests end in order, as on Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        yield cluster
    finally:
        kill_all_jobs()
        for name in reversed(cluster.daemons):
            cluster.stop(name)
        for name in LINKS:
            (SETTINGS / name).unlink(missing_ok=True)


def require_slurm() -> None:
    """Skip where Slurm is missing, is another's, or may not be started."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)}: apt-get install slurm-wlm munge")
    if os.geteuid() != 0:
        pytest.skip("the Slurm daemons of the test are started as root")
    settings = SETTINGS / "slurm.conf"
    if settings.exists() and CLUSTER not in settings.read_text():
        pytest.skip(f"{settings} belongs to a cluster: the test would replace it")
    if "UP" in ask("scontrol", "ping", check=False):
        pytest.skip("a Slurm controller runs on this machine already")


def configure(folder: Path) -> None:
    (folder / "state").mkdir(parents=True)
    host = socket.gethostname().split(".")[0]
    text = SLURM_CONF.format(
        cluster=CLUSTER, host=host, folder=folder, ports=free_ports(1 + len(NODES))
    )
    (folder / "slurm.conf").write_text(text)
    (folder / "gres.conf").write_text(GRES_CONF)
    for node in NODES:
        (folder / f"spool.{node}").mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)


def start_munge(cluster: SlurmCluster) -> None:
    folder = cluster.folder
    cluster.start(
        "munged",
        "munged",
        "--foreground",
        "--force",
        f"--key-file={folder}/munge.key",
        f"--socket={folder}/munge.sock",
        f"--pid-file={folder}/munged.pid",
        f"--log-file={folder}/munged.log",
        f"--seed-file={folder}/munged.seed",
    )
    wait_for((folder / "munge.sock").exists, "munged")


def end_with_parent() -> None:
    """Let a daemon end when the tests do, even when they are killed."""
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


def free_ports(count: int) -> list[int]:
    """Return ports on which nothing listens."""
    with_port = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in with_port]
    for server in with_port:
        server.close()
    return ports


def node_state(node: str) -> str:
    """Return a node's state, e.g. ``idle``; ``down*`` when it does not answer."""
    said = ask("sinfo", "--noheader", "--nodes", node, "--format=%t", check=False)
    return said.split("\n")[0].strip()


def job_processes(number: int) -> list[int]:
    """Return the processes of a job, but for Slurm's own."""
    mark = f"SLURM_JOB_ID={number}".encode()
    return [pid for pid, _, held in list_processes() if mark in held]


def step_daemons(number: int) -> list[int]:
    """Return Slurm's processes that look after the steps of a job."""
    mark = f"slurmstepd: [{number}.".encode()
    return [pid for pid, command, _ in list_processes() if command.startswith(mark)]


def kill_all_jobs() -> None:
    """Kill what jobs of this cluster still run, and what looks after them."""
    mark = f"SLURM_CLUSTER_NAME={CLUSTER.partition('=')[2]}".encode()
    for pid, command, held in list_processes():
        if mark in held or command.startswith(b"slurmstepd: ["):
            kill(pid)


def list_processes() -> Iterator[tuple[int, bytes, list[bytes]]]:
    """Yield id, command line and environment of each process."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        yield int(folder.name), command, environment


def kill(process: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to a process that may be gone."""
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return


def ask(*command: str, check: bool = True) -> str:
    """Run a command and return what it prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode:
        pytest.fail(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def wait_for(
    holds: Callable[[], object], what: str, seconds: float = WAIT_SECONDS
) -> None:
    """Wait until something holds; fail after a while."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.2)
