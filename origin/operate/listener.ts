/** The port for those who operate an origin: `/healthz`, `/readyz`, `/metrics`. Nothing can be changed through it. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { ERRORS, type ErrorCode } from "../../shared/protocol/codes.ts";
import { errorBody } from "../../shared/protocol/schemas.ts";
import type { ListenAddress } from "../settings/config.ts";
import { TIME_LIMITS } from "../time-limits.ts";

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** By path. */
export type Routes = ReadonlyMap<string, () => Answer | Promise<Answer>>;

const READS = ["GET", "HEAD"];
/**
 * More than probes and scrapers need, few enough that nobody can take the origin's file descriptors here. With one more the
 * one that has asked nothing for longest gives way: whoever keeps connections open takes a probe's place no more than others'.
 */
const MAX_CONNECTIONS = 64;

export class Listener {
  readonly #server: Server;

  /** Throws, with the setting's name, if the address can't be listened on. */
  static async open({ host, port }: ListenAddress, routes: Routes): Promise<Listener> {
    const server = createServer({
      requestTimeout: TIME_LIMITS.statusRequestMs,
      headersTimeout: TIME_LIMITS.statusRequestMs,
      // Node looks no more often than this at how long a connection has taken.
      connectionsCheckingInterval: TIME_LIMITS.statusRequestMs,
    });
    /** That which has asked nothing for longest first. */
    const open = new Set<Socket>();
    server.on("connection", (socket: Socket) => {
      open.add(socket);
      socket.once("close", () => open.delete(socket));
      const [longest] = open;
      if (open.size > MAX_CONNECTIONS) longest?.destroy();
    });
    server.on("request", (request, response) => {
      if (open.delete(request.socket)) open.add(request.socket);
      void respond(request, response, routes);
    });
    server.on("clientError", refuse);
    // Node's own answer to an upgrade would be to close without a word.
    server.on("upgrade", (_, socket: Socket) => refuse(undefined, socket));
    try {
      server.listen(port, host);
      await once(server, "listening");
    } catch (error) {
      throw new Error(`STATUS_PORT ${port} of ${host} can't be listened on: ${wordsOf(error)}`, {
        cause: error,
      });
    }
    return new Listener(server);
  }

  private constructor(server: Server) {
    this.#server = server;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

export function json(status: number, body: unknown): Answer {
  return { status, contentType: "application/json", body: `${JSON.stringify(body)}\n` };
}

/** Never rejects. */
async function respond(request: IncomingMessage, response: ServerResponse, routes: Routes): Promise<void> {
  const path = (request.url ?? "").split("?", 1)[0] ?? "";
  const route = routes.get(path);
  let answer: Answer;
  if (route === undefined) answer = failure("not_found", `only ${[...routes.keys()].join(", ")} live here`);
  else if (!READS.includes(request.method ?? "")) {
    response.setHeader("Allow", READS.join(", "));
    answer = failure("method_not_allowed", "nothing can be changed here");
  } else
    try {
      answer = await route();
    } catch {
      answer = failure("internal", "something went wrong here; try again");
    }
  response.writeHead(answer.status, {
    "Content-Type": answer.contentType,
    "Content-Length": Buffer.byteLength(answer.body),
    "Cache-Control": "no-store",
  });
  response.end(answer.body);
  // What a body would say is never read.
  request.resume();
}

function failure(code: ErrorCode, message: string): Answer {
  return json(ERRORS[code].status, { error: errorBody(code, message) });
}

/** What isn't HTTP, or wants to leave it. */
function refuse(_: Error | undefined, socket: Pick<Socket, "writable" | "end" | "destroy">): void {
  const { status, body } = failure("unsupported", "this can't be served here");
  if (!socket.writable) socket.destroy();
  else
    socket.end(
      `HTTP/1.1 ${status} Bad Request\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EADDRINUSE") return "another program listens there";
  if (code === "EACCES") return "this needs a permission that the process doesn't have";
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") return "STATUS_HOST is no address of this machine";
  return error.message;
}
