/** The platform's Response: one that becomes a WebSocket has status 101 and holds a socket. */
import type { WebSocket } from "../sockets/web-socket.ts";
import { copyOfHeaders } from "./headers.ts";
import { leanOf } from "./lean.ts";

type Init = ResponseInit & { readonly webSocket?: WebSocket | null };

type ResponseBody = ConstructorParameters<typeof globalThis.Response>[0];

/** What a body was made of, if it lies in memory as a whole. */
export type Whole = string | Uint8Array;

const SWITCHED = 101;

export class Response extends globalThis.Response {
  readonly webSocket: WebSocket | null = null;
  readonly #whole: Whole | undefined;

  // biome-ignore lint/correctness/noUnreachableSuper: what is returned has no need of it
  constructor(body?: ResponseBody, init: Init = {}) {
    if (init.status === SWITCHED) {
      if (!init.webSocket) throw new RangeError("a response of status 101 needs a webSocket");
      // biome-ignore lint/correctness/noConstructorReturn: it is one all the same
      return Response.switched(copyOfHeaders(init.headers), init.webSocket);
    }
    super(body, init);
    if (body === null || body === undefined) this.#whole = "";
    else if (typeof body === "string" || body instanceof Uint8Array) this.#whole = body;
    // Of the same body under other headers.
    else if (init instanceof Response && body === init.body) this.#whole = init.#whole;
    if (init.webSocket) this.webSocket = init.webSocket;
  }

  /** One that becomes a WebSocket, with these headers and not a copy. */
  static switched(headers: Headers, webSocket: WebSocket): Response {
    const lean: Response = Object.create(LEAN.prototype);
    return Object.assign(lean, { status: SWITCHED, ok: false, headers, webSocket });
  }

  static wholeOf(response: Response): Whole | undefined {
    return #whole in response ? response.#whole : undefined;
  }

  static override json(data: unknown, init: ResponseInit = {}): Response {
    const headers = new Headers(init.headers);
    if (!headers.has("Content-Type")) headers.set("Content-Type", "application/json");
    return new Response(JSON.stringify(data), { ...init, headers });
  }
}

/** Node's own has no such status. */
const LEAN = leanOf(
  Response.prototype,
  globalThis.Response.prototype,
  ["status", "ok", "headers"],
  ({ headers }) => new Response(null, { headers }),
);
