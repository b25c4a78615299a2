"""A job server that answers from a script, and a clock that only those who wait move."""

from dataclasses import replace

from qhn.core.errors import NotFoundError
from qhn.sweeps.jobs.following import Clock
from qhn.sweeps.jobs.server import JobState

RAYS_LINES = "2026-12-01 INFO job_manager.py:568 -- Runtime env is setting up.\n"


def printed(job, text):
    """What Ray keeps as the output of a job."""
    return f"{RAYS_LINES}Running entrypoint for job {job.job_id}: {job.command}\n{text}"


class ScriptedServer:
    """Each job goes through a script of (status, exit code, text so far), a look at a time.

    A text may be an error, which that look raises.
    """

    address = "http://head:8265"

    def __init__(self, *scripts):
        self.scripts = list(scripts)
        self.submitted, self.files, self.stopped, self.forgotten = [], [], [], []
        self.known = {}
        self.time_ms = 0
        self._jobs, self._texts, self._left = {}, {}, {}

    def add(self, state, text=""):
        self.known[state.job_id], self._texts[state.job_id] = state, text

    def submit(self, job):
        self.submitted.append(job)
        files = [] if job.folder is None else job.folder.iterdir()
        self.files.append({path.name: path.read_bytes() for path in files})
        self._jobs[job.job_id], self._left[job.job_id] = job, list(self.scripts.pop(0))
        self.time_ms += 1
        self.add(JobState(job.job_id, "PENDING", about=dict(job.about), started_ms=self.time_ms))

    def state(self, job_id):
        if job_id not in self.known:
            raise NotFoundError("no such job")
        if self._left.get(job_id):
            status, code, text = self._left[job_id].pop(0)
            if isinstance(text, BaseException):
                raise text
            self.known[job_id] = replace(self.known[job_id], status=status, exit_code=code)
            self._texts[job_id] = printed(self._jobs[job_id], text)
        return self.known[job_id]

    def jobs(self):
        return list(self.known.values())

    def output(self, job_id):
        return self._texts[job_id]

    def stop(self, job_id):
        self.stopped.append(job_id)
        self.known[job_id] = replace(self.known[job_id], status="STOPPED")

    def forget(self, job_id):
        self.forgotten.append(job_id)
        del self.known[job_id]


class FakeTime:
    """A clock that moves when somebody sleeps."""

    def __init__(self):
        self.time = 0.0
        self.clock = Clock(lambda: self.time, self._sleep)

    def _sleep(self, seconds):
        self.time += seconds
