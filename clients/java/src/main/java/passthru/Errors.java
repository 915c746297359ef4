package passthru;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.Status;
import io.grpc.protobuf.StatusProto;
import java.util.Optional;
import passthru.v1.ErrorDetail;

/** Reads what the service tells of an error. */
public final class Errors {
  private Errors() {}

  /**
   * What the service tells of an error that a stub threw; empty when the error carries nothing, for example because the
   * service was not reached.
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
