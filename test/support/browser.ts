/** A real browser, with nothing installed: the binary ships in an npm package. */
import chromium from "@sparticuz/chromium";
import { type Browser, chromium as playwright } from "playwright-core";

export async function launchBrowser(): Promise<Browser> {
  // The package is made for lambdas, where one process is all there is; here a page must not take the browser with it.
  const args = chromium.args.filter((arg) => !["--single-process", "--no-zygote"].includes(arg));
  return playwright.launch({ executablePath: await chromium.executablePath(), args });
}
