"""The account's own profile."""

from ..model.profile import MyProfile, ProfileNameRequest, ProfilePictureRequest, ProfileStatusRequest
from ..model.wire import Result
from .operation import Area, Call

area = Area("🆔 Profile", prefix="/api/{session}/profile")


@area.get("", capability="get_profile")
def get_profile(call: Call) -> MyProfile:
    """Get the account's own profile."""
    return call.account.get_profile()


@area.put("/name", capability="set_profile_name", scope="setting")
def set_profile_name(call: Call, body: ProfileNameRequest) -> Result:
    """Set the account's name."""
    return call.account.set_profile_name(body.name)


@area.put("/status", capability="set_profile_status", scope="setting")
def set_profile_status(call: Call, body: ProfileStatusRequest) -> Result:
    """Set what the account says about itself."""
    return call.account.set_profile_status(body.status)


@area.put("/picture", capability="set_profile_picture", scope="setting", waits=True)
def set_profile_picture(call: Call, body: ProfilePictureRequest) -> Result:
    """Set the account's picture."""
    return call.account.set_profile_picture(body)


@area.delete("/picture", capability="delete_profile_picture", scope="setting")
def delete_profile_picture(call: Call) -> Result:
    """Take the account's picture away."""
    return call.account.delete_profile_picture()
