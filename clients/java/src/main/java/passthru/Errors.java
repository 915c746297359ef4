package passthru;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.Status;
import io.grpc.protobuf.StatusProto;
import java.util.Optional;
import passthru.v1.ErrorDetail;

/** Reads the details that the service attaches to errors. */
public final class Errors {
  private Errors() {}

  /**
   * Returns the detail that the service attached to an error thrown by a stub; empty if the error has none, for example
   * because the service is unreachable.
   */
  public static Optional<ErrorDetail> detail(Throwable error) {
    Status status = StatusProto.fromThrowable(error);
    if (status == null) return Optional.empty();
    for (Any packed : status.getDetailsList()) {
      if (!packed.is(ErrorDetail.class)) continue;
      try {
        return Optional.of(packed.unpack(ErrorDetail.class));
      } catch (InvalidProtocolBufferException malformed) {
        return Optional.empty();
      }
    }
    return Optional.empty();
  }
}
