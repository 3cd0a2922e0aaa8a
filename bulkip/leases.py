"""Which moments may a process call at, when several share a rate? Slots, leased one after the other.

All times are Unix seconds of one clock, that of whoever keeps the standing.
Slots lie evenly, so that no window of the rate holds too many of them, whoever
they were leased to.
"""

from dataclasses import dataclass, replace

LEAST_SHARE = 0.1
REGAINED_PER_S = 0.1
"""The adaptive rate never falls below a tenth of `rate`, and regains a tenth of it per second."""
HEEDED_S = 60.0
"""So long a slower pace than one's own holds for all after it was last asked for."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the slots of an account are leased, until when all calls are held, and how fast they may be.

    `share` is the part of the pace that was left at `share_at`; it is regained
    from then on. `step_s` is the distance between slots that the slowest of
    the processes wants, as it said at `step_at`.
    """

    free_at: float = 0.0
    held_until: float = 0.0
    share: float = 1.0
    share_at: float = 0.0
    step_s: float = 0.0
    step_at: float = 0.0

    def share_now(self, now: float) -> float:
        """Return the fraction of the pace that is handed out now, from a tenth to one."""
        return share_at(self.share, self.share_at, now)


@dataclass(frozen=True, slots=True)
class Ask:
    """What a process wants: so many slots, `step_s` apart, none sooner than `lead_s` from now.

    `hold_s` tells that the provider asked for silence for so long, `slowed`
    that the pace is to be halved.
    """

    count: int
    step_s: float
    lead_s: float = 0.0
    hold_s: float = 0.0
    slowed: bool = False


@dataclass(frozen=True, slots=True)
class Lease:
    """What it gets: `count` slots from `first` on, `step_s` apart; none while calls are held.

    `now` is when it was given, by the clock of all these times.
    """

    now: float
    first: float
    step_s: float
    count: int
    held_until: float
    share: float


def share_at(share: float, since: float, now: float) -> float:
    """Return what a share of the pace has grown to that was left at one time, from a tenth to one."""
    return min(1.0, share + REGAINED_PER_S * max(0.0, now - since))


def halved(share: float) -> float:
    """Return half of a share of the pace, a tenth at the least."""
    return max(LEAST_SHARE, share / 2)


def leased(standing: Standing, ask: Ask, now: float) -> tuple[Standing, Lease]:
    """Return the standing after an ask, and what was leased.

    Answers to calls that were sent before a cool-down began do not halve the
    pace again, whichever process got them.
    """
    share, held_until = standing.share_now(now), standing.held_until
    if ask.slowed and held_until <= now:
        share = halved(share)
    held_until = max(held_until, now + ask.hold_s) if ask.hold_s > 0 else held_until
    slower = standing.step_s > ask.step_s and now - standing.step_at < HEEDED_S
    step_s, step_at = (standing.step_s, standing.step_at) if slower else (ask.step_s, now)
    first, spaced_s = max(now + ask.lead_s, standing.free_at), step_s / share
    count = 0 if held_until > now else ask.count
    after = replace(
        standing,
        free_at=first + count * spaced_s if count else standing.free_at,
        held_until=held_until,
        share=share,
        share_at=max(now, held_until),
        step_s=step_s,
        step_at=step_at,
    )
    return after, Lease(now, first, spaced_s, count, held_until, share)
