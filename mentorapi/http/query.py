"""The query string: typed parameters, and the link to the next page."""

import re
from typing import Any

from mentorapi import errors
from mentorapi.database.page import Page
from mentorapi.http.request import Request
from mentorapi.schemas.operation import Operation, is_repeatable
from mentorapi.schemas.validation import Details, entry

# A client may send any character in a URL, which Tornado reads as Latin-1.
_UNSAFE = re.compile(r"[^!$%&'()*+,\-./0-9:;=?@A-Z_a-z~]")


def read_parameters(request: Request, spec: Operation) -> dict[str, Any]:
    """The parameters that the operation knows, with their defaults. Raises BadRequest."""
    known = (spec.query or {}).get("properties", {})
    texts: dict[str, list[str]] = {}
    details: Details = []
    for name, values in request.query_arguments.items():
        if name not in known:
            continue
        if len(values) > 1 and not is_repeatable(known[name]):
            details.append(entry([name], "repeated", "must occur once"))
            continue
        try:
            texts[name] = [_decode(value) for value in values]
        except ValueError as error:
            details.append(entry([name], "encoding", str(error)))
    parameters: dict[str, Any] = {}
    if not details:
        parameters, details = spec.read_query(texts)
    if details:
        raise errors.ValidationFailed(details)
    return parameters


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
    url = _UNSAFE.sub(
        lambda found: f"%{ord(found[0]):02X}", f"{request.path}?{'&'.join(parameters)}"
    )
    return f'<{url}>; rel="next"'
