"""What the replies of every script of the API mean, whatever was asked."""

import time
from collections.abc import Mapping
from random import SystemRandom
from types import MappingProxyType

from bulkip import followups
from bulkip.actions import ACTIONS, eq_list, eq_show
from bulkip.actions.action import Action
from bulkip.classify import classify
from bulkip.client import Judge
from bulkip.logins import LOGIN_ACTIONS
from bulkip.purse import Purse
from bulkip.settings import Job
from bulkip.wire import ApiRequest, Reply, Verdict

BESIDES: Mapping[str, Action] = MappingProxyType(
    {
        followups.CHECK: followups.ACTION,
        eq_list.LIST: eq_list.LIST_ACTION,
        eq_show.SHOW: eq_show.SHOW_ACTION,
    }
)
"""What other scripts of the API are asked, besides logins: how writes went on, where addresses are."""


def judge_of(purse: Purse, job: Job) -> Judge:
    """Return what a client needs to understand the replies to calls with tokens of this purse."""
    actions = {**ACTIONS, **LOGIN_ACTIONS, **BESIDES}

    def verdict(request: ApiRequest, reply: Reply, now: float) -> Verdict:
        return classify(request, actions[request.action], reply, redactor=purse.redactor, now=now)

    return Judge(verdict, job.limits, job.retry, SystemRandom(), time.time)
