'use strict';
// A device at DPS. The SDK takes a port in the host for MQTT alone; for the
// other two 443 is hard-wired, and an agent leads elsewhere.

const https = require('node:https');
const { Http: HttpBase } = require('azure-iot-http-base');
const { MqttBase } = require('azure-iot-mqtt-base');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { Http } = require('azure-iot-provisioning-device-http');
const { Mqtt, MqttWs } = require('azure-iot-provisioning-device-mqtt');
const { SymmetricKeySecurityClient } = require('azure-iot-security-symmetric-key');
const { X509Security } = require('azure-iot-security-x509');

const transports = {
  mqtt: () => new Mqtt(),
  wss: (port) => {
    const base = new MqttBase();
    base.setOptions({ mqtt: { webSocketAgent: new https.Agent({ port }) } });
    return new MqttWs(base);
  },
  https: (port) => {
    const base = new HttpBase();
    base.setOptions({ http: { agent: new https.Agent({ port }) } });
    return new Http(base);
  },
};

function security({ registrationId, key, certificate }) {
  if (certificate) return new X509Security(registrationId, certificate);
  return new SymmetricKeySecurityClient(registrationId, key);
}

// register answers with the registration's state.
exports.register = async (args) => {
  const transport = transports[args.transport](args.port);
  const host = args.transport === 'mqtt' ? `localhost:${args.port}` : 'localhost';
  const client = ProvisioningDeviceClient.create(host, args.idScope, transport, security(args));
  if (args.payload) client.setProvisioningPayload(args.payload);
  return client.register();
};
