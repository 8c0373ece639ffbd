// A person with a notebook: signs in, runs a cell, sees what it prints, and loses the right to it while the kernel is open.
//
//   node jupyter.mjs CONFIG
//
// CONFIG: { "chromium", "home", "pictures", "app", "person": [name, password], "revoke": { "program", "arguments", "environment" } }
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { travel } from './chromium.mjs';

const config = JSON.parse(process.argv[2]);

/** In the page: keeps how each of its WebSockets ended. */
function watchSockets() {
  window.ended = [];
  window.WebSocket = class extends window.WebSocket {
    constructor(...args) {
      super(...args);
      this.addEventListener('close', ({ code, reason }) => window.ended.push({ url: this.url, code, reason, at: Date.now() }));
    }
  };
}

await travel(config, async (person) => {
  const page = await (await person()).newPage();
  await page.addInitScript(watchSockets);
  await page.goto(`${config.app}/lab`);
  const [name, password] = config.person;
  await page.fill('input[name=username]', name);
  await page.fill('input[name=password]', password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(`${config.app}/lab**`);
  const told = await page.evaluate(async () => (await fetch('/api/me')).json());
  assert.equal(told.identity.username, name, 'the notebook knows whom it serves');

  await page.locator('.jp-LauncherCard[data-category="Notebook"]').first().click();
  await page.locator('.jp-Notebook .jp-CodeCell .cm-content').first().click();
  // What is run before the kernel is there is dropped without a word.
  await page.getByText('| Idle').waitFor();
  await page.keyboard.type('print("the answer is", 6 * 7)');
  await page.keyboard.press('Shift+Enter');
  await page.locator('.jp-OutputArea-output', { hasText: 'the answer is 42' }).waitFor();
  mkdirSync(config.pictures, { recursive: true });
  await page.screenshot({ path: path.join(config.pictures, 'notebook.png') });

  const { program, arguments: words, environment } = config.revoke;
  const began = Date.now();
  execFileSync(program, words, { env: { ...process.env, ...environment }, stdio: 'pipe' });
  const isKernel = ({ url }) => /\/api\/kernels\/[^/]+\/channels/.test(new URL(url).pathname);
  await page.waitForFunction(() => window.ended.some(({ url }) => url.includes('/channels')));
  const ended = (await page.evaluate(() => window.ended)).find(isKernel);
  assert.equal(ended.code, 1008, JSON.stringify(ended));
  assert.match(ended.reason, /^44\d\d /, JSON.stringify(ended));
  console.log(JSON.stringify({ closed_after_ms: ended.at - began }));
});
