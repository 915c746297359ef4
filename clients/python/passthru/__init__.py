"""Reads the errors of the generated clients in passthru.v1."""

from typing import Optional

import grpc
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

from passthru.v1.error_pb2 import ErrorDetail


def error_detail(error: grpc.RpcError) -> Optional[ErrorDetail]:
    """Returns the detail that the service attached to an error of grpc or grpc.aio; None if the error has none, for
    example because the service is unreachable."""
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
