'use strict';
// Drives Microsoft's SDKs for node_test.go: a command a line on stdin, an answer
// a line on stdout, and a line for each thing that a device hears unasked. It is
// thin on purpose: what is tested is what the SDKs do.

const backend = require('./backend');
const devices = require('./devices');
const provisioning = require('./provisioning');
const service = require('./service');
const { tell } = require('./tell');

const commands = { ...backend, ...devices, ...provisioning, ...service, ready: async () => process.version };

async function answer(line) {
  const { id, command, ...args } = JSON.parse(line);
  try {
    tell({ id, result: await commands[command](args) });
  } catch (err) {
    tell({ id, error: described(err) });
  }
}

// described is an error as a developer would read it; the SDKs put the service's
// own words under result or responseBody, if at all.
function described(err) {
  return { name: err.name, message: err.message, result: err.result || parsed(err.responseBody) };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

require('node:readline').createInterface({ input: process.stdin })
  .on('line', answer)
  .on('close', () => process.exit(0));
