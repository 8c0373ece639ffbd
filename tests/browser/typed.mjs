// Payloads on the two pages that everybody can reach: /sign-in and /device. Each would set `xss` or leave an element behind if it came alive.
import assert from 'node:assert/strict';

const PAYLOADS = [
  '<script>xss=1</script>',
  '"><script>xss=1</script>',
  "'><script>xss=1</script>",
  '"><img src=x onerror=xss=1>',
  '" autofocus onfocus="xss=1',
  "' autofocus onfocus='xss=1",
  '` onmouseover=`xss=1',
  '<svg onload=xss=1>',
  '<svg><script href="data:text/javascript,xss=1"/></svg>',
  '<iframe srcdoc="<script>parent.xss=1</script>"></iframe>',
  '<a href="javascript:xss=1">x</a>',
  '<form action="https://evil.example"><button>x</button></form>',
  '<base href="https://evil.example/">',
  '<meta http-equiv="refresh" content="0;url=https://evil.example/">',
  '<style>@import "https://evil.example/x.css";</style>',
  '</title></style></textarea></script><img src=x onerror=xss=1>',
  '<math><mtext><table><mglyph><style><img src=x onerror=xss=1>',
  '{{csrf}}${xss=1}{{constructor.constructor("xss=1")()}}',
  '&lt;script&gt;xss=1&lt;/script&gt;&#x3c;img src=x onerror=xss=1&#x3e;',
  '\u202e<script>xss=1</script>\u0000\u2028',
  '%3Cscript%3Exss=1%3C/script%3E',
  'javascript:xss=1',
];

/** Elements that our pages do not have; a form of ours leads to ourselves. */
const FOREIGN = 'script, img:not(.brand > img), svg, math, iframe, object, embed, base, style, main a[href^="javascript:"], form[action^="http"], [onload], [onerror], [onfocus], [onmouseover]';

async function watched(context, gateway) {
  const page = await context.newPage();
  const bad = [];
  page.on('dialog', (dialog) => { bad.push(`dialog ${dialog.message()}`); dialog.dismiss(); });
  page.on('pageerror', (error) => bad.push(`error ${error.message}`));
  page.on('request', (request) => {
    if (!request.url().startsWith(`${gateway}/`)) bad.push(`request to ${request.url()}`);
  });
  const unharmed = async (where) => {
    assert.equal(await page.evaluate(() => window.xss), undefined, where);
    assert.equal(await page.locator(FOREIGN).count(), 0, `${where}: ${await page.content()}`);
    assert.ok(page.url().startsWith(`${gateway}/`), `${where}: ${page.url()}`);
    assert.deepEqual(bad, [], where);
  };
  return { page, unharmed };
}

/** What a browser sends when something was typed that its form would not let through. */
async function type(page, field, text) {
  await page.locator(field).evaluate((input, value) => { input.removeAttribute('maxlength'); input.value = value; }, text);
}

async function signInPage(page, unharmed, gateway) {
  for (const payload of PAYLOADS) {
    await page.goto(`${gateway}/sign-in?next=${encodeURIComponent(payload)}`);
    await unharmed(`next ${payload}`);
    await page.goto(`${gateway}/sign-in?next=${encodeURIComponent(`/device?user_code=${payload}`)}`);
    await unharmed(`next inside ours ${payload}`);
    await type(page, 'input[name=username]', payload);
    await page.fill('input[name=password]', 'wrong');
    await Promise.all([page.waitForEvent('load'), page.click('main form[method=post] button')]);
    assert.match(await page.textContent('main'), /is wrong|Too many attempts/);
    // What was typed is still there, as text.
    assert.equal((await page.inputValue('input[name=username]')).trim(), shown(payload));
    await unharmed(`user name ${payload}`);
  }
}

/** As a page shows it: what would turn or end a line is a visible mark. */
const shown = (payload) => payload.trim().replaceAll(/[\u0000\u202e]/g, '\ufffd');

async function devicePage(page, unharmed, gateway, payloads) {
  for (const payload of payloads) {
    await page.goto(`${gateway}/device`);
    await type(page, 'input[name=user_code]', payload);
    await Promise.all([page.waitForEvent('load'), page.click('main form button')]);
    assert.match(await page.textContent('main'), /No device waits with this code/);
    assert.equal((await page.inputValue('input[name=user_code]')).trim(), shown(payload));
    await unharmed(`code ${payload}`);
  }
}

/** A device calls itself what it likes; the person is shown a name. */
async function consentPage(page, unharmed, gateway, codes) {
  for (const code of codes) {
    await page.goto(`${gateway}/device?user_code=${code}`);
    assert.match(await page.textContent('main'), new RegExp(code));
    await unharmed(`the consent page of ${code}`);
  }
}

async function signIn(page, gateway, [name, password]) {
  await page.goto(`${gateway}/sign-in`);
  await page.fill('input[name=username]', name);
  await page.fill('input[name=password]', password);
  await page.click('main form[method=post] button');
  await page.getByText('Signed in').first().waitFor();
}

export async function typed(person, { gateway, accounts, codes }) {
  const stranger = await watched(await person(), gateway);
  await signInPage(stranger.page, stranger.unharmed, gateway);
  // Each person may type a few wrong codes before they have to wait.
  const share = Math.ceil(PAYLOADS.length / accounts.length);
  for (const [number, account] of accounts.entries()) {
    const { page, unharmed } = await watched(await person(), gateway);
    await signIn(page, gateway, account);
    await consentPage(page, unharmed, gateway, codes);
    await devicePage(page, unharmed, gateway, PAYLOADS.slice(number * share, (number + 1) * share));
  }
}
