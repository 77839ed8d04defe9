"""Operations of the API: methods of a handler with a schema."""

from collections.abc import Awaitable, Callable, Sequence
from functools import cache, wraps
from typing import Any, TypeAlias

from tornado.web import RequestHandler

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


class OperationHandler(RequestHandler):
    """A handler that knows which of its methods are operations."""

    @classmethod
    @cache
    def operations(cls) -> dict[str, Operation]:
        """The operations of this path by HTTP method."""
        names = ("GET", "POST", "PUT", "PATCH", "DELETE")
        found = {name: getattr(getattr(cls, name.lower()), "spec", None) for name in names}
        return {name: spec for name, spec in found.items() if spec is not None}

    @classmethod
    def operation_of(cls, method: str | None) -> Operation | None:
        return cls.operations().get("GET" if method == "HEAD" else method or "")

    @classmethod
    def raised_by(cls, method: str) -> Sequence[Raised]:
        raised: Sequence[Raised] = getattr(cls, method.lower()).raises
        return raised

    @classmethod
    def allowed(cls) -> list[str]:
        # Probes and redirects are no operations of the API.
        names = list(cls.operations()) or ["GET"]
        return names + (["HEAD"] if "GET" in names else []) + ["OPTIONS"]
