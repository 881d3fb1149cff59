import { describe, expect, test } from "vitest";
import { Census } from "../../../edge/endpoint/census.ts";
import { encodeCount, encodeEnough } from "../../../shared/protocol/counting.ts";
import { encodeLinkOccupancy } from "../../../shared/protocol/link.ts";
import { answer, PATH, update } from "../../support/endpoint-frames.ts";
import { FakeSocket } from "../../support/fake-socket.ts";
import { link, SmallEndpoint, subscribe } from "../../support/small-endpoint.ts";

/** One that the shard has asked at 1 s, when there were three. */
function asked(): Census {
  const census = new Census();
  census.begin();
  expect(census.news(3, 1_000)).toBe("counted");
  return census;
}

describe("[O2] how many there are is said", () => {
  test("by nobody who wasn't asked", () => {
    const census = new Census();
    expect([census.news(0, 0), census.news(5, 10_000), census.said]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("at once to whoever asks, even if it is 0, and again once it has changed", () => {
    const empty = new Census();
    empty.begin();
    expect(empty.news(0, 0)).toBe("counted");
    const census = asked();
    expect(census.news(3, 9_000)).toBeUndefined();
    expect(census.news(4, 9_000)).toBe("counted");
    expect(census.said).toBe(4);
  });

  test("no sooner than half a second after the last time; the shard is told once that there will be more", () => {
    const census = asked();
    expect(census.news(4, 1_200)).toBe("later");
    expect(census.news(5, 1_300)).toBeUndefined();
    expect(census.said).toBe(3);
    // The shard asks again, whether half a second is over by this clock or not.
    census.begin();
    expect(census.news(5, 1_450)).toBe("counted");
    expect(census.news(6, 1_500)).toBe("later");
  });

  test("and what was put off is forgotten once half a second is over by itself", () => {
    const census = asked();
    expect(census.news(4, 1_200)).toBe("later");
    expect(census.news(4, 1_500)).toBe("counted");
  });

  test("no more once the shard has enough, or on another link", () => {
    const census = asked();
    census.end();
    expect(census.news(9, 60_000)).toBeUndefined();
  });

  test("after a hibernation if it differs from what was said before", () => {
    const woken = new Census(asked().said);
    expect(woken.news(3, 0)).toBeUndefined();
    expect(woken.news(2, 0)).toBe("counted");
  });
});

describe("[O2] an object", () => {
  const counted = (subscribers: number) => ({ counted: { endpoint: PATH, subscribers } });

  test("says how many it has when the shard asks, and when it changes, until the shard has enough", () => {
    const object = new SmallEndpoint();
    const { core, up, live } = object.running();
    core.linkMessage(up, encodeCount(PATH));
    expect(up.take()).toEqual([counted(1)]);
    object.clock.now += 500;
    const second = subscribe(core);
    expect(up.take()).toEqual([counted(2)]);
    core.clientClosed(second);
    expect(up.take()).toEqual([{ later: PATH }]);
    core.linkMessage(up, encodeCount(PATH));
    expect(up.take()).toEqual([counted(1)]);

    core.linkMessage(up, encodeEnough(PATH));
    object.clock.now += 500;
    core.clientClosed(live);
    expect(up.take()).toEqual([{ empty: PATH }]);
  });

  test("that was asked says it after a hibernation, of a subscriber that left meanwhile, too", () => {
    const object = new SmallEndpoint();
    const { core, up, live } = object.running();
    const other = subscribe(core);
    core.linkMessage(up, encodeCount(PATH));
    up.take();

    const woken = object.wake([up], [live]);
    expect(up.take()).toEqual([counted(1)]);
    woken.clientClosed(other);
    expect(up.take()).toEqual([]);
  });

  test("doesn't say it on a new link before it is asked there", () => {
    const object = new SmallEndpoint();
    const { core, up } = object.running();
    core.linkMessage(up, encodeCount(PATH));
    core.linkClosed(up, 1_006);
    const next = link(core, 2);
    object.clock.now += 1_000;
    subscribe(core);
    expect(next.take().filter((frame) => JSON.stringify(frame).includes("counted"))).toEqual([]);
    core.linkMessage(next, encodeCount(PATH));
    expect(next.take()).toContainEqual(counted(2));
  });
});

describe("[O3] [O4] an object", () => {
  const curious = (wants: boolean) => ({ curious: { endpoint: PATH, wants } });
  const told = (subscribers: number) => ({ occupancy: PATH, subscribers });

  function curiousOne(core: ReturnType<SmallEndpoint["wake"]>): FakeSocket {
    const socket = new FakeSocket();
    core.subscribe(socket, undefined, undefined, undefined, true);
    return socket;
  }

  test("tells its shard that somebody wants to know, of each that comes, and when the last of them has gone", () => {
    const { core, up } = new SmallEndpoint().running();
    const one = curiousOne(core);
    expect(up.take()).toEqual([curious(true)]);
    const two = curiousOne(core);
    expect(up.take()).toEqual([curious(true)]);
    core.clientClosed(one);
    expect(up.take()).toEqual([]);
    core.clientClosed(two);
    expect(up.take()).toEqual([curious(false)]);
  });

  test("tells those that want to know, and nobody else, nor one whose verdict is due", () => {
    const { core, up, live } = new SmallEndpoint().running();
    const one = curiousOne(core);
    const waiting = new FakeSocket();
    core.subscribe(waiting, new Map([["e", 9]]), undefined, undefined, true);
    one.take();
    core.linkMessage(up, encodeLinkOccupancy(PATH, 12));
    expect(one.take()).toEqual([told(12)]);
    expect([live.take(), waiting.take()]).toEqual([[], []]);
  });

  test("knows over a hibernation who wants to know, and says it again on a new link only", () => {
    const object = new SmallEndpoint();
    const { core, up, live } = object.running();
    const one = curiousOne(core);
    up.take();
    one.take();
    const woken = object.wake([up], [live, one]);
    expect(up.take()).toEqual([]);
    woken.linkMessage(up, encodeLinkOccupancy(PATH, 3));
    expect([one.take(), live.take()]).toEqual([[told(3)], []]);
    woken.linkClosed(up, 1_006);
    // The shard must know first that the endpoint is watched there.
    expect(link(woken, 2).take()).toMatchObject([{ attach: PATH }, curious(true)]);
  });

  test("is asked in a frame, too; the next subscribe on the socket says it anew", () => {
    const { core, up, live } = new SmallEndpoint().running();
    core.clientMessage(live, JSON.stringify({ id: 1, sub: PATH, from: "e:5", occupancy: true }));
    expect(up.take()).toEqual([curious(true)]);
    core.clientMessage(live, JSON.stringify({ id: 2, sub: PATH, from: "e:5" }));
    expect(up.take()).toEqual([curious(false)]);
  });

  test("of a topic that doesn't tell it asks for nothing", () => {
    const core = new SmallEndpoint().wake([], [], false, true);
    const one = curiousOne(core);
    const up = link(core);
    core.linkMessage(up, answer("e:0", "e:1", [update(1, 0)]));
    expect(up.take()).toEqual([{ attach: PATH, id: 1 }]);
    core.linkMessage(up, encodeLinkOccupancy(PATH, 3));
    expect(one.take()).not.toContainEqual(told(3));
  });
});
