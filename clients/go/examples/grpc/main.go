// Lists a node's methods, calls two of them and watches a job across an interrupted stream, using grpc-go.
//
//	go run ./examples/grpc [HOST:PORT [NODE]]
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	passthru "passthru.example/clients/go"
	passthruv1 "passthru.example/clients/go/passthru/v1"
)

// The maximum number of streams opened for one job, and the delay before each retry.
const (
	maxStreams = 30
	retryDelay = 500 * time.Millisecond
)

func main() {
	log.SetFlags(0)
	address, node := "127.0.0.1:6385", "fake-1"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	if len(os.Args) > 2 {
		node = os.Args[2]
	}
	if err := run(context.Background(), address, node); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, address, node string) error {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	client := passthruv1.NewPassthruServiceClient(connection)

	listed, err := client.ListNodeMethods(ctx, &passthruv1.ListNodeMethodsRequest{Node: node})
	if err != nil {
		return err
	}
	fmt.Println("methods:")
	for _, method := range listed.Methods {
		kind := "synchronous"
		if method.Async {
			kind = "asynchronous"
		}
		fmt.Printf("  %s, %s, role %s\n", method.Name, kind, method.Role)
	}

	response, err := client.CallNodeMethod(ctx, call(node, "third_method_sync", "meow"))
	if err != nil {
		return err
	}
	fmt.Printf("third_method_sync returned %v\n", response.GetResult().AsInterface())

	if err := callLocked(ctx, client, passthruv1.NewNodeServiceClient(connection), node); err != nil {
		return err
	}

	started, err := client.CallNodeMethod(ctx, call(node, "second_method", "kazoo"))
	if err != nil {
		return err
	}
	job := started.GetJob()
	fmt.Printf("%s started a job\n", job.Method)

	// The job holds the node, so a second call that does not wait for the lock is refused immediately.
	refused := call(node, "third_method_sync", "meow")
	refused.LockWait = durationpb.New(0)
	_, err = client.CallNodeMethod(ctx, refused)
	detail := passthru.ErrorDetail(err)
	if detail == nil {
		return fmt.Errorf("expected the node to be locked, not: %w", err)
	}
	fmt.Printf("third_method_sync was refused: %s, %s holds the node for %s\n",
		detail.Reason, detail.Lock.GetHolder(), detail.Lock.GetMethod())

	return watch(ctx, client, job.Id)
}

// callLocked locks the node, calls a method with the key of the lock, and unlocks the node. Calls without the key are
// refused meanwhile.
func callLocked(ctx context.Context, client passthruv1.PassthruServiceClient, nodes passthruv1.NodeServiceClient, node string) error {
	// The duration ends the lock if this program does not.
	locked, err := nodes.LockNode(ctx, &passthruv1.LockNodeRequest{
		Node: node, Reason: "firmware check", Duration: durationpb.New(time.Minute),
	})
	if err != nil {
		return err
	}
	fmt.Printf("locked the node: %s\n", locked.Node.Reservation.Reason)

	request := call(node, "third_method_sync", "meow")
	request.ReservationKey = locked.ReservationKey
	response, err := client.CallNodeMethod(ctx, request)
	if err != nil {
		return err
	}
	fmt.Printf("third_method_sync with the key returned %v\n", response.GetResult().AsInterface())

	_, err = nodes.UnlockNode(ctx, &passthruv1.UnlockNodeRequest{Node: node, ReservationKey: locked.ReservationKey})
	if err != nil {
		return err
	}
	fmt.Println("unlocked the node")
	return nil
}

// watch follows a job to its end. An interrupted stream is resumed after the last received revision. To demonstrate
// that, follow cancels the first stream after its first message.
func watch(ctx context.Context, client passthruv1.PassthruServiceClient, id string) error {
	request := &passthruv1.WatchJobRequest{JobId: id}
	for range maxStreams {
		err := follow(ctx, client, request)
		if err == nil || !isInterrupted(err) {
			return err
		}
		fmt.Println("stream interrupted")
		time.Sleep(retryDelay)
	}
	return errors.New("the service is unreachable")
}

// follow watches a job on one stream until the job ends, and keeps the last received revision in request.
func follow(ctx context.Context, client passthruv1.PassthruServiceClient, request *passthruv1.WatchJobRequest) error {
	streamCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.WatchJob(streamCtx, request)
	if err != nil {
		return err
	}
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		job := response.Job
		if request.AfterRevision == nil {
			fmt.Printf("job state: %s\n", job.State)
			cancel()
		} else if job.Revision != *request.AfterRevision+1 {
			return fmt.Errorf("revision %d came after %d", job.Revision, *request.AfterRevision)
		}
		request.AfterRevision = &job.Revision
		if job.EndTime != nil {
			fmt.Printf("job resumed, each revision received once: %s, %v\n", job.State, job.Result.AsInterface())
		}
	}
}

// isInterrupted reports whether the job can be resumed on a new stream: the connection broke or could not be
// established (the error has no ErrorDetail), or the service is shutting down (code UNAVAILABLE).
func isInterrupted(err error) bool {
	st, ok := status.FromError(err)
	return ok && (st.Code() == codes.Unavailable || passthru.ErrorDetail(err) == nil)
}

func call(node, method, bar string) *passthruv1.CallNodeMethodRequest {
	arguments := &structpb.Struct{Fields: map[string]*structpb.Value{"bar": structpb.NewStringValue(bar)}}
	return &passthruv1.CallNodeMethodRequest{Node: node, Method: method, Arguments: arguments}
}
