"""How rendered parameters become a form: every parameter read, every problem kept."""

from collections.abc import Mapping, Sequence

from bulkip.actions.action import Allow, Parameter, ParameterError, Rendered

Problems = list[tuple[str, str]]


def read_form(
    parameters: Sequence[Parameter], values: Mapping[str, Rendered]
) -> tuple[dict[str, str], Problems]:
    """Return the checked parameters in their documented order, and all that is wrong with them."""
    form: dict[str, str] = {}
    problems: Problems = []
    known = 0
    for parameter in parameters:
        name = parameter.name
        value = values.get(name)
        known += value is not None and parameter.sent
        try:
            text = parameter.check(value) if value else without_value(parameter, value)
        except ValueError as wrong:
            problems.append((name, str(wrong)))
            continue
        if text is not None:
            form[name] = text
    return form, problems if known == len(values) else _unknown(parameters, values) + problems


def settled(form: dict[str, str], problems: Problems) -> dict[str, str]:
    """Return the form when nothing is wrong, else raise `ParameterError` with everything."""
    if problems:
        raise ParameterError(problems)
    return form


def ipv6_problems(form: Mapping[str, str], allow: Allow) -> Problems:
    """Return what is wrong with an IPv6 address that nobody allowed."""
    if allow.ipv6 or ":" not in form.get("ip", ""):
        return []
    return [("ip", f"{form['ip']} is IPv6, which is untested here; set safety.allow_ipv6: true to send it")]


def _unknown(parameters: Sequence[Parameter], values: Mapping[str, Rendered]) -> Problems:
    names = [parameter.name for parameter in parameters if parameter.sent]
    way_out = f"it takes {', '.join(names)}" if names else "it takes none"
    return [(name, f"is no parameter of this action; {way_out}") for name in values if name not in names]


def without_value(parameter: Parameter, value: Rendered | None) -> str | None:
    """Return what a parameter is when nothing, or an empty text, is given for it; raises ValueError."""
    if value is not None and parameter.empty_is_a_value:
        return parameter.check(value)
    if parameter.required:
        raise ValueError(f"is required ({parameter.help})")
    return parameter.default
