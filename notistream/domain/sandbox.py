"""The sandbox of templates: they reach only values, and every render has a budget of work."""

from collections.abc import Iterable
from typing import Any

from jinja2 import StrictUndefined, Undefined, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from notistream.domain import sandbox_filters as filters
from notistream.domain.sandbox_syntax import LOOP, METHOD, SLICED, WHOLE, Metering, check

FUEL = 300_000
"""Work that one render may do.

About a character touched, an item visited or a fifth of an operation each.
"""
LARGEST = 10**12
PER_OPERATION = 5
LOOP_FACTS = frozenset(
    {
        "index",
        "index0",
        "first",
        "last",
        "length",
        "revindex",
        "revindex0",
        "previtem",
        "nextitem",
        "depth",
        "depth0",
    }
)
GROUP_FACTS = frozenset({"grouper", "list"})
METHODS_OF = (
    (str, filters.TEXT_METHODS),
    (dict, filters.OBJECT_METHODS),
    (LoopContext, filters.LOOP_METHODS),
)
PRINTED = (str, int, float, type(None), Undefined)


class Metered(Context):
    """The variables of one render, and how much work it may still do."""

    fuel = FUEL

    def spend(self, amount: int) -> None:
        """Raises SecurityError where it is more than what is left."""
        self.fuel -= amount
        if self.fuel < 0:
            raise SecurityError("it takes too much work: fewer or smaller values, shorter loops")

    def touch(self, value: object) -> None:
        """Pay for all that is in a value."""
        self.spend(len(value) if isinstance(value, str) else weight(value, self.fuel))


def weight(value: object, limit: int) -> int:
    """Characters and items in a value; counting ends soon after `limit`."""
    if isinstance(value, str):
        return 1 + len(value)
    total, todo = 0, [value]
    while todo and total <= limit:
        one = todo.pop()
        if isinstance(one, str):
            total += 1 + len(one)
        elif isinstance(one, dict):
            total += 1 + 2 * len(one)
            if total <= limit:
                todo.extend(one)
                todo.extend(one.values())
        elif isinstance(one, list | tuple):
            total += 1 + len(one)
            if total <= limit:
                todo.extend(one)
        elif isinstance(one, float):
            total += 8
        elif one is None or isinstance(one, int | Undefined):
            total += 1
        else:
            raise SecurityError("only texts, numbers, lists and objects can be used here")
    return total


class Sandbox(ImmutableSandboxedEnvironment):
    """Items only, never attributes; a few filters, tests and methods.

    Everything is paid for from the budget.
    """

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})
    context_class = Metered

    def __init__(self, *, autoescape: bool) -> None:
        super().__init__(
            undefined=StrictUndefined,
            autoescape=autoescape,
            keep_trailing_newline=True,
            finalize=_printed,
        )
        self.globals.clear()
        self.filters.clear()
        self.filters.update({name: metered(func) for name, func in filters.FILTERS.items()})
        self.filters.update(
            {name: metered(func, takes=self) for name, func in filters.OF_ENVIRONMENT.items()}
        )
        self.filters.update(
            {name: _metered_each(func) for name, func in filters.OF_CONTEXT.items()}
        )
        self.filters.update(filters.FREE)
        self.filters.update({LOOP: _loop, SLICED: _sliced, WHOLE: _whole, METHOD: _method})
        self.tests.clear()
        self.tests.update({name: metered(func) for name, func in filters.TESTS.items()})
        self.tests.update(filters.FREE_TESTS)

    def measured(self, tree: nodes.Template) -> nodes.Template:
        """The tree with the meter built in, after checking it; raises SyntaxRefused."""
        check(tree)
        found: nodes.Template = Metering().visit(tree)
        found.set_environment(self)
        return found

    def getattr(self, obj: Any, attribute: str) -> Any:
        """An item of that name; of the loop and of a group, what can be known about them."""
        if isinstance(obj, dict):
            try:
                return obj[attribute]
            except KeyError:
                return self.undefined(obj=obj, name=attribute)
        known = (
            LOOP_FACTS
            if isinstance(obj, LoopContext)
            else GROUP_FACTS
            if hasattr(obj, "grouper")
            else ()
        )
        if isinstance(obj, Undefined) or attribute in known:
            return getattr(obj, attribute)
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """An item."""
        if isinstance(obj, dict | list | tuple | str):
            try:
                return obj[argument]
            except (TypeError, LookupError):
                pass
        return (
            self.getattr(obj, argument)
            if isinstance(argument, str)
            else self.undefined(obj=obj, name=argument)
        )

    def call_filter(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """A filter that `map` and the like were given by name.

        Those that pay for work are not among them.
        """
        if name not in filters.NAMES:
            raise SecurityError(f"there is no filter {name!r}")
        return super().call_filter(name, *args, **kwargs)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic of plain numbers, and `+` of texts."""
        if isinstance(left, Undefined) or isinstance(right, Undefined):
            str(left), str(right)  # the one that is missing says so
        context.spend(1)
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            context.spend(len(left) + len(right))
            return left + right
        plain = isinstance(left, int | float) and isinstance(right, int | float)
        if not plain or operator == "**" or abs(left) > LARGEST or abs(right) > LARGEST:
            raise SecurityError(f"{operator} is allowed between plain numbers only")
        return super().call_binop(context, operator, left, right)


def metered(func: filters.Function, *, takes: Sandbox | None = None) -> filters.Function:
    """The function, paid for before the call: by the size of its values; a list multiplies."""
    before = () if takes is None else (takes,)

    @pass_context
    def paid(context: Metered, value: Any = None, *args: Any, **kwargs: Any) -> Any:
        if not args and not kwargs and isinstance(value, str):
            context.spend(PER_OPERATION + len(value))
            return _listed(func(*before, value))
        size = weight(value, context.fuel)
        others = sum(weight(other, context.fuel) for other in (*args, *kwargs.values()))
        context.spend(
            PER_OPERATION
            + 3 * size
            + others * (1 if isinstance(value, str) else filters.length_of(value))
        )
        return _listed(func(*before, value, *args, **kwargs))

    return paid


def _metered_each(func: filters.Function) -> filters.Function:
    """The same for a filter that calls other filters and tests for each item.

    These pay for themselves.
    """

    @pass_context
    def paid(context: Metered, value: Any, *args: Any, **kwargs: Any) -> Any:
        others = sum(weight(other, context.fuel) for other in (*args, *kwargs.values()))
        context.spend(PER_OPERATION + filters.length_of(value) * (PER_OPERATION + others))
        return _listed(func(context, value, *args, **kwargs))

    return paid


def _listed(value: Any) -> Any:
    """Nothing lazy: what was paid for happens now."""
    return list(value) if hasattr(value, "__next__") or isinstance(value, filters.VIEWS) else value


@pass_context
def _loop(context: Metered, values: Any, cost: int) -> Iterable[Any]:
    if isinstance(values, Undefined):
        return values  # whose iteration says what is missing
    if not isinstance(values, list | tuple | dict | str):
        raise SecurityError("only lists, objects and texts can be looped over")
    context.spend(len(values) * cost * PER_OPERATION)
    return values


@pass_context
def _whole(context: Metered, value: Any) -> Any:
    context.touch(value)
    return value


@pass_context
def _sliced(context: Metered, value: Any) -> Any:
    context.spend(PER_OPERATION + filters.length_of(value))
    return value


@pass_context
def _method(context: Metered, value: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    if isinstance(value, Undefined):
        str(value)  # says what is missing
    for kind, methods in METHODS_OF:
        if isinstance(value, kind) and name in methods:
            for one in (*args, *kwargs.values()):
                context.touch(one)
            context.spend(PER_OPERATION + filters.length_of(value))
            return _listed(methods[name](value, *args, **kwargs))
    raise SecurityError(f"{name} cannot be called here")


@pass_context
def _printed(context: Metered, value: Any) -> Any:
    if not isinstance(value, PRINTED):
        context.spend(2 * weight(value, context.fuel))
    return value


TEXTS, HTML = Sandbox(autoescape=False), Sandbox(autoescape=True)
