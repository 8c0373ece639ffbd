// A web application for tests: it echoes, counts, hashes, streams and speaks WebSocket, and keeps a list of what reached it.
//
//   node app.mjs '{"cert": FILE, "key": FILE}'     (both may be left out: then it speaks plain HTTP only)
//
// It prints {"http": port, "https": port} once it listens.
import crypto from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { WebSocketServer } from 'ws';

const config = JSON.parse(process.argv[2] ?? '{}');
const seen = [];
const posted = [];
const CHUNK = Buffer.alloc(64 * 1024, 'postern ');

const json = (response, value, status = 200) => {
  const body = JSON.stringify(value);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
};
const told = (request) => ({ method: request.method, url: request.url, headers: request.rawHeaders });

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function page(request, response) {
  const user = request.headers['x-postern-user'] ?? 'nobody';
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
  response.end(`<!doctype html><html lang="en"><title>Test application</title>
<h1>Test application</h1><p>You are <b id="user">${encodeURIComponent(user)}</b> at <span id="host">${request.headers.host}</span>.
<form method="post" action="/count"><input name="what" value="an order"><button>Order</button></form></html>`);
}

/** An answer whose connection went before its end is on the list as well. */
function noteCut(request, response) {
  response.on('close', () => response.writableFinished || seen.push({ method: 'CUT', url: request.url }));
}

function bytes(request, response, url) {
  let left = Number(url.searchParams.get('n'));
  noteCut(request, response);
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': left });
  const more = () => {
    while (left > 0) {
      const chunk = left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK;
      left -= chunk.length;
      if (!response.write(chunk)) return response.once('drain', more);
    }
    return response.end();
  };
  more();
}

function events(request, response) {
  let number = 0;
  noteCut(request, response);
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  const send = () => response.write(`data: ${number++}\n\n`);
  send();
  const timer = setInterval(send, 100);
  response.on('close', () => clearInterval(timer));
}

const pages = {
  '/headers': (request, response) => json(response, told(request)),
  '/seen': (request, response) => json(response, seen),
  '/posted': (request, response) => json(response, posted),
  '/count': async (request, response) => {
    const what = (await body(request)).toString();
    posted.push(what);
    json(response, { number: posted.length, what });
  },
  '/hash': async (request, response) => {
    const hash = crypto.createHash('sha256');
    let size = 0;
    for await (const chunk of request) {
      hash.update(chunk);
      size += chunk.length;
    }
    json(response, { size, sha256: hash.digest('hex') });
  },
  '/bytes': bytes,
  '/events': events,
  '/slow': (request, response, url) =>
    setTimeout(() => json(response, { slow: true }), Number(url.searchParams.get('ms'))),
  // An answer before the body: the connection stays open, the rest of the body is read.
  '/early': (request, response) => {
    json(response, { early: true });
    request.resume();
  },
  '/cookies': (request, response) => {
    response.setHeader('set-cookie', [
      'own=1; Path=/',
      'parent=1; Domain=apps.localhost; Path=/',
      'foreign=1; Domain=example.com; Path=/',
      '__Host-postern-app=stolen; Secure; Path=/; HttpOnly',
      '__Host-postern=stolen; Secure; Path=/',
    ]);
    response.setHeader('clear-site-data', '"cookies"');
    response.setHeader('x-postern-user', 'mallory');
    json(response, {});
  },
  // What another application's pages call: it says itself who may read it.
  '/api': (request, response) => {
    if (request.headers.origin) {
      response.setHeader('access-control-allow-origin', request.headers.origin);
      response.setHeader('access-control-allow-credentials', 'true');
      response.setHeader('vary', 'origin');
    }
    json(response, { user: request.headers['x-postern-user'] ?? null });
  },
};

/** A registry of images: it asks for a token of its own, and takes any. */
function registry(request, response) {
  response.setHeader('docker-distribution-api-version', 'registry/2.0');
  if (request.headers.authorization) return json(response, told(request));
  response.setHeader('www-authenticate', 'Bearer realm="https://auth.example/token",service="registry"');
  return json(response, { errors: [{ code: 'UNAUTHORIZED' }] }, 401);
}

async function serve(request, response) {
  const url = new URL(request.url, 'http://app');
  if (url.pathname !== '/seen') seen.push({ method: request.method, url: request.url });
  try {
    const answer = url.pathname.startsWith('/v2/') ? registry : pages[url.pathname] ?? page;
    await answer(request, response, url);
  } catch {
    // The other side went away in the middle of a body.
    response.destroy();
  }
}

function expecting(request, response) {
  if (request.url.startsWith('/refuse')) return json(response, { refused: true }, 417);
  response.writeContinue();
  return serve(request, response);
}

const sockets = new WebSocketServer({ noServer: true });

function upgrade(request, socket, head) {
  seen.push({ method: 'UPGRADE', url: request.url });
  if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
    // Any other protocol: an echo of lines.
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade}\r\n\r\n`);
    socket.on('error', () => {});
    return socket.pipe(socket);
  }
  if (request.url.startsWith('/refused')) {
    return socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
  }
  return sockets.handleUpgrade(request, socket, head, (client) => {
    client.send(JSON.stringify(told(request)));
    client.on('message', (data, isBinary) => client.send(data, { binary: isBinary }));
    client.on('close', (code, reason) => seen.push({ method: 'CLOSE', url: `${request.url} ${code} ${reason}` }));
    client.on('error', () => {});
  });
}

function listen(server) {
  // Tests end connections when they like.
  server.keepAliveTimeout = 60_000;
  server.on('upgrade', upgrade).on('checkContinue', expecting).on('clientError', (error, socket) => socket.destroy());
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));
}

const ports = { http: await listen(http.createServer(serve)) };
if (config.cert) {
  const tls = { cert: readFileSync(config.cert), key: readFileSync(config.key) };
  ports.https = await listen(https.createServer(tls, serve));
}
console.log(JSON.stringify(ports));
// The test holds the other end of standard input: when the test goes, so does the application.
process.stdin.resume().on('end', () => process.exit(0));
