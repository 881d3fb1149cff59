/** Strangers whose messages are cheap to send and dear to read. */
import { type Attack, closed, HONEST_TOPIC, heard } from "./attack.ts";

const MIB = 1024 * 1024;
const path = `/${HONEST_TOPIC}/k1`;
const PINGS = Array.from({ length: 1_489 }, () => '{"ping":2}').join("\u001e");
const longKid = Buffer.from(JSON.stringify({ alg: "ES256", kid: "k".repeat(20_000) })).toString("base64url");
const CLOSED_MS = 5_000;

export const MESSAGES: readonly Attack[] = [
  {
    name: "inflated",
    row: 8,
    by: "a stranger",
    how: "20 connections a second, each with a message that is 30 KB compressed and 30 MiB after",
    run: (ground) =>
      ground.steadily(20, async () => {
        const socket = await ground.dial(path, { deflate: true });
        if (socket === undefined) return;
        // Where no compression is negotiated the message would travel in full: one byte past the bound says as much.
        socket.send(Buffer.alloc(socket.extensions === "" ? 16 * 1024 + 1 : 30 * MIB));
        if ((await closed(socket, CLOSED_MS)) !== undefined) ground.refused++;
        socket.terminate();
      }),
  },
  {
    name: "pings",
    row: 13,
    by: "a stranger",
    how: "20 messages a second of 1,489 pings each, on connections of their own",
    run: (ground) =>
      ground.steadily(20, async () => {
        const socket = await ground.dial(path);
        if (socket === undefined) return;
        await heard(socket);
        socket.send(PINGS);
        if ((await closed(socket, 1_000)) !== undefined) ground.refused++;
        socket.terminate();
      }),
  },
  {
    name: "long-kid",
    row: 13,
    by: "a stranger",
    how: "50 GETs and 50 uplinks a second with tokens whose `kid` has 20 KB",
    run: (ground) =>
      ground.steadily(100, async (n) => {
        const headers = { Authorization: `Bearer ${longKid}.e30.AAAA` };
        if (n % 2 === 0) await ground.ask({ path, headers });
        else await ground.dial("/$/uplink?shard=0", { protocol: "distributary.uplink.v1", headers });
      }),
  },
];
