/** What a room asks its shard is gathered, so that keys that are made up quickly cost few messages. */
import { expect, test } from "vitest";
import { RelayWorld } from "../../support/relay-world.ts";

/** Of shard 0. */
const [A, B, C, D] = ["/t/a", "/t/b", "/t/c", "/t/d"];
const GATHER_MS = 25;

/** What left for shard 0, message by message: the paths that are asked about or left, and what else is said. */
function left(world: RelayWorld): unknown[] {
  const link = world.links.get(0);
  if (link === undefined) return [];
  const messages = link.messages.map((message) =>
    typeof message !== "string"
      ? "bytes"
      : message.split("\u001e").map((frame): unknown => {
          const { attach, empty, ...other } = JSON.parse(frame);
          return attach ?? empty ?? Object.keys(other)[0];
        }),
  );
  link.messages.length = 0;
  return messages;
}

/** A room with somebody who has a verdict. */
function room(): RelayWorld {
  const world = new RelayWorld({ gatherMs: GATHER_MS });
  world.alone("/t/first");
  world.link(0);
  world.answer(0);
  world.pass(1_000);
  left(world);
  return world;
}

test("[L16] the first question leaves at once, and those of the next 25 ms in one message, whoever asks", () => {
  const world = room();
  const clients = [A, B, C].map((path) => world.alone(path));
  expect(left(world)).toEqual([[A]]);

  world.core.clientClosed(clients[0] ?? world.alone(A));
  world.pass(GATHER_MS - 1);
  expect(left(world)).toEqual([]);
  world.pass(1);
  expect(left(world)).toEqual([[B, C, A]]);

  world.pass(GATHER_MS);
  world.alone(D);
  expect(left(world)).toEqual([[D]]);
});

test("[L16] what isn't about an endpoint leaves at once, behind what has waited", () => {
  const world = room();
  const client = world.alone(A);
  world.alone(B);
  expect(left(world)).toEqual([[A]]);

  world.say(client, { id: 1, pub: A, v: 1 });
  expect(left(world)).toEqual([[B], "bytes"]);
});

test("[L16] [R2] what has waited on a link that is lost is asked on the next one", () => {
  const world = room();
  world.alone(A);
  world.alone(B);
  left(world);
  world.cutLink(0);
  world.link(0);
  world.pass(GATHER_MS);

  expect(new Set(world.answer(0).asked)).toEqual(new Set(["/t/first", A, B]));
});
