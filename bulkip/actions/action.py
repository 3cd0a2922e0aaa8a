"""What one action of the API is: its parameters, its answer, and how a write of it is read back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bulkip.model import JsonValue
from bulkip.wire import ApiRequest

Rendered = str | tuple[str, ...]
"""A parameter after its template was rendered: text, or a YAML list of texts."""


class AnswerShapeError(ValueError):
    """Raised by a parser when a successful envelope does not hold the action's own answer."""


class ParameterError(ValueError):
    """Raised with every bad parameter of one item: its name and what is wrong with the value."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        """Keep pairs of parameter name and message."""
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{name}: {message}" for name, message in self.problems))


@dataclass(frozen=True, slots=True)
class Allow:
    """What the author of a step allowed in so many words."""

    empty: bool = False
    ipmi: bool = False
    ipv6: bool = False


def as_given(value: Rendered) -> str:
    """Return a text unchanged; a list becomes its lines."""
    return value if isinstance(value, str) else "\n".join(value)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an action, as `bulkip actions NAME` explains it.

    `check` returns the text to send, or raises `ValueError`. An empty text
    counts as not given unless `empty_is_a_value`. A parameter that is not
    `sent` only helps to make others (`period` of get_traffic).
    """

    name: str
    help: str
    required: bool = False
    default: str | None = None
    check: Callable[[Rendered], str] = as_given
    empty_is_a_value: bool = False
    sent: bool = True


@dataclass(frozen=True, slots=True)
class ReadBack:
    """How a read shows what a write left behind.

    `request` makes the read from the form of the write, `wanted` says what it
    shows when the write has happened, and `shown` what its typed answer shows;
    None when that tells nothing. The same read is made before the write, so
    that the value there is known, unless the form alone says what is shown
    when the write has not happened: `undone`.
    """

    request: Callable[[Mapping[str, str]], ApiRequest]
    wanted: Callable[[Mapping[str, str]], tuple[str, ...]]
    shown: Callable[[Mapping[str, str], JsonValue], tuple[str, ...] | None]
    undone: Callable[[Mapping[str, str]], tuple[str, ...]] | None = None


def no_objections(_form: Mapping[str, str], _allow: Allow) -> Sequence[tuple[str, str]]:
    """Return nothing: parameters that are right by themselves are right together."""
    return ()


@dataclass(frozen=True, slots=True)
class Action:
    """One action of the API.

    `build` turns rendered parameters (the address is under "ip") into the form
    to send, and raises `ParameterError` with all that is wrong: what the check
    of each parameter says, then the `objections` to the form that they make.
    `parse` turns a successful envelope into the typed answer, and raises
    `AnswerShapeError`; `empty` is the answer when the server says that there is
    nothing. `self_evident` says that a valid answer proves success by itself.
    `read_back` is None when nothing shows what a write left behind. A write
    that is not `replayable` is not sent again by itself once it is in doubt.
    """

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    build: Callable[[Mapping[str, Rendered], Allow], dict[str, str]]
    parse: Callable[[Mapping[str, JsonValue]], JsonValue]
    answer: str
    example: str
    needs_ip: bool = True
    writes: bool = False
    replayable: bool = True
    empty: JsonValue = None
    self_evident: bool = False
    read_back: ReadBack | None = None
    read_back_help: str = "a read changes nothing"
    objections: Callable[[Mapping[str, str], Allow], Sequence[tuple[str, str]]] = no_objections

    @property
    def reads_before(self) -> bool:
        """Whether the value there is read before the write."""
        return self.read_back is not None and self.read_back.undone is None

    @classmethod
    def of_our_own(
        cls,
        name: str,
        summary: str,
        parse: Callable[[Mapping[str, JsonValue]], JsonValue],
        *,
        self_evident: bool = False,
    ) -> "Action":
        """Return an action that no job can ask for: it has no parameters, and nobody reads about it."""
        return cls(
            name=name,
            summary=summary,
            parameters=(),
            build=lambda _values, _allow: {},
            parse=parse,
            answer="",
            example="",
            needs_ip=False,
            self_evident=self_evident,
        )

    def request(self, form: Mapping[str, str]) -> ApiRequest:
        """Return the call that carries out a form made by `build`."""
        return ApiRequest(self.name, form, writes=self.writes)
