"""deploy/flap.sbatch on a real Slurm of two nodes: the same bits as one local worker, and nothing left."""

import re

import pytest
import slurm_cluster
from cluster_programs import (
    COORDINATOR,
    END_SECONDS,
    ROOT,
    Metrics,
    checksums,
    free_port,
    is_running,
    options,
    processes,
    wait_until,
)


@pytest.fixture(scope="module")
def slurm(programs, tmp_path_factory):
    if reason := slurm_cluster.obstacle():
        pytest.skip(reason)
    with slurm_cluster.SlurmCluster(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


@pytest.fixture
def submit(slurm, reference, tmp_path):
    """Submits deploy/flap.sbatch; the job is cancelled after the test."""
    jobs = []

    def submit(output, *more):
        metrics = Metrics(free_port())
        text = slurm.call(
            "sbatch", "--parsable", "--nodes=2", "--cpus-per-task=1", "--time=3", "--no-requeue",
            f"--output={tmp_path}/job-%j.log", ROOT / "deploy/flap.sbatch",
            # The nodes' names are known to Slurm alone: by which address they reach this one is said.
            *options(reference.tokens, output), "--listen", "127.0.0.1",
            "--metrics", f"127.0.0.1:{metrics.port}", *more,
            environment={"FLAP_COORD": str(COORDINATOR)},
        )  # fmt: skip
        job = re.match(r"\d+", text)[0]
        jobs.append(job)
        return job, metrics

    yield submit
    for job in jobs:
        if slurm.state(job) in ("PENDING", "RUNNING", "COMPLETING"):
            slurm.call("scancel", "--signal=KILL", "--full", job)
    # The next test finds both nodes free.
    wait_until(slurm.is_ready, 30, "two idle nodes")


def log_of(tmp_path, job):
    path = tmp_path / f"job-{job}.log"
    return path.read_text(errors="replace")[-3000:] if path.exists() else "(no log)"


def wait_for(slurm, job, seconds, tmp_path):
    """Until the job is in a final state; returns it."""
    going = ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING")

    def final():
        state = slurm.state(job)
        return state if state not in going else None

    return wait_until(final, seconds, f"the end of job {job}\n{log_of(tmp_path, job)}")


def running(slurm):
    """Programs of this project, and srun, that this Slurm has started: (process id, name)."""
    mine = set(slurm.all_processes())
    names = ("flap-coord", "flap-worker", "srun")
    return [(pid, name) for pid, name, _ in processes() if pid in mine and name in names and is_running(pid)]


def test_batch_script(slurm, submit, reference, tmp_path):
    """A worker on each node, none twice; the result is that of one local worker."""
    output = tmp_path / "out"
    job, metrics = submit(output)
    wait_until(lambda: metrics.read() or metrics.joins >= 2, 40, f"two workers\n{log_of(tmp_path, job)}")
    state = wait_for(slurm, job, 90, tmp_path)
    assert (state, slurm.exit_code(job)) == ("COMPLETED", 0), log_of(tmp_path, job)
    assert metrics.joins == 2
    assert checksums(output) == reference.checksums
    wait_until(lambda: not running(slurm), END_SECONDS, "no program of the job is left")


def test_cancelled_job_leaves_nothing_and_goes_on(slurm, submit, reference, tmp_path):
    """scancel in the middle ends every program; the same command again goes on to the same bits."""
    output = tmp_path / "out"
    job, metrics = submit(output)
    wait_until(lambda: metrics.is_halfway(2), 60, f"the middle of calibration\n{log_of(tmp_path, job)}")
    assert [name for _, name in running(slurm)].count("flap-worker") == 2
    slurm.call("scancel", job)
    try:
        wait_until(lambda: not running(slurm), END_SECONDS, "no program of the job is left")
    except AssertionError:
        pytest.fail(f"still there: {running(slurm)}\n{log_of(tmp_path, job)}")
    assert wait_for(slurm, job, 20, tmp_path) == "CANCELLED"
    assert not list(output.glob("*.safetensors")), "an unfinished run has written no checkpoint"
    again, _ = submit(output)
    state = wait_for(slurm, again, 90, tmp_path)
    assert (state, slurm.exit_code(again)) == ("COMPLETED", 0), log_of(tmp_path, again)
    assert checksums(output) == reference.checksums


def test_failure_is_the_jobs_failure(slurm, submit, tmp_path):
    """Slurm sees the coordinator's exit code."""
    job, _ = submit(tmp_path / "out", "--model", "/nowhere")
    assert wait_for(slurm, job, 40, tmp_path) == "FAILED"
    assert slurm.exit_code(job) != 0
