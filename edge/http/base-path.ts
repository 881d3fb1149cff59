/** An edge below a path of a proxy (A14 of PROTOCOL.md): what lies before its own paths is taken away, and redirects get it back. */

/** Throws if it is no path, or one that ends with a slash. Empty: the edge has a host of its own. */
export function readBasePath(text: string | undefined): string {
  if (!text) return "";
  if (!/^(?:\/[A-Za-z0-9._~-]+)+$/.test(text) || new URL(text, "http://edge").pathname !== text)
    throw new Error(`BASE_PATH must be a path such as /live, without a slash at its end: ${text}`);
  return text;
}

/** A request for what isn't below it is answered, too: origins, and whoever watches over the edge, may not come by the proxy. */
export async function belowBase(
  request: Request,
  basePath: string | undefined,
  answer: (own: Request) => Response | Promise<Response>,
): Promise<Response> {
  const base = readBasePath(basePath);
  if (base === "") return answer(request);
  const answered = await answer(ownRequest(request, base));
  const location = answered.headers.get("Location");
  if (!location?.startsWith("/")) return answered;
  const moved = new Response(answered.body, answered);
  moved.headers.set("Location", base + location);
  return moved;
}

function ownRequest(request: Request, base: string): Request {
  const { origin, pathname, search } = new URL(request.url);
  if (pathname !== base && !pathname.startsWith(`${base}/`)) return request;
  return new Request(`${origin}${pathname.slice(base.length) || "/"}${search}`, request);
}
