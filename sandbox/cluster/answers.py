"""What the API says when it does not do what it is asked: a `Status`, as a real one writes it."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]
"""An object of the API, as JSON has it."""


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details or {}

    def status(self) -> Object:
        """Its body."""
        body: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        body |= {"message": self.message, "reason": self.reason, "code": self.code}
        return body | ({"details": self.details} if self.details else {})


def not_found(resource: str, name: str) -> Refused:
    """404 for an object; `resource` with its group: `deployments.apps`."""
    return Refused(404, "NotFound", f'{resource} "{name}" not found', _about(resource, name))


def no_such_path() -> Refused:
    """404 for what this API does not have at all."""
    return Refused(404, "NotFound", "the server could not find the requested resource")


def conflict(resource: str, name: str) -> Refused:
    """409: somebody else was faster."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return Refused(
        409, "Conflict", f'Operation cannot be fulfilled on {resource} "{name}": {why}', _about(resource, name)
    )


def exists(resource: str, name: str) -> Refused:
    """409: there is one of that name."""
    return Refused(409, "AlreadyExists", f'{resource} "{name}" already exists', _about(resource, name))


def invalid(kind: str, name: str, field: str, why: str) -> Refused:
    """422: it cannot be like that."""
    details = {"name": name, "kind": kind, "causes": [{"reason": "FieldValueInvalid", "message": why, "field": field}]}
    return Refused(422, "Invalid", f'{kind} "{name}" is invalid: {field}: {why}', details)


def bad_request(message: str) -> Refused:
    """400: nonsense."""
    return Refused(400, "BadRequest", message)


def expired(wanted: int, oldest: int) -> Refused:
    """410: that moment is forgotten."""
    return Refused(410, "Expired", f"too old resource version: {wanted} ({oldest})")


def _about(resource: str, name: str) -> Object:
    kind, _, group = resource.partition(".")
    return {"name": name, "kind": kind} | ({"group": group} if group else {})
