"""Which call does an item make next, and what does its answer show of the item?"""

from bulkip.actions import ACTIONS
from bulkip.actions.eq_list import search_request
from bulkip.course import Course
from bulkip.followups import check_request
from bulkip.frozen import replace
from bulkip.model import Item, Purpose
from bulkip.wire import ApiRequest, Verdict, VerdictKind

READINGS = frozenset({Purpose.BEFORE, Purpose.READBACK, Purpose.VERIFY})


def request_of(item: Item, course: Course) -> ApiRequest:
    """Return the request for the purpose that is next."""
    action = ACTIONS[item.action]
    if course.next is Purpose.LOOKUP:
        return search_request(item.ip or "") if course.callback is None else check_request(course.callback)
    if course.next is Purpose.CALL or action.read_back is None:
        return ApiRequest(action.name, item.form, writes=action.writes)
    return action.read_back.request(item.form)


def with_shown(item: Item, course: Course, verdict: Verdict) -> Verdict:
    """Add to the answer of a reading what it shows of its item."""
    read_back = ACTIONS[item.action].read_back
    if read_back is None or verdict.kind is not VerdictKind.SUCCESS or course.next not in READINGS:
        return verdict
    return replace(verdict, shown=read_back.shown(item.form, verdict.value))
