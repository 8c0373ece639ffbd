// A certified OpenID provider for tests: people from a file of the test, keys that can be rotated, sessions that can be ended.
//
//   node provider.mjs CONFIG.json
//
// CONFIG: { "host", "certificate", "key" (PEM files), "clients": [...], "people": { "alice": { "password", "groups", ... } } }
// It prints {"issuer": "https://host:port", "control": "http://127.0.0.1:port"} once it listens. The control port is the test's
// hand on the provider: POST /keys, /people, /logout, /count, /sign, /metadata, /faults with a JSON body.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import crypto from 'node:crypto';
import { Provider } from 'oidc-provider';

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const tls = { cert: readFileSync(config.certificate), key: readFileSync(config.key) };
const people = new Map(Object.entries(config.people));
const NO_FAULTS = { status: 0, delayMs: 0, pathPart: '', headers: {}, body: 'a fault of the test', repeat: 1, keepLogoutTokens: false };
const faults = { ...NO_FAULTS };
let overlay = {};
let logoutTokens = [];
const asked = new Map();
let keys = [freshKey()];
let provider;
let issuer;

function freshKey() {
  const { privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), kid: crypto.randomUUID(), use: 'sig', alg: 'ES256' };
}

function account(ctx, id) {
  const person = people.get(id);
  if (!person || person.disabled) return undefined;
  return {
    accountId: id,
    async claims() {
      const { password, disabled, ...claims } = person;
      return { sub: id, ...claims };
    },
  };
}

// A state that outlives a rotation of keys, which makes a new provider.
const stored = new Map();
class Memory {
  constructor(kind) { this.kind = kind; }
  key(id) { return `${this.kind}:${id}`; }
  async upsert(id, payload, seconds) {
    const until = seconds ? Date.now() + seconds * 1000 : Infinity;
    stored.set(this.key(id), { payload, until });
  }
  async find(id) {
    const entry = stored.get(this.key(id));
    return entry && entry.until > Date.now() ? entry.payload : undefined;
  }
  async findByUid(uid) { return this.first((payload) => payload.uid === uid); }
  async findByUserCode(userCode) { return this.first((payload) => payload.userCode === userCode); }
  async first(test) {
    for (const [key, { payload, until }] of stored) {
      if (key.startsWith(`${this.kind}:`) && until > Date.now() && test(payload)) return payload;
    }
    return undefined;
  }
  async consume(id) {
    const entry = stored.get(this.key(id));
    if (entry) entry.payload.consumed = Math.floor(Date.now() / 1000);
  }
  async destroy(id) { stored.delete(this.key(id)); }
  async revokeByGrantId(grantId) {
    for (const [key, { payload }] of stored) if (payload.grantId === grantId) stored.delete(key);
  }
}

function make() {
  const made = new Provider(issuer, {
    adapter: Memory,
    clients: config.clients,
    jwks: { keys },
    findAccount: account,
    conformIdTokenClaims: false,
    claims: {
      openid: ['sub', 'groups', 'name', 'acr', 'amr'],
      email: ['email', 'email_verified'],
      groups: ['groups'],
    },
    scopes: ['openid', 'email', 'groups', 'offline_access'],
    acrValues: ['urn:test:password', 'urn:test:mfa'],
    cookies: { keys: ['only for tests'] },
    pkce: { required: () => true },
    features: {
      backchannelLogout: { enabled: true },
      deviceFlow: { enabled: true },
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: true },
    },
    interactions: { url: (ctx, interaction) => `/sign-in/${interaction.uid}` },
    issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
    // Its guard refuses loopback addresses, where everything in a test lives.
    fetch: (url, { dispatcher, ...options } = {}) => trusting(url, options),
    ttl: { AccessToken: 3600, IdToken: 3600, Session: 86400, Grant: 86400, RefreshToken: 86400, Interaction: 600 },
    // Consent is given beforehand: these tests are about signing in.
    loadExistingGrant: async (ctx) => {
      // One for each session, or what a second tab signs in with would spoil the code of the first.
      const kept = ctx.oidc.session.grantIdFor(ctx.oidc.client.clientId);
      const found = kept && await ctx.oidc.provider.Grant.find(kept);
      if (found) return found;
      const grant = new ctx.oidc.provider.Grant({
        clientId: ctx.oidc.client.clientId,
        accountId: ctx.oidc.session.accountId,
      });
      grant.addOIDCScope('openid email groups offline_access');
      await grant.save();
      return grant;
    },
  });
  made.on('server_error', (ctx, error) => console.error('provider:', error));
  return made;
}

/** A fetch that trusts the test's certificates: back-channel logout goes to the gateway under test. */
function trusting(url, options) {
  if (faults.keepLogoutTokens) {
    logoutTokens.push(new URLSearchParams(options.body?.toString()).get('logout_token'));
    return Promise.resolve(new Response('', { status: 200 }));
  }
  return new Promise((resolve, reject) => {
    const request = https.request(url, {
      method: options.method,
      headers: Object.fromEntries(new Headers(options.headers)),
      ca: config.authority ? readFileSync(config.authority) : undefined,
    }, (answer) => {
      const chunks = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.on('end', () => resolve(new Response(Buffer.concat(chunks), { status: answer.statusCode })));
    });
    request.on('error', reject);
    request.end(options.body?.toString());
  });
}

const page = (uid, said) => `<!doctype html><title>Test provider</title>
<form method="post" action="/sign-in/${uid}"><p>${said}</p>
<label>Name <input name="login" autofocus></label>
<label>Password <input name="password" type="password"></label><button>Sign in</button></form>`;

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function signIn(request, response) {
  const details = await provider.interactionDetails(request, response);
  const html = (said, status) => {
    response.writeHead(status, { 'content-type': 'text/html' });
    response.end(page(details.uid, said));
  };
  if (request.method !== 'POST') return html('Sign in', 200);
  const form = new URLSearchParams(await body(request));
  const name = form.get('login');
  const person = people.get(name);
  if (form.has('deny')) {
    const error = { error: 'access_denied', error_description: 'the person said no' };
    return provider.interactionFinished(request, response, error, { mergeWithLastSubmission: false });
  }
  if (!person || person.disabled || person.password !== form.get('password')) return html('Wrong', 401);
  const asked = String(details.params.acr_values ?? '').split(' ');
  const acr = asked.includes('urn:test:mfa') ? 'urn:test:mfa' : 'urn:test:password';
  const amr = acr === 'urn:test:mfa' ? ['pwd', 'otp'] : ['pwd'];
  const login = { accountId: name, acr, amr, remember: true };
  return provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
}

/** Lets the provider say of itself what the test wants; `null` leaves something out. */
function describe(response) {
  const end = response.end.bind(response);
  response.end = (chunk, ...rest) => {
    const said = { ...JSON.parse(chunk.toString()), ...overlay };
    for (const [name, value] of Object.entries(overlay)) if (value === null) delete said[name];
    const text = JSON.stringify(said);
    response.setHeader('content-length', Buffer.byteLength(text));
    return end(text, ...rest);
  };
}

const server = https.createServer(tls, (request, response) => {
  const path = request.url.split('?')[0];
  asked.set(path, (asked.get(path) ?? 0) + 1);
  const faulty = faults.pathPart === '' || request.url.includes(faults.pathPart);
  setTimeout(() => {
    if (faults.status && faulty) {
      response.writeHead(faults.status, { 'content-type': 'text/plain', ...faults.headers });
      return response.end(faults.body.repeat(faults.repeat));
    }
    if (path === '/.well-known/openid-configuration') describe(response);
    if (request.url.startsWith('/sign-in/')) {
      return signIn(request, response).catch((error) => {
        response.writeHead(400, { 'content-type': 'text/plain' });
        response.end(String(error));
      });
    }
    return provider.callback()(request, response);
  }, faulty ? faults.delayMs : 0);
});

const orders = {
  // { "mode": "overlap" | "cut" | "same" }: a new key beside the old ones, instead of them, or under the old one's id.
  '/keys': async ({ mode }) => {
    const [{ kid }] = keys;
    keys = { overlap: () => [freshKey(), ...keys], cut: () => [freshKey()], same: () => [{ ...freshKey(), kid }] }[mode]();
    provider = make();
  },
  // { "alice": { ... } | null }: changes or removes people.
  '/people': async (changes) => {
    for (const [name, change] of Object.entries(changes)) {
      if (change === null) people.delete(name);
      else people.set(name, { ...people.get(name), ...change });
    }
  },
  // { "person": "alice" }: ends the person's sessions here and tells every client (back-channel logout).
  '/logout': async ({ person }) => {
    let told = 0;
    logoutTokens = [];
    for (const [key, { payload }] of stored) {
      if (!key.startsWith('Session:') || payload.accountId !== person) continue;
      for (const [clientId, { sid }] of Object.entries(payload.authorizations ?? {})) {
        const client = await provider.Client.find(clientId);
        if (!client?.backchannelLogoutUri) continue;
        await client.backchannelLogout(person, sid);
        told += 1;
      }
      stored.delete(key);
    }
    return { told, tokens: logoutTokens };
  },
  // { "path": "/token" }: how often it was asked for.
  '/count': async ({ path }) => ({ count: asked.get(path) ?? 0 }),
  // { "claims", "header" }: a token with these claims, signed as the provider signs.
  '/sign': async ({ claims, header }) => {
    const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const text = `${encode({ alg: 'ES256', kid: keys[0].kid, ...header })}.${encode(claims)}`;
    const key = crypto.createPrivateKey({ key: keys[0], format: 'jwk' });
    const signature = crypto.sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });
    return { token: `${text}.${signature.toString('base64url')}` };
  },
  // What it says of itself otherwise than it would.
  '/metadata': async (wanted) => { overlay = wanted; },
  // { "status", "delayMs", "pathPart", "headers", "body", "repeat" }: what goes wrong from here on. { "keepLogoutTokens" }: they are given to whoever
  // orders the logout instead of being sent.
  '/faults': async (wanted) => {
    Object.assign(faults, NO_FAULTS, wanted);
  },
};

const control = http.createServer(async (request, response) => {
  try {
    const order = orders[request.url];
    if (!order || request.method !== 'POST') throw new Error(`no such order: ${request.url}`);
    const answer = await order(JSON.parse((await body(request)) || '{}'));
    response.end(JSON.stringify(answer ?? {}));
  } catch (error) {
    response.writeHead(500);
    response.end(String(error));
  }
});

server.listen(0, '127.0.0.1', () => {
  issuer = `https://${config.host}:${server.address().port}`;
  provider = make();
  control.listen(0, '127.0.0.1', () => {
    const where = { issuer, control: `http://127.0.0.1:${control.address().port}` };
    console.log(JSON.stringify(where));
  });
});
// The test holds the other end of standard input: when the test goes, so does the provider.
process.stdin.resume().on('end', () => process.exit(0));
