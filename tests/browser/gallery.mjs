// Every page of the gateway that a person can meet, in light and dark, on a desk and on a phone: each is whole, readable,
// loads nothing from elsewhere and needs no script. CONFIG has "pages": { name: address } beside the rest.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';

const PHONE = { width: 320, height: 640 };
const DESK = { width: 1000, height: 800 };
/** WCAG 2.2, level AA, for text of usual size. */
const CONTRAST_MIN = 4.5;

/** In the page: the lowest contrast between a text and what is painted behind it, with the text. */
function lowestContrast() {
  const parse = (color) => (color.match(/[\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  let lowest = { ratio: 21, text: '' };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const [text, element] = [walker.currentNode.textContent.trim(), walker.currentNode.parentElement];
    if (!text || !element.checkVisibility() || element.closest('script, style, noscript, svg')) continue;
    const lights = [light(parse(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05);
    if (ratio < lowest.ratio) lowest = { ratio, text };
  }
  return lowest;
}

async function look(page, name, address, scheme, config) {
  await page.emulateMedia({ colorScheme: scheme });
  for (const [size, viewport] of [['desk', DESK], ['phone', PHONE]]) {
    const where = `${name}, ${scheme}, ${size}`;
    await page.setViewportSize(viewport);
    if (address) await page.goto(address);
    if (config.gallery) {
      mkdirSync(config.gallery, { recursive: true });
      await page.screenshot({ path: path.join(config.gallery, `${name}-${scheme}-${size}.png`) });
    }
    const { ratio, text } = await page.evaluate(lowestContrast);
    assert.ok(ratio >= CONTRAST_MIN, `${where}: contrast ${ratio.toFixed(2)} of ${JSON.stringify(text)}`);
    const [width, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(width <= shown, `${where}: ${width} pixels wide where ${shown} are shown`);
    assert.equal(await page.locator('h1').count(), 1, where);
    assert.equal(await page.getAttribute('html', 'lang'), 'en', where);
    assert.ok((await page.title()).includes('Postern'), `${where}: ${await page.title()}`);
    const fields = page.locator('input:not([type=hidden])');
    for (const field of await fields.all()) {
      const named = await field.evaluate((element) => element.labels.length > 0 || element.hasAttribute('aria-label'));
      assert.ok(named, `${where}: a field without a name`);
    }
  }
}

export async function gallery(person, config, signIn) {
  // Without JavaScript, and nothing is fetched from anywhere but the page's own host.
  const visited = async (context) => {
    const page = await context.newPage();
    page.on('request', (request) => {
      const [from, to] = [new URL(request.frame().url() || 'about:blank'), new URL(request.url())];
      const isOwn = request.isNavigationRequest() || to.protocol === 'data:' || to.host === from.host;
      assert.ok(isOwn, `${from.href} loads ${to.href}`);
    });
    page.on('console', (message) => {
      // Of a page whose own status is an error, Chromium says so.
      const isItself = message.text().startsWith('Failed to load resource') && message.location().url === page.url();
      assert.ok(isItself || message.type() !== 'error', `${page.url()}: ${message.text()}`);
    });
    return page;
  };
  const scripted = await person();
  const nobody = await visited(scripted);
  for (const scheme of ['light', 'dark']) {
    for (const [name, address] of Object.entries(config.pages.nobody)) await look(nobody, name, address, scheme, config);
  }
  await nobody.close();
  const dave = await scripted.newPage();
  await dave.goto(config.pages.entry);
  await signIn(dave, ['dave', 'pw']);
  await dave.waitForURL(config.pages.entry);
  for (const scheme of ['light', 'dark']) {
    for (const [name, address] of Object.entries(config.pages.dave)) await look(dave, name, address, scheme, config);
  }
}
