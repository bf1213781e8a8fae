"""The operation that hands objects on to clients, for WAHA_S3_PROXY_FILES."""

from waxbill.api.files import serve
from waxbill.api.operation import Area, Call, Reply
from waxbill.model.errors import FileMissing

from .storage import S3Storage

area = Area("📁 Files", prefix="/api/s3")


@area.get("/{bucket}/{session}/{file}", scope="any", waits=True)
def get_object(call: Call, bucket: str, file: str) -> Reply | None:
    """Get a media file that is kept in a bucket."""
    storage = call.server.files.storage
    if not isinstance(storage, S3Storage) or bucket != storage.bucket:
        raise FileMissing(f"The file '{file[:120]}' is not there")
    return serve(call, file)
