"""Helps the clients of passthru that are generated beside it, in passthru.v1."""

from typing import Optional

import grpc
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

from passthru.v1.error_pb2 import ErrorDetail


def error_detail(error: grpc.RpcError) -> Optional[ErrorDetail]:
    """What the service tells of an error of grpc or grpc.aio; None when the error carries nothing, for example because
    the service was not reached."""
    if not isinstance(error, (grpc.Call, grpc.aio.AioRpcError)):
        return None
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin" or not isinstance(value, bytes):
            continue
        for packed in Status.FromString(value).details:
            detail = ErrorDetail()
            if packed.Unpack(detail):
                return detail
    return None
