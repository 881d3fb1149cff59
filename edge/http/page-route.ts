/**
 * The page at `/$/` and its script. Both are in the Worker's bundle, so that raw workerd serves them like
 * Cloudflare does, with no asset store.
 */
import script from "../../dist/page.js";
import html from "../page/index.html";
import { PAGE_HEADERS } from "./browsers.ts";

const HEADERS = { "Cache-Control": "no-cache", ...PAGE_HEADERS };

/** The files of the page by their paths. */
export const PAGE: ReadonlyMap<string, () => Response> = new Map([
  ["/$/", () => new Response(html, { headers: { ...HEADERS, "Content-Type": "text/html; charset=utf-8" } })],
  [
    "/$/page.js",
    () => new Response(script, { headers: { ...HEADERS, "Content-Type": "text/javascript; charset=utf-8" } }),
  ],
]);
