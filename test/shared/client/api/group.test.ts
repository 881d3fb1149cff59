/** Many endpoints as one. */
import { describe, expect, test } from "vitest";
import { encodeError } from "../../../../shared/protocol/subscriber.ts";
import {
  ATL,
  client,
  clock,
  DFW,
  iteratorOf,
  read,
  said,
  transport,
  update,
  verdict,
  withClient,
} from "../../../support/client-world.ts";

withClient();

const LAX = { topic: "flights", key: "LAX" };

describe("subscribeMany()", () => {
  test("gives the updates of all in one iteration, and each its position", async () => {
    const group = client.subscribeMany<number>([ATL, { topic: "flights", key: "DFW" }], {
      from: { [DFW]: "a:4" },
    });
    transport.socket.open();
    expect(said()).toMatchObject([{ sub: ATL }, { sub: DFW, from: "a:4" }]);
    transport.socket.say(
      verdict(1, "-", "a:1"),
      verdict(2, "a:4", "a:4", true),
      update(ATL, 1),
      update(DFW, 5),
    );
    const iterator = iteratorOf(group);
    await iterator.next();

    expect(group.positions).toEqual({ [ATL]: "a:1", [DFW]: "a:4" });
    expect((await read(iterator, 1))[0]).toMatchObject({ endpoint: DFW, value: 5 });
    expect(group.positions).toEqual({ [ATL]: "a:1", [DFW]: "a:5" });
  });

  test("takes further endpoints and lets go of some, whose end is nobody else's", async () => {
    const group = client.subscribeMany([ATL]);
    const told: string[] = [];
    group.on("closed", ({ subscription, event }) =>
      told.push(`${subscription.endpoint} ${event.error?.code}`),
    );
    group.add(DFW);
    transport.socket.open().say(verdict(1, "-", "a:1"), encodeError(2, "forbidden", "no"), update(ATL, 1));
    expect(told).toEqual([`${DFW} forbidden`]);
    expect([...group.subscriptions.keys()]).toEqual([ATL]);

    group.delete(ATL);
    expect(told).toEqual([`${DFW} forbidden`, `${ATL} undefined`]);
    group.close();
  });

  test("ends an iteration with the error of any of them, and closes all", async () => {
    const iterator = iteratorOf(client.subscribeMany([ATL, DFW]));
    const next = iterator.next();
    transport.socket.open().say(encodeError(2, "forbidden", "no"));

    await expect(next).rejects.toMatchObject({ code: "forbidden", endpoint: DFW });
    clock.pass(1_000);
    expect(transport.socket.closed).toBe(true);
  });

  test("pauses those that go on while nobody reads, and resumes each where it was", async () => {
    const unsubs = () => said().flatMap(({ unsub }) => unsub ?? []);
    const group = client.subscribeMany([ATL, DFW], { buffer: { size: 2 } });
    transport.socket
      .open()
      .say(verdict(1, "-", "a:1"), verdict(2, "-", "a:1"), update(ATL, 1), update(DFW, 1));
    expect(unsubs()).toEqual([DFW]);
    transport.socket.say(update(ATL, 2), update(ATL, 3));
    expect(unsubs()).toEqual([ATL]);
    const iterator = iteratorOf(group);
    await iterator.next();
    clock.pass(0);
    expect(said()).toEqual([]);
    await iterator.next();
    clock.pass(0);

    expect(said()).toMatchObject([
      { sub: ATL, from: "a:2" },
      { sub: DFW, from: "a:1" },
    ]);
    expect(group.positions).toEqual({ [ATL]: "a:1", [DFW]: "a:1" });
    group.close();
    expect(group.positions).toEqual({ [ATL]: "a:1", [DFW]: "a:1" });
    expect(() => group.add(LAX)).toThrow(expect.objectContaining({ code: "closed" }));
  });

  test("leaves out the oldest if it is to, and says so with the next of the same endpoint", async () => {
    const group = client.subscribeMany([ATL, DFW], { buffer: { size: 2, whenFull: "conflate" } });
    transport.socket
      .open()
      .say(verdict(1, "-", "a:1"), verdict(2, "-", "a:1"), update(ATL, 1), update(DFW, 1), update(DFW, 2));
    expect(group.positions).toEqual({ [ATL]: "-", [DFW]: "-" });
    transport.socket.say(update(DFW, 3), update(ATL, 2));
    const iterator = iteratorOf(group);
    const updates = await read(iterator, 2);

    expect(updates.map(({ endpoint, offset, skipped }) => [endpoint, offset, skipped])).toEqual([
      [DFW, 3, 2],
      [ATL, 2, 1],
    ]);
    expect(group.positions).toEqual({ [ATL]: "a:2", [DFW]: "a:3" });
  });

  test("begins nothing if one of its paths is none", () => {
    expect(() => client.subscribeMany([ATL, "nowhere"])).toThrow(
      expect.objectContaining({ code: "bad_address" }),
    );
    expect(transport.dialled).toEqual([]);
  });
});
