// Package device is one simulated device: who it is, what its model makes it
// say, and its life from power-on to its hub.
//
// A device is one goroutine that talks straight ahead, as the firmware of a
// small thing does: dial, register, poll, join the hub, read the twin. It tells
// what happens as a stream of [Event] values and returns nothing: its failure is
// data, not an error of the program.
//
// The room knows the language of DPS and MQTT. It must not know the emulator,
// whether there is one, how many other devices there are, when they start, or
// what becomes of its events.
package device
