"""Lists a node's methods, calls two of them and follows a job through a broken stream.

python example.py [HOST:PORT [NODE]]
"""

import sys
import time

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToJson
from google.protobuf.struct_pb2 import Struct, Value

from passthru import error_detail
from passthru.v1.error_pb2 import ErrorReason
from passthru.v1.job_pb2 import JobState
from passthru.v1.passthru_pb2 import CallNodeMethodRequest, ListNodeMethodsRequest, WatchJobRequest
from passthru.v1.passthru_pb2_grpc import PassthruServiceStub


# How often a broken stream is taken up again, and the pause before, in seconds.
TRIES = 30
PAUSE = 0.5


def run(address: str, node: str) -> None:
    with grpc.insecure_channel(address) as channel:
        client = PassthruServiceStub(channel)

        print("methods:")
        for method in client.ListNodeMethods(ListNodeMethodsRequest(node=node)).methods:
            # The field is called async, which is a word of Python's own.
            kind = "asynchronous" if getattr(method, "async") else "synchronous"
            print(f"  {method.name}, {kind}")

        answered = client.CallNodeMethod(call(node, "third_method_sync", "meow"))
        print(f"third_method_sync answered {value(answered.result)}")

        job = client.CallNodeMethod(call(node, "second_method", "kazoo")).job
        print(f"{job.method} started a job")

        # The job holds the node: a second call is refused at once when it does not wait for the lock.
        refused = call(node, "third_method_sync", "meow")
        refused.lock_wait.CopyFrom(Duration())
        try:
            client.CallNodeMethod(refused)
        except grpc.RpcError as error:
            detail = error_detail(error)
            if detail is None:
                raise
            reason = ErrorReason.Name(detail.reason)
            lock = detail.lock
            print(f"third_method_sync was refused: {reason}, {lock.holder} holds the node for {lock.method}")

        watch(client, job.id)


def watch(client: PassthruServiceStub, job_id: str) -> None:
    """Follows a job to its end. A stream that breaks is taken up again after the last revision that came; to show that,
    the first one is broken after its first message."""
    request = WatchJobRequest(job_id=job_id)
    for _ in range(TRIES):
        stream = client.WatchJob(request)
        try:
            for response in stream:
                job = response.job
                if not request.HasField("after_revision"):
                    print(f"the job: {JobState.Name(job.state)}")
                    stream.cancel()
                elif job.revision != request.after_revision + 1:
                    raise RuntimeError(f"revision {job.revision} came after {request.after_revision}")
                request.after_revision = job.revision
                if job.HasField("end_time"):
                    state = JobState.Name(job.state)
                    print(f"the job, resumed, with every revision once: {state}, {value(job.result)}")
            return
        except grpc.RpcError as error:
            if not is_broken(error):
                raise
            print("the stream broke")
            time.sleep(PAUSE)
    raise RuntimeError("the service cannot be reached")


def is_broken(error: grpc.RpcError) -> bool:
    """Whether the job may be followed on another stream: the error is not the service's word, because the connection
    broke or nobody listens, or the service says that it stops."""
    stops = isinstance(error, grpc.Call) and error.code() == grpc.StatusCode.UNAVAILABLE
    return stops or error_detail(error) is None


def call(node: str, method: str, bar: str) -> CallNodeMethodRequest:
    arguments = Struct()
    arguments.update({"bar": bar})
    return CallNodeMethodRequest(node=node, method=method, arguments=arguments)


def value(result: Value) -> str:
    return MessageToJson(result)


if __name__ == "__main__":
    run(
        address=sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:6385",
        node=sys.argv[2] if len(sys.argv) > 2 else "fake-1",
    )
