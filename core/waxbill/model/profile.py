"""The account's own profile: name, about text, picture."""

from __future__ import annotations

from .media import File
from .wire import Answer, Request


class MyProfile(Answer):
    id: str
    name: str
    picture: str | None


class ProfileNameRequest(Request):
    name: str


class ProfileStatusRequest(Request):
    status: str


class ProfilePictureRequest(Request):
    """A picture of the account or of a group, a JPEG."""

    file: File
