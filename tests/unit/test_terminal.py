"""Where a pipeline is recognised, and when colours are wanted."""

from collections.abc import Mapping

import pytest

from bulkip.progress.terminal import colours_wanted, in_pipeline


@pytest.mark.parametrize(
    ("env", "told"),
    [
        pytest.param({}, False, id="nothing"),
        pytest.param({"CI": "true"}, True, id="ci"),
        pytest.param({"CI": "1"}, True, id="ci-as-number"),
        pytest.param({"CI": "woodpecker"}, True, id="ci-with-a-name"),
        pytest.param({"CI": "false"}, False, id="ci-false"),
        pytest.param({"CI": "False "}, False, id="ci-false-with-blank"),
        pytest.param({"CI": "0"}, False, id="ci-0"),
        pytest.param({"CI": ""}, False, id="ci-empty"),
        pytest.param({"CI": "false", "GITHUB_ACTIONS": "true"}, False, id="ci-decides"),
        pytest.param({"GITHUB_ACTIONS": "true"}, True, id="github"),
        pytest.param({"GITLAB_CI": "true"}, True, id="gitlab"),
        pytest.param({"GITLAB_CI": "false"}, False, id="gitlab-false"),
        pytest.param({"JENKINS_URL": "https://ci.example.net/"}, True, id="jenkins"),
        pytest.param({"TF_BUILD": "True"}, True, id="azure"),
        pytest.param({"CICADA": "1"}, False, id="another-name"),
    ],
)
def test_pipeline_is_known_by_its_environment(env: Mapping[str, str], *, told: bool) -> None:
    """`CI` decides unless it is not set; else any variable of a known service does."""
    assert in_pipeline(env) is told


@pytest.mark.parametrize(
    ("env", "wanted"),
    [
        pytest.param({}, True, id="nothing"),
        pytest.param({"NO_COLOR": "1"}, False, id="no-color"),
        pytest.param({"NO_COLOR": "0"}, False, id="no-color-of-any-value"),
        pytest.param({"NO_COLOR": ""}, True, id="no-color-empty"),
        pytest.param({"CLICOLOR": "0"}, False, id="clicolor-off"),
        pytest.param({"CLICOLOR": "1"}, True, id="clicolor-on"),
        pytest.param({"CLICOLOR": "0", "CLICOLOR_FORCE": "1"}, True, id="force-beats-off"),
        pytest.param({"CLICOLOR": "0", "CLICOLOR_FORCE": "0"}, False, id="force-of-0-forces-nothing"),
        pytest.param({"CLICOLOR": "0", "FORCE_COLOR": "1"}, True, id="the-other-name-of-force"),
        pytest.param({"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, False, id="no-color-beats-force"),
    ],
)
def test_colours_follow_the_conventions(env: Mapping[str, str], *, wanted: bool) -> None:
    """NO_COLOR beats CLICOLOR_FORCE, which beats CLICOLOR=0."""
    assert colours_wanted(env) is wanted
