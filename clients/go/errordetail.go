// Package passthru reads the errors of the generated clients of passthru: the messages and the clients for grpc-go in
// passthru/v1, and the clients for connect-go in passthru/v1/passthruv1connect.
package passthru

import (
	"errors"

	"connectrpc.com/connect"
	"google.golang.org/grpc/status"

	passthruv1 "passthru.example/clients/go/passthru/v1"
)

// ErrorDetail returns the detail that the service attached to an error of either client, or nil if the error has none,
// for example because the service is unreachable.
func ErrorDetail(err error) *passthruv1.ErrorDetail {
	var connectErr *connect.Error
	if errors.As(err, &connectErr) {
		for _, detail := range connectErr.Details() {
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
