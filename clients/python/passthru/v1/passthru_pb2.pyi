import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from passthru.v1 import job_pb2 as _job_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VendorMethod(_message.Message):
    __slots__ = ("name", "http_methods", "attach", "description", "require_exclusive_lock", "arguments_schema", "result_schema")
    NAME_FIELD_NUMBER: _ClassVar[int]
    HTTP_METHODS_FIELD_NUMBER: _ClassVar[int]
    ASYNC_FIELD_NUMBER: _ClassVar[int]
    ATTACH_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    REQUIRE_EXCLUSIVE_LOCK_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    RESULT_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    name: str
    http_methods: _containers.RepeatedScalarFieldContainer[str]
    attach: bool
    description: str
    require_exclusive_lock: bool
    arguments_schema: _struct_pb2.Struct
    result_schema: _struct_pb2.Struct
    def __init__(self, name: _Optional[str] = ..., http_methods: _Optional[_Iterable[str]] = ..., attach: _Optional[bool] = ..., description: _Optional[str] = ..., require_exclusive_lock: _Optional[bool] = ..., arguments_schema: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., result_schema: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., **kwargs) -> None: ...

class Attachment(_message.Message):
    __slots__ = ("data", "media_type", "file_name")
    DATA_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    media_type: str
    file_name: str
    def __init__(self, data: _Optional[bytes] = ..., media_type: _Optional[str] = ..., file_name: _Optional[str] = ...) -> None: ...

class ListNodeMethodsRequest(_message.Message):
    __slots__ = ("node",)
    NODE_FIELD_NUMBER: _ClassVar[int]
    node: str
    def __init__(self, node: _Optional[str] = ...) -> None: ...

class ListNodeMethodsResponse(_message.Message):
    __slots__ = ("methods",)
    METHODS_FIELD_NUMBER: _ClassVar[int]
    methods: _containers.RepeatedCompositeFieldContainer[VendorMethod]
    def __init__(self, methods: _Optional[_Iterable[_Union[VendorMethod, _Mapping]]] = ...) -> None: ...

class CallNodeMethodRequest(_message.Message):
    __slots__ = ("node", "method", "arguments", "http_method", "idempotency_key", "lock_wait")
    NODE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    HTTP_METHOD_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    LOCK_WAIT_FIELD_NUMBER: _ClassVar[int]
    node: str
    method: str
    arguments: _struct_pb2.Struct
    http_method: str
    idempotency_key: str
    lock_wait: _duration_pb2.Duration
    def __init__(self, node: _Optional[str] = ..., method: _Optional[str] = ..., arguments: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., http_method: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., lock_wait: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class CallNodeMethodResponse(_message.Message):
    __slots__ = ("result", "attachment", "job")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ATTACHMENT_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    result: _struct_pb2.Value
    attachment: Attachment
    job: _job_pb2.Job
    def __init__(self, result: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., attachment: _Optional[_Union[Attachment, _Mapping]] = ..., job: _Optional[_Union[_job_pb2.Job, _Mapping]] = ...) -> None: ...

class ListDriverMethodsRequest(_message.Message):
    __slots__ = ("driver",)
    DRIVER_FIELD_NUMBER: _ClassVar[int]
    driver: str
    def __init__(self, driver: _Optional[str] = ...) -> None: ...

class ListDriverMethodsResponse(_message.Message):
    __slots__ = ("methods",)
    METHODS_FIELD_NUMBER: _ClassVar[int]
    methods: _containers.RepeatedCompositeFieldContainer[VendorMethod]
    def __init__(self, methods: _Optional[_Iterable[_Union[VendorMethod, _Mapping]]] = ...) -> None: ...

class CallDriverMethodRequest(_message.Message):
    __slots__ = ("driver", "method", "arguments", "http_method", "idempotency_key")
    DRIVER_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    HTTP_METHOD_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    driver: str
    method: str
    arguments: _struct_pb2.Struct
    http_method: str
    idempotency_key: str
    def __init__(self, driver: _Optional[str] = ..., method: _Optional[str] = ..., arguments: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., http_method: _Optional[str] = ..., idempotency_key: _Optional[str] = ...) -> None: ...

class CallDriverMethodResponse(_message.Message):
    __slots__ = ("result", "attachment", "job")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ATTACHMENT_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    result: _struct_pb2.Value
    attachment: Attachment
    job: _job_pb2.Job
    def __init__(self, result: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., attachment: _Optional[_Union[Attachment, _Mapping]] = ..., job: _Optional[_Union[_job_pb2.Job, _Mapping]] = ...) -> None: ...

class WatchJobRequest(_message.Message):
    __slots__ = ("job_id", "after_revision")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_REVISION_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    after_revision: int
    def __init__(self, job_id: _Optional[str] = ..., after_revision: _Optional[int] = ...) -> None: ...

class WatchJobResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: _job_pb2.Job
    def __init__(self, job: _Optional[_Union[_job_pb2.Job, _Mapping]] = ...) -> None: ...
