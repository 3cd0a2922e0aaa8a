"""What is wrong with a job, as its author is told."""

from pathlib import Path

from bulkip.settings import load_job


def told(text: str) -> list[str]:
    """Return what is wrong with a job of this text, written into the current folder, as it is shown."""
    Path("job.yaml").write_text(text, encoding="utf-8")
    return [str(problem) for problem in load_job("job.yaml").problems]
