// SPDX-License-Identifier: Apache-2.0
// Node's fetch: node node_client.js PORT. Five at a time, so over several kept connections.
'use strict';

async function ask(n) {
  const method = { 3: 'POST', 5: 'HEAD' }[n % 7] || 'GET';
  const reply = await fetch(`http://127.0.0.1:${process.argv[2]}/item/${n}?x=1`, {
    method,
    body: method === 'POST' ? 'some=body' : undefined,
  });
  await reply.text();
  console.log(`${n} ${method} ${reply.status}`);
}

(async () => {
  for (let n = 0; n < 50; n += 5) {
    await Promise.all([0, 1, 2, 3, 4].map((k) => ask(n + k)));
  }
})();
