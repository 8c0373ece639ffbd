// Journeys of people with a real browser through sign-in, applications and their end.
//
//   node journeys.mjs JOURNEY CONFIG
//
// CONFIG: { "chromium", "home", "pictures", "gateway", "alpha", "beta", "issuer", "control" }; origins have no slash at the end.
import assert from 'node:assert/strict';
import { travel } from './chromium.mjs';
import { gallery } from './gallery.mjs';
import { redirects } from './redirects.mjs';
import { typed } from './typed.mjs';

const config = JSON.parse(process.argv[3]);
const { alpha, beta, gateway, issuer } = config;
const CAROL = ['carol', 'pw'];
const DEEP = '/deep/link;v=1?q=a%2Fb&q=%20&empty=';

const order = async (path, body) => {
  const answer = await fetch(config.control + path, { method: 'POST', body: JSON.stringify(body) });
  assert.equal(answer.status, 200, await answer.text());
};

/** At the gateway's page or the provider's: through what they ask for. */
async function signIn(page, [name, password] = CAROL) {
  const choice = page.getByRole('link', { name: 'Continue with' });
  if (page.url().startsWith(gateway) && await choice.count()) {
    await choice.click();
    await page.waitForURL((url) => !url.href.startsWith(gateway));
  }
  if (!page.url().startsWith(`${issuer}/sign-in/`)) return;
  await page.fill('input[name=login]', name);
  await page.fill('input[name=password]', password);
  await page.click('button');
}

async function arrive(page, url) {
  await page.goto(url);
  if (page.url() !== url) await signIn(page);
  await page.waitForURL(url);
}

const shownUser = (page) => page.textContent('#user');

const journeys = {
  /** First visit, provider, application in one chain; the second application asks for nothing. */
  async visit(person) {
    const page = await (await person()).newPage();
    await arrive(page, alpha + DEEP);
    assert.equal(await shownUser(page), 'carol');
    const shown = [];
    page.on('framenavigated', (frame) => shown.push(frame.url()));
    await page.goto(`${beta}/second?x=1#part`);
    assert.deepEqual(shown, [`${beta}/second?x=1#part`], 'nothing was shown on the way');
    assert.equal(await shownUser(page), 'carol');
    const cookies = await page.context().cookies([alpha, beta, gateway]);
    for (const cookie of cookies.filter(({ name }) => name.includes('postern'))) {
      assert.ok(cookie.httpOnly && cookie.secure && cookie.path === '/' && !cookie.domain.startsWith('.'), JSON.stringify(cookie));
      assert.ok(cookie.name.startsWith('__Host-'), cookie.name);
    }
    assert.deepEqual(await page.evaluate(() => document.cookie), '', 'scripts see none of them');
  },

  /** Several tabs that all want to sign in arrive each at its own address. */
  async tabs(person) {
    const context = await person();
    const tabs = await Promise.all([0, 1, 2, 3].map(() => context.newPage()));
    const wanted = (number) => `${number % 2 ? beta : alpha}/tab/${number}?n=${number}`;
    await Promise.all(tabs.map((tab, number) => tab.goto(wanted(number))));
    for (const tab of tabs) assert.ok(tab.url().startsWith(issuer), tab.url());
    await Promise.all(tabs.map(async (tab, number) => {
      await signIn(tab);
      await tab.waitForURL(wanted(number));
      assert.equal(await shownUser(tab), 'carol');
    }));
  },

  /** The back button leads to pages that still make sense. */
  async back(person) {
    const page = await (await person()).newPage();
    const bad = [];
    page.on('response', (response) => {
      if (response.request().isNavigationRequest() && response.status() >= 400 && !response.url().startsWith(issuer)) {
        bad.push(`${response.status()} ${response.url()}`);
      }
    });
    await arrive(page, `${alpha}/one`);
    await page.goto(`${alpha}/two`);
    await page.goBack();
    assert.equal(page.url(), `${alpha}/one`);
    // Back to the provider's page, which was the last one that was shown; and on again.
    await page.goBack();
    assert.ok(!page.url().startsWith(gateway), page.url());
    await page.goForward();
    assert.equal(page.url(), `${alpha}/one`);
    await page.goto(`${alpha}/three`);
    assert.equal(page.url(), `${alpha}/three`);
    assert.deepEqual(bad, []);
  },

  /** Signing out at one application ends both, and what is open there. */
  async out(person) {
    const context = await person();
    const [page, other] = [await context.newPage(), await context.newPage()];
    await arrive(page, `${alpha}/`);
    await other.goto(`${beta}/`);
    await other.evaluate(openSocket);
    await page.goto(`${alpha}/.postern/sign-out`);
    await page.getByRole('button', { name: 'Sign out' }).click();
    // Over the gateway to the provider, which asks once more, and back.
    await page.waitForURL((url) => url.href.startsWith(`${issuer}/session/end`));
    await page.click('button[name=logout]');
    await page.waitForURL((url) => url.href.startsWith(`${gateway}/signed-out`));
    const { code } = await other.evaluate(() => window.socketEnd);
    assert.equal(code, 1008);
    for (const [tab, address] of [[page, `${alpha}/x`], [other, `${beta}/x`]]) {
      await tab.goto(address);
      assert.ok(tab.url().startsWith(`${issuer}/`), tab.url());
    }
    await page.goBack();
    const status = await page.evaluate((url) => fetch(url).then((answer) => answer.status, () => 0), `${alpha}/headers`);
    assert.notEqual(status, 200);
  },

  /** Who may not sees why, and whom to ask about what. */
  async denied(person) {
    const page = await (await person()).newPage();
    await page.goto(`${alpha}/private`);
    await signIn(page, ['dave', 'pw']);
    await page.waitForURL(`${alpha}/private`);
    const text = await page.textContent('main');
    assert.match(text, /dec_[0-9a-z]+/);
    assert.match(text, /dave/);
    assert.match(text, /alpha/);
    assert.equal(await page.locator('h1').count(), 1);
  },

  /** The provider says that somebody is gone: their WebSocket closes with that word. */
  async gone(person) {
    const page = await (await person()).newPage();
    await arrive(page, `${alpha}/`);
    await page.evaluate(openSocket);
    const began = Date.now();
    await order('/logout', { person: 'carol' });
    const { code, reason } = await page.evaluate(() => window.socketEnd);
    assert.equal(code, 1008);
    assert.match(reason, /^\d{4} [a-z_]+: /);
    assert.ok(Date.now() - began < 2000, `closed after ${Date.now() - began} ms`);
    await page.reload();
    assert.ok(page.url().startsWith(`${issuer}/`), page.url());
  },

  /** A page of one application calls another: one chain signs in to both, and an end is an answer that can be read. */
  async calls(person) {
    const context = await person();
    const page = await context.newPage();
    const call = () => page.evaluate(async (url) => {
      try {
        const answer = await fetch(url, { credentials: 'include' });
        return { status: answer.status, body: await answer.json() };
      } catch (error) {
        return { error: String(error) };
      }
    }, `${beta}/api`);
    await arrive(page, `${alpha}/page?x=1`);
    assert.deepEqual(await call(), { status: 200, body: { user: 'carol' } }, 'fresh: beta was never visited');
    await order('/logout', { person: 'carol' });
    await page.waitForFunction((url) => fetch(url).then((answer) => answer.status === 401), `${alpha}/.postern/whoami`);
    const after = await call();
    assert.equal(after.status, 401, JSON.stringify(after));
    // The page can tell and offers to sign in again; after that it works without a visit to the other one.
    await arrive(page, `${alpha}/page?x=2`);
    assert.deepEqual(await call(), { status: 200, body: { user: 'carol' } });
  },

  /** A form that meets an ended sign-in: signed in again in another tab, a reload sends it, once. */
  async form(person) {
    const context = await person();
    const [page, other] = [await context.newPage(), await context.newPage()];
    await arrive(page, `${alpha}/shop`);
    await order('/logout', { person: 'carol' });
    await page.waitForFunction((url) => fetch(url).then((answer) => answer.status === 401), `${alpha}/.postern/whoami`);
    await page.click('button');
    await page.waitForURL(`${alpha}/count`);
    assert.equal(await page.locator('h1').count(), 1, 'a page of the gateway says so');
    await arrive(other, `${alpha}/`);
    await page.reload();
    assert.match(await page.textContent('body'), /"number":1,"what":"what=an\+order"/);
    assert.deepEqual(await other.evaluate((url) => fetch(url).then((answer) => answer.json()), `${alpha}/posted`), ['what=an+order']);
  },

  /** C7: whatever a name or an error text says, it is text. */
  async inert(person) {
    const context = await person();
    const page = await context.newPage();
    const opened = [];
    page.on('dialog', (dialog) => { opened.push(dialog.message()); dialog.dismiss(); });
    const unharmed = async (where) => {
      assert.equal(await page.evaluate(() => window.xss), undefined, where);
      assert.equal(await page.locator('img[src=x], svg[onload], iframe').count(), 0, where);
    };
    const payload = encodeURIComponent('"><img src=x onerror="xss=1"><script>xss=1</script>');
    for (const address of [
      `${gateway}/oidc/example/callback?error=${payload}&error_description=${payload}&state=${payload}`,
      `${gateway}/sign-in?next=${payload}`, `${gateway}/sign-in?next=javascript:xss=1`, `${gateway}/hand-over?request=${payload}`,
      `${gateway}/signed-out?state=${payload}`, `${gateway}/device?user_code=${payload}`, `${gateway}/${payload}`,
      `${alpha}/.postern/hand-over?code=${payload}`, `${alpha}/.postern/${payload}`,
      `${alpha}/.postern/sign-in?next=javascript:xss=1`, `${alpha}/.postern/sign-in?next=//example.com/${payload}`,
    ]) {
      await page.goto(address);
      await unharmed(address);
      assert.ok([gateway, alpha, issuer].some((origin) => page.url().startsWith(`${origin}/`)), page.url());
    }
    await page.goto(`${gateway}/sign-in`);
    assert.match(await page.textContent('main'), /<img src=x onerror=/, 'the provider is called what it is called');
    await unharmed('the sign-in page');
    await page.goto(`${alpha}/private`);
    await signIn(page, ['mallory', 'pw']);
    await page.waitForURL(`${alpha}/private`);
    assert.match(await page.textContent('main'), /dec_/);
    await unharmed('the denial');
    await page.goto(`${alpha}/.postern/sign-out`);
    await unharmed('the sign-out page');
    assert.deepEqual(opened, []);
  },

  /** C7: whatever is typed, linked or told by a device is text on the sign-in page and on the device page. */
  typed: (person) => typed(person, config),

  gallery: (person) => gallery(person, config, signIn),

  /** O5: wherever somebody asks to be led after signing in, it is one of our hosts. */
  async redirects(person) {
    const context = await person();
    await arrive(await context.newPage(), `${beta}/`);
    await redirects(context, config);
  },
};

/** In the page: an open WebSocket, whose close is awaited. */
function openSocket() {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`wss://${location.host}/echo`);
    window.socketEnd = new Promise((closed) => {
      socket.onclose = ({ code, reason }) => { closed({ code, reason }); reject(new Error(`closed: ${code} ${reason}`)); };
    });
    socket.onmessage = () => resolve();
  });
}

const journey = journeys[process.argv[2]];
assert.ok(journey, `no such journey: ${process.argv[2]}`);
// A corpus of hundreds of addresses takes its time.
await travel(config, journey, journey === journeys.redirects ? 300_000 : undefined);
