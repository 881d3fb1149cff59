/** The holder of one origin's key, who speaks for others, takes all the places, or says nothing. */
import { setTimeout as sleep } from "node:timers/promises";
import type { WebSocket } from "ws";
import { FIRST_ORIGIN } from "../support/deployment.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";
import { type Attack, type Ground, HONEST_TOPIC, heard } from "./attack.ts";

const PROTOCOL = "distributary.uplink.v1";
const SHARDS = 2;
/** An honest one is as patient. */
const HELLO_MS = 10_000;
const BEYOND = 2 ** 53 - 2;
const PLACES = 20;

/** An uplink of the holder's own key; undefined if it isn't let in. */
async function uplink(ground: Ground, key: string, shard: number): Promise<WebSocket | undefined> {
  const [kid = "", name = "", ...secret] = key.split(":");
  const token = await ScriptedOrigin.token({ kid, name, secret: secret.join(":") });
  const headers = { Authorization: `Bearer ${token}` };
  return ground.dial(`/$/uplink?shard=${shard}`, { protocol: PROTOCOL, headers });
}

const hello = (origin: string, slice?: string) => JSON.stringify({ hello: { version: 1, origin, slice } });

export const HOLDERS: readonly Attack[] = [
  {
    name: "other-name",
    row: 2,
    by: "the holder of a key",
    how: "10 uplinks a second that say hello as the origin that is active, and send updates with the offset 2^53 − 2",
    run: (ground) =>
      ground.steadily(10, async (n) => {
        const { holder } = ground.target;
        const socket = holder && (await uplink(ground, holder, n % SHARDS));
        if (!socket) return;
        socket.send(hello(FIRST_ORIGIN));
        socket.send('0\t{"ready":true}');
        const links = Array.from({ length: 50 }, (_, i) => i).join(",");
        const [path, position] = [`/${HONEST_TOPIC}/k${n % 20}`, `AAAAAA.0:${BEYOND}`];
        socket.send(`${links}\t${JSON.stringify({ e: path, p: position, v: { id: -1 } })}`);
        const said = await heard(socket, 2_000);
        if (said === undefined) ground.refused++;
        else if (said.includes('"role":"active"')) ground.harm("a holder became active in another's name");
        socket.terminate();
      }),
  },
  {
    name: "places",
    row: 3,
    by: "the holder of a key",
    how: "5 uplinks a second as standbys for slices of 1 to 20 that stay, as long as they may; every 2 s an honest standby",
    async run(ground) {
      const { holder, standby } = ground.target;
      if (holder === undefined || standby === undefined) return;
      let refusals = 0;
      let tries = 0;
      const honest = async () => {
        const [, name = ""] = standby.split(":");
        const socket = await uplink(ground, standby, 0);
        socket?.send(hello(name));
        const said = socket && (await heard(socket, HELLO_MS));
        tries++;
        if (!said?.includes('"hello"')) refusals++;
        socket?.terminate();
      };
      await Promise.all([
        ground.steadily(5, async (n) => {
          const socket = await uplink(ground, holder, n % SHARDS);
          const [, name = ""] = holder.split(":");
          const count = 1 + (n % PLACES);
          socket?.send(hello(name, count === 1 ? undefined : `1/${count}`));
        }),
        ground.steadily(0.5, honest),
      ]);
      if (refusals > 0) ground.harm(`an honest standby was refused (${refusals} of ${tries} times)`);
    },
  },
  {
    name: "no-hello",
    row: 3,
    by: "the holder of a key",
    how: "50 uplinks that never say hello",
    async run(ground) {
      const { holder } = ground.target;
      if (holder === undefined) return;
      const sockets: WebSocket[] = [];
      await ground.steadily(
        25,
        async (n) => {
          const socket = await uplink(ground, holder, n % SHARDS);
          if (socket !== undefined) sockets.push(socket);
        },
        { atMost: 50 },
      );
      if (ground.seconds < 2 * (HELLO_MS / 1_000)) return;
      await sleep(HELLO_MS + 5_000);
      const open = sockets.filter((socket) => socket.readyState === socket.OPEN).length;
      if (open > 0) ground.harm(`${open} silent uplinks are open after ${(HELLO_MS + 5_000) / 1_000} s`);
    },
  },
];
