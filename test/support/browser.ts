/** A real browser, with nothing installed: the binary ships in an npm package. */
import chromium from "@sparticuz/chromium";
import { type Browser, chromium as playwright } from "playwright-core";

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
