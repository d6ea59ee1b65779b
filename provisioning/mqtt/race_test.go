//go:build race

package mqtt_test

func raceEnabled() bool { return true }
