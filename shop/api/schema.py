"""What every operation of the API has in common, for its OpenAPI document."""

from typing import Any

#: RFC 9457, with the stable code that clients decide by.
PROBLEM = {
    "type": "object",
    "description": "A problem document (RFC 9457). Clients decide by its `code`.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {"type": "string"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
    "example": {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "code": "sold_out",
        "detail": "There are not enough units left.",
    },
}
METHODS = {"get", "put", "post", "patch", "delete"}


def describe_problems(result: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A drf-spectacular hook: whatever is no success is a problem document."""
    result["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    answer = {
        "description": "What is no success.",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
    for path in result["paths"].values():
        for method, operation in path.items():
            if method in METHODS:
                operation["responses"].setdefault("default", answer)
    return result
