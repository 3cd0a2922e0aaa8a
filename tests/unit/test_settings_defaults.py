"""Every setting may be stated with its default."""

import pytest

from tests.jobtexts import told

HEAD = "version: 1\ntargets: [203.0.113.7]\nactions: [{action: get_ip}]\n"


pytestmark = pytest.mark.usefixtures("empty_folder")


def test_every_setting_may_state_its_default() -> None:
    """A setting at its default changes nothing."""
    text = (
        HEAD + "breaker: {after: 10, give_up: 5m}\nretry: {budget: 500}\ntimeouts: {item: 5m, job: none}\n"
        "safety: {max_failed: 5%, min_sample: 20, forward: warn, max_changes: none}\n"
        "rollout: {steps: [100%], pause: 0s}\nverify: {mode: none, resolvers: authoritative, timeout: 2m}\n"
    )

    assert told(text) == []
