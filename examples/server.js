// A small web server to keep alive: `resume start examples/server.js`.
//
//   PORT (3000) and HOST (127.0.0.1) say where it listens; port 0 takes any free one.
//
//   /         who answers: pid, uptime, service and instance, as JSON
//   /health   "ok"
//   /slow     answers after a second, or after ?ms=N: what is under way when the server is told to stop
//   /crash    throws where nothing catches it, as a bug would
//   /exit     ends the process with status 0, or ?code=N
'use strict';

const http = require('node:http');

const host = process.env.HOST || '127.0.0.1';
const port = Number(process.env.PORT || 3000);

function whoAnswers() {
  return {
    pid: process.pid,
    uptime: Number(process.uptime().toFixed(3)),
    service: process.env.RESUME_SERVICE || null,
    instance: process.env.RESUME_INSTANCE || null,
  };
}

function answer(request, response) {
  const url = new URL(request.url, 'http://localhost');
  console.log(`${request.method} ${url.pathname}`);

  switch (url.pathname) {
    case '/':
      response.setHeader('Content-Type', 'application/json');
      response.end(`${JSON.stringify(whoAnswers())}\n`);
      break;
    case '/health':
      response.end('ok\n');
      break;
    case '/slow':
      setTimeout(() => response.end('done\n'), Number(url.searchParams.get('ms') || 1000));
      break;
    case '/crash':
      // Out of the request's own call, so that node does not turn it into an error of the request.
      setImmediate(() => {
        throw new Error('somebody asked for /crash');
      });
      break;
    case '/exit':
      process.exit(Number(url.searchParams.get('code') || 0));
      break;
    default:
      response.statusCode = 404;
      response.end('not found\n');
  }
}

const server = http.createServer(answer);

server.on('error', (error) => {
  console.error(`cannot listen on ${host}:${port}: ${error.message}`);
  process.exit(1);
});

server.listen(port, host, () => {
  const { address, port: taken } = server.address();
  console.log(`listening on http://${address}:${taken} (pid ${process.pid})`);
});

// Takes no more requests, answers those under way, and leaves.
function stop(signal) {
  console.log(`${signal}: finishing what is under way`);
  server.close(() => {
    console.log('bye');
    process.exit(0);
  });
  server.closeIdleConnections();
}

process.once('SIGTERM', stop);
process.once('SIGINT', stop);
