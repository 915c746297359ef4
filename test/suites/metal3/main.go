// Drives metal3's own provisioner for Ironic through its public interface and writes a JSON list of the outcomes.
//
// Usage: metal3 BMC, with the environment variables of the baremetal-operator: IRONIC_ENDPOINT and METAL3_AUTH_ROOT_DIR
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/go-logr/logr"
	metal3api "github.com/metal3-io/baremetal-operator/apis/metal3.io/v1alpha1"
	"github.com/metal3-io/baremetal-operator/pkg/hardwareutils/bmc"
	"github.com/metal3-io/baremetal-operator/pkg/provisioner"
	"github.com/metal3-io/baremetal-operator/pkg/provisioner/ironic"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// outcome is the result of a call, which has the name in the table. Error is the provisioner's error.
type outcome struct {
	Call  string `json:"call"`
	Error string `json:"error,omitempty"`
}

var outcomes []outcome

// record adds the outcome of a call. The operator shows result.ErrorMessage to its user, and retries after an error.
func record(call string, result provisioner.Result, err error) {
	text := result.ErrorMessage
	if err != nil {
		text = err.Error()
	}
	outcomes = append(outcomes, outcome{Call: call, Error: text})
}

// expect adds the outcome of a call that is expected to return `want`.
func expect[T comparable](call string, want, got T, err error) {
	if err == nil && got != want {
		err = fmt.Errorf("returned %v instead of %v", got, want)
	}
	record(call, provisioner.Result{}, err)
}

func main() {
	host := provisioner.HostData{
		ObjectMeta:     metav1.ObjectMeta{Namespace: "metal3", Name: "worker-0"},
		BMCAddress:     "redfish+" + os.Args[1] + "/redfish/v1/Systems/437XR1138R2",
		BMCCredentials: bmc.Credentials{Username: "admin", Password: "secret"},
		BootMACAddress: "52:54:00:12:34:56",
	}
	factory, err := ironic.NewProvisionerFactory(logr.Discard(), false)
	if err != nil {
		log.Fatal(err)
	}
	// The operator makes a provisioner for each reconciliation.
	reconcile := func() provisioner.Provisioner {
		p, err := factory.NewProvisioner(context.Background(), host, func(string, string) {})
		if err != nil {
			log.Fatal(err)
		}
		ready, err := p.TryInit()
		if len(outcomes) == 0 {
			expect("TryInit", true, ready, err)
		} else if !ready || err != nil {
			log.Fatal("TryInit: ", ready, err)
		}
		return p
	}

	data := provisioner.ManagementAccessData{BootMode: metal3api.UEFI, CPUArchitecture: "x86_64"}
	result, _, err := reconcile().Register(data, false, false)
	record("Register, which creates the node and then a port", result, err)
	result, host.ProvisionerID, err = reconcile().Register(data, false, false)
	if host.ProvisionerID == "" {
		log.Fatal("Register did not find the node by its name: ", err)
	}
	record("Register again, which finds the node by its name and then asks for its ports", result, err)

	p := reconcile()
	capacity, err := p.HasCapacity()
	expect("HasCapacity", true, capacity, err)
	_, err = p.UpdateHardwareState()
	record("UpdateHardwareState", provisioner.Result{}, err)
	subscriptions(p)
	dataImage(p)
	notServed(p)

	result, err = p.Delete()
	record("Delete, which sets maintenance", result, err)
	result, err = p.Delete()
	record("Delete", result, err)
	result, err = p.Delete()
	record("Delete of a deleted node", result, err)
	_, err = p.GetDataImageStatus()
	if !errors.Is(err, provisioner.ErrNeedsRegistration) {
		log.Fatal("the node is still there: ", err)
	}

	host = provisioner.HostData{
		ObjectMeta:     metav1.ObjectMeta{Namespace: "metal3", Name: "worker-1"},
		BMCAddress:     "ipmi://127.0.0.1:1",
		BMCCredentials: host.BMCCredentials,
	}
	result, _, err = reconcile().Register(data, false, false)
	record("Register over IPMI without a port, which creates the node and then manages it", result, err)
	json.NewEncoder(os.Stdout).Encode(outcomes)
}

func subscriptions(p provisioner.Provisioner) {
	made := []metal3api.BMCEventSubscription{}
	for _, test := range []struct {
		name    string
		spec    metal3api.BMCEventSubscriptionSpec
		headers provisioner.HTTPHeaders
	}{
		{"AddBMCEventSubscriptionForNode", metal3api.BMCEventSubscriptionSpec{Destination: "https://127.0.0.1/a", Context: "a"}, nil},
		{"AddBMCEventSubscriptionForNode with headers", metal3api.BMCEventSubscriptionSpec{Destination: "https://127.0.0.1/b"},
			provisioner.HTTPHeaders{{"Authorization": "Bearer secret"}, {"X-Other": "1"}}},
		{"AddBMCEventSubscriptionForNode with an empty list of headers",
			metal3api.BMCEventSubscriptionSpec{Destination: "https://127.0.0.1/c"}, provisioner.HTTPHeaders{}},
	} {
		subscription := metal3api.BMCEventSubscription{Spec: test.spec}
		result, err := p.AddBMCEventSubscriptionForNode(&subscription, test.headers)
		if err == nil && subscription.Status.SubscriptionID == "" {
			err = errors.New("no ID")
		}
		record(test.name, result, err)
		made = append(made, subscription)
	}
	bad := metal3api.BMCEventSubscription{Spec: metal3api.BMCEventSubscriptionSpec{Destination: "nowhere"}}
	result, err := p.AddBMCEventSubscriptionForNode(&bad, nil)
	record("AddBMCEventSubscriptionForNode with a bad destination", result, err)
	for _, subscription := range made {
		if result, err = p.RemoveBMCEventSubscriptionForNode(subscription); err != nil {
			break
		}
	}
	record("RemoveBMCEventSubscriptionForNode, of each", result, err)
	result, err = p.RemoveBMCEventSubscriptionForNode(made[0])
	record("RemoveBMCEventSubscriptionForNode of a removed subscription", result, err)
}

func dataImage(p provisioner.Provisioner) {
	attached := func() (bool, error) {
		for {
			attached, err := p.GetDataImageStatus()
			// The operator tries again later, too.
			if !errors.Is(err, provisioner.ErrNodeIsBusy) {
				return attached, err
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	status, err := attached()
	expect("GetDataImageStatus", false, status, err)
	record("AttachDataImage", provisioner.Result{}, p.AttachDataImage("http://127.0.0.1/image.iso"))
	status, err = attached()
	expect("GetDataImageStatus of an attached image", true, status, err)
	record("DetachDataImage", provisioner.Result{}, p.DetachDataImage())
	status, err = attached()
	expect("GetDataImageStatus of a detached image", false, status, err)
}

// notServed calls what needs power or firmware.
func notServed(p provisioner.Provisioner) {
	_, _, err := p.GetFirmwareSettings(true)
	record("GetFirmwareSettings", provisioner.Result{}, err)
	_, err = p.GetFirmwareComponents()
	record("GetFirmwareComponents", provisioner.Result{}, err)
	result, err := p.PowerOn(false)
	record("PowerOn", result, err)
	result, err = p.PowerOff(metal3api.RebootModeHard, false, metal3api.CleaningModeMetadata)
	record("PowerOff", result, err)
}
