// Package passthru helps the clients of passthru that are generated beside it: the messages and grpc-go's clients in
// passthru/v1, connect-go's clients in passthru/v1/passthruv1connect.
package passthru

import (
	"errors"

	"connectrpc.com/connect"
	"google.golang.org/grpc/status"

	passthruv1 "passthru.example/clients/go/passthru/v1"
)

// ErrorDetail answers what the service tells of an error, with whichever of the two clients it came; nil when the error
// carries nothing, for example because the service was not reached.
func ErrorDetail(err error) *passthruv1.ErrorDetail {
	var ofConnect *connect.Error
	if errors.As(err, &ofConnect) {
		for _, detail := range ofConnect.Details() {
			if message, unknown := detail.Value(); unknown == nil {
				if found, ok := message.(*passthruv1.ErrorDetail); ok {
					return found
				}
			}
		}
		return nil
	}
	for _, detail := range status.Convert(err).Details() {
		if found, ok := detail.(*passthruv1.ErrorDetail); ok {
			return found
		}
	}
	return nil
}
