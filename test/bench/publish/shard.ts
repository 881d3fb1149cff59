/**
 * What asks the origin's publishing, or a bare producer, over a WebSocket: as a shard does, in a process of its own. So many
 * publishes are under way; those that are answered together are followed by as many, together.
 */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { packMessages, splitText } from "../../../shared/protocol/message.ts";
import { encodePublish } from "../../../shared/protocol/publish.ts";
import { answer } from "../load/rpc.ts";
import type { Work } from "./work.ts";

export interface ShardWork extends Work {
  readonly topic: string;
  readonly underWay: number;
}

const KEYS = 1_000;
const SUBJECTS = 100;
const WITHIN_MS = 60_000;
const PUBLISHED = '"position"';

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
let socket: WebSocket | undefined;
let made = 0;
server.on("connection", (dialled) => {
  socket = dialled;
});

function publishOf(topic: string, bytes: number) {
  const id = ++made;
  return encodePublish({
    ...{ endpoint: `/${topic}/key-${id % KEYS}`, id, issuer: "issuer", subject: `subject-${id % SUBJECTS}` },
    ...{ key: `publish-${id}`, by: "client", headers: [], value: Buffer.alloc(bytes, 0x61) },
    ...{ withinMs: WITHIN_MS, until: Date.now() + WITHIN_MS, claim: false },
  });
}

const handlers = {
  async listen(): Promise<string> {
    if (server.address() === null) await once(server, "listening");
    return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  },

  /** Returns in how many microseconds all were answered. */
  async burst({ topic, count, bytes, underWay }: ShardWork): Promise<number> {
    const asked = socket;
    if (asked === undefined) throw new Error("nobody has dialled");
    const frames = Array.from({ length: count }, () => publishOf(topic, bytes));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const send = (many: number) => {
      for (const message of packMessages(frames.splice(0, many), LIMITS.batchBytes)) asked.send(message);
    };
    let left = count;
    const take = (data: Buffer) => {
      const answers = splitText(data.toString());
      const refused = answers.find((text) => !text.includes(PUBLISHED));
      if (refused !== undefined) reject(new Error(`not published: ${refused}`));
      left -= answers.length;
      send(answers.length);
      if (left === 0) resolve();
    };
    asked.on("message", take);
    const from = performance.now();
    send(underWay);
    await promise.finally(() => asked.off("message", take));
    return (performance.now() - from) * 1_000;
  },

  async close(): Promise<void> {
    socket?.terminate();
    server.close();
  },
};

export type ShardHandlers = typeof handlers;

answer(handlers);
