// SPDX-License-Identifier: Apache-2.0
// Node's http: node node_server.js PORT
'use strict';
const http = require('http');

http.createServer((request, response) => {
  request.on('data', () => {});
  request.on('end', () => {
    const path = request.url.split('?')[0];
    const digit = Number(path[path.length - 1]);
    response.statusCode = digit < 6 ? 200 : digit < 9 ? 404 : 500;
    response.setHeader('Content-Type', 'text/plain');
    response.end(`you asked for ${path}\n`);
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
