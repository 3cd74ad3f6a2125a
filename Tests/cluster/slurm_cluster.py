"""Slurm on one machine: munged, slurmctld and two slurmd with a folder, ports and keys of their own."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess

from cluster_programs import free_port, missing, wait_until


def obstacle():
    """Why there can be no Slurm here; None if there can."""
    if os.geteuid() != 0:
        return "slurmctld and slurmd run as root here"
    if reason := missing("slurmctld", "slurmd", "sbatch", "squeue", "scancel", "srun", "munged", "mungekey"):
        return f"{reason} (Debian: slurm-wlm munge)"
    return None


class SlurmCluster:
    """Two nodes; a context. ``environment`` leads Slurm's commands to it."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = []
        self.nodes = ["flap1", "flap2"]
        self.configuration = folder / "slurm.conf"
        self.munge_socket = folder / "munge.socket"
        self.environment = {
            "SLURM_CONF": str(self.configuration),
            "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin",
        }

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        # munged wants its own folder to be nobody else's.
        self.folder.chmod(0o755)
        key = self.folder / "munge.key"
        self.call("mungekey", "--create", "--keyfile", key, "--bits", "1024")
        self.run(
            "munged", "--foreground", "--force", f"--socket={self.munge_socket}", f"--key-file={key}",
            f"--pid-file={self.folder}/munged.pid", f"--log-file={self.folder}/munged.log",
            f"--seed-file={self.folder}/munged.seed",
        )  # fmt: skip
        wait_until(self.munge_socket.exists, 10, f"munged: {self.logs()}")
        self.write_configuration()
        self.run("slurmctld", "-D", "-i")
        for node in self.nodes:
            self.run("slurmd", "-D", "-N", node)
        wait_until(self.is_ready, 30, f"two idle nodes: {self.logs()}")

    def write_configuration(self):
        host = socket.gethostname().split(".")[0]
        for name in ("state", "spool-flap1", "spool-flap2"):
            (self.folder / name).mkdir()
        lines = [
            "ClusterName=flap",
            f"SlurmctldHost={host}(127.0.0.1)",
            f"SlurmctldPort={free_port()}",
            "SlurmUser=root",
            "AuthType=auth/munge",
            f"AuthInfo=socket={self.munge_socket}",
            "CredType=cred/munge",
            f"StateSaveLocation={self.folder}/state",
            f"SlurmdSpoolDir={self.folder}/spool-%n",
            f"SlurmctldPidFile={self.folder}/slurmctld.pid",
            f"SlurmdPidFile={self.folder}/slurmd-%n.pid",
            f"SlurmctldLogFile={self.folder}/slurmctld.log",
            f"SlurmdLogFile={self.folder}/slurmd-%n.log",
            "ProctrackType=proctrack/pgid",
            "TaskPlugin=task/none",
            "SelectType=select/cons_tres",
            "SelectTypeParameters=CR_Core",
            # The nodes share this machine: what they really have does not matter.
            "SlurmdParameters=config_overrides",
            "ReturnToService=2",
            "MpiDefault=none",
            "SwitchType=switch/none",
            "JobCompType=jobcomp/none",
            "AccountingStorageType=accounting_storage/none",
            "SchedulerParameters=sched_interval=1,batch_sched_delay=0,defer",
            # A cancelled job has this long to end by itself.
            "KillWait=5",
        ]
        for node in self.nodes:
            lines.append(f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={free_port()} CPUs=1")
        lines.append("PartitionName=all Nodes=ALL Default=YES MaxTime=10 State=UP")
        self.configuration.write_text("\n".join(lines) + "\n")

    def run(self, *command):
        """Starts a daemon in the foreground."""
        with (self.folder / f"{command[0]}-{len(self.processes)}.out").open("w") as output:
            self.processes.append(
                subprocess.Popen(
                    list(map(str, command)), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                    env={**os.environ, **self.environment}, start_new_session=True,
                )
            )  # fmt: skip

    def call(self, *command, timeout=20, environment=None):
        result = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, timeout=timeout,
            env={**os.environ, **self.environment, **(environment or {})},
        )  # fmt: skip
        if result.returncode != 0:
            raise OSError(f"{' '.join(map(str, command))}: {result.returncode} {result.stderr.strip()}")
        return result.stdout

    def is_ready(self):
        for process in self.processes:
            assert process.poll() is None, f"{process.args[0]} ended\n{self.logs()}"
        with contextlib.suppress(OSError):
            return self.call("sinfo", "--noheader", "--Node", "--format=%t").split() == ["idle"] * len(self.nodes)

    def logs(self):
        paths = [*self.folder.glob("*.log"), *self.folder.glob("*.out")]
        return "\n".join(f"{path.name}: {path.read_text(errors='replace')[-600:]}" for path in paths)

    def state(self, job):
        """PENDING, RUNNING, COMPLETED, …; None when Slurm has forgotten it."""
        with contextlib.suppress(OSError):
            return self.call("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T").strip() or None

    def exit_code(self, job):
        fields = self.call("scontrol", "show", "job", job)
        return int(fields.split(" ExitCode=")[1].split(":")[0])

    def __exit__(self, *_):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            self.call("scancel", "--signal=KILL", "--full", "--user=root")
        # slurmstepd, which runs a job, is in a session of its own, and so are the job's programs.
        for pid in self.all_processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in reversed(self.processes):
            process.kill()
            process.wait(10)

    def all_processes(self):
        """Ids of what has this cluster's configuration in its environment."""
        mark = f"SLURM_CONF={self.configuration}".encode()
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    if mark in (entry / "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
        return found
