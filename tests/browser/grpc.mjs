// A gRPC service, and a client for it.
//
//   node grpc.mjs serve                  prints {"http": port} once it listens, in plain HTTP/2
//   node grpc.mjs call '{"port", "name", "authority": PEM file, "cookie"}'
//
// The client prints one JSON object: what each kind of call came to.
import { readFileSync } from 'node:fs';
import grpc from '@grpc/grpc-js';

const method = (name, stream) => ({
  path: `/test.Echo/${name}`,
  requestStream: false,
  responseStream: stream,
  requestSerialize: Buffer.from,
  requestDeserialize: String,
  responseSerialize: Buffer.from,
  responseDeserialize: String,
});
const Echo = { say: method('Say', false), count: method('Count', true), fail: method('Fail', false), hold: method('Hold', true) };

function trailers(call) {
  const metadata = new grpc.Metadata();
  metadata.set('told-user', String(call.metadata.get('x-postern-user')[0] ?? ''));
  return metadata;
}

function serve() {
  const server = new grpc.Server();
  server.addService(Echo, {
    say: (call, done) => done(null, `you said ${call.request}`, trailers(call)),
    count: (call) => {
      for (let number = 0; number < Number(call.request); number += 1) call.write(String(number));
      call.end(trailers(call));
    },
    fail: (call, done) => done({ code: grpc.status.RESOURCE_EXHAUSTED, details: 'nothing left', metadata: trailers(call) }),
    hold: (call) => call.write('held'),
  });
  server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    console.log(JSON.stringify({ http: port }));
  });
  process.stdin.resume().on('end', () => process.exit(0));
}

async function call({ port, name, authority, cookie, hold }) {
  const credentials = grpc.credentials.createSsl(readFileSync(authority));
  const client = new grpc.Client(`127.0.0.1:${port}`, credentials, {
    'grpc.default_authority': `${name}:${port}`,
    'grpc.ssl_target_name_override': name,
  });
  const metadata = new grpc.Metadata();
  if (cookie) metadata.set('cookie', cookie);
  const unary = ({ path, requestSerialize, responseDeserialize }, text) => new Promise((resolve) => {
    const result = {};
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, text, metadata, (error, said) => {
      Object.assign(result, { said, code: error?.code ?? 0, details: error?.details });
    }).on('status', (status) => resolve({ ...result, user: status.metadata.get('told-user')[0] }));
  });
  const stream = ({ path, requestSerialize, responseDeserialize }, text, heard = () => {}) => new Promise((resolve) => {
    const said = [];
    client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, text, metadata)
      .on('data', (part) => { said.push(part); heard(); })
      .on('error', () => {})
      .on('status', ({ code, details, metadata: end }) => resolve({ said, code, details, user: end.get('told-user')[0] }));
  });
  if (hold) {
    const ended = await stream(Echo.hold, 'x', () => console.log('holding'));
    console.log(JSON.stringify(ended));
  } else {
    const said = { say: await unary(Echo.say, 'hello'), fail: await unary(Echo.fail, 'x'), count: await stream(Echo.count, '3') };
    console.log(JSON.stringify(said));
  }
  client.close();
}

if (process.argv[2] === 'serve') serve();
else await call(JSON.parse(process.argv[3]));
