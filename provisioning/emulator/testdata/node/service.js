'use strict';
// A back end at DPS. The SDK takes no port; an agent leads to one.

const https = require('node:https');
const { Http, RestApiClient } = require('azure-iot-http-base');
const { ConnectionString, SharedAccessSignature } = require('azure-iot-common');
const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');

let client;

// service opens what the other commands use.
exports.service = async ({ connectionString, port }) => {
  const { HostName: host, SharedAccessKeyName: name, SharedAccessKey: key } = ConnectionString.parse(connectionString);
  const config = { host, sharedAccessSignature: SharedAccessSignature.create(host, name, key, Date.now()) };
  const base = new Http();
  base.setOptions({ http: { agent: new https.Agent({ port }) } });
  client = new ProvisioningServiceClient(config, new RestApiClient(config, 'azure-iot-provisioning-service/1.11.2', base));
};

// call is a method of the service client whose promise settles with the body.
exports.call = async ({ method, args }) => {
  const { responseBody } = (await client[method](...args)) || {};
  return responseBody;
};

// query reads all pages. Without its argument the promise form of next forgets
// the continuation.
exports.query = async ({ method, args }) => {
  const query = client[method](...args);
  const pages = [];
  while (query.hasMoreResults) pages.push((await query.next(query.continuationToken)).responseBody);
  return pages;
};

// bulk goes by its callback; the promise of this one never settles.
exports.bulk = ({ operation }) => new Promise((resolve, reject) => {
  client.runBulkEnrollmentOperation(operation, (err, result) => (err ? reject(err) : resolve(result)));
});
