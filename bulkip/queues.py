"""Which queue do the shards of an account wait in, and whose secret does a worker need for it? As JSON."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from bulkip.policy import Api, SecretRef, SecretSource

DIGITS = 12
"""So many digits of an account's digest tell accounts apart; they tell nothing of its secret."""


@dataclass(frozen=True, slots=True)
class AccountQueue:
    """The queue of an account: its label, the digest of URL and secret, and where the secret may be found.

    One of several accounts of a job has its name and its `place` among them, from 1.
    """

    label: str
    digest: str
    api: Api
    account: str = ""
    place: int | None = None

    @property
    def name(self) -> str:
        """How the queue is called."""
        return f"{self.label}@{self.digest[:DIGITS]}"

    def is_wanted(self, labels: Collection[str]) -> bool:
        """Say whether it is among the queues that a worker was told to serve; none means all."""
        return not labels or self.label in labels or self.name in labels


def queues_told(queues: Collection[AccountQueue]) -> str:
    """Return queues as JSON; no secret is in it, only where to find one."""
    return json.dumps(
        [
            {
                "label": one.label,
                "digest": one.digest,
                "url": one.api.url,
                "token": _told(one.api.token),
                "key": _told(one.api.key),
                "account": one.account,
                "place": one.place,
            }
            for one in queues
        ]
    )


def queues_of(text: str) -> list[AccountQueue]:
    """Return the queues of a JSON text; those that cannot be read are none."""
    try:
        kept = json.loads(text)
        return [
            AccountQueue(one["label"], one["digest"], _api(one), one["account"], one["place"]) for one in kept
        ]
    except (KeyError, TypeError, ValueError):
        return []


def _told(ref: SecretRef | None) -> list[str] | None:
    return None if ref is None else [ref.source.value, ref.name]


def _api(kept: Any) -> Api:
    return Api(url=kept["url"], token=_ref(kept["token"]), key=_ref(kept["key"]))


def _ref(kept: Any) -> SecretRef | None:
    return None if kept is None else SecretRef(SecretSource(kept[0]), str(kept[1]))
