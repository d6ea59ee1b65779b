// Package rest is the HTTP side of the emulated services: the service API of DPS
// (enrollments and registrations), and what guards every part of the HTTP face,
// the check of Host and Origin and the shared access signatures of a policy.
//
// The room must not know MQTT, nor who keeps what it shows: the operations of
// the cloud come as funcs, values in and values out.
package rest
