"""Every error that a client can see, in the shapes that WAHA's clients know. Anyone may import and raise these.

Most are ``{"message": ..., "error": "Not Found", "statusCode": 404}``; the exceptions say so.
Messages are sentences for the person who can act: what was wrong, with which value, what to do.
"""

from __future__ import annotations

from typing import Any


class WahaError(Exception):
    """An answer other than success: an HTTP status and a JSON body.

    >>> NotFound("Session 'shop' not found").body()
    {'message': "Session 'shop' not found", 'error': 'Not Found', 'statusCode': 404}
    """

    status = 500
    title = "Internal Server Error"

    def __init__(self, message: str | list[str]) -> None:
        super().__init__(message)
        self.message = message

    def body(self) -> dict[str, Any]:
        return {"message": self.message, "error": self.title, "statusCode": self.status}

    def headers(self) -> dict[str, str]:
        return {}


class BadRequest(WahaError):
    status = 400
    title = "Bad Request"


class ValidationFailed(BadRequest):
    """A request whose body or query does not fit its type; ``message`` is a list, one sentence per fault."""

    def __init__(self, *faults: str) -> None:
        super().__init__(list(faults))


class BadPresence(BadRequest):
    """A presence that does not fit its chatId; the body has ``detail`` and nothing else."""

    def body(self) -> dict[str, Any]:
        return {"detail": self.message}


class Unauthorized(WahaError):
    """Missing and wrong keys answer alike, without an ``error`` member."""

    status = 401

    def __init__(self) -> None:
        super().__init__("Unauthorized")

    def body(self) -> dict[str, Any]:
        return {"message": self.message, "statusCode": self.status}


class Forbidden(Unauthorized):
    """The key is valid but its scope does not cover the call."""

    status = 403

    def __init__(self) -> None:
        WahaError.__init__(self, "Forbidden")


class NotFound(WahaError):
    status = 404
    title = "Not Found"


class FileMissing(NotFound):
    """A media file that is not there (any more), in WAHA's nested shape."""

    def body(self) -> dict[str, Any]:
        return {
            "error": {
                "code": self.status,
                "key": "FILE_NOT_FOUND",
                "message": self.message,
                "details": "The file is not stored or its lifetime (WHATSAPP_FILES_LIFETIME) is over.",
            }
        }


class Conflict(WahaError):
    """The call makes no sense with this server as it is: another driver serves, a name is taken."""

    status = 409
    title = "Conflict"


class BodyTooLarge(WahaError):
    status = 413
    title = "Payload Too Large"


class Unprocessable(WahaError):
    status = 422
    title = "Unprocessable Entity"


class WrongState(WahaError):
    """The session exists but its status does not allow the call; the body has neither message nor statusCode."""

    status = 422

    def __init__(self, session: str, status: str, expected: tuple[str, ...]) -> None:
        super().__init__(
            f"Session status is not as expected. Session '{session}' is {status}; start it or wait until it is "
            f"{' or '.join(expected)}, then try again."
        )
        self.session, self.current, self.expected = session, status, expected

    def body(self) -> dict[str, Any]:
        return {
            "error": self.message,
            "session": self.session,
            "status": self.current,
            "expected": list(self.expected),
        }


class NotImplementedByEngine(WahaError):
    """The engine has no such operation (WAHA answers 501 since 2025.6.6)."""

    status = 501
    title = "Not Implemented"

    def __init__(self, operation: str, engine: str, detail: str = "") -> None:
        text = f"The operation '{operation}' is not implemented by the engine '{engine}'."
        super().__init__(f"{detail} {text}".lstrip())


class Unavailable(WahaError):
    """The server can't take the call now; ``retry_after_seconds`` goes into the Retry-After header."""

    status = 503
    title = "Service Unavailable"

    def __init__(self, message: str, retry_after_seconds: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds

    def headers(self) -> dict[str, str]:
        if self.retry_after_seconds is None:
            return {}
        return {"Retry-After": str(self.retry_after_seconds)}


class TooManyRequests(Unavailable):
    """The caller asks too often; ``retry_after_seconds`` says when it may again."""

    status = 429
    title = "Too Many Requests"


class StorageFull(WahaError):
    """There is no room for another file."""

    status = 507
    title = "Insufficient Storage"


class EngineFailure(WahaError):
    """WhatsApp itself refused or failed; WAHA answers 500 and names the engine's error as an exception."""

    title = "Internal Server Error"

    def __init__(self, message: str, name: str = "Error") -> None:
        super().__init__(message)
        self.name = name
