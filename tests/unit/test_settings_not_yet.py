"""Which settings are refused because they are not built yet."""

import pytest

from tests.jobtexts import told

HEAD = "version: 1\ntargets: [203.0.113.7]\nactions: [{action: get_ip}]\n"


pytestmark = pytest.mark.usefixtures("empty_folder")


@pytest.mark.parametrize(
    ("line", "setting"),
    [
        pytest.param("safety: {forward: require}", "safety.forward", id="forward"),
        pytest.param("rollout: {steps: [5, 100%]}", "rollout.steps", id="rollout-steps"),
        pytest.param("rollout: {pause: prompt}", "rollout.pause", id="rollout-pause"),
        pytest.param("rollout: {verify_between: true}", "rollout.verify_between", id="rollout-verify"),
        pytest.param("verify: {mode: fcrdns}", "verify.mode", id="verify-mode"),
        pytest.param("verify: {resolvers: ['127.0.0.1:53']}", "verify.resolvers", id="verify-resolvers"),
        pytest.param("verify: {timeout: 1m}", "verify.timeout", id="verify-timeout"),
        pytest.param("verify: {required: true}", "verify.required", id="verify-required"),
    ],
)
def test_setting_that_protects_and_is_not_built_is_refused(line: str, setting: str) -> None:
    """A protection that does not exist yet is refused, never silently ignored."""
    assert told(HEAD + line) == [told(HEAD + line)[0]]
    assert f"`{setting}` is not built yet" in told(HEAD + line)[0]


def test_setting_that_is_not_built_may_state_its_default() -> None:
    """A setting at its default changes nothing, built or not."""
    text = (
        HEAD + "breaker: {after: 10, give_up: 5m}\nretry: {budget: 500}\ntimeouts: {item: 5m, job: none}\n"
        "safety: {max_failed: 5%, min_sample: 20, forward: warn, max_changes: none}\n"
        "rollout: {steps: [100%], pause: 0s}\nverify: {mode: none, resolvers: authoritative, timeout: 2m}\n"
    )

    assert told(text) == []


@pytest.mark.parametrize("name", ["html", "junit", "sarif", "md", "parquet", "tap"])
def test_report_format_that_is_not_built_is_refused(name: str) -> None:
    """A known report format that comes later says so."""
    assert f"report format `{name}` is not built yet" in told(f"{HEAD}reports: [{name}=x]")[0]
