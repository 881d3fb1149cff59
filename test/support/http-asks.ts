/** Requests to an edge whose paths and headers go out as they stand, and what it says to them. */
import { request } from "node:http";
import { afterAll, beforeAll, expect } from "vitest";
import { WebSocket } from "ws";
import { startEdge, type TestEdge } from "./edge-harness.ts";
import { ScriptedOrigin } from "./scripted-origin.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: Buffer;
}

export type Ask = (path: string, headers?: Record<string, string>, method?: string) => Promise<Answer>;

/** What asks the edge at this URL. */
export function askAt(url: string): Ask {
  const { hostname, port } = new URL(url);
  return (path, headers = {}, method = "GET") =>
    new Promise((resolve, reject) => {
      const sent = request(
        { hostname, port, path, method, headers: { "Accept-Encoding": "identity", ...headers } },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("end", () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: Buffer.concat(chunks),
            }),
          );
        },
      );
      sent.on("upgrade", (response, socket) => {
        socket.destroy();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.alloc(0) });
      });
      sent.on("error", reject);
      sent.end();
    });
}

/** An edge with an origin, for the tests of a file. */
export function askedEdge() {
  let edge: TestEdge;
  let origin: ScriptedOrigin;
  let ask: Ask;

  beforeAll(async () => {
    edge = await startEdge();
    ask = askAt(edge.url);
    origin = await new ScriptedOrigin({ url: edge.url }).connect();
  }, 60_000);
  afterAll(async () => {
    origin.cut();
    await edge.close();
  });

  return {
    get edge() {
      return edge;
    },
    get origin() {
      return origin;
    },
    ask: ((...request) => ask(...request)) satisfies Ask,
  };
}

export const WEBSOCKET = {
  Connection: "Upgrade",
  Upgrade: "websocket",
  "Sec-WebSocket-Version": "13",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
};

/** How the edge ends a WebSocket that it accepts. */
export function endOf(url: string, protocols: string[]) {
  const socket = new WebSocket(url, protocols);
  return new Promise<{ code: number; reason: string; protocol: string }>((resolve, reject) => {
    socket.on("close", (code, reason) =>
      resolve({ code, reason: String(reason), protocol: socket.protocol }),
    );
    socket.on("message", (message) => reject(new Error(`it was served: ${message}`)));
    socket.on("error", reject);
  });
}

/** The code of an error answer, its fields checked. */
export function code({ body, status, headers }: Answer): string {
  const { error } = JSON.parse(body.toString()) as { error: Record<string, unknown> };
  expect(Object.keys(error).sort()).toEqual(["code", "message", "retry"]);
  expect(error.retry).toBe(headers["retry-after"] !== undefined);
  expect(status).toBeGreaterThanOrEqual(400);
  return String(error.code);
}
