import com.google.protobuf.Duration;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import com.google.protobuf.util.JsonFormat;
import io.grpc.Context;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.Iterator;
import passthru.Errors;
import passthru.v1.CallNodeMethodRequest;
import passthru.v1.ErrorDetail;
import passthru.v1.Job;
import passthru.v1.ListNodeMethodsRequest;
import passthru.v1.LockNodeRequest;
import passthru.v1.NodeServiceGrpc;
import passthru.v1.NodeServiceGrpc.NodeServiceBlockingStub;
import passthru.v1.PassthruServiceGrpc;
import passthru.v1.PassthruServiceGrpc.PassthruServiceBlockingStub;
import passthru.v1.UnlockNodeRequest;
import passthru.v1.VendorMethod;
import passthru.v1.WatchJobRequest;
import passthru.v1.WatchJobResponse;

/**
 * Lists a node's methods, calls two of them and watches a job across an interrupted stream.
 *
 * <pre>java -cp 'target/passthru-client-0.1.0.jar:target/dependency/*' example/Example.java [HOST:PORT [NODE]]</pre>
 */
class Example {
  /** The maximum number of streams opened for one job. */
  static final int MAX_STREAMS = 30;

  /** The delay before each retry, in milliseconds. */
  static final long RETRY_DELAY = 500;

  public static void main(String[] arguments) throws Exception {
    String address = arguments.length > 0 ? arguments[0] : "127.0.0.1:6385";
    String node = arguments.length > 1 ? arguments[1] : "fake-1";
    ManagedChannel channel = Grpc.newChannelBuilder(address, InsecureChannelCredentials.create()).build();
    try {
      run(PassthruServiceGrpc.newBlockingStub(channel), NodeServiceGrpc.newBlockingStub(channel), node);
    } finally {
      channel.shutdownNow();
    }
  }

  static void run(PassthruServiceBlockingStub client, NodeServiceBlockingStub nodes, String node) throws Exception {
    System.out.println("methods:");
    var listed = client.listNodeMethods(ListNodeMethodsRequest.newBuilder().setNode(node).build());
    for (VendorMethod method : listed.getMethodsList()) {
      String kind = method.getAsync() ? "asynchronous" : "synchronous";
      System.out.printf("  %s, %s, role %s%n", method.getName(), kind, method.getRole());
    }

    var response = client.callNodeMethod(call(node, "third_method_sync", "meow").build());
    System.out.printf("third_method_sync returned %s%n", JsonFormat.printer().print(response.getResult()));

    callLocked(client, nodes, node);

    Job job = client.callNodeMethod(call(node, "second_method", "kazoo").build()).getJob();
    System.out.printf("%s started a job%n", job.getMethod());

    // The job holds the node, so a second call that does not wait for the lock is refused immediately.
    var refused = call(node, "third_method_sync", "meow").setLockWait(Duration.getDefaultInstance());
    try {
      client.callNodeMethod(refused.build());
    } catch (StatusRuntimeException error) {
      ErrorDetail detail = Errors.detail(error).orElseThrow(() -> error);
      System.out.printf(
          "third_method_sync was refused: %s, %s holds the node for %s%n",
          detail.getReason(), detail.getLock().getHolder(), detail.getLock().getMethod());
    }

    watch(client, job.getId());
  }

  /**
   * Locks the node, calls a method with the key of the lock, and unlocks the node. Calls without the key are refused
   * meanwhile.
   */
  static void callLocked(PassthruServiceBlockingStub client, NodeServiceBlockingStub nodes, String node)
      throws Exception {
    // The duration ends the lock if this program does not.
    var locked =
        nodes.lockNode(
            LockNodeRequest.newBuilder()
                .setNode(node)
                .setReason("firmware check")
                .setDuration(Duration.newBuilder().setSeconds(60))
                .build());
    String key = locked.getReservationKey();
    System.out.printf("locked the node: %s%n", locked.getNode().getReservation().getReason());

    var response = client.callNodeMethod(call(node, "third_method_sync", "meow").setReservationKey(key).build());
    String result = JsonFormat.printer().print(response.getResult());
    System.out.printf("third_method_sync with the key returned %s%n", result);

    nodes.unlockNode(UnlockNodeRequest.newBuilder().setNode(node).setReservationKey(key).build());
    System.out.println("unlocked the node");
  }

  /**
   * Follows a job to its end. An interrupted stream is resumed after the last received revision. To demonstrate that,
   * the first stream is cancelled after its first message.
   */
  static void watch(PassthruServiceBlockingStub client, String jobId) throws Exception {
    var request = WatchJobRequest.newBuilder().setJobId(jobId);
    for (int streams = 0; streams < MAX_STREAMS; streams++) {
      try (Context.CancellableContext stream = Context.current().withCancellation()) {
        Iterator<WatchJobResponse> messages = stream.call(() -> client.watchJob(request.build()));
        while (messages.hasNext()) {
          Job job = messages.next().getJob();
          if (!request.hasAfterRevision()) {
            System.out.printf("job state: %s%n", job.getState());
            stream.cancel(null);
          } else if (job.getRevision() != request.getAfterRevision() + 1) {
            throw new IllegalStateException(job.getRevision() + " came after " + request.getAfterRevision());
          }
          request.setAfterRevision(job.getRevision());
          if (job.hasEndTime()) {
            String result = JsonFormat.printer().print(job.getResult());
            System.out.printf("job resumed, each revision received once: %s, %s%n", job.getState(), result);
          }
        }
        return;
      } catch (StatusRuntimeException error) {
        if (!isInterrupted(error)) throw error;
        System.out.println("stream interrupted");
        Thread.sleep(RETRY_DELAY);
      }
    }
    throw new IllegalStateException("the service is unreachable");
  }

  /**
   * Returns whether the job can be resumed on a new stream: the connection broke or could not be established (the error
   * has no ErrorDetail), or the service is shutting down (UNAVAILABLE).
   */
  static boolean isInterrupted(StatusRuntimeException error) {
    return error.getStatus().getCode() == Status.Code.UNAVAILABLE || Errors.detail(error).isEmpty();
  }

  static CallNodeMethodRequest.Builder call(String node, String method, String bar) {
    Value value = Value.newBuilder().setStringValue(bar).build();
    return CallNodeMethodRequest.newBuilder()
        .setNode(node)
        .setMethod(method)
        .setArguments(Struct.newBuilder().putFields("bar", value));
  }
}
