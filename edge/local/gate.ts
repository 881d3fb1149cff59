/**
 * Stands before workerd and lets in only as many connections as that has open files for: workerd ends when it may open no
 * more. All bytes pass through here, which costs about 30 µs of processor time for each piece; so it stands there only
 * if it is asked for, or once workerd has ended that way.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { addressKey } from "../http/address-key.ts";
import { Admission, type Places, wantedBy } from "./admission.ts";
import { sourceOf } from "./gate-address.ts";
import { TIME_LIMITS } from "./time-limits.ts";

export interface GateSettings {
  readonly host: string;
  readonly port: number;
  readonly places: Places;
  /** Of workerd, on 127.0.0.1; undefined while there is none. */
  to(): number | undefined;
}

/** More than the longest line that is told apart. */
const FIRST_BYTES = 32;
const SWITCHED = "HTTP/1.1 101 ";

/** Resolves when it listens. */
export function openGate({ host, port, places, to }: GateSettings): Promise<Server> {
  const admission = new Admission<Socket>(places);
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const address = addressKey(client.remoteAddress ?? "") ?? "";
    client.on("error", () => client.destroy());
    client.once("close", () => admission.leave(client, address));
    const silent = setTimeout(() => client.destroy(), TIME_LIMITS.gateSilentMs);
    client.once("close", () => clearTimeout(silent));
    admission.enter(client, address)?.destroy();
    let first = Buffer.alloc(0);
    const hear = (chunk: Buffer) => {
      first = Buffer.concat([first, chunk]);
      if (first.length < FIRST_BYTES && !first.includes("\n")) return;
      clearTimeout(silent);
      client.off("data", hear);
      client.pause();
      const wanted = wantedBy(first.toString("latin1", 0, FIRST_BYTES));
      const { isIn, goes } = admission.admit(client, address, wanted);
      goes?.destroy();
      const inner = to();
      // It counts no more, so it mustn't stay.
      if (!isIn || inner === undefined) return void client.end(FULL, () => client.destroy());
      pass(client, first, inner, sourceOf(address), () => {
        if (wanted === "uplink") admission.prove(client, address);
      });
    };
    client.on("data", hear);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => resolve(server));
  });
}

/** @param switched called if it became a WebSocket */
function pass(
  client: Socket,
  first: Buffer,
  port: number,
  localAddress: string | undefined,
  switched: () => void,
): void {
  const inner = connect({
    port,
    host: "127.0.0.1",
    ...(localAddress !== undefined && { localAddress }),
    allowHalfOpen: true,
    noDelay: true,
  });
  inner.on("error", () => client.destroy());
  inner.once("close", () => client.destroy());
  client.once("close", () => inner.destroy());
  inner.once("data", (chunk: Buffer) => {
    if (chunk.toString("latin1", 0, SWITCHED.length) === SWITCHED) switched();
  });
  inner.write(first);
  client.pipe(inner);
  inner.pipe(client);
}

const FULL_BODY = JSON.stringify({
  error: { code: "overloaded", message: "there are too many connections; try again", retry: true },
});
const FULL = [
  "HTTP/1.1 503 Service Unavailable",
  "Content-Type: application/json",
  `Content-Length: ${FULL_BODY.length}`,
  "Retry-After: 1",
  "Cache-Control: no-store",
  "Connection: close",
  "",
  FULL_BODY,
].join("\r\n");
