/** What clients may say on a connection, mutated: it ends at most that connection, and no neighbour notices. */
import { test } from "vitest";
import { judgePath } from "../../../edge/relay/right.ts";
import { readStreams } from "../../../shared/config/streams.ts";
import { HISTORIES, SEED } from "../../support/long.ts";
import { holds, playText } from "../../support/playing.ts";
import { RelayWorld } from "../../support/relay-world.ts";

const STREAMS = readStreams({ streams: { t: { title: "T", subscribe: "public" } } });
if (!STREAMS.ok) throw new Error(STREAMS.problems.join());
const { streams } = STREAMS;

const GOOD = [
  '{"id":10,"sub":"/t/a"}',
  '{"id":11,"sub":"/t/a","from":"e:0"}',
  '{"id":12,"unsub":"/t/a"}',
  '{"subs":[{"id":13,"sub":"/t/a"},{"id":14,"unsub":"/t/b"},{"id":15,"sub":"/t/b","from":"-"}]}',
  '{"id":16,"token":"a.b.c"}',
  '{"id":17,"sub":"/t/a"}\u001e{"id":18,"unsub":"/t/a"}\u001e{"ping":1}',
];

test("[C5] [M2] [M3] mutated frames end at most their connection, whatever they are", async () => {
  const world = new RelayWorld();
  world.judge = (path, right) => judgePath(streams, path, right);
  world.shardOf = () => 0;
  const neighbour = world.following("/t/neighbour");
  await playText({ count: 10 * HISTORIES, seed: SEED }, GOOD, (text) => {
    const client = world.connect();
    world.core.clientMessage(client, text);
    world.answer(0);
    holds(
      client.closed === undefined || ["bad_frame", "frame_too_large"].includes(client.closed.reason),
      `it is closed: ${client.closed?.reason}`,
    );
    const said = client.take() as { id?: number; error?: { code: string } }[];
    for (const { error } of said) holds(error?.code !== "internal", "a fault of ours");
    if (client.closed === undefined) client.close(1_000, "");
    world.core.clientClosed(client);
    world.sockets.splice(world.sockets.indexOf(client), 1);
  });
  const update = world.live("/t/neighbour");
  holds(JSON.stringify(neighbour.take()) === JSON.stringify([update]), "the neighbour has noticed");
  holds(world.core.connections === 1, "connections are left");
}, 300_000);
