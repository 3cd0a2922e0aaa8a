"""Whatever a job file holds: a job, or problems, and nothing else."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkip.settings import load_job

WORDS = [
    "version",
    "targets",
    "actions",
    "limits",
    "rate",
    "safety",
    "api",
    "url",
    "with",
    "ip",
    "csv",
    "reports",
]
NODES = st.recursive(
    st.sampled_from(["1", "null", "true", "get_ip", "1.2.3.4/8", "'!1'", "5/s", "'{{ x'", "-3", "env:A"]),
    lambda node: (
        st.lists(node, max_size=3).map(lambda entries: f"[{', '.join(entries)}]")
        | st.dictionaries(st.sampled_from(WORDS), node, max_size=4).map(
            lambda entries: f"{{{', '.join(f'{key}: {value}' for key, value in entries.items())}}}"
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(WORDS), NODES, max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_tree_gives_a_job_or_problems(tmp_path: Path, entries: dict[str, str]) -> None:
    """Whatever a job file holds, it is either a job or told what is wrong with it."""
    path = tmp_path / "job.yaml"
    path.write_text("version: 1\n" + "".join(f"{k}: {v}\n" for k, v in entries.items() if k != "version"))

    loaded = load_job(path)

    assert (loaded.job is None) == bool(loaded.problems)
