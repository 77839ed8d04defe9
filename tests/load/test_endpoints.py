"""The scripts of this folder follow the repositories, although no other test runs them."""

from __future__ import annotations

import re

from tests.load.endpoints import accepting, creating, reads


def test_build_endpoints_with_few_mentors_finds_every_statement() -> None:
    endpoints = [*reads(), creating(302), accepting(2)]
    assert all(re.match("-- |SELECT|WITH", endpoint.sql) for endpoint in endpoints)
    assert all(endpoint.calls for endpoint in endpoints)
    for endpoint in endpoints:
        arguments = endpoint.arguments or endpoint.argument_lists[0]
        assert f"${len(arguments)}" in endpoint.sql
        assert f"${len(arguments) + 1}" not in endpoint.sql
