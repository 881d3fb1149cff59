/** The connection of a client: when there is one, what shares it, and how it ends. */
import { describe, expect, test } from "vitest";
import { ClientError, type Subscription } from "../../../../shared/client/index.ts";
import { encodeOccupancy } from "../../../../shared/protocol/subscriber.ts";
import {
  ATL,
  client,
  clock,
  DFW,
  live,
  said,
  startClient,
  transport,
  update,
  verdict,
  withClient,
} from "../../../support/client-world.ts";
import { fulfilled } from "../../../support/fulfilled.ts";

withClient();

describe("the connection", () => {
  test("is dialled when it is needed, carries all endpoints, and is closed when nothing has needed it for a while", () => {
    expect(transport.dialled).toEqual([]);
    const [atl, dfw] = [client.subscribe(ATL), client.subscribe({ topic: "flights", key: "DFW" })];
    transport.socket.open();
    expect(said().map(({ sub }) => sub)).toEqual([ATL, DFW]);
    expect(client.connection?.state).toBe("open");

    atl.close();
    clock.pass(5_000);
    expect(transport.socket.closed).toBe(false);
    dfw.close();
    clock.pass(999);
    expect(transport.socket.closed).toBe(false);
    clock.pass(1);
    expect(transport.socket.closed).toBe(true);
    expect([client.connection, clock.pending]).toEqual([undefined, 0]);

    client.subscribe(ATL);
    expect(transport.dialled.length).toBe(2);
  });

  test("stays when a subscription ends and the same begins in one go, as in a page that renders twice", () => {
    client.subscribe(ATL).close();
    const subscription = client.subscribe(ATL);
    transport.socket.open();

    expect(said()).toMatchObject([{ sub: ATL }]);
    clock.pass(10_000);
    expect(transport.dialled.length).toBe(1);
    expect(subscription.phase).toBe("asked");
  });

  test("[M4] has one subscription to an endpoint for all who begin with the latest, each of whom gets that first", async () => {
    live();
    transport.socket.say(update(ATL, 2));
    const second = client.subscribe(ATL);
    const told: string[] = [];
    second.on("update", ({ offset }) => told.push(`update ${offset}`));
    second.on("live", ({ position }) => told.push(`live ${position}`));
    expect(told).toEqual([]);
    await fulfilled(() => expect(told).toEqual(["update 2", "live a:2"]));
    transport.socket.say(update(ATL, 3));

    expect(told).toEqual(["update 2", "live a:2", "update 3"]);
    expect(second.position).toBe("a:3");
    clock.pass(0);
    expect(said()).toEqual([]);
  });

  test("who begins while updates come gets each once and in order", async () => {
    const first = live();
    const heard: number[] = [];
    let second: Subscription | undefined;
    first.on("update", () => {
      if (second !== undefined) return;
      second = client.subscribe(ATL);
      second.on("update", ({ offset }) => heard.push(offset));
    });
    transport.socket.say([update(ATL, 2), update(ATL, 3)].join("\u001e"));
    await Promise.resolve();
    transport.socket.say(update(ATL, 4));

    expect(heard).toEqual([3, 4]);
  });

  test("[M4] who resumes from a position beside another gets that on a connection of its own", () => {
    live();
    const [first] = transport.dialled;
    const resumed = client.subscribe(ATL, { from: "a:0" });
    transport.socket.open();

    expect(transport.dialled.length).toBe(2);
    expect(said()).toMatchObject([{ sub: ATL, from: "a:0" }]);
    resumed.close();
    clock.pass(1_000);
    expect([transport.socket.closed, first?.closed]).toEqual([true, false]);
  });

  test("[O4] asks how many subscribers there are once somebody wants to know it, in the place of what there was", async () => {
    const told: string[] = [];
    const first = live();
    first.on("update", ({ offset }) => told.push(`first ${offset}`));
    first.on("closed", () => told.push("first is closed"));
    first.on("occupancy", () => told.push("first is told"));
    const second = client.subscribe(ATL, { occupancy: true });
    second.on("update", ({ offset }) => told.push(`second ${offset}`));
    second.on("occupancy", ({ subscribers }) => told.push(`second: ${subscribers}`));
    clock.pass(0);
    const [again, ...others] = said();
    expect(again).toMatchObject({ sub: ATL, from: "a:1", occupancy: true });
    expect([others, transport.dialled.length]).toEqual([[], 1]);
    transport.socket.say(verdict(Number(again?.id), "a:1", "a:1", true), encodeOccupancy(ATL, 12));
    await fulfilled(() => expect(told).toContain("second 1"));
    transport.socket.say(update(ATL, 2), encodeOccupancy(ATL, 13));

    expect(told).toEqual(["second 1", "second: 12", "first 2", "second 2", "second: 13"]);
    expect([first.subscribers, second.subscribers]).toEqual([undefined, 13]);
    const third = client.subscribe(ATL, { occupancy: true });
    await fulfilled(() => expect(third.subscribers).toBe(13));
    expect(said()).toEqual([]);
  });

  test("[M10] takes as many endpoints as one may, and the others are on a further one", () => {
    const subscriptions = Array.from({ length: 1_001 }, (_, i) => client.subscribe(`/flights/${i}`));
    expect(transport.dialled.length).toBe(2);
    subscriptions[0]?.close();
    client.subscribe("/flights/more");
    transport.socket.open();

    expect(said().map(({ sub }) => sub)).toEqual(["/flights/1000"]);
  });

  test("says when anything was heard last", () => {
    const subscription = client.subscribe(ATL);
    expect(subscription.lastHeardAt).toBeUndefined();
    clock.sleptMs = Date.UTC(2026, 10, 27);
    clock.pass(100);
    transport.socket.open();

    expect(subscription.lastHeardAt).toBe(Date.UTC(2026, 10, 27) + 100);
  });

  test("that is refused for good ends all with the edge's error, and another subscribe dials again", () => {
    const errors: (ClientError | undefined)[] = [];
    for (const path of [ATL, DFW]) client.subscribe(path).on("closed", ({ error }) => errors.push(error));
    transport.socket.open().drop(4521, "forbidden_origin: pages of this origin aren't answered here");

    expect(errors.map((error) => [error?.code, error?.endpoint])).toEqual([
      ["forbidden_origin", ATL],
      ["forbidden_origin", DFW],
    ]);
    expect(clock.pending).toBe(0);
    client.subscribe(ATL);
    expect(transport.dialled.length).toBe(2);
  });
});

describe("close()", () => {
  test("ends all without an error, for good", () => {
    const told: unknown[] = [];
    const subscription = live();
    subscription.on("closed", ({ error }) => told.push(error));
    client.close();

    expect(told).toEqual([undefined]);
    expect([transport.socket.closed, subscription.phase, subscription.position]).toEqual([
      true,
      "ended",
      "-",
    ]);
    expect(() => client.subscribe(ATL)).toThrow(ClientError);
  });

  test("in a listener ends what another one would hear of the same, and of what comes with it", async () => {
    const first = live();
    const second = client.subscribe(ATL);
    const told: string[] = [];
    second.on("update", ({ offset }) => {
      told.push(`update ${offset}`);
      if (offset === 1) second.close();
    });
    for (const name of ["live", "closed"] as const) second.on(name, () => told.push(name));
    await fulfilled(() => expect(told).toEqual(["update 1", "closed"]));

    const third = client.subscribe(ATL);
    await fulfilled(() => expect(third.upToDate).toBe(true));
    third.on("update", () => told.push("third"));
    first.on("update", () => third.close());
    transport.socket.say(update(ATL, 2));
    expect(told).toEqual(["update 1", "closed"]);
  });

  test("of a subscription is heard of once, and nothing after it", () => {
    const subscription = live();
    const told: string[] = [];
    subscription.on("update", () => told.push("update"));
    subscription.on("closed", () => told.push("closed"));
    subscription.close();
    subscription.close();
    transport.socket.say(update(ATL, 2));

    expect(told).toEqual(["closed"]);
  });

  test("pause() leaves the edge, and resume() goes on from there", () => {
    const subscription = live();
    subscription.on("update", () => {});
    subscription.pause();
    clock.pass(100);
    expect([subscription.phase, subscription.connection]).toEqual(["paused", undefined]);
    expect(said()).toMatchObject([{ unsub: ATL }]);
    subscription.resume();
    clock.pass(0);
    expect(said()).toMatchObject([{ sub: ATL, from: "a:1" }]);
  });
});

describe("tokens", () => {
  test("are asked for once, by whoever needs one first, and again only for another one", async () => {
    let asked = 0;
    startClient({ token: () => `token-${++asked}` });
    client.subscribe(ATL);
    client.subscribe(ATL, { from: "a:1" });
    await fulfilled(() => expect(transport.dialled.length).toBe(2));
    expect(transport.dialled.map(({ token }) => token)).toEqual(["token-1", "token-1"]);

    transport.socket.open().drop(4515, "expired");
    await fulfilled(() => expect(asked).toBe(2));
    clock.pass(1_000);
    expect(transport.socket.token).toBe("token-2");
  });
});
