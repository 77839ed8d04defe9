"""The query string: typed parameters, and the link to the next page."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from mentorapi import errors
from mentorapi.database.page import Page
from mentorapi.http.request import Request
from mentorapi.schemas.operation import Operation
from mentorapi.schemas.validation import Details, Schema, entry

# A URL may have characters that a Link header must not contain, such as < and >. It may have these.
_SAFE = "!$%&'()*+,/:;=?@"


def read_parameters(arguments: Mapping[str, list[bytes]], spec: Operation) -> dict[str, Any]:
    """Return the parameters that the operation knows, with their types and defaults.

    Unknown ones are ignored. A parameter whose schema is an array may be repeated.
    Raises ValidationFailed.
    """
    known = (spec.query or {}).get("properties", {}).keys() & arguments.keys()
    return dict(_read_known(spec, tuple((name, tuple(arguments[name])) for name in sorted(known))))


# Clients send the same few queries again and again. Validation takes longer than a short statement.
@lru_cache(maxsize=1024)
def _read_known(
    spec: Operation, known: tuple[tuple[str, tuple[bytes, ...]], ...]
) -> dict[str, Any]:
    properties = (spec.query or {}).get("properties", {})
    values: dict[str, Any] = {}
    details: Details = []
    for name, given in known:
        if len(given) > 1 and properties[name]["type"] != "array":
            details.append(entry([name], "repeated", "must occur once"))
            continue
        try:
            values[name] = _read(properties[name], [_decode(value) for value in given])
        except ValueError as error:
            details.append(entry([name], "encoding", str(error)))
    details = details or spec.check_query(values)
    if details:
        raise errors.ValidationFailed(details)
    defaults = {name: one["default"] for name, one in properties.items() if "default" in one}
    return defaults | values


def _read(schema: Schema, texts: list[str]) -> Any:
    """Convert a parameter to the type of its schema; keep other text as it is."""
    text = texts[-1]
    match schema["type"]:
        case "array":
            return [_read(schema["items"], [text]) for text in texts]
        case "integer" if re.fullmatch(r"-?[0-9]{1,19}", text):
            return int(text)
        case "number" if re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,9})?", text):
            return float(text)
        case "boolean" if text in ("true", "false"):
            return text == "true"
    return text


def _decode(value: bytes) -> str:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("is not valid UTF-8") from None
    if "\0" in text:
        raise ValueError("must not contain a NUL character")
    return text


def next_page_link(request: Request, page: Page) -> str:
    """The value of a Link header (RFC 8288): the same list with the next page's number."""
    parameters = [
        parameter
        for parameter in request.query.split("&")
        if parameter and parameter.partition("=")[0] not in ("page", "limit")
    ]
    parameters += [f"page={page.page + 1}", f"limit={page.limit}"]
    url = quote(f"{request.path}?{'&'.join(parameters)}", _SAFE, "latin-1")
    return f'<{url}>; rel="next"'
