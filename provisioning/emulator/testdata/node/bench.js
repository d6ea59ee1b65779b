'use strict';
// Boots devices with Microsoft's SDK, so many at a time, and tells what that took:
// bench.js '{"port":"8883","idScope":"0ne1","atOnce":200,"devices":[{"registrationId":"a","key":"..."}]}'

const { register } = require('./provisioning');
const { tell } = require('./tell');

async function boot(devices, common) {
  for (let device = devices.pop(); device; device = devices.pop()) {
    await register({ ...common, ...device, transport: 'mqtt' });
  }
}

async function bench({ devices, atOnce, ...common }) {
  const began = process.hrtime.bigint();
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: atOnce }, () => boot(devices, common)));
  const { user, system } = process.cpuUsage(before);
  tell({ cpu: (user + system) * 1000, took: Number(process.hrtime.bigint() - began) });
}

require('node:readline').createInterface({ input: process.stdin })
  .on('line', (line) => bench(JSON.parse(line)))
  .on('close', () => process.exit(0));
