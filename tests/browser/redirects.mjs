// O5: a corpus of redirect targets of our own making, put together from what browsers and parsers are known to read
// differently, judged by where Chromium ends up.
import assert from 'node:assert/strict';

/** What may stand in front of a host. */
const FRONTS = [
  '', '/', '//', '///', '/\\', '\\/', '\\\\', '/\t/', '/\n/', '\t//', '/%09/', '/%5c', '/%2f', '/%2f%2f', 'https:', 'https:/',
  'https://', 'https:///', 'https:\\\\', 'HtTpS://', 'http://', 'http:', '//\t', '/./', '/../', '/.//', '/;//', '/x/..//',
  'javascript:', 'javascript://', 'data:text/html,', 'ftp://', 'ws://', 'blob:https://', 'view-source:https://',
  'filesystem:https://', '\u0000//', ' //', '%2f%2f', '/%0d%0a//', '/\r\nLocation: //', '/\u2044', '/\uff0f', '\u3000//',
  '\ufeff//', '/x//../..//', '?//', '#//', './/', '..//', '@', '/@', '//@', ':///', '/:@', '/\u00ad/', '/\u200b/', '/%e3%80%82',
];

/** Where an attacker wants the browser to go; the names lead nowhere. */
const HOSTS = [
  'evil.example', 'HOME@evil.example', 'HOME\\@evil.example', 'HOME.evil.example', '2130706433:1',
];

const ENDS = ['', '/path?next=//evil.example'];

/** The corpus for a host that takes people in. */
function corpus(home) {
  const hosts = HOSTS.map((host) => host.replace('HOME', home));
  return [...new Set(FRONTS.flatMap((front) => hosts.flatMap((host) => ENDS.map((end) => front + host + end))))];
}

/** How many tabs at once. */
const TABS = 6;

/** Opens each address that `place` makes of the corpus, and gives what it makes of it and where Chromium ended up. */
async function judge(context, home, place) {
  const rest = corpus(new URL(home).host);
  assert.ok(rest.length >= 500, `${rest.length} are not enough`);
  const found = [];
  const tab = async () => {
    const page = await context.newPage();
    let led = [];
    page.on('request', (request) => request.isNavigationRequest() && led.push(request.url()));
    page.on('dialog', (dialog) => { led.push(`dialog:${dialog.message()}`); dialog.dismiss(); });
    for (let text = rest.pop(); text !== undefined; text = rest.pop()) {
      led = [];
      // Where the browser cannot go at all it was sent to the wrong place, or the gateway closed in its face.
      await page.goto(place(encodeURIComponent(text)), { waitUntil: 'commit' }).catch((error) => led.push(`error:${error.message}`));
      found.push({ text, led: [...led, page.url()] });
    }
    await page.close();
  };
  await Promise.all(Array.from({ length: TABS }, tab));
  return found;
}

/** None of the corpus leads a person, who is signed in, away from the hosts that may take them in. */
export async function redirects(context, { beta, gateway }) {
  const own = [beta, gateway];
  const isHome = (address) => own.includes(URL.canParse(address) ? new URL(address).origin : address);
  const check = (found) => {
    const escapes = found.filter(({ led }) => !led.every(isHome));
    assert.deepEqual(escapes.slice(0, 3), [], `${escapes.length} of ${found.length} escape`);
  };
  const atApp = await judge(context, beta, (text) => `${beta}/.postern/sign-in?next=${text}`);
  check(atApp);
  // One that refuses everything would pass as well.
  const taken = atApp.filter(({ led }) => led.at(-1) !== `${beta}/`);
  assert.ok(taken.length >= 100, `only ${taken.length} of ${atApp.length} led anywhere`);
  check(await judge(context, gateway, (text) => `${gateway}/sign-in?next=${text}`));
  console.log(`${atApp.length} inputs at each of two places, ${taken.length} led somewhere at the application, 0 escapes`);
}
