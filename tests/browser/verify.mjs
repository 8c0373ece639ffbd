// Verifies an assertion as an application does, with nothing but the standard library of Node.
//
//   node verify.mjs '{"jwt", "jwks", "issuer", "audience"}'      prints the claims, or fails
import crypto from 'node:crypto';

const { jwt, jwks, issuer, audience } = JSON.parse(process.argv[2]);
const [head, payload, signature] = jwt.split('.');
const decode = (part) => JSON.parse(Buffer.from(part, 'base64url').toString());
const { alg, kid } = decode(head);
if (alg !== 'ES256') throw new Error(`signed with ${alg}`);
const jwk = jwks.keys.find((key) => key.kid === kid);
if (!jwk) throw new Error(`no key ${kid}`);
const key = { key: crypto.createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' };
if (!crypto.verify('sha256', Buffer.from(`${head}.${payload}`), key, Buffer.from(signature, 'base64url'))) {
  throw new Error('the signature is not right');
}
const claims = decode(payload);
if (claims.iss !== issuer) throw new Error(`issued by ${claims.iss}`);
if (![claims.aud].flat().includes(audience)) throw new Error(`meant for ${claims.aud}`);
if (claims.exp * 1000 <= Date.now()) throw new Error('expired');
console.log(JSON.stringify(claims));
