// Lists a node's methods, calls two of them and follows a job through a broken stream, with connect-go.
//
//	go run ./examples/connect [URL [NODE]]
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	passthru "passthru.example/clients/go"
	passthruv1 "passthru.example/clients/go/passthru/v1"
	"passthru.example/clients/go/passthru/v1/passthruv1connect"
)

// How often a broken stream is taken up again, and the pause before.
const (
	tries = 30
	pause = 500 * time.Millisecond
)

func main() {
	log.SetFlags(0)
	url, node := "http://127.0.0.1:6385", "fake-1"
	if len(os.Args) > 1 {
		url = os.Args[1]
	}
	if len(os.Args) > 2 {
		node = os.Args[2]
	}
	if err := run(context.Background(), url, node); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, url, node string) error {
	client := passthruv1connect.NewPassthruServiceClient(http.DefaultClient, url)

	listed, err := client.ListNodeMethods(ctx, connect.NewRequest(&passthruv1.ListNodeMethodsRequest{Node: node}))
	if err != nil {
		return err
	}
	fmt.Println("methods:")
	for _, method := range listed.Msg.Methods {
		kind := "synchronous"
		if method.Async {
			kind = "asynchronous"
		}
		fmt.Printf("  %s, %s\n", method.Name, kind)
	}

	answered, err := client.CallNodeMethod(ctx, call(node, "third_method_sync", "meow"))
	if err != nil {
		return err
	}
	fmt.Printf("third_method_sync answered %v\n", answered.Msg.GetResult().AsInterface())

	started, err := client.CallNodeMethod(ctx, call(node, "second_method", "kazoo"))
	if err != nil {
		return err
	}
	job := started.Msg.GetJob()
	fmt.Printf("%s started a job\n", job.Method)

	// The job holds the node: a second call is refused at once when it does not wait for the lock.
	refused := call(node, "third_method_sync", "meow")
	refused.Msg.LockWait = durationpb.New(0)
	_, err = client.CallNodeMethod(ctx, refused)
	detail := passthru.ErrorDetail(err)
	if detail == nil {
		return fmt.Errorf("expected the node to be locked, not: %w", err)
	}
	fmt.Printf("third_method_sync was refused: %s, %s holds the node for %s\n",
		detail.Reason, detail.Lock.GetHolder(), detail.Lock.GetMethod())

	return watch(ctx, client, job.Id)
}

// watch follows a job to its end. A stream that breaks is taken up again after the last revision that came; to show
// that, the first one is broken after its first message.
func watch(ctx context.Context, client passthruv1connect.PassthruServiceClient, id string) error {
	request := &passthruv1.WatchJobRequest{JobId: id}
	for range tries {
		err := follow(ctx, client, request)
		if err == nil || !isBroken(err) {
			return err
		}
		fmt.Println("the stream broke")
		time.Sleep(pause)
	}
	return errors.New("the service cannot be reached")
}

// follow follows a job on one stream, to the job's end, and notes in request what has come.
func follow(ctx context.Context, client passthruv1connect.PassthruServiceClient, request *passthruv1.WatchJobRequest) error {
	streaming, breakStream := context.WithCancel(ctx)
	defer breakStream()
	stream, err := client.WatchJob(streaming, connect.NewRequest(request))
	if err != nil {
		return err
	}
	defer stream.Close()
	for stream.Receive() {
		job := stream.Msg().Job
		if request.AfterRevision == nil {
			fmt.Printf("the job: %s\n", job.State)
			breakStream()
		} else if job.Revision != *request.AfterRevision+1 {
			return fmt.Errorf("revision %d came after %d", job.Revision, *request.AfterRevision)
		}
		request.AfterRevision = &job.Revision
		if job.EndTime != nil {
			fmt.Printf("the job, resumed, with every revision once: %s, %v\n", job.State, job.Result.AsInterface())
		}
	}
	return stream.Err()
}

// isBroken tells whether the job may be followed on another stream: the error is not the service's word, because the
// connection broke or nobody listens, or the service says that it stops.
func isBroken(err error) bool {
	var told *connect.Error
	return errors.As(err, &told) && (told.Code() == connect.CodeUnavailable || passthru.ErrorDetail(err) == nil)
}

func call(node, method, bar string) *connect.Request[passthruv1.CallNodeMethodRequest] {
	arguments := &structpb.Struct{Fields: map[string]*structpb.Value{"bar": structpb.NewStringValue(bar)}}
	return connect.NewRequest(&passthruv1.CallNodeMethodRequest{Node: node, Method: method, Arguments: arguments})
}
