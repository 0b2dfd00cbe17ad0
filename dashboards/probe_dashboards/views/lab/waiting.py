"""How far a request is, in words."""

from probe import formatting
from probe.lab import Job


def progress(job: Job, doing: str) -> tuple[float, str]:
    """The share that is done, and a sentence."""
    if job.state == "waiting":
        ahead = f"; {job.ahead} before it" if job.ahead else ""
        return 0.0, f"Waiting{ahead}"
    if job.state == "opening":
        doing = f": {job.progress.said}" if job.progress.said else ""
        return 0.0, f"Opening the model{doing} ({job.seconds:.0f} s)"
    at = job.progress
    if not at.total:
        return 0.0, f"{doing} ({job.seconds:.0f} s)"
    done = min(at.done / at.total, 1.0)
    said = f"{at.said or doing}: {formatting.count(at.done)} of {formatting.count(at.total)}"
    left = job.seconds * (1 - done) / done if done > 0.02 else None
    return done, said + (f", about {left:.0f} s left" if left is not None and left >= 1 else "")
