'use strict';
// Devices at their hub, by name.

const https = require('node:https');
const { NoRetry } = require('azure-iot-common');
const { Client, Message } = require('azure-iot-device');
const { Mqtt, MqttWs } = require('azure-iot-device-mqtt');
const { MqttBase } = require('azure-iot-mqtt-base');
const { tell } = require('./tell');

const connected = new Map();

// through is a transport that dials the emulator whatever the hub is called. With
// a key the connection string says so (GatewayHostName); with a certificate the
// SDK reads past that.
const through = (port) => class extends Mqtt {
  constructor(authentication) {
    const base = new MqttBase();
    const { connect } = base;
    base.connect = (config, done) => connect.call(base, { ...config, uri: `mqtts://localhost:${port}` }, done);
    super(authentication, base);
  }
};

// connect opens the connection that a connection string describes.
exports.connect = async ({ device, connectionString, transport, port, certificate }) => {
  const mqtt = certificate ? through(port) : Mqtt;
  const client = Client.fromConnectionString(connectionString, transport === 'wss' ? MqttWs : mqtt);
  const agent = new https.Agent(certificate ? { port, host: 'localhost' } : { port });
  await client.setOptions({ ...certificate, mqtt: { webSocketAgent: agent } });
  client.setRetryPolicy(new NoRetry());
  await client.open();
  connected.set(device, { client });
};

exports.close = async ({ device }) => {
  const { client } = connected.get(device);
  connected.delete(device);
  await client.close();
};

// twin reads the twin and tells of every desired change from then on.
exports.twin = async ({ device }) => {
  const one = connected.get(device);
  one.twin = await one.client.getTwin();
  const first = JSON.parse(JSON.stringify(one.twin.properties));
  one.twin.on('properties.desired', (value) => tell({ device, event: 'desired', value }));
  return first;
};

exports.report = ({ device, patch }) => new Promise((resolve, reject) => {
  connected.get(device).twin.properties.reported.update(patch, (err) => (err ? reject(err) : resolve()));
});

exports.send = async ({ device, body, properties }) => {
  const message = new Message(body);
  for (const [name, value] of Object.entries(properties || {})) message.properties.add(name, value);
  await connected.get(device).client.sendEvent(message);
};

// answerMethod answers every call of a method, and tells of it.
exports.answerMethod = async ({ device, method, status, payload }) => {
  connected.get(device).client.onDeviceMethod(method, (request, response) => {
    tell({ device, event: 'method', value: { name: request.methodName, payload: request.payload } });
    response.send(status, payload, () => {});
  });
};

// receive completes every message of the cloud, and tells of it.
exports.receive = async ({ device }) => {
  const { client } = connected.get(device);
  client.on('message', (message) => {
    const properties = Object.fromEntries(message.properties.propertyList.map(({ key, value }) => [key, value]));
    tell({ device, event: 'message', value: { body: message.getData().toString(), messageId: message.messageId, properties } });
    client.complete(message, () => {});
  });
};
