'use strict';
// A back end at a hub. The SDK takes no port; an agent leads to one, and to the
// emulator whatever the hub is called.

const https = require('node:https');
const { ConnectionString, SharedAccessSignature } = require('azure-iot-common');
const { Http, RestApiClient } = require('azure-iot-http-base');
const { Client, Registry } = require('azure-iothub');

let registry;
let client;

// atHub opens what the other commands use.
exports.atHub = async ({ connectionString, port }) => {
  const { HostName: host, SharedAccessKeyName: name, SharedAccessKey: key } = ConnectionString.parse(connectionString);
  const config = { host, sharedAccessSignature: SharedAccessSignature.create(host, name, key, Math.floor(Date.now() / 1000) + 3600) };
  const base = new Http();
  const rest = new RestApiClient(config, 'azure-iothub/1.16.6', base);
  registry = new Registry(config, rest);
  client = new Client({}, rest); // methods go by HTTP, and nothing else is asked of it
  base.setOptions({ http: { agent: new https.Agent({ port, host: 'localhost' }) } });
};

// registry is a method of the registry whose promise settles with the body.
exports.registry = async ({ method, args }) => {
  const { responseBody } = (await registry[method](...args)) || {};
  if (responseBody) delete responseBody._registry; // of a twin; it leads back to here
  return responseBody;
};

exports.invoke = async ({ device, params }) => (await client.invokeDeviceMethod(device, params)).result;

// queryHub reads all pages. Without its argument next forgets the continuation.
exports.queryHub = async ({ query, size }) => {
  const all = registry.createQuery(query, size);
  const pages = [];
  while (all.hasMoreResults) pages.push((await all.next(all.continuationToken)).result);
  return pages;
};
