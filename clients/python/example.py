"""Lists a node's methods, calls two of them and watches a job across an interrupted stream.

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
from passthru.v1.node_pb2 import LockNodeRequest, UnlockNodeRequest
from passthru.v1.node_pb2_grpc import NodeServiceStub
from passthru.v1.passthru_pb2 import CallNodeMethodRequest, ListNodeMethodsRequest, WatchJobRequest
from passthru.v1.passthru_pb2_grpc import PassthruServiceStub


# The maximum number of streams opened for one job, and the delay before each retry in seconds.
MAX_STREAMS = 30
RETRY_DELAY = 0.5


def run(address: str, node: str) -> None:
    with grpc.insecure_channel(address) as channel:
        client = PassthruServiceStub(channel)

        print("methods:")
        for method in client.ListNodeMethods(ListNodeMethodsRequest(node=node)).methods:
            # The field is named async, a keyword in Python.
            kind = "asynchronous" if getattr(method, "async") else "synchronous"
            print(f"  {method.name}, {kind}, role {method.role}")

        response = client.CallNodeMethod(call(node, "third_method_sync", "meow"))
        print(f"third_method_sync returned {value(response.result)}")

        call_locked(client, NodeServiceStub(channel), node)

        job = client.CallNodeMethod(call(node, "second_method", "kazoo")).job
        print(f"{job.method} started a job")

        # The job holds the node, so a second call that does not wait for the lock is refused immediately.
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


def call_locked(client: PassthruServiceStub, nodes: NodeServiceStub, node: str) -> None:
    """Locks the node, calls a method with the key of the lock, and unlocks the node. Calls without the key are refused
    meanwhile."""
    # The duration ends the lock if this program does not.
    request = LockNodeRequest(node=node, reason="firmware check", duration=Duration(seconds=60))
    locked = nodes.LockNode(request)
    print(f"locked the node: {locked.node.reservation.reason}")

    within = call(node, "third_method_sync", "meow")
    within.reservation_key = locked.reservation_key
    response = client.CallNodeMethod(within)
    print(f"third_method_sync with the key returned {value(response.result)}")

    nodes.UnlockNode(UnlockNodeRequest(node=node, reservation_key=locked.reservation_key))
    print("unlocked the node")


def watch(client: PassthruServiceStub, job_id: str) -> None:
    """Follows a job to its end. An interrupted stream is resumed after the last received revision. To demonstrate that,
    the first stream is cancelled after its first message."""
    request = WatchJobRequest(job_id=job_id)
    for _ in range(MAX_STREAMS):
        stream = client.WatchJob(request)
        try:
            for response in stream:
                job = response.job
                if not request.HasField("after_revision"):
                    print(f"job state: {JobState.Name(job.state)}")
                    stream.cancel()
                elif job.revision != request.after_revision + 1:
                    raise RuntimeError(f"revision {job.revision} came after {request.after_revision}")
                request.after_revision = job.revision
                if job.HasField("end_time"):
                    state = JobState.Name(job.state)
                    print(f"job resumed, each revision received once: {state}, {value(job.result)}")
            return
        except grpc.RpcError as error:
            if not is_interrupted(error):
                raise
            print("stream interrupted")
            time.sleep(RETRY_DELAY)
    raise RuntimeError("the service is unreachable")


def is_interrupted(error: grpc.RpcError) -> bool:
    """Returns whether the job can be resumed on a new stream: the connection broke or could not be established (the
    error has no ErrorDetail), or the service is shutting down (UNAVAILABLE)."""
    unavailable = isinstance(error, grpc.Call) and error.code() == grpc.StatusCode.UNAVAILABLE
    return unavailable or error_detail(error) is None


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
