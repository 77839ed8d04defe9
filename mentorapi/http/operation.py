"""Operations of the API: methods of a handler with a schema."""

from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Any, TypeAlias

from mentorapi import errors
from mentorapi.schemas.operation import Operation

Method: TypeAlias = Callable[..., Awaitable[None]]

#: An instance if its message is not the default one of its class.
Raised: TypeAlias = type[errors.ApiError] | errors.ApiError


def operation(spec: Operation, raises: Sequence[Raised] = ()) -> Callable[[Method], Method]:
    """Decorate a method with its schemas and with the errors that are its own.

    Errors that any operation of its kind may raise are not listed.
    """

    def decorate(method: Method) -> Method:
        @wraps(method)
        async def run(handler: Any, *ids: str) -> None:
            await handler.run(method, ids)

        run.spec, run.raises = spec, raises  # type: ignore[attr-defined]
        return run

    return decorate
