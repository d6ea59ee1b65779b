// Package scenarios is the language in which a run is written down, and the one
// place where cloud, fleet and recorder meet.
//
// A scenario says which devices come, when, to which cloud, and what should
// become of them. [Read] takes its YAML and returns all that is wrong with it at
// once, each with line and column; [Run] plays it and returns the report.
//
//	scenario.yaml -Read-> Scenario -+- fleets -> fleet.Run -> boots ==MQTT==> cloud
//	                                +- cloud  -> emulator      |                |
//	                                +- target                  +--> recorder <--+
//	                                +- thresholds                       |
//	                                                                 report
//
// The room knows everything below it and prints nothing. It is the only one that
// knows YAML: everything else has JSON tags.
package scenarios
