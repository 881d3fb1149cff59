/** What a relay knows after its memory was lost, and what of it is lost. */
import { beforeEach, describe, expect, test } from "vitest";
import { RelayWorld } from "../../support/relay-world.ts";

/** Of shard 0, and of shard 1. */
const [A, B, C1] = ["/t/a", "/t/b", "/t/c1"];

let world: RelayWorld;
beforeEach(() => {
  world = new RelayWorld();
});

describe("[L14] over a hibernation", () => {
  test("[L14] clients go on where they were, without anything asked", () => {
    const [one, other] = [world.following(A, B, C1), world.following(B)];
    world.live(A);
    world.rest();
    for (const socket of [one, other]) socket.take();
    for (const shard of [0, 1]) world.told(shard);
    world.hibernate();
    const [a, b, c] = [world.live(A), world.live(B), world.live(C1)];

    expect([one.take(), other.take()]).toEqual([[a, b, c], [b]]);
    const asked = [...world.told(0), ...world.told(1)].filter((said) => !("wake" in (said as object)));
    expect(asked).toEqual([]);
    world.say(one, { id: 1, sub: A });
    expect(one.closed?.reason).toBe("bad_frame");
  });

  test("[L14] what doesn't fit into an attachment is a row of the connection", () => {
    const paths = Array.from({ length: 700 }, (_, i) => `/t/a-path-of-some-length-${i}x`);
    const client = world.connect();
    world.link(0);
    for (let at = 0; at < paths.length; at += 100)
      world.say(client, { subs: paths.slice(at, at + 100).map((sub, i) => ({ id: at + i + 1, sub })) });
    world.answer(0);
    expect(world.rows.rows.size).toBe(0);
    world.rest();
    expect(world.rows.rows.size).toBe(1);
    client.take();
    world.hibernate();

    const update = world.live(paths[650] ?? "");
    expect(client.take()).toEqual([update]);
    for (let at = 0; at < 690; at += 115)
      world.say(client, {
        subs: paths.slice(at, at + 115).map((unsub, i) => ({ id: 1_000 + at + i, unsub })),
      });
    world.rest();
    expect(world.rows.rows.size).toBe(0);
    world.hibernate();
    client.take();
    const last = world.live(paths[695] ?? "");
    expect(client.take()).toEqual([last]);
  });

  test("[L14] [M11] what can't be told any more closes the connection, which says all again", () => {
    const [early, late] = [world.following(A), world.connect()];
    world.rest();
    world.say(late, { id: 1, sub: B });
    world.answer(0);
    world.hibernate();
    world.live(A);

    expect([early.closed?.reason, late.closed?.reason]).toEqual(["going_away", "going_away"]);
    // What the shards watch there nobody knows any more.
    expect(world.links.get(0)?.closed?.reason).toBe("going_away");
    const back = world.connect();
    world.say(back, { id: 1, sub: A, from: "e:0" });
    world.link(0);
    world.answer(0);
    expect(back.take()[0]).toMatchObject({ id: 1, ok: { recovered: true } });
  });

  test("[L9] [L14] a row is written for what changed of a connection alone, too", () => {
    const paths = Array.from({ length: 500 }, (_, i) => `/t/a-path-of-some-length-${i}x`);
    const client = world.connect();
    world.link(0);
    for (let at = 0; at < paths.length; at += 100)
      world.say(client, { subs: paths.slice(at, at + 100).map((sub, i) => ({ id: at + i + 1, sub })) });
    world.answer(0);
    world.rest();
    world.told(0);
    world.say(client, { id: 1_000, later: 1 });
    const [asked] = world.told(0) as { wake?: { at: number } }[];
    expect(asked?.wake?.at).toBeGreaterThan(world.clock.now);
    world.clock.now = asked?.wake?.at ?? 0;
    world.down(0, '{"wake":true}');
    world.hibernate();
    client.take();
    const update = world.live(paths[450] ?? "");

    expect([client.take(), client.closed]).toEqual([[update], undefined]);
  });

  test("[L14] a client that doesn't answer its close is nobody, and takes no link from the others", () => {
    const [client, gone] = [world.following(A), world.following(A, B)];
    world.say(gone, { unsub: B });
    expect(gone.closed?.reason).toBe("bad_frame");
    world.rest();
    client.take();
    world.hibernate(gone);
    const update = world.live(A);

    expect(client.take()).toEqual([update]);
    expect(world.links.get(0)?.closed).toBeUndefined();
  });

  test("[L14] [M11] one that was sent away for what was lost stays away, though it doesn't answer and is known again", () => {
    const away = world.following(A);
    world.hibernate();
    expect(away.closed?.reason).toBe("going_away");
    world.link(0);
    const back = world.following(A);
    world.rest();
    back.take();
    world.hibernate(away);
    const update = world.live(A);

    expect([back.take(), back.closed]).toEqual([[update], undefined]);
    world.say(back, { id: 2, unsub: A });
    expect(world.told(0)).toContainEqual(expect.objectContaining({ empty: A }));
  });

  test("[L13] [L14] an endpoint that was detached isn't there again after a hibernation", () => {
    const client = world.following(A, B);
    world.say(client, { id: 3, unsub: A });
    world.rest();
    world.down(0, JSON.stringify({ detached: A }));
    world.rest();
    world.hibernate();
    world.told(0);
    world.say(client, { id: 4, sub: A });

    expect(world.answer(0).asked).toEqual([A]);
  });

  test("[L14] [M8] a topic that is exposed no longer ends its subscriptions", () => {
    const client = world.following(A, B);
    world.rest();
    world.exposes = (path) => path !== B;
    world.hibernate();
    const update = world.live(A);

    expect(client.take()).toEqual([
      { end: B, error: expect.objectContaining({ code: "unknown_topic" }) },
      update,
    ]);
  });

  test("[L9] [L14] rows are written on the shard's word when nothing has happened for a while, not before", () => {
    world.following(A);
    const [asked] = world.told(0) as { wake?: { at: number } }[];
    expect(asked).toBeUndefined();
    world.live(A);
    world.down(0, '{"wake":true}');
    expect(world.rows.chunks).toEqual([]);
    const [again] = world.told(0) as { wake: { at: number } }[];
    world.clock.now = again?.wake.at ?? 0;
    world.down(0, '{"wake":true}');

    expect(world.rows.chunks).toHaveLength(1);
    expect(world.told(0)).toEqual([]);
  });

  test("[L14] windows share their memory, and those go that nobody asked for longest", () => {
    world = new RelayWorld({ windowBytes: 3_000 });
    const paths = ["/t/a", "/t/b", "/t/d"];
    world.following(...paths);
    const value = "x".repeat(900);
    world.clock.now += 1_000;
    const late = world.connect();
    world.say(late, { id: 1, sub: "/t/d" });
    for (const path of paths) world.live(path, value);
    for (const path of paths) world.live(path, value);

    const back = world.connect();
    world.told(0);
    world.say(back, { subs: paths.map((sub, i) => ({ id: i + 1, sub, from: "e:0" })) });
    expect((world.told(0) as { attach?: string }[]).flatMap(({ attach }) => attach ?? [])).toEqual([
      "/t/a",
      "/t/b",
    ]);
  });
});
