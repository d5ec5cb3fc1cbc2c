"""The page of the JSON API, made from its schema: what each operation takes and gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dashboard.api import api
from lib.http import get_view

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a property of a body: `type` in words, `where` it is sent (query, path, body)."""

    name: str
    type: str
    required: bool
    where: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    inputs: list[Field]
    outputs: list[Field]
    statuses: list[str]


def operations(schema: Schema) -> list[Operation]:
    """Every operation of an OpenAPI schema, by address."""
    return [
        _operation(schema, method, path, operation)
        for path, methods in sorted(schema["paths"].items())
        for method, operation in methods.items()
    ]


def _operation(schema: Schema, method: str, path: str, operation: Schema) -> Operation:
    inputs = [
        Field(p["name"], type_words(schema, p["schema"]), p.get("required", False), p["in"],
              p["schema"].get("description") or p.get("description", ""))
        for p in operation.get("parameters", ())
    ]  # fmt: skip
    inputs += _fields(schema, operation.get("requestBody", {}), "body")
    good: Schema = next(
        (answer for status, answer in operation["responses"].items() if str(status).startswith("2")), {}
    )
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation.get("summary", ""),
        description=operation.get("description", ""),
        inputs=inputs,
        outputs=list(_fields(schema, good)),
        statuses=[str(status) for status in operation["responses"]],
    )


def _fields(schema: Schema, message: Schema, where: str = "") -> Iterator[Field]:
    """The properties of a JSON body, those of its list's items where it is a list."""
    content = message.get("content", {}).get("application/json", {}).get("schema")
    if content is None:
        return
    body = resolved(schema, content)
    if body.get("type") == "array":
        body = resolved(schema, body["items"])
    required = body.get("required", ())
    for name, field in body.get("properties", {}).items():
        yield Field(name, type_words(schema, field), name in required, where, field.get("description", ""))


def resolved(schema: Schema, part: Schema) -> Schema:
    """The part of the schema that a reference names, or the part itself."""
    reference = part.get("$ref")
    if reference is None:
        return part
    name = reference.rpartition("/")[2]
    component: Schema = schema["components"]["schemas"][name]
    return component


def type_words(schema: Schema, part: Schema, depth: int = 0) -> str:
    """The type of a value in words; of an object its fields, two levels deep."""
    part = resolved(schema, part)
    if choices := part.get("anyOf") or part.get("oneOf") or part.get("allOf"):
        return " or ".join(dict.fromkeys(type_words(schema, choice, depth) for choice in choices))
    if values := part.get("enum"):
        return ", ".join(str(value) for value in values)
    kind = part.get("type", "any")
    if kind == "array":
        return f"list of {type_words(schema, part.get('items', {}), depth)}"
    if kind == "object" and depth < 2 and (properties := part.get("properties")):
        inner = ", ".join(f"{name}: {type_words(schema, field, depth + 1)}" for name, field in properties.items())
        return f"{{{inner}}}"
    return f"{kind} ({part['format']})" if "format" in part else str(kind)


@get_view()
def help_api(request: HttpRequest) -> HttpResponse:
    """Every operation, from the schema that programs get."""
    return render(request, "dashboard/help/api.html", {"operations": operations(api.get_openapi_schema())})
