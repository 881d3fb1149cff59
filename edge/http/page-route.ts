/**
 * The page at `/$/` and its script, and the client for pages of others (H16). All are in the Worker's bundle, so that raw workerd
 * serves them like Cloudflare does, with no asset store.
 */
import client from "../../dist/client.js";
import script from "../../dist/page.js";
import { ROUTES } from "../../shared/protocol/version.ts";
import html from "../page/index.html";
import { PAGE_HEADERS } from "./browsers.ts";

const HEADERS = { "Cache-Control": "no-cache", ...PAGE_HEADERS };
const SCRIPT = "text/javascript; charset=utf-8";

/** The files of the page by their paths. */
export const PAGE: ReadonlyMap<string, () => Response> = new Map([
  ["/$/", () => new Response(html, { headers: { ...HEADERS, "Content-Type": "text/html; charset=utf-8" } })],
  ["/$/page.js", () => new Response(script, { headers: { ...HEADERS, "Content-Type": SCRIPT } })],
  [
    ROUTES.client,
    () =>
      new Response(client, {
        headers: {
          "Cache-Control": "no-cache",
          "Cross-Origin-Resource-Policy": "cross-origin",
          "Content-Type": SCRIPT,
        },
      }),
  ],
]);
