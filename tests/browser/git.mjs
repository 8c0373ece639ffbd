// git's own server, `git http-backend`, behind HTTP.
//
//   node git.mjs DIRECTORY     (of bare repositories; it prints {"http": port} once it listens)
//
// Whoever the gateway names may push: that is what the backend asks `REMOTE_USER` for.
import { spawn } from 'node:child_process';
import http from 'node:http';

const root = process.argv[2];

function environment({ method, url, headers }) {
  const [path, query = ''] = url.split('?');
  return {
    PATH: process.env.PATH,
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: '1',
    GIT_PROTOCOL: headers['git-protocol'] ?? '',
    REQUEST_METHOD: method,
    PATH_INFO: decodeURIComponent(path),
    QUERY_STRING: query,
    CONTENT_TYPE: headers['content-type'] ?? '',
    CONTENT_LENGTH: headers['content-length'] ?? '',
    HTTP_CONTENT_ENCODING: headers['content-encoding'] ?? '',
    REMOTE_USER: headers['x-postern-user'] ?? '',
    REMOTE_ADDR: '127.0.0.1',
  };
}

/** The head of a CGI answer becomes HTTP's, the rest follows as it comes. */
function answer(output, response) {
  let head = Buffer.alloc(0);
  const read = (chunk) => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    output.off('data', read);
    let status = 200;
    for (const line of head.subarray(0, end).toString().split('\r\n')) {
      const [, name, value] = /^([^:]+): *(.*)$/.exec(line) ?? [];
      if (name === 'Status') status = Number.parseInt(value, 10);
      else if (name) response.appendHeader(name, value);
    }
    response.writeHead(status);
    response.write(head.subarray(end + 4));
    output.pipe(response);
  };
  output.on('data', read);
}

const server = http.createServer((request, response) => {
  const backend = spawn('git', ['http-backend'], { env: environment(request), stdio: ['pipe', 'pipe', 'inherit'] });
  // A client that is cut off in the middle of a push leaves both ends broken.
  backend.stdin.on('error', () => {});
  backend.on('error', () => response.destroy());
  response.on('close', () => backend.kill());
  request.pipe(backend.stdin);
  answer(backend.stdout, response);
});
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ http: server.address().port })));
// The test holds the other end of standard input: when the test goes, so does the server.
process.stdin.resume().on('end', () => process.exit(0));
