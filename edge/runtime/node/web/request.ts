/** The platform's Request: `cf` is what the runtime says of who asks. */
import { copyOfHeaders } from "./headers.ts";
import { leanOf } from "./lean.ts";

type Init = RequestInit & { readonly cf?: unknown; readonly duplex?: "half" };

/** All that a lean one may be made of. */
const OF_LEAN: ReadonlySet<string> = new Set(["cf", "headers"]);

export class Request extends globalThis.Request {
  readonly cf: unknown;

  // biome-ignore lint/correctness/noUnreachableSuper: what is returned has no need of it
  constructor(input: string | URL | globalThis.Request, init: Init = {}) {
    if (typeof input === "string" && isForLean(init))
      // biome-ignore lint/correctness/noConstructorReturn: it is one all the same
      return Request.lean(new URL(input), copyOfHeaders(init.headers), init.cf);
    super(input instanceof Request ? Request.whole(input) : input, init);
    this.cf = init.cf ?? (input instanceof Request ? input.cf : undefined);
  }

  /** The same, as Node itself takes it. */
  static whole(request: Request): globalThis.Request {
    return LEAN.wholeOf(request);
  }

  /** A GET, with these headers and not a copy. */
  static lean({ href: url }: URL, headers: Headers, cf: unknown): Request {
    const lean: Request = Object.create(LEAN.prototype);
    return Object.assign(lean, { url, method: "GET", headers, cf });
  }
}

/** A request as a whole says all by what it is, and not by what it has. */
function isForLean(init: Init): boolean {
  return !(init instanceof globalThis.Request) && Object.keys(init).every((name) => OF_LEAN.has(name));
}

const LEAN = leanOf(
  Request.prototype,
  globalThis.Request.prototype,
  ["url", "method", "headers"],
  ({ url, headers, cf }) => new Request(url, { method: "GET", headers, cf }),
);
