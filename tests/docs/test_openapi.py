"""The OpenAPI document is true: it is compared with routes, errors and examples, and the examples
are sent to a server with the demo data."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import icalendar
import openapi_spec_validator
import orjson
import pytest
from jsonschema import Draft202012Validator

from mentorapi import errors, openapi
from mentorapi.app import ROUTES
from mentorapi.demo import fill
from mentorapi.http import docs
from mentorapi.schemas import common, examples
from mentorapi.schemas.operation import Operation
from mentorapi.schemas.sessions import SHOW_CALENDAR_ENTRY
from tests import npm
from tests.client import Api, is_error, phrase
from tests.clock import Clock

ROOT = Path(__file__).resolve().parents[2]

DOCUMENT = openapi.document()


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the method, the path and the content of each operation."""
    for path, methods in DOCUMENT["paths"].items():
        for method, described in methods.items():
            yield method.upper(), path, described


def specs() -> Iterator[tuple[str, str, Operation]]:
    for path, handler in ROUTES:
        for method, spec in handler.operations().items():
            yield method, path.removeprefix(openapi.PREFIX), spec


def resolve(content: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in content:
        found = DOCUMENT
        for part in content["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        content = found
    return content


# As a document ---------------------------------------------------------------------------------


def test_validate_document_finds_no_errors() -> None:
    openapi_spec_validator.validate(DOCUMENT)


@pytest.mark.skipif(not npm.IS_THERE, reason="needs Node 20 and npm")
def test_lint_document_with_redocly_finds_no_errors(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    (tmp_path / "openapi.json").write_bytes(orjson.dumps(DOCUMENT))
    done = subprocess.run(
        [
            npm.installed(tmp_path_factory.getbasetemp()) / "node_modules/.bin/redocly",
            "lint",
            "--extends=recommended",
            "--format=json",
            "openapi.json",
        ],
        cwd=tmp_path,
        env=os.environ | {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = json.loads(done.stdout[done.stdout.index("{") :])
    assert found["totals"]["errors"] == 0, found
    # Paths of the guide: /requests/my-requests/{mentorId} also fits /requests/{requestId}/….
    assert {problem["ruleId"] for problem in found["problems"]} <= {"no-ambiguous-paths"}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The findings of the tools of tests/node/document.mjs in the document."""
    folder = npm.installed(tmp_path_factory.getbasetemp())
    (folder / "openapi.json").write_bytes(orjson.dumps(DOCUMENT))
    seen: dict[str, Any] = json.loads(npm.run(folder, "node", "document.mjs"))
    return seen


@pytest.mark.skipif(not npm.IS_THERE, reason="needs Node 20 and npm")
def test_lint_document_with_spectral_finds_nothing(found: dict[str, Any]) -> None:
    assert found["linted"] == []


@pytest.mark.skipif(not npm.IS_THERE, reason="needs Node 20 and npm")
def test_read_document_with_strict_ajv_and_mocks_finds_nothing(found: dict[str, Any]) -> None:
    assert found["complaints"] == []
    assert found["mocked"] == {
        described["operationId"]: int(next(iter(described["responses"])))
        for _, _, described in operations()
    }


#: Built-in types of JavaScript. A generated type of the same name would hide them.
JAVASCRIPTS = {"Error", "Request", "Response", "Notification", "Event", "Date", "Object", "Map"}


def test_compare_schema_names_with_javascript_finds_no_clash() -> None:
    assert not JAVASCRIPTS & DOCUMENT["components"]["schemas"].keys()


def test_compare_versions_with_setup_cfg_finds_them_equal() -> None:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    one = config["metadata"]["version"]
    assert DOCUMENT["info"]["version"] == one
    assert metadata.version("mentorapi") == one
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == one


async def test_send_idempotency_key_within_the_pattern_is_accepted(api: Api) -> None:
    mentor = await api.mentor()
    schema = DOCUMENT["components"]["parameters"]["Idempotency-Key"]["schema"]
    keys = ("a", "x" * 255, '"quoted"', "~!#", "", "x" * 256, "two words", "ü", 'a"b')
    for key in keys:
        body = {"reason": "No"}
        path = f"/requests/{examples.REQUEST_ID}/reject"
        response = await mentor.post(path, body, headers={"Idempotency-Key": key})
        fits = re.fullmatch(schema["pattern"], key) is not None
        assert response.status == (404 if fits else 400), key


async def test_compare_calendar_example_with_demo_has_the_same_fields(api: Api) -> None:
    await fill.fill(api.services.db, api.services.settings)
    mentee = api.user(examples.MENTEE_USER, name=None)
    served = await mentee.get(f"/sessions/{examples.SESSION_ID}/calendar.ics")
    shown = SHOW_CALENDAR_ENTRY.response["examples"][0]
    (described,) = icalendar.Calendar.from_ical(shown).walk("VEVENT")
    (given,) = icalendar.Calendar.from_ical(served.body.decode()).walk("VEVENT")
    assert described.keys() - {"URL"} <= given.keys() | {"DESCRIPTION"}
    assert described["UID"] == given["UID"]
    for entry in described, given:
        assert re.fullmatch(r"Mentorship: .+ \(with .+\)", entry["SUMMARY"])


def test_compare_operations_with_routes_finds_each() -> None:
    described = {(method, path) for method, path, _ in operations()}
    assert described == {(method, path) for method, path, _ in specs()}


def test_read_document_has_all_routes_of_resources_and_no_docs() -> None:
    described = {openapi.PREFIX + path for _, path, _ in operations()}
    assert described == {path for path, _ in ROUTES}
    assert described.isdisjoint(path for path, _ in docs.routes)


def test_read_operations_have_unique_ids_and_descriptions() -> None:
    names = [described["operationId"] for _, _, described in operations()]
    assert len(set(names)) == len(names)
    assert [each["operationId"] for _, _, each in operations() if not each.get("description")] == []


def test_read_document_names_each_shared_schema() -> None:
    """Generators name types after schemas, so no response is an object without a name."""
    for _, path, described in operations():
        for response in described["responses"].values():
            schema = resolve(response).get("content", {}).get("application/json", {}).get("schema")
            if schema is not None:
                schema = schema.get("items", schema)
                assert "$ref" in schema or schema["type"] != "object", path


def test_read_document_has_none_of_our_own_keywords() -> None:
    assert '"x-' not in json.dumps(DOCUMENT)


def test_validate_examples_finds_no_errors() -> None:
    for _, _, described in operations():
        for parameter in map(resolve, described.get("parameters", [])):
            if "example" in parameter:
                check_example(parameter["schema"], parameter["example"])
        contents = [described["requestBody"]] if "requestBody" in described else []
        for content in contents + [resolve(one) for one in described["responses"].values()]:
            for media in content.get("content", {}).values():
                shown = [resolve(one)["value"] for one in media.get("examples", {}).values()]
                for value in shown + ([media["example"]] if "example" in media else []):
                    check_example(media["schema"], value)


def responses() -> Iterator[tuple[dict[str, Any], Any]]:
    """The schema and the example of each response in JSON."""
    for _, _, described in operations():
        for response in map(resolve, described["responses"].values()):
            media = response.get("content", {}).get("application/json", {})
            shown = [resolve(one)["value"] for one in media.get("examples", {}).values()]
            for example in shown + ([media["example"]] if "example" in media else []):
                yield media["schema"], example


def with_later_field(value: Any) -> Any:
    if isinstance(value, list):
        return [with_later_field(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    # A URL, since `links` takes nothing else.
    later = {"addedLater": "https://example.com"}
    return {name: with_later_field(field) for name, field in value.items()} | later


def test_add_field_to_responses_keeps_them_valid() -> None:
    """So a generated client also reads the responses of a later version."""
    for schema, example in responses():
        check_example(schema, with_later_field(example))


def test_add_field_to_bodies_makes_them_invalid() -> None:
    for _, _, described in operations():
        for media in described.get("requestBody", {}).get("content", {}).values():
            assert resolve(media["schema"])["additionalProperties"] is False


def test_validate_rate_with_two_decimals_finds_no_errors() -> None:
    """Validators that divide doubles refuse 19.99 for a `multipleOf` of 0.01."""
    for schema in DOCUMENT["components"]["schemas"].values():
        if "sessionRate" in schema.get("properties", {}):
            check_example(schema["properties"]["sessionRate"], 19.99)


def test_compare_examples_of_states_finds_them_possible() -> None:
    def example(path: str, method: str = "get") -> Any:
        responses = DOCUMENT["paths"][path][method]["responses"]
        return responses["200"]["content"]["application/json"]["example"]

    accepted = example("/requests/{requestId}/accept", "post")
    booking = accepted["request"]["booking"]
    assert {name: accepted["booking"][name] for name in booking} == booking
    for resource in ("request", "session"):
        states = DOCUMENT["components"]["schemas"][f"{resource.capitalize()}Status"]["enum"]
        for change in example(f"/{resource}s/{{{resource}Id}}/history"):
            assert change["to"] in states
            assert (change["startTime"] is None) == (resource == "request")


def check_example(schema: dict[str, Any], value: Any) -> None:
    whole = {"components": DOCUMENT["components"], **schema}
    problems = [error.message for error in Draft202012Validator(whole).iter_errors(value)]
    assert not problems, (problems, value)


def test_validate_example_bodies_as_the_api_does_succeeds() -> None:
    for method, path, spec in specs():
        if spec.body is not None:
            body = DOCUMENT["paths"][path][method.lower()]["requestBody"]
            assert spec.check_body(body["content"]["application/json"]["example"]) == []


# Its errors ------------------------------------------------------------------------------------

#: Base classes, which no operation raises.
FAMILIES = {errors.BadRequest, errors.Forbidden, errors.NotFound, errors.Conflict}


def test_compare_errors_with_document_finds_each() -> None:
    def descend(error: type[errors.ApiError]) -> Iterator[type[errors.ApiError]]:
        yield error
        for child in error.__subclasses__():
            yield from descend(child)

    # Any request may get these; the introduction names their status.
    general = {errors.MethodNotAllowed, errors.RequestTimeout, errors.HeadTooLarge}
    for error in general:
        assert str(error.status) in DOCUMENT["info"]["description"]
    told = {
        (example["value"]["statusCode"], example["value"]["message"])
        for example in DOCUMENT["components"]["examples"].values()
    }
    for error in set(descend(errors.ApiError)) - FAMILIES - general:
        assert (error.status, error.message) in told, error


#: The guide's table.
OF_THE_GUIDE = [
    ("acceptRequest", 409, "Time slot is no longer available"),
    ("createRequest", 409, "Time slot is no longer available"),
    ("createRequest", 409, "You already have a pending request"),
    ("acceptRequest", 409, "Only pending requests can be accepted"),
    (
        "completeSession",
        400,
        "Only confirmed, rescheduled, or in-progress bookings can be completed",
    ),
    ("completeSession", 400, "Cannot complete a session before it ends"),
    ("confirmSessionCompletion", 400, "Only sessions pending completion can be confirmed"),
    ("confirmSessionCompletion", 403, "Only the mentee can confirm session completion"),
    ("disputeSession", 400, "Only sessions pending completion can be disputed"),
    ("disputeSession", 403, "Only the mentee can dispute a session"),
    ("reviewSession", 400, "Can only review completed sessions"),
    ("reviewSession", 409, "You have already reviewed this session"),
    ("confirmSession", 403, "Only the mentor can confirm this session"),
]


@pytest.mark.parametrize(("operation", "status", "message"), OF_THE_GUIDE)
def test_compare_errors_with_guide_finds_each(operation: str, status: int, message: str) -> None:
    described = next(d for _, _, d in operations() if d["operationId"] == operation)
    shown = resolve(described["responses"][str(status)])["content"]["application/json"]
    assert message in [resolve(one)["value"]["message"] for one in shown["examples"].values()]


def test_compare_statuses_with_error_classes_finds_them_equal() -> None:
    for _, _, described in operations():
        for status, response in described["responses"].items():
            shown = resolve(response).get("content", {}).get("application/json", {})
            for example in shown.get("examples", {}).values():
                body = resolve(example)["value"]
                assert str(body["statusCode"]) == status
                assert body["error"] == phrase(int(status))


# As served -------------------------------------------------------------------------------------


async def test_get_document_without_token_is_cacheable(api: Api) -> None:
    response = await api.nobody.get("/openapi.json")
    assert (response.status, response.json) == (200, DOCUMENT)
    assert response.headers["Cache-Control"] == "public, no-cache"
    unchanged = {"If-None-Match": response.headers["ETag"]}
    assert (await api.nobody.get("/openapi.json", headers=unchanged)).status == 304
    head = await api.nobody.request("HEAD", "/openapi.json")
    assert (head.status, head.headers["ETag"], head.body) == (200, response.headers["ETag"], b"")
    assert is_error(await api.nobody.post("/openapi.json"), 405, "Method not allowed")


def test_print_document_without_database_succeeds(tmp_path: Path) -> None:
    def printed(**settings: str) -> Any:
        bare = {k: v for k, v in os.environ.items() if not k.startswith("MENTORAPI_")}
        done = subprocess.run(
            [sys.executable, ROOT / "run.py", "openapi"],
            cwd=tmp_path,
            env=bare | settings,
            capture_output=True,
            check=True,
            timeout=60,
        )
        return orjson.loads(done.stdout)

    assert printed() == DOCUMENT
    elsewhere = printed(MENTORAPI_PUBLIC_URL="https://mentors.example.com")
    assert elsewhere["servers"] == [{"url": "https://mentors.example.com/api"}]
    assert list(tmp_path.iterdir()) == []


# On the demo data -------------------------------------------------------------------------------


async def test_send_example_reads_on_demo_data_succeeds(api: Api) -> None:
    await fill.fill(api.services.db, api.services.settings)
    # Tokens without a name, so that the users keep theirs.
    mentor, mentee = (
        api.user(sub, name=None) for sub in (examples.MENTOR_USER, examples.MENTEE_USER)
    )
    tried = set()
    for method, path, described in operations():
        if method != "GET" or path == "/images/{name}":
            continue
        for user in (mentor, mentee):
            response = await user.get(path_of(path, described), **query_of(described))
            assert response.status == 200, (path, response)
            success = described["responses"]["200"]
            always = success["headers"].keys() - {"Link"}
            assert [name for name in always if name not in response.headers] == [], path
            content_type = response.headers["Content-Type"].partition(";")[0]
            assert content_type in success["content"]
            tried.add(path)
    assert len(tried) > 15

    booked = await mentee.ok("GET", f"/sessions/{examples.SESSION_ID}")
    assert booked["mentor"]["name"] == common.MENTOR["properties"]["name"]["examples"][0]
    assert booked["mentee"]["name"] == common.MENTEE["properties"]["name"]["examples"][0]


#: Operations whose examples succeed on the demo data, in this order.
WRITES = [
    (examples.MENTEE_USER, "createRequest"),
    (examples.MENTEE_USER, "cancelRequest"),
    (examples.MENTOR_USER, "rescheduleSession"),
    (examples.MENTEE_USER, "cancelSession"),
    (examples.MENTOR_USER, "updateMyProfile"),
    (examples.MENTOR_USER, "deleteAvailabilityWindow"),
    (examples.MENTOR_USER, "setMyAvailability"),
]


async def test_send_example_writes_on_demo_data_succeeds(api: Api) -> None:
    await fill.fill(api.services.db, api.services.settings)
    described = {described["operationId"]: (m, p, described) for m, p, described in operations()}
    for sub, name in WRITES:
        method, path, operation = described[name]
        body = operation.get("requestBody", {"content": {}})["content"]
        json_body = body.get("application/json", {}).get("example")
        user = api.user(sub, name=None)
        response = await user.request(method, path_of(path, operation), json_body)
        assert response.status < 300, (name, response)
        success = operation["responses"][str(response.status)]
        always = success["headers"].keys() - {"Idempotent-Replayed"}
        assert [header for header in always if header not in response.headers] == [], name


async def test_send_example_of_time_off_in_2028_succeeds(api: Api, clock: Clock) -> None:
    mentor = await api.mentor()
    await clock.move_to(datetime(2028, 1, 1, tzinfo=UTC))
    body = DOCUMENT["paths"]["/mentor/time-off"]["post"]["requestBody"]["content"]
    await mentor.ok("POST", "/mentor/time-off", body["application/json"]["example"])


def path_of(path: str, described: dict[str, Any]) -> str:
    for parameter in map(resolve, described.get("parameters", [])):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", parameter["example"])
    return path


def query_of(described: dict[str, Any]) -> dict[str, str]:
    return {
        parameter["name"]: parameter.get("example") or parameter["schema"]["enum"][0]
        for parameter in map(resolve, described.get("parameters", []))
        if parameter["in"] == "query" and (parameter.get("required") or "example" in parameter)
    }
