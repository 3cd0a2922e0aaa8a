"""What a template may do at most: a Jinja2 sandbox with few filters and methods, all of them bounded.

Jinja2's own sandbox keeps a template away from Python; it does not keep it
from asking for a gigabyte.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from jinja2 import StrictUndefined, Undefined
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bulkip.templates import bounds
from bulkip.templates.address import Address
from bulkip.templates.scope import Row

NO_FIELD = "the row has no field"
_FIELDS_SHOWN = 20
_OCTETS = frozenset({"o1", "o2", "o3", "o4"})
_PATTERNED = frozenset({"center", "ljust", "rjust", "zfill", "strftime"})


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of a job's templates."""

    kept_filters: ClassVar = frozenset(
        {"abs", "capitalize", "count", "d", "default", "first", "float", "int", "join", "last", "length"}
        | {"list", "lower", "max", "min", "replace", "reverse", "sort", "string", "title", "trim"}
        | {"truncate", "unique", "upper"}
    )
    kept_methods: ClassVar = _PATTERNED | frozenset(
        {"capitalize", "casefold", "count", "date", "endswith", "find", "format", "get", "index", "isalnum"}
        | {"isalpha", "isdigit", "isoformat", "isoweekday", "items", "join", "keys", "lower", "lstrip"}
        | {"partition", "removeprefix", "removesuffix", "replace", "rfind", "rpartition", "rsplit"}
        | {"rstrip", "small_range", "split", "startswith", "strip", "title", "upper", "values", "weekday"}
    )
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, finalize=bounds.printable, keep_trailing_newline=True)
        kept = {name: bounds.guarded(self.filters[name]) for name in self.kept_filters}
        own = {"bounded": bounds.bounded, "elements": bounds.elements, "flat": bounds.flat}
        self.filters = kept | own | {"date": bounds.dated, "format": bounds.formatted}
        self.globals = {"range": bounds.small_range}
        self.binop_table |= {"+": bounds.add, "*": bounds.multiply}
        self.binop_table |= {"**": bounds.power, "%": bounds.remainder}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return a field of a row, mapping or address, else a safe attribute."""
        if isinstance(obj, Address) and attribute in _OCTETS and ":" in obj:
            hint = f"{obj} is IPv6 and has no octets; use dashed, hex or exploded"
            return self.undefined(hint=hint, name=attribute)
        if isinstance(obj, dict) and (attribute in obj or isinstance(obj, Row)):
            return self.getitem(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an element; a field that a row does not have is undefined with the fields it has."""
        if not isinstance(obj, Row):
            return super().getitem(obj, argument)
        if argument in obj:
            return obj[argument]
        hint = f"{NO_FIELD} {str(argument)[:60]!r}; it has {_fields(obj)}"
        return self.undefined(hint=hint, name=argument)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Return the sandboxed form of a text's `format`, once its pattern is known to stay small."""
        wrapped = super().wrap_str_format(value)
        if wrapped is not None:
            bounds.refuse_wide(value.__self__)
        return wrapped

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call one of the allowed methods, with bounded arguments and a bounded result."""
        if isinstance(obj, Undefined):
            return obj(*args, **kwargs)  # raises with its own message
        name = getattr(obj, "__name__", "this")
        if name not in self.kept_methods:
            raise SecurityError(f"{name}() is not available in a template")
        if name in _PATTERNED:
            bounds.refuse_wide(args)
        return bounds.guarded(super().call)(context, obj, *args, **kwargs)


def _fields(row: Row) -> str:
    names = [repr(name) for name in list(row)[:_FIELDS_SHOWN]]
    more = ["…"] if len(row) > len(names) else []
    return ", ".join(names + more) or "none"
