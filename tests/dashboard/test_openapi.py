"""What the schema says is what the server does: every operation is tried with what the schema allows and forbids."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from django.test import Client
from django.urls import get_resolver
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.generation.hypothesis.builder import HypothesisTestConfig, HypothesisTestMode, create_test
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from dashboard.api import api
from tests.factories import ApplicationFactory
from traffic.authentication.keys import callers, create_key
from traffic.models import Scope

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", get_wsgi_application())
OPERATIONS = [f"{method.upper()} {path}" for path, of_path in schema.items() for method in of_path]


@pytest.fixture
def keys(transactional_db: Any) -> dict[str, str]:
    """Of the whole installation, and of an application, which is refused what is not its own."""
    callers.clear()
    shop = ApplicationFactory.create(slug="shop", name="Shop")
    owners = {"whole": None, "application": shop}
    return {
        name: create_key(name=name, scopes=list(Scope.values), application=owner)[1] for name, owner in owners.items()
    }


def answers_as_declared(case: Any, keys: dict[str, str]) -> None:
    """What the schema does not allow, hundreds of cases for each operation, is refused before anybody asks whose key
    it is: one of the two tries it."""
    # Among the headers that it makes up may be this one. A wrong host is refused before the API (test_headers.py).
    if case.headers:
        case.headers.pop("host", None)
    for owner, key in keys.items():
        if owner == "whole" or case.meta.generation.mode is GenerationMode.POSITIVE:
            response = case.call(headers={"Authorization": f"Bearer {key}", "Accept-Encoding": "identity"})
            case.validate_response(response, checks=CHECKS)


def cases_of(operation: str) -> Callable[..., None]:
    """A test of one operation with its examples, the edges of what the schema allows and forbids, and some at random.

    Not by the decorator of the library: that makes all cases of all operations when the tests are collected, which
    every worker does, for longer than most files take to run.
    """
    definition = schema.find_operation_by_label(operation)
    assert definition is not None
    few = settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
    config = HypothesisTestConfig(schema.config, list(HypothesisTestMode), explicit_settings=few)
    return create_test(operation=definition, test_func=answers_as_declared, config=config)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_server_answers_as_the_schema_says(operation: str, keys: dict[str, str]) -> None:
    cases_of(operation)(keys=keys)


def test_the_schema_is_public_and_every_operation_needs_a_key(db: Any) -> None:
    answer = Client().get("/api/v1/openapi.json")
    assert answer.status_code == 200
    for path, operations in json.loads(answer.content)["paths"].items():
        for method in operations:
            refused = Client().generic(method.upper(), path.replace("{scenario}", "A"))
            assert refused.status_code == 401, (method, path)
            assert set(refused.json()) == {"detail", "errors"}


def test_an_unknown_address_answers_in_the_error_shape(db: Any) -> None:
    answer = Client().get("/api/v1/nothing")
    assert (answer.status_code, set(answer.json())) == (404, {"detail", "errors"})


def test_addresses_of_programs_are_tried_before_those_of_pages() -> None:
    """Django goes through the list for each request."""
    routes = [str(entry.pattern) for entry in get_resolver().url_patterns]
    assert routes.index("api/v1/") < 3 < len(routes)


def test_a_method_that_is_not_there_answers_in_the_error_shape(db: Any) -> None:
    answer = Client().put("/api/v1/spend")
    assert (answer.status_code, set(answer.json()), answer["Allow"]) == (405, {"detail", "errors"}, "GET")


def test_a_nul_in_a_pages_address_is_refused(db: Any) -> None:
    refused = Client().get("/requests/?provider=%00")
    assert refused.status_code == 400 and "Error 400" in refused.content.decode()


def test_statuses_of_the_front_server_are_declared_for_every_operation() -> None:
    for path, methods in api.get_openapi_schema()["paths"].items():
        for method, operation in methods.items():
            declared = {int(status) for status in operation["responses"]}
            expected = {408, 413, 415, 503} if "requestBody" in operation else {503}
            assert expected <= declared, (method, path)
