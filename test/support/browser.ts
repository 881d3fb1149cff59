/** A real browser, with nothing installed: the binary ships in an npm package. */
import chromium from "@sparticuz/chromium";
import { type Browser, type BrowserContext, chromium as playwright } from "playwright-core";
import { freePort } from "./ports.ts";

const UNLIKE_A_PERSONS = [
  ...["--single-process", "--no-zygote"],
  ...["--disable-web-security", "--disable-site-isolation-trials", "--allow-running-insecure-content"],
];

/** @param more Flags of Chromium. */
export async function launchBrowser(more: readonly string[] = []): Promise<Browser> {
  // The package is made for lambdas, where one process is all there is; here a page must not take the browser with it, and
  // pages are kept from one another as in anybody's browser.
  const args = chromium.args.filter((arg) => !UNLIKE_A_PERSONS.includes(arg));
  return playwright.launch({ executablePath: await chromium.executablePath(), args: [...args, ...more] });
}

/**
 * A browser whose pages can be hidden and frozen. Playwright's own are always in front of everything ("focus emulation"), and Chromium
 * freezes no page that is: there `Page.setWebLifecycleState` does nothing, and says nothing. The default context has its pages as a
 * person has them, if Playwright comes to a browser that runs already and is told to leave it as it is.
 */
export async function launchBrowserOfAPerson(): Promise<{ context: BrowserContext; close(): Promise<void> }> {
  const port = await freePort();
  const launched = await launchBrowser([`--remote-debugging-port=${port}`]);
  const browser = await playwright.connectOverCDP(`http://127.0.0.1:${port}`, { noDefaults: true });
  const [context] = browser.contexts();
  if (context === undefined) throw new Error("the browser has no default context");
  return { context, close: () => launched.close() };
}
