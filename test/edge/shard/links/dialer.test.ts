/** Whom a shard dials, and what becomes of it. */
import { expect, test } from "vitest";
import { endpointObject, type ObjectIdentity } from "../../../../edge/object-identity.ts";
import { Dialer } from "../../../../edge/shard/links/dialer.ts";
import { FakeSocket } from "../../../support/fake-socket.ts";
import { settled } from "../../../support/simulated-edge.ts";
import { Clock } from "../../../support/simulated-wires.ts";

test("[L1] a link that can't begin, since a row can't be written, is closed, and keeps no other object from its turn", async () => {
  const clock = new Clock();
  const problems: string[] = [];
  const dialled: FakeSocket[] = [];
  const opened: ObjectIdentity[] = [];
  let isDiskFull = true;
  const dialer = new Dialer(
    {
      dial: async () => {
        const socket = new FakeSocket();
        dialled.push(socket);
        return socket;
      },
      after: (ms, run) => clock.after(ms, run),
      random: () => 0,
      log: (problem) => problems.push(problem),
    },
    (object) => {
      if (isDiskFull) throw new Error("the disk is full");
      opened.push(object);
    },
    () => undefined,
  );
  // More than are dialled at once.
  const objects = Array.from({ length: 60 }, (_, i) => endpointObject(`/t/${i}`));

  for (const object of objects) dialer.dial(object);
  await settled();
  expect(dialled).toHaveLength(60);
  expect(dialled.every(({ closed }) => closed?.reason === "going_away")).toBe(true);
  expect(problems).toHaveLength(60);
  isDiskFull = false;
  for (const object of objects) dialer.dial(object);
  await settled();

  expect(opened).toEqual(objects);
});
