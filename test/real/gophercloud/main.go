// Makes calls with gophercloud's bare-metal packages and writes a JSON list of their outcomes.
//
// Usage: gophercloud URL BMC [USER PASSWORD [KEYSTONE PROJECT REGION]]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/baremetal/httpbasic"
	"github.com/gophercloud/gophercloud/v2/openstack/baremetal/noauth"
	"github.com/gophercloud/gophercloud/v2/openstack/baremetal/v1/allocations"
	"github.com/gophercloud/gophercloud/v2/openstack/baremetal/v1/conductors"
	"github.com/gophercloud/gophercloud/v2/openstack/baremetal/v1/drivers"
	"github.com/gophercloud/gophercloud/v2/openstack/baremetal/v1/nodes"
	"github.com/gophercloud/gophercloud/v2/openstack/baremetal/v1/ports"
)

const (
	nodeUUID = "aaaaaaaa-3333-4111-8111-aaaaaaaaaaaa"
	absent   = "cccccccc-1111-4111-8111-cccccccccccc"
	// The highest version that the service advertises. gophercloud does not negotiate it: the caller sets it.
	version = "1.115"
)

// outcome is the result of a call, which has the name in the table. Error is the client's error; Status and Body are the
// service's response if the client did not expect it.
type outcome struct {
	Call   string `json:"call"`
	Served bool   `json:"served"`
	Error  string `json:"error,omitempty"`
	Status int    `json:"status,omitempty"`
	Body   string `json:"body,omitempty"`
}

type call struct {
	name string
	run  func() error
}

func main() {
	client, err := connect(os.Args[1], os.Args[3:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	client.Microversion = version
	var outcomes []outcome
	for _, call := range served(client, os.Args[2]) {
		outcomes = append(outcomes, perform(call, true))
	}
	for _, call := range notServed(client) {
		outcomes = append(outcomes, perform(call, false))
	}
	if err := json.NewEncoder(os.Stdout).Encode(outcomes); err != nil {
		panic(err)
	}
}

// connect returns a client without authentication, with HTTP Basic, or with Keystone, whose catalog has the URL.
func connect(url string, user []string) (*gophercloud.ServiceClient, error) {
	endpoint := url + "/v1"
	if len(user) == 5 {
		provider, err := openstack.AuthenticatedClient(context.Background(), gophercloud.AuthOptions{
			IdentityEndpoint: user[2], Username: user[0], Password: user[1], DomainName: "Default", TenantName: user[3],
		})
		if err != nil {
			return nil, err
		}
		return openstack.NewBareMetalV1(provider, gophercloud.EndpointOpts{Region: user[4]})
	}
	if len(user) == 0 {
		return noauth.NewBareMetalNoAuth(noauth.EndpointOpts{IronicEndpoint: endpoint})
	}
	return httpbasic.NewBareMetalHTTPBasic(httpbasic.EndpointOpts{
		IronicEndpoint: endpoint, IronicUser: user[0], IronicUserPassword: user[1],
	})
}

func perform(call call, served bool) outcome {
	result := outcome{Call: call.name, Served: served}
	if err := call.run(); err != nil {
		result.Error = err.Error()
		var unexpected gophercloud.ErrUnexpectedResponseCode
		if errors.As(err, &unexpected) {
			result.Status = unexpected.Actual
			result.Body = string(unexpected.Body)
		}
	}
	return result
}

// served returns the calls that the service supports, in the order of a node's life. They depend on each other.
func served(client *gophercloud.ServiceClient, bmc string) []call {
	ctx := context.Background()
	method := func(name string) nodes.CallVendorPassthruOpts { return nodes.CallVendorPassthruOpts{Method: name} }
	// The subscription that CreateSubscription made.
	var made string
	return []call{
		{"nodes.Create", func() error {
			node, err := nodes.Create(ctx, client, nodes.CreateOpts{
				Name: "n-4", UUID: nodeUUID, Driver: "redfish", VendorInterface: "redfish",
				DriverInfo: map[string]any{"redfish_address": "https://bmc.example"},
			}).Extract()
			return want(err, func() any { return node.UUID }, nodeUUID)
		}},
		{"nodes.List", func() error {
			pages, err := nodes.List(client, nodes.ListOpts{Driver: "redfish"}).AllPages(ctx)
			if err != nil {
				return err
			}
			found, err := nodes.ExtractNodes(pages)
			return want(err, func() any { return len(found) }, 2)
		}},
		// It follows `nodes_links`, which Ironic does not send, so the caller requests the next page by marker.
		{"nodes.List, page by page", func() error {
			marker, count := "", 0
			for {
				pages, err := nodes.List(client, nodes.ListOpts{
					Limit: 3, Marker: marker, Fields: []string{"uuid", "name"}, SortKey: "name",
				}).AllPages(ctx)
				if err != nil {
					return err
				}
				found, err := nodes.ExtractNodes(pages)
				if err != nil {
					return err
				}
				if len(found) == 0 {
					return want(nil, func() any { return count }, 4)
				}
				count += len(found)
				marker = found[len(found)-1].UUID
			}
		}},
		{"nodes.ListDetail", func() error {
			pages, err := nodes.ListDetail(client, nodes.ListOpts{}).AllPages(ctx)
			if err != nil {
				return err
			}
			found, err := nodes.ExtractNodes(pages)
			return want(err, func() any { return found[0].Driver }, "redfish")
		}},
		{"nodes.Get", func() error {
			node, err := nodes.Get(ctx, client, "n-4").Extract()
			return want(err, func() any { return node.VendorInterface }, "redfish")
		}},
		{"nodes.Update", func() error {
			node, err := nodes.Update(ctx, client, nodeUUID, nodes.UpdateOpts{
				nodes.UpdateOperation{Op: nodes.AddOp, Path: "/extra/rack", Value: "7"},
				nodes.UpdateOperation{Op: nodes.RemoveOp, Path: "/vendor_interface"},
			}).Extract()
			return want(err, func() any { return node.Extra["rack"] }, "7")
		}},
		{"nodes.Validate", func() error {
			// It parses every interface except the one that is served.
			return nodes.Validate(ctx, client, nodeUUID).Err
		}},
		{"nodes.SetMaintenance", func() error {
			return nodes.SetMaintenance(ctx, client, nodeUUID, nodes.MaintenanceOpts{Reason: "fan"}).ExtractErr()
		}},
		{"nodes.UnsetMaintenance", func() error {
			return nodes.UnsetMaintenance(ctx, client, nodeUUID).ExtractErr()
		}},
		{"nodes.GetVendorPassthruMethods", func() error {
			methods, err := nodes.GetVendorPassthruMethods(ctx, client, "rf-1").Extract()
			return want(err, func() any { return methods.CreateSubscription.HTTPMethods[0] }, "POST")
		}},
		{"nodes.ListVendorPassthruMethods", func() error {
			methods, err := nodes.ListVendorPassthruMethods(ctx, client, "rf-1").Extract()
			return want(err, func() any { return methods["eject_vmedia"].Async }, true)
		}},
		{"nodes.CreateSubscription", func() error {
			subscription, err := nodes.CreateSubscription(ctx, client, "rf-1", method("create_subscription"),
				nodes.CreateSubscriptionOpts{Destination: "https://listener.example/go", EventTypes: []string{"Alert"}}).Extract()
			return want(err, func() any { made = subscription.Id; return subscription.Destination },
				"https://listener.example/go")
		}},
		{"nodes.GetAllSubscriptions", func() error {
			all, err := nodes.GetAllSubscriptions(ctx, client, "rf-1", method("get_all_subscriptions")).Extract()
			return want(err, func() any { return len(all.Members) > 0 }, true)
		}},
		{"nodes.GetSubscription", func() error {
			subscription, err := nodes.GetSubscription(ctx, client, "rf-1", method("get_subscription"),
				nodes.GetSubscriptionOpts{Id: made}).Extract()
			return want(err, func() any { return subscription.Id }, made)
		}},
		{"nodes.DeleteSubscription", func() error {
			return nodes.DeleteSubscription(ctx, client, "rf-1", method("delete_subscription"),
				nodes.DeleteSubscriptionOpts{Id: made}).ExtractErr()
		}},
		{"nodes.GetSubscription of a deleted subscription", func() error {
			return nodes.GetSubscription(ctx, client, "rf-1", method("get_subscription"),
				nodes.GetSubscriptionOpts{Id: made}).Err
		}},
		{"nodes.CallVendorPassthru, synchronous", func() error {
			result := nodes.CallVendorPassthru(ctx, client, "fake-1", "POST",
				nodes.VendorPassthruCallOpts{Method: "third_method_sync", Body: map[string]any{"bar": "meow"}})
			return want(result.Err, func() any { return result.Body }, true)
		}},
		{"nodes.CallVendorPassthru, asynchronous", func() error {
			result := nodes.CallVendorPassthru(ctx, client, "fake-1", "POST",
				nodes.VendorPassthruCallOpts{Method: "fourth_method_shared_lock", Body: map[string]any{"bar": "woof"}})
			return want(result.Err, func() any { return result.StatusCode }, 202)
		}},
		{"nodes.CallVendorPassthru on a locked node", func() error {
			return nodes.CallVendorPassthru(ctx, client, "locked-1", "POST",
				nodes.VendorPassthruCallOpts{Method: "third_method_sync", Body: map[string]any{"bar": "meow"}}).Err
		}},
		{"drivers.ListDrivers", func() error {
			pages, err := drivers.ListDrivers(client, drivers.ListDriversOpts{Detail: true}).AllPages(ctx)
			if err != nil {
				return err
			}
			found, err := drivers.ExtractDrivers(pages)
			return want(err, func() any { return len(found) > 0 }, true)
		}},
		{"drivers.GetDriverDetails", func() error {
			driver, err := drivers.GetDriverDetails(ctx, client, "redfish").Extract()
			return want(err, func() any { return driver.DefaultVendorInterface }, "redfish")
		}},
		{"drivers.GetDriverProperties", func() error {
			properties, err := drivers.GetDriverProperties(ctx, client, "redfish").Extract()
			return want(err, func() any { return (*properties)["redfish_address"] != nil }, true)
		}},
		{"drivers.ListVendorPassthruMethods", func() error {
			methods, err := drivers.ListVendorPassthruMethods(ctx, client, "redfish").Extract()
			return want(err, func() any { return methods["discover"].HTTPMethods[0] }, "POST")
		}},
		{"drivers.CallVendorPassthru", func() error {
			return drivers.CallVendorPassthru(ctx, client, "redfish", "POST",
				drivers.VendorPassthruCallOpts{Method: "discover", Body: map[string]any{"address": bmc}}).Err
		}},
		{"conductors.List", func() error {
			pages, err := conductors.List(client, conductors.ListOpts{Detail: true}).AllPages(ctx)
			if err != nil {
				return err
			}
			found, err := conductors.ExtractConductors(pages)
			return want(err, func() any { return found[0].Hostname }, "replica-1")
		}},
		{"conductors.Get", func() error {
			conductor, err := conductors.Get(ctx, client, "replica-1").Extract()
			return want(err, func() any { return conductor.Alive }, true)
		}},
		{"nodes.AttachVirtualMedia", func() error {
			return nodes.AttachVirtualMedia(ctx, client, "rf-1", nodes.AttachVirtualMediaOpts{
				DeviceType: nodes.VirtualMediaCD, ImageURL: "https://images.example/boot.iso",
			}).ExtractErr()
		}},
		{"nodes.DetachVirtualMedia", func() error {
			// The job of the attachment may still hold the node.
			for tries := 0; ; tries++ {
				err := nodes.DetachVirtualMedia(ctx, client, "rf-1", nodes.DetachVirtualMediaOpts{}).ExtractErr()
				if !gophercloud.ResponseCodeIs(err, 409) || tries == 100 {
					return err
				}
				time.Sleep(100 * time.Millisecond)
			}
		}},
		{"nodes.GetVirtualMedia", func() error { return nodes.GetVirtualMedia(ctx, client, "rf-1").Err }},
		{"nodes.Get with Microversion 1.116", func() error {
			newer := *client
			newer.Microversion = "1.116"
			return nodes.Get(ctx, &newer, "rf-1").Err
		}},
		{"nodes.Get of an unknown node", func() error { return nodes.Get(ctx, client, absent).Err }},
		{"nodes.Delete", func() error { return nodes.Delete(ctx, client, nodeUUID).ExtractErr() }},
	}
}

// notServed returns the calls that Ironic supports and this service does not.
func notServed(client *gophercloud.ServiceClient) []call {
	ctx := context.Background()
	return []call{
		{"nodes.ChangePowerState", func() error {
			return nodes.ChangePowerState(ctx, client, "rf-1", nodes.PowerStateOpts{Target: nodes.PowerOn}).ExtractErr()
		}},
		{"nodes.ChangeProvisionState", func() error {
			return nodes.ChangeProvisionState(ctx, client, "rf-1", nodes.ProvisionStateOpts{Target: nodes.TargetManage}).ExtractErr()
		}},
		{"nodes.SetRAIDConfig", func() error {
			return nodes.SetRAIDConfig(ctx, client, "rf-1", nodes.RAIDConfigOpts{LogicalDisks: []nodes.LogicalDisk{{RAIDLevel: nodes.RAID1}}}).ExtractErr()
		}},
		{"nodes.InjectNMI", func() error { return nodes.InjectNMI(ctx, client, "rf-1").ExtractErr() }},
		{"nodes.SetBootDevice", func() error {
			return nodes.SetBootDevice(ctx, client, "rf-1", nodes.BootDeviceOpts{BootDevice: "pxe"}).ExtractErr()
		}},
		{"nodes.GetBootDevice", func() error { return nodes.GetBootDevice(ctx, client, "rf-1").Err }},
		{"nodes.GetSupportedBootDevices", func() error { return nodes.GetSupportedBootDevices(ctx, client, "rf-1").Err }},
		{"nodes.ListBIOSSettings", func() error { return nodes.ListBIOSSettings(ctx, client, "rf-1", nil).Err }},
		{"nodes.GetBIOSSetting", func() error { return nodes.GetBIOSSetting(ctx, client, "rf-1", "ProcVirtualization").Err }},
		{"nodes.GetInventory", func() error { return nodes.GetInventory(ctx, client, "rf-1").Err }},
		{"nodes.ListFirmware", func() error { return nodes.ListFirmware(ctx, client, "rf-1").Err }},
		{"nodes.ListVirtualInterfaces", func() error { return nodes.ListVirtualInterfaces(ctx, client, "rf-1").Err }},
		{"nodes.AttachVirtualInterface", func() error {
			return nodes.AttachVirtualInterface(ctx, client, "rf-1", nodes.VirtualInterfaceOpts{ID: "vif-1"}).ExtractErr()
		}},
		{"nodes.DetachVirtualInterface", func() error {
			return nodes.DetachVirtualInterface(ctx, client, "rf-1", "vif-1").ExtractErr()
		}},
		{"drivers.GetDriverDiskProperties", func() error { return drivers.GetDriverDiskProperties(ctx, client, "redfish").Err }},
		{"ports.List", func() error {
			_, err := ports.List(client, ports.ListOpts{}).AllPages(ctx)
			return err
		}},
		{"ports.ListDetail", func() error {
			_, err := ports.ListDetail(client, ports.ListOpts{}).AllPages(ctx)
			return err
		}},
		{"ports.Get", func() error { return ports.Get(ctx, client, absent).Err }},
		{"ports.Create", func() error {
			return ports.Create(ctx, client, ports.CreateOpts{NodeUUID: nodeUUID, Address: "52:54:00:00:00:01"}).Err
		}},
		{"ports.Update", func() error {
			return ports.Update(ctx, client, absent, ports.UpdateOpts{
				ports.UpdateOperation{Op: ports.AddOp, Path: "/extra/a", Value: "1"},
			}).Err
		}},
		{"ports.Delete", func() error { return ports.Delete(ctx, client, absent).ExtractErr() }},
		{"allocations.List", func() error {
			_, err := allocations.List(client, allocations.ListOpts{}).AllPages(ctx)
			return err
		}},
		{"allocations.Get", func() error { return allocations.Get(ctx, client, absent).Err }},
		{"allocations.Create", func() error {
			return allocations.Create(ctx, client, allocations.CreateOpts{Name: "a", ResourceClass: "compute"}).Err
		}},
		{"allocations.Delete", func() error { return allocations.Delete(ctx, client, absent).ExtractErr() }},
	}
}

// want compares one value that the client parsed from the response.
func want(err error, got func() any, expected any) error {
	if err != nil {
		return err
	}
	if value := got(); value != expected {
		return fmt.Errorf("the client parsed %v, expected %v", value, expected)
	}
	return nil
}
