// A real Chromium that trusts what its home directory trusts, and nothing for being told to ignore errors.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';

const FLAGS = [
  '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync',
];

/** A journey that takes longer hangs somewhere. */
const LIMIT_MS = 90_000;

/** Runs a journey in a fresh browser; what its pages show is kept as pictures if it fails. */
export async function travel(config, journey, limit = LIMIT_MS) {
  const browser = await chromium.launch({
    executablePath: config.chromium,
    // Chromium refuses its sandbox to root.
    args: process.getuid() === 0 ? ['--no-sandbox', ...FLAGS] : FLAGS,
    env: { ...process.env, HOME: config.home },
  });
  const people = [];
  const person = async (options = {}) => {
    const context = await browser.newContext({ viewport: { width: 1000, height: 800 }, ...options });
    context.setDefaultTimeout(20_000);
    people.push(context);
    return context;
  };
  try {
    const late = new Promise((_, reject) => {
      setTimeout(reject, limit, new Error('the journey does not come to an end')).unref();
    });
    await Promise.race([journey(person), late]);
  } catch (error) {
    await picture(config, people.flatMap((context) => context.pages()));
    throw error;
  } finally {
    await browser.close();
  }
}

async function picture(config, pages) {
  mkdirSync(config.pictures, { recursive: true });
  for (const [number, page] of pages.entries()) {
    const file = path.join(config.pictures, `page-${number}.png`);
    await page.screenshot({ path: file, fullPage: true }).catch(() => {});
    console.error(`page ${number}: ${page.url()} is shown in ${file}`);
  }
}
