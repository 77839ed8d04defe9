"""/livez, /readyz and /metrics, read as Prometheus does, and the alerts on the metrics."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import Any

import orjson
import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from tornado.httpclient import AsyncHTTPClient, HTTPResponse

from mentorapi import openapi
from mentorapi.app import ROUTES
from mentorapi.auth.tokens import Verifier
from mentorapi.config import ConfigError, Settings
from mentorapi.database import statements
from mentorapi.http import probes
from mentorapi.jobs import all_jobs
from mentorapi.jobs.runner import Runner
from tests.client import Api, asking, day_after_tomorrow, is_error
from tests.client import Response as ApiResponse
from tests.docs.documents import OPERATIONS
from tests.serving import refused_connections, serve
from tests.starting import Process

ALERTS = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"

REQUESTS = "mentorapi_http_requests_total"
SECONDS = "mentorapi_http_request_duration_seconds"
RUNS = "mentorapi_job_runs_total"
ROWS = "mentorapi_job_rows_changed_total"
SUCCEEDED = "mentorapi_job_last_success_timestamp_seconds"


async def ask(base: str, path: str, method: str = "GET", **headers: str) -> ApiResponse:
    response: HTTPResponse = await AsyncHTTPClient().fetch(
        base + path,
        method=method,
        headers=headers,
        raise_error=False,
        allow_nonstandard_methods=True,
    )
    return ApiResponse(response.code, response.headers, response.body or b"")


class Figures(dict[tuple[str, frozenset[tuple[str, str]]], float]):
    """Samples by name and labels."""

    def __init__(self, text: str) -> None:
        super().__init__()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                key = sample.name, frozenset(sample.labels.items())
                assert key not in self, f"{key} twice"
                self[key] = sample.value

    def of(self, name: str, /, **labels: str) -> float:
        return self[name, frozenset(labels.items())]

    def all(self, name: str) -> dict[frozenset[tuple[str, str]], float]:
        return {labels: value for (known, labels), value in self.items() if known == name}


async def figures(api: Api, base: str | None = None) -> Figures:
    response = await ask(base or api.base, "/metrics")
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    return Figures(response.body.decode())


# Probes ------------------------------------------------------------------------------------------


async def test_probe_running_server_is_live_and_ready(api: Api) -> None:
    for path in ("/livez", "/readyz"):
        response = await ask(api.base, path)
        assert (response.status, response.json) == (200, {"status": "ok"})
        assert response.headers["Cache-Control"] == "no-store"
        head = await ask(api.base, path, "HEAD")
        assert (head.status, head.body) == (200, b"")


async def test_probe_draining_server_is_live_and_not_ready(api: Api) -> None:
    api.services.draining = True
    assert (await ask(api.base, "/livez")).status == 200
    assert is_error(await ask(api.base, "/readyz"), 503, "The server is shutting down")
    assert (await figures(api)).of("mentorapi_ready") == 0


@pytest.mark.own_server
async def test_probe_without_database_is_live_and_not_ready(api: Api, postgres: str) -> None:
    async with refused_connections(api.db, postgres):
        response = await ask(api.base, "/readyz")
        assert is_error(response, 503, "The database does not respond")
        assert response.headers["Retry-After"] == "1"
        assert (await ask(api.base, "/livez")).status == 200
        found = await figures(api)
        assert found.of("mentorapi_ready") == 0
        assert isnan(found.of("mentorapi_sweep_lag_seconds"))
    assert (await ask(api.base, "/readyz")).status == 200


async def test_probe_with_all_connections_taken_responds_in_time(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "DATABASE_SECONDS", 0.2)
    # Other requests wait until the test fails.
    monkeypatch.setattr(statements, "ACQUIRE_SECONDS", 3600)
    pool = api.services.db
    taken = [await pool.acquire() for _ in range(pool.max_size)]
    response = await ask(api.base, "/readyz")
    assert is_error(response, 503, "The database does not respond")
    for connection in taken:
        pool.release(connection)


@pytest.mark.own_server
async def test_probe_with_missing_migration_names_it(api: Api) -> None:
    last = api.services.migrations[-1]
    await api.db.execute("DELETE FROM _yoyo_migration WHERE migration_id = $1", last)
    assert is_error(await ask(api.base, "/readyz"), 503, f"Migrations are missing: {last}")


async def test_probe_with_newer_schema_is_ready(api: Api) -> None:
    """In a rolling upgrade, the old servers stay ready."""
    api.services.migrations = api.services.migrations[:-1]
    assert (await ask(api.base, "/readyz")).status == 200


@pytest.mark.own_server
async def test_probe_with_empty_database_is_not_ready(api: Api) -> None:
    await api.db.execute("DROP TABLE _yoyo_migration")
    response = await ask(api.base, "/readyz")
    assert response.status == 503
    assert response.message.startswith(f"Migrations are missing: {api.services.migrations[0]}, ")


async def test_get_probe_under_api_prefix_is_not_found(api: Api) -> None:
    described = orjson.dumps(openapi.document()).decode()
    for path in ("/livez", "/readyz", "/metrics"):
        assert (await api.nobody.get(path)).status == 404
        assert path not in described
        refused = await ask(api.base, path, "DELETE")
        assert is_error(refused, 405, "Method not allowed")
        assert refused.headers["Allow"] == "GET, HEAD, OPTIONS"


# Requests ----------------------------------------------------------------------------------------


async def test_send_requests_counts_them_by_route_method_and_status(api: Api) -> None:
    mentor = await api.mentor()
    ada = api.user("ada")
    before = await figures(api)
    for _ in range(3):
        await api.nobody.get(f"/mentors/{mentor.id}")
    await api.nobody.request("HEAD", f"/mentors/{mentor.id}")
    await api.nobody.get("/mentors/nobody")
    await ada.get("/sessions")
    await api.nobody.get("/sessions")
    await ada.post("/requests", {})
    await ada.request("OPTIONS", "/requests")
    await ada.delete("/requests")
    after = await figures(api)
    counted = {
        tuple(dict(labels)[name] for name in ("method", "route", "status")): (
            value - before.get((REQUESTS, labels), 0)
        )
        for labels, value in after.all(REQUESTS).items()
        if value != before.get((REQUESTS, labels), 0)
    }
    assert counted == {
        ("GET", "/api/mentors/{mentorId}", "200"): 3,
        ("HEAD", "/api/mentors/{mentorId}", "200"): 1,
        ("GET", "/api/mentors/{mentorId}", "404"): 1,
        ("GET", "/api/sessions", "200"): 1,
        ("GET", "/api/sessions", "401"): 1,
        ("POST", "/api/requests", "400"): 1,
        ("OPTIONS", "/api/requests", "204"): 1,
        ("DELETE", "/api/requests", "405"): 1,
    }


async def test_send_requests_counts_them_in_the_histogram(api: Api) -> None:
    for _ in range(4):
        await api.nobody.get("/mentors")
    found = await figures(api)
    labels = {"method": "GET", "route": "/api/mentors"}
    assert found.of(f"{SECONDS}_count", **labels) == 4
    assert found.of(f"{SECONDS}_bucket", **labels, le="+Inf") == 4
    assert 0 < found.of(f"{SECONDS}_sum", **labels) < 4
    bounds = {dict(known)["le"] for known in found.all(f"{SECONDS}_bucket")}
    assert {"0.001", "10.0"} < bounds


async def test_send_invented_paths_and_methods_adds_no_series(api: Api) -> None:
    await api.nobody.get("/mentors")
    await api.nobody.get("/unknown")
    await api.nobody.request("BREW", "/mentors")
    before = await figures(api)
    for number in range(20):
        await api.nobody.get(f"/unknown/{number}")
        await api.nobody.get(f"/mentors?page=1&x={number}")
        await api.nobody.request(f"BREW{number}", "/mentors")
    after = await figures(api)
    assert after.keys() == before.keys()
    assert after.of(REQUESTS, method="GET", route="unknown", status="404") == 21
    assert after.of(REQUESTS, method="other", route="/api/mentors", status="405") == 21


async def test_send_refused_body_counts_for_its_route(api: Api) -> None:
    response = await api.user("ada").post("/requests", body="x" * 2_000_000)
    assert response.status == 413
    found = await figures(api)
    assert found.of(REQUESTS, method="POST", route="/api/requests", status="413") == 1


async def test_send_probes_counts_nothing(api: Api) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        await ask(api.base, path)
    assert not (await figures(api)).all(REQUESTS)


async def test_send_request_shows_it_in_progress(api: Api) -> None:
    mentor = await api.mentor()
    async with api.db.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE mentors IN ACCESS EXCLUSIVE MODE")
        waiting = asyncio.ensure_future(mentor.get("/mentor/me"))
        while not api.services.metrics.requests_in_progress:
            await connection.execute("SELECT")
        found = await figures_without_the_database(api)
        assert found.of("mentorapi_http_requests_in_progress") == 1
    assert (await waiting).status == 200
    assert (await figures(api)).of("mentorapi_http_requests_in_progress") == 0


async def figures_without_the_database(api: Api) -> Figures:
    return Figures(api.services.metrics.render("")[0].decode())


# Slots, sweeps, pool, cache ----------------------------------------------------------------------


async def test_refuse_slot_counts_it(api: Api) -> None:
    mentor = await api.mentor()
    one, two = api.user("one"), api.user("two")
    wishes = [await api.request(user, mentor) for user in (one, two)]
    await mentor.ok("POST", f"/requests/{wishes[0]['id']}/accept")
    assert (await mentor.post(f"/requests/{wishes[1]['id']}/accept")).status == 409
    three, again = api.user("three"), {"Idempotency-Key": "k"}
    for _ in range(2):
        response = await three.post(
            "/requests", asking(mentor, day_after_tomorrow()), headers=again
        )
        assert is_error(response, 409, "Time slot is no longer available")
    # A 409 for another reason does not count.
    assert (await mentor.post(f"/requests/{wishes[0]['id']}/accept")).status == 409
    # A refusal is not kept, so its repetition is refused anew.
    assert (await figures(api)).of("mentorapi_slots_refused_total") == 3


def runner_of(api: Api) -> Runner:
    return Runner(api.services.db, api.services.metrics, all_jobs(sweep_interval=300))


async def test_run_sweep_counts_what_it_changed(api: Api) -> None:
    mentor, ada = await api.mentor(), api.user("ada")
    runner, (job, *_) = runner_of(api), all_jobs(sweep_interval=300)
    found = await figures(api)
    assert found.of(SUCCEEDED, name="sweep") == 0
    assert found.of("mentorapi_sweep_lag_seconds") == 0
    assert found.of("mentorapi_job_interval_seconds", name="sweep") == 300

    session = await api.session(ada, mentor)
    await api.make_past(session["id"])
    # It began two hours ago, and no sweep has moved it.
    assert (await figures(api)).of("mentorapi_sweep_lag_seconds") == pytest.approx(7200, abs=30)

    started = time.time()
    await runner.run(job)
    found = await figures(api)
    assert started <= found.of(SUCCEEDED, name="sweep") <= time.time()
    assert found.of(ROWS, name="sweep", kind="sessions") == 1
    assert found.of(ROWS, name="sweep", kind="requests") == 0
    assert found.of("mentorapi_sweep_lag_seconds") == 0
    assert found.of(RUNS, name="sweep", outcome="success") == 1
    assert found.of(RUNS, name="sweep", outcome="failure") == 0
    assert 0 < found.of("mentorapi_job_duration_seconds_sum", name="sweep") < 30

    async def fail(_: Any) -> dict[str, int]:
        raise OSError("gone")

    await runner.run(replace(job, run=fail))
    failed = await figures(api)
    assert failed.of(RUNS, name="sweep", outcome="failure") == 1
    assert failed.of(SUCCEEDED, name="sweep") == found.of(SUCCEEDED, name="sweep")


async def test_read_lag_of_running_session_begins_after_its_grace(api: Api) -> None:
    mentor, ada = await api.mentor(), api.user("ada")
    session = await api.session(ada, mentor)
    await api.make_past(session["id"])
    await api.db.execute("UPDATE bookings SET status = 'in_progress'")
    assert (await figures(api)).of("mentorapi_sweep_lag_seconds") == pytest.approx(2700, abs=30)


async def test_read_lag_of_overdue_request_lasts_until_the_sweep(api: Api) -> None:
    mentor, ada = await api.mentor(), api.user("ada")
    await api.request(ada, mentor)
    await api.db.execute(
        "UPDATE requests SET start_time = now() - interval '45 min', end_time = now()"
    )
    assert (await figures(api)).of("mentorapi_sweep_lag_seconds") == pytest.approx(2700, abs=30)
    await runner_of(api).run(all_jobs(sweep_interval=300)[0])
    found = await figures(api)
    assert found.of(ROWS, name="sweep", kind="requests") == 1
    assert found.of("mentorapi_sweep_lag_seconds") == 0


async def test_read_metrics_has_figures_of_the_pool(api: Api) -> None:
    pool = api.services.db
    before = await figures(api)
    waits = before.of("mentorapi_pool_wait_seconds_count")
    assert before.of("mentorapi_pool_max_connections") == 10
    taken = [await pool.acquire() for _ in range(10)]
    waiting = asyncio.ensure_future(api.user("ada").get("/sessions"))
    while not pool.waiting:
        await api.db.execute("SELECT")
    found = await figures_without_the_database(api)
    slow = slow_waits(found)
    assert found.of("mentorapi_pool_connections") == 10
    assert found.of("mentorapi_pool_idle_connections") == 0
    assert found.of("mentorapi_pool_waiting") == 1
    await asyncio.sleep(0.3)
    for connection in taken:
        pool.release(connection)
    assert (await waiting).status == 200
    found = await figures_without_the_database(api)
    assert found.of("mentorapi_pool_idle_connections") == 10
    assert found.of("mentorapi_pool_waiting") == 0
    # At least two: to store ada, and to read her sessions.
    assert found.of("mentorapi_pool_wait_seconds_count") >= waits + 2
    assert slow_waits(found) == slow + 1


def slow_waits(found: Figures) -> float:
    """Return the number of waits for a connection that took more than a quarter of a second."""
    return found.of("mentorapi_pool_wait_seconds_count") - found.of(
        "mentorapi_pool_wait_seconds_bucket", le="0.25"
    )


@pytest.mark.own_server
async def test_read_metrics_has_figures_of_cache_and_listener(api: Api) -> None:
    await api.mentor()
    empty = await figures(api)
    assert empty.of("mentorapi_cache_bytes") == 0
    for _ in range(3):
        await api.nobody.get("/mentors")
    found = await figures(api)
    assert found.of("mentorapi_cache_reads_total", result="miss") == 1
    assert found.of("mentorapi_cache_reads_total", result="hit") == 2
    assert found.of("mentorapi_cache_bytes") > 1000
    assert found.of("mentorapi_listener_connected") == 1
    await api.services.listener.close()
    api.services.listener._mark_lost()
    assert (await figures(api)).of("mentorapi_listener_connected") == 0


async def test_read_metrics_has_the_version(api: Api) -> None:
    (labels,) = (await figures(api)).all("mentorapi_build_info")
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", dict(labels)["version"])


async def test_serve_two_applications_counts_separately(
    api: Api, settings: Settings, verifier: Verifier, database_url: str, tmp_path: Path
) -> None:
    running = serve(database_url, settings, verifier, tmp_path)
    other = await anext(running)
    await api.nobody.get("/mentors")
    assert (await figures(api)).all(REQUESTS)
    assert not (await figures(other)).all(REQUESTS)
    await anext(running, None)


async def test_read_metrics_as_openmetrics_succeeds(api: Api) -> None:
    await api.nobody.get("/mentors")
    response = await ask(
        api.base, "/metrics", Accept="application/openmetrics-text; version=1.0.0; charset=utf-8"
    )
    assert response.headers["Content-Type"].startswith("application/openmetrics-text")
    families = {
        family.name for family in openmetrics.text_string_to_metric_families(response.body.decode())
    }
    assert "mentorapi_http_requests" in families


# An address of its own ---------------------------------------------------------------------------


def test_serve_metrics_on_own_address_hides_them_on_the_main_one(data_dir: Path) -> None:
    with Process(data_dir, METRICS_ADDRESS="127.0.0.1:0") as process:
        main = process.listening().removesuffix("/api")
        out = process._process.stdout
        assert out is not None
        found = re.search(r"Metrics on (\S+)/metrics", out.readline())
        assert found
        assert status(main, "/metrics") == "404"
        assert status(found[1], "/metrics") == "200"
        assert status(found[1], "/api/mentors") == "404"
        for base in (main, found[1]):
            assert [status(base, path) for path in ("/livez", "/readyz")] == ["200", "200"]


def status(base: str, path: str) -> str:
    try:
        with urllib.request.urlopen(base + path) as response:
            return str(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return str(error.code)


@pytest.mark.parametrize("value", ["9100", ":9100", "localhost:", "a b:1", "h:70000", "::1:9100"])
def test_parse_malformed_metrics_address_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match=r"^MENTORAPI_METRICS_ADDRESS must be a host and a port"):
        Settings.from_env({"MENTORAPI_METRICS_ADDRESS": value})


def test_parse_ipv6_metrics_address_succeeds() -> None:
    given = Settings.from_env({"MENTORAPI_METRICS_ADDRESS": "[::1]:9100"})
    assert given.metrics_address == ("::1", 9100)
    assert replace(given, metrics_address=None) == Settings()


# Alerts ------------------------------------------------------------------------------------------


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not there; it comes with Debian's package prometheus")
    return found


def test_check_alert_rules_with_promtool_finds_no_errors(promtool: str) -> None:
    ended = prove(promtool, "check", "rules", "alerts.yml")
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_run_promtool_on_alerts_finds_no_failure(promtool: str) -> None:
    ended = prove(promtool, "test", "rules", "alerts_test.yml")
    assert ended.returncode == 0, ended.stdout + ended.stderr


def prove(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ALERTS, capture_output=True, text=True, timeout=60)


async def test_compare_alerts_with_metrics_finds_each(api: Api) -> None:
    await api.nobody.get("/mentors")
    runner_of(api)
    there = {name for name, _ in await figures(api)}
    used = set(re.findall(r"\bmentorapi_\w+", (ALERTS / "alerts.yml").read_text()))
    assert used <= there
    assert len(used) > 5


async def test_compare_documented_metrics_with_served_ones_finds_each(api: Api) -> None:
    text = api.services.metrics.render("")[0].decode()
    # Families of counters are named without what their samples end in.
    there = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in text_string_to_metric_families(text)
    }
    told = re.findall(r"^\| `(mentorapi_\w+)`", OPERATIONS, re.MULTILINE)
    assert sorted(told) == sorted(name for name in there if name.startswith("mentorapi_"))


def test_compare_alerts_with_their_tests_finds_each() -> None:
    alerts = re.findall(r"alert: (\w+)", (ALERTS / "alerts.yml").read_text())
    tested = re.findall(r"alertname: (\w+)", (ALERTS / "alerts_test.yml").read_text())
    assert set(alerts) == set(tested)


def test_compare_routes_with_series_finds_them_distinct() -> None:
    assert len({path for path, _ in ROUTES}) == len(ROUTES)
