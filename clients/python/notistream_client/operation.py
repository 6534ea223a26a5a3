"""Turns one description of an operation into a method of both clients."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from notistream_client.answers import Page
from notistream_client.call import Call
from notistream_client.pages import AsyncPages, Pages
from notistream_client.requesters import AsyncRequester, Requester

P = ParamSpec("P")
T = TypeVar("T")
R_co = TypeVar("R_co", bound=Requester | AsyncRequester, covariant=True)


class Group(Generic[R_co]):
    """Operations on one kind of resource; the requester makes them blocking or asynchronous."""

    def __init__(self, requester: R_co) -> None:
        self.requester = requester


class operation(Generic[P, T]):  # noqa: N801 - used as a decorator, as `property` is
    """A method that describes a Call; callers see a method that sends it."""

    def __init__(self, describe: Callable[Concatenate[Any, P], Call[T]]) -> None:
        self.describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, group: Group[Requester], owner: Any = None) -> Callable[P, T]: ...
    @overload
    def __get__(
        self, group: Group[AsyncRequester], owner: Any = None
    ) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, group: None, owner: Any = None) -> "operation[P, T]": ...
    def __get__(self, group: Group[Any] | None, owner: Any = None) -> Any:
        if group is None:
            return self

        @wraps(self.describe.__get__(group))
        def send(*args: P.args, **kwargs: P.kwargs) -> Any:
            return group.requester.send(self.describe(group, *args, **kwargs))

        return send


class listing(Generic[P, T]):  # noqa: N801
    """The same for a Call of a page; callers get an iterable over all pages."""

    def __init__(self, describe: Callable[Concatenate[Any, P], Call[Page[T]]]) -> None:
        self.describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, group: Group[Requester], owner: Any = None) -> Callable[P, Pages[T]]: ...
    @overload
    def __get__(
        self, group: Group[AsyncRequester], owner: Any = None
    ) -> Callable[P, AsyncPages[T]]: ...
    @overload
    def __get__(self, group: None, owner: Any = None) -> "listing[P, T]": ...
    def __get__(self, group: Group[Any] | None, owner: Any = None) -> Any:
        if group is None:
            return self

        @wraps(self.describe.__get__(group))
        def walk(*args: P.args, **kwargs: P.kwargs) -> Any:
            call = self.describe(group, *args, **kwargs)
            return (
                Pages(group.requester, call)
                if isinstance(group.requester, Requester)
                else AsyncPages(group.requester, call)
            )

        return walk
