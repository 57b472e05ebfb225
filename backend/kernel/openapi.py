"""The OpenAPI 3.1 document, made from the same routes that the router serves (S18).

One declaration drives permission, validation and documentation, so that the document cannot be wrong about any of them
(docs/decisions/0004). `describe` returns plain data; `page` renders it as one HTML page that loads nothing from
elsewhere.
"""

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from backend.kernel.auth import PUBLIC, RESIDENT
from backend.kernel.cookies import SESSION_COOKIE
from backend.kernel.errors import (
    AppError,
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from backend.kernel.http import Route

_REF = "#/components/schemas/{model}"
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "request_id", "details"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string", "description": "Chinese, for people"},
                "request_id": {"type": "string"},
                "details": {"type": "object", "properties": {"retryable": {"type": "boolean"}}},
            },
        }
    },
}
Schemas = Mapping[type[BaseModel], Mapping[str, Any]]


def describe(routes: Sequence[Route], *, version: str, server: str) -> dict[str, Any]:
    """The whole document as JSON data."""
    models = sorted(
        {model for route in routes for model in (route.body, route.answer) if model}, key=lambda m: m.__name__
    )
    inputs, definitions = models_json_schema(
        [(model, "validation") for model in models], ref_template=_REF, title="Linli"
    )
    schemas = {model: inputs[(model, "validation")] for model in models}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Linli 邻里", "version": version, "description": "Money is integer fen; times are RFC 3339."},
        "servers": [{"url": server}],
        "paths": paths,
        "components": {
            "schemas": {**_definitions_of_queries(routes), **definitions.get("$defs", {}), "Error": _ERROR},
            "responses": {
                _name(told): _refusal(told) for route in routes for told in _errors_by_status(route).values()
            },
            "securitySchemes": {
                "session": {"type": "http", "scheme": "bearer"},
                # Pages in WeChat; what changes something also needs their Origin (backend/kernel/cookies.py).
                "page": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE},
            },
        },
    }


def _definitions_of_queries(routes: Sequence[Route]) -> dict[str, Any]:
    """What the parameters refer to, such as the states of an order."""
    found: dict[str, Any] = {}
    for route in routes:
        if route.query is not None:
            found.update(route.query.model_json_schema(ref_template=_REF).get("$defs", {}))
    return found


def _operation(route: Route, schemas: Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": operation_id(route),
        "summary": route.summary,
        "tags": [route.path.split("/")[1]],
        "x-permission": route.permission,
        "security": _security(route.permission),
        "parameters": _parameters(route),
        "responses": _responses(route, schemas),
    }
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _json(schemas[route.body], route.body)}
    elif route.upload_bytes is not None:
        binary = {"type": "string", "format": "binary"}
        form = {"type": "object", "properties": {"file": binary}, "required": ["file"]}
        operation["requestBody"] = {
            "required": True,
            "description": f"A file of at most {route.upload_bytes} bytes.",
            "content": {"multipart/form-data": {"schema": form}}
            if route.form
            else {"application/octet-stream": {"schema": binary}},
        }
    elif route.raw:
        operation["requestBody"] = {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}
    return operation


def _security(permission: str) -> list[dict[str, list[str]]]:
    if permission == PUBLIC:
        return []
    return [{"session": []}, {"page": []}] if permission == RESIDENT else [{"session": []}]


def operation_id(route: Route) -> str:
    """A stable name: the method and the path's words."""
    words = route.path.replace("{", "").replace("}", "").replace("-", "_").strip("/").split("/")
    return "_".join([route.method.lower(), *words])


def _parameters(route: Route) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {
            "name": part[1:-1],
            "in": "path",
            "required": True,
            "schema": {"type": "string", "format": "uuid"} if part.endswith("_id}") else {"type": "string"},
        }
        for part in route.path.split("/")
        if part.startswith("{")
    ]
    if route.query is not None:
        schema = route.query.model_json_schema(ref_template=_REF)
        found += [
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", ()),
                "description": value.get("description", ""),
                "schema": value,
            }
            for name, value in schema.get("properties", {}).items()
        ]
    if route.creates:
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": True,
                "description": "The same key and body give the same answer; another body is refused with 409.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 64},
            }
        )
    return found


def _responses(route: Route, schemas: Schemas) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "Done."}
    if route.answer is not None:
        done["content"] = _json(schemas[route.answer], route.answer)
    responses: dict[str, Any] = {str(route.status): done}
    for status, errors in _errors_by_status(route).items():
        responses[str(status)] = {"$ref": f"#/components/responses/{_name(errors)}"}
    return responses


def _errors_by_status(route: Route) -> dict[int, list[type[AppError]]]:
    found: dict[int, list[type[AppError]]] = {}
    for error in errors_of(route):
        found.setdefault(error.status, []).append(error)
    return found


def _name(errors: Sequence[type[AppError]]) -> str:
    """The name of a refusal that many operations share: `409_already_paid_conflict`."""
    return "_".join([str(errors[0].status), *(error.code for error in errors)])


def _refusal(errors: Sequence[type[AppError]]) -> dict[str, Any]:
    return {
        "description": "; ".join(f"`{error.code}`: {error.message}" for error in errors),
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Error"},
                "examples": {error.code: {"value": _error_example(error)} for error in errors},
            }
        },
    }


def errors_of(route: Route) -> list[type[AppError]]:
    """Every declared error of a route: its own, and those that the edge adds by what the route takes."""
    found: list[type[AppError]] = [*route.errors, BadRequest, Unavailable, AppError]
    if route.permission != PUBLIC:
        found += [Unauthenticated, Forbidden]
    if route.body is not None or route.query is not None:
        found.append(Invalid)
    if "_id}" in route.path:
        found.append(NotFound)
    if route.creates:
        found.append(Conflict)
    if route.rate is not None:
        found.append(TooMany)
    if route.body is not None or route.upload_bytes is not None or route.raw:
        found.append(TooLarge)
    return sorted(set(found), key=lambda error: (error.status, error.code))


def _error_example(error: type[AppError]) -> dict[str, Any]:
    return {
        "error": {
            "code": error.code,
            "message": error.message,
            "request_id": "4f6f1f1c9b8a4f0e",
            "details": {"retryable": error.retryable},
        }
    }


def _json(schema: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": dict(schema)}
    examples = model.model_json_schema().get("examples")
    if examples:
        content["example"] = examples[0]
    return {"application/json": content}


def page(routes: Iterable[Route]) -> str:
    """A readable list of all operations, without a script and without anything from elsewhere."""
    rows = "\n".join(
        f"<tr><td>{route.method}</td><td><code>{html.escape(route.path)}</code></td>"
        f"<td>{html.escape(route.summary)}</td><td><code>{html.escape(route.permission)}</code></td></tr>"
        for route in sorted(routes, key=lambda route: (route.path, route.method))
    )
    return f"""<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>邻里 API</title>
<style>body{{font:15px/1.6 sans-serif;max-width:1100px;margin:2em auto;padding:0 1em}}
table{{border-collapse:collapse;width:100%}}td{{border-bottom:1px solid #ddd;padding:.3em .6em}}</style>
<h1>邻里 API</h1><p>完整的 OpenAPI 3.1 文档：<a href="/openapi.json">/openapi.json</a></p>
<table>{rows}</table></html>"""
