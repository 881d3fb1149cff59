/** Requests and answers of `node:http` as the platform has them. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { lengthOf } from "../web/fixed-length.ts";
import { leanHeaders } from "../web/headers.ts";
import { Request } from "../web/request.ts";
import { Response } from "../web/response.ts";

/** undefined if it isn't for one host, or none that could be: workerd answers that with 500, too. */
export function requestOf(from: IncomingMessage): Request | undefined {
  const { method = "GET", socket } = from;
  // As the parser lets them through, Node's own would take them.
  const headers = leanHeaders(from.rawHeaders);
  const host = headers.get("Host");
  // Of several all would stand there, which is no host.
  if (host === null) return undefined;
  // Whatever the request line names: the header says which host it is for.
  const target = (from.url ?? "/").replace(/^[a-z]+:\/\/[^/?]*/i, "");
  const url = URL.parse(`http://${host}${target.startsWith("/") ? "" : "/"}${target}`);
  if (url === null || url.username !== "" || url.password !== "") return undefined;
  const address = socket.remoteAddress ?? "";
  const clientIp = `${address.includes(":") ? `[${address}]` : address}:${socket.remotePort}`;
  if (method === "GET") return Request.lean(url, headers, { clientIp });
  const isSent =
    from.headers["transfer-encoding"] !== undefined || Number(from.headers["content-length"]) > 0;
  const hasBody = isSent && method !== "HEAD";
  return new Request(url, {
    method,
    headers,
    redirect: "manual",
    cf: { clientIp },
    ...(hasBody && { body: bodyOf(from), duplex: "half" }),
  });
}

/** Its body, as it is taken. */
function bodyOf(from: IncomingMessage): ReadableStream<Uint8Array> {
  let isBegun = false;
  let isOver = false;
  const begin = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    isBegun = true;
    const over = (end: () => void) => () => {
      if (!isOver) end();
      isOver = true;
    };
    from.on("data", (chunk: Buffer) => {
      if (isOver) return;
      from.pause();
      controller.enqueue(new Uint8Array(chunk));
    });
    from.once(
      "end",
      over(() => controller.close()),
    );
    from.once(
      "close",
      over(() => controller.error(new Error("the client has gone"))),
    );
    from.on("error", () => {});
  };
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (!isBegun) begin(controller);
        from.resume();
      },
      cancel() {
        isOver = true;
        throwAway(from);
      },
    },
    { highWaterMark: 0 },
  );
}

/** What comes of a body that isn't wanted any more, so that its connection can go on. */
export function throwAway(from: IncomingMessage): void {
  if (from.complete) return;
  from.removeAllListeners("data");
  from.resume();
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
  let goOn = () => {};
  to.on("drain", () => goOn());
  const gone = () => {
    goOn();
    reader.cancel().catch(() => {});
  };
  to.once("close", gone);
  // It may break off while its client takes nothing: then nobody reads on, and it would stay for as long as the client wants.
  reader.closed.catch(() => to.destroy());
  try {
    to.flushHeaders();
    for (;;) {
      const { done, value } = await reader.read();
      if (to.destroyed) return;
      if (done) break;
      if (to.write(value)) continue;
      await new Promise<void>((resolve) => {
        goOn = resolve;
        if (to.destroyed) resolve();
      });
    }
    to.off("close", gone);
    to.end();
  } catch {
    // Cut off in the middle: its client must see that.
    to.destroy();
  }
}
