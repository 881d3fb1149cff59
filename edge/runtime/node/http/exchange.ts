/** Requests and answers of `node:http` as the platform has them. */

import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { lengthOf } from "../web/fixed-length.ts";
import { Request } from "../web/request.ts";
import { Response } from "../web/response.ts";

/** @throws TypeError if its URL is none */
export function requestOf(from: IncomingMessage): Request {
  const { method = "GET", socket } = from;
  const headers = new Headers();
  for (let i = 0; i + 1 < from.rawHeaders.length; i += 2)
    headers.append(from.rawHeaders[i] ?? "", from.rawHeaders[i + 1] ?? "");
  const target = from.url ?? "/";
  const url = target.startsWith("/") ? `http://${from.headers.host ?? "localhost"}${target}` : target;
  const address = socket.remoteAddress ?? "";
  const clientIp = `${address.includes(":") ? `[${address}]` : address}:${socket.remotePort}`;
  const hasBody = method !== "GET" && method !== "HEAD";
  return new Request(url, {
    method,
    headers,
    redirect: "manual",
    cf: { clientIp },
    ...(hasBody && { body: Readable.toWeb(from) as ReadableStream<Uint8Array>, duplex: "half" }),
  });
}

/** Hands an answer over as it is taken. Ends when it is over, or its client has gone. */
export async function answerWith(response: Response, to: ServerResponse, isHead: boolean): Promise<void> {
  const { body, status, headers } = response;
  const whole = response instanceof Response ? Response.wholeOf(response) : undefined;
  to.statusCode = status;
  for (const [name, value] of headers) to.appendHeader(name, value);
  const length = whole === undefined ? lengthOf(body) : Buffer.byteLength(whole);
  const hasBody = status !== 204 && status !== 304;
  if (length !== undefined && hasBody && !isHead) to.setHeader("Content-Length", length);
  if (isHead || body === null || !hasBody) {
    await body?.cancel();
    to.end();
  } else if (whole !== undefined) to.end(whole);
  else await stream(body, to);
}

async function stream(body: ReadableStream<Uint8Array>, to: ServerResponse): Promise<void> {
  const reader = body.getReader();
  const gone = () => void reader.cancel().catch(() => {});
  to.once("close", gone);
  try {
    to.flushHeaders();
    for (;;) {
      const { done, value } = await reader.read();
      if (to.destroyed) return;
      if (done) break;
      if (!to.write(value)) await Promise.race([once(to, "drain"), once(to, "close")]);
    }
    to.off("close", gone);
    to.end();
  } catch {
    // Cut off in the middle: its client must see that.
    to.destroy();
  }
}
