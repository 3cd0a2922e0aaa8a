"""The action get_traffic: how much went in and out of an address in a period?"""

from collections.abc import Mapping

from bulkip.actions.action import Action, Allow, AnswerShapeError, Parameter, Rendered
from bulkip.actions.checks import address, flag, unix_seconds
from bulkip.actions.forms import Problems, ipv6_problems, read_form, settled
from bulkip.actions.shapes import amount_in, moment_in, object_in
from bulkip.model import JsonValue

PARAMETERS = (
    Parameter("ip", "the address to look up", required=True, check=address),
    Parameter("period", "sets start and stop: yesterday, last-month, 2026-09, A..B", sent=False),
    Parameter("period_start", "first second, Unix time; or give period:", required=True, check=unix_seconds),
    Parameter("period_stop", "second after the last; or give period:", required=True, check=unix_seconds),
    Parameter("summary", "1: one total, 0: a row per timestamp", default="0", check=flag),
    Parameter("unbilled", "1: unpaid traffic only, 0: all traffic", default="0", check=flag),
)


def build(values: Mapping[str, Rendered], allow: Allow) -> dict[str, str]:
    """Return the form with all five fields: summary and unbilled go out as 0 where nobody sets them."""
    form, problems = read_form(PARAMETERS, values)
    return settled(form, problems + objections(form, allow))


def objections(form: Mapping[str, str], allow: Allow) -> Problems:
    """Return what is wrong with a form whose parameters are right."""
    return ipv6_problems(form, allow) + _period_problems(form)


def parse(envelope: Mapping[str, JsonValue]) -> JsonValue:
    """Return the rows, or in and out of a summary, in GB as the server reports them.

    The page does not show a summary: a row without timestamp, an object, or
    in and out at the top are taken for one.
    """
    traffic = envelope.get("traffic")
    if isinstance(traffic, list):
        return _rows(traffic)
    if traffic is None:
        return _total(envelope, "")
    return _total(object_in(traffic, "traffic"), "traffic.")


def _period_problems(form: Mapping[str, str]) -> Problems:
    start, stop = form.get("period_start"), form.get("period_stop")
    if start is None or stop is None or int(start) < int(stop):
        return []
    return [("period_stop", f"{stop} is not after period_start {start}; a period ends after it starts")]


def _rows(rows: list[JsonValue]) -> JsonValue:
    if len(rows) == 1 and "timestamp" not in object_in(rows[0], "traffic[0]"):
        return _total(object_in(rows[0], "traffic[0]"), "traffic[0].")
    return {"traffic": [_row(row, f"traffic[{index}]") for index, row in enumerate(rows)]}


def _row(value: JsonValue, field: str) -> JsonValue:
    row = object_in(value, field)
    return {"timestamp": moment_in(row.get("timestamp"), f"{field}.timestamp"), **_total(row, f"{field}.")}


def _total(holder: Mapping[str, JsonValue], prefix: str) -> dict[str, JsonValue]:
    if "in" not in holder and "out" not in holder:
        raise AnswerShapeError(f"`{prefix}in` and `{prefix}out` are missing")
    return {name: amount_in(holder.get(name), f"{prefix}{name}") for name in ("in", "out")}


ACTION = Action(
    name="get_traffic",
    summary="inbound and outbound traffic of an address in a period",
    parameters=PARAMETERS,
    build=build,
    objections=objections,
    parse=parse,
    answer='{"traffic": [{"timestamp": "2026-09-01T00:00:00Z", "in": 1.25, "out": 0.85}]}, '
    'or {"in": 1.25, "out": 0.85} for a summary',
    empty={"in": None, "out": None},
    example="- action: get_traffic\n  period: yesterday\n  with: {summary: 1}",
)
