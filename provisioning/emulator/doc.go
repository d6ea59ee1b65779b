// Package emulator is the cloud in one process: the device endpoint of the
// Device Provisioning Service, the IoT hubs that it assigns devices to, and the
// enrollments that let devices in. DPS and hubs share one listener; the user
// name of a CONNECT tells them apart.
//
// It is meant to be as strict as the service: a wrong topic, key or id scope
// meets here what it would meet there. What Microsoft does not document is a
// named setting in [Undocumented] with a default of ours.
//
// A registration goes through the files in this order: listener.go accepts,
// dps.go serves the connection, attest.go checks the credentials, register.go
// answers, allocate.go finds the hub, assign.go keeps the verdict. The hubs are
// package hub, what must be remembered is in tables of package store.
//
// The room must not know devices or fleets. What it learned of the wire it
// learned from Microsoft's documents and SDKs, never from our own client, so
// that the two do not share a mistake.
package emulator
