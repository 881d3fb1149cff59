/** The transport of browsers, and of Node from 22 on: their WebSocket and fetch. */
import * as v from "valibot";
import type { ErrorBody } from "../protocol/schemas.ts";
import { SUBSCRIBER_PROTOCOL } from "../protocol/version.ts";
import type { Transport } from "./transport.ts";

const ErrorAnswer = v.object({
  error: v.object({ code: v.string(), message: v.string(), retry: v.boolean() }),
});

export const webSocketTransport: Transport = {
  dial(url, events) {
    const socket = new WebSocket(url, SUBSCRIBER_PROTOCOL);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => events.opened();
    socket.onmessage = ({ data }: { readonly data: string | ArrayBuffer }) =>
      events.message(typeof data === "string" ? data : new Uint8Array(data));
    // An `error` event says nothing that the `close` after it doesn't.
    socket.onclose = ({ code, reason }) => events.closed(code, reason);
    return {
      send(text) {
        if (socket.readyState === WebSocket.OPEN) socket.send(text);
      },
      close: () => socket.close(),
    };
  },

  async explain(url): Promise<ErrorBody | undefined> {
    try {
      const response = await fetch(url.replace(/^ws/, "http"), { cache: "no-store" });
      if (response.ok) {
        await response.body?.cancel();
        return undefined;
      }
      const answer = v.safeParse(ErrorAnswer, await response.json());
      return answer.success ? answer.output.error : undefined;
    } catch {
      return undefined;
    }
  },
};
