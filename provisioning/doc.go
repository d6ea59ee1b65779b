// Package provisioning is the language that devices and the Device
// Provisioning Service speak: user names, topics, bodies, error codes,
// enrollment records, keys, tokens and certificates, and the names under which
// Microsoft's C SDK reports a result.
//
// It knows the words and nothing else: it opens no connection, reads no file
// and keeps no state. The device side and the emulator both speak it, so
// whatever it gets wrong would go unseen between the two; that is why its tests
// take their vectors from Microsoft's documents and SDKs.
//
// The facts come from Microsoft's public documents and the sources of its SDKs.
// A comment names the document where a rule is obeyed:
//
//   - [DPS over MQTT]: how a device talks to DPS over MQTT 3.1.1
//   - [symmetric key attestation]: tokens and derived keys
//   - [custom allocation]: the webhook's request and response
//   - [hub over MQTT]: how a device talks to its IoT hub
//
// [DPS over MQTT]: https://learn.microsoft.com/azure/iot/iot-mqtt-connect-to-iot-dps
// [symmetric key attestation]: https://learn.microsoft.com/azure/iot-dps/concepts-symmetric-key-attestation
// [custom allocation]: https://learn.microsoft.com/azure/iot-dps/concepts-custom-allocation
// [hub over MQTT]: https://learn.microsoft.com/azure/iot/iot-mqtt-connect-to-iot-hub
package provisioning
