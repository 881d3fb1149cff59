import { beforeEach, describe, expect, test } from "vitest";
import { endpointObject } from "../../../../edge/object-identity.ts";
import { encodeAddressed } from "../../../../shared/protocol/addressed.ts";
import { encodeAttach } from "../../../../shared/protocol/attach.ts";
import { encodeLatest } from "../../../../shared/protocol/uplink.ts";
import { FakeSocket } from "../../../support/fake-socket.ts";
import { SmallShard, updateFrame } from "../../../support/small-shard.ts";

const A = "/quotes/A";
const REPLACED = { code: 4003, reason: "replaced" };

let shard: SmallShard;

beforeEach(() => {
  shard = new SmallShard();
});

const hello = (role: "active" | "standby", generation: number) => ({
  hello: { version: 1, shard: 0, shards: 1, generation, role },
});
const activated = (generation: number) => ({ role: "active", generation });
const active = () => shard.core.status().origin;

describe("standing by", () => {
  test("[U11] while an origin is active, one of another name stands by and is asked nothing", async () => {
    const a = shard.connect("a");
    const b = shard.connect("b");
    const down = await shard.watch(a, A, 1);

    expect(b.take()).toEqual([hello("standby", 1)]);
    expect(a.closed).toBeUndefined();
    shard.core.linkMessage(down, encodeAttach({ endpoint: A, id: 2, from: undefined }));
    void shard.core.latest(A);
    expect(b.messages).toEqual([]);
    expect(a.take()).toHaveLength(2);
  });

  test("[U11] what a standby says of endpoints goes nowhere, and does it no harm", async () => {
    const a = shard.connect("a");
    const b = shard.connect("b");
    const down = await shard.watch(a, A, 1);

    shard.say(b, 1, updateFrame(A, 6, 5));
    shard.core.uplinkMessage(b, encodeAddressed({ kind: "question", id: 1 }, '{"later":1}'));

    expect(down.messages).toEqual([]);
    expect(b.closed).toBeUndefined();
  });

  test("[U11] the status names who is active, its generation, and who stands by", () => {
    shard.connect("a");
    shard.connect("b", { ready: false });
    shard.connect("c");

    expect(shard.core.status()).toMatchObject({
      connected: true,
      ready: true,
      origin: "a",
      generation: 1,
      standbys: [
        { origin: "b", ready: false },
        { origin: "c", ready: true },
      ],
    });
  });

  test("[U11] eight can stand by; one more is overloaded, and one of them may come anew", () => {
    shard.connect("active");
    const standbys = Array.from({ length: 8 }, (_, i) => shard.connect(`standby-${i}`));

    const last = shard.connect("last", { ready: false });
    shard.connect("standby-3");

    expect(last.closed).toEqual({ code: 4005, reason: "overloaded" });
    expect(standbys.map(({ closed }) => closed?.code)).toEqual([
      ...[undefined, undefined, undefined, 4003],
      ...[undefined, undefined, undefined, undefined],
    ]);
    expect(shard.core.status().standbys).toHaveLength(8);
  });

  test("[U12] an origin that comes anew replaces its own uplink only", () => {
    shard.connect("a");
    const before = shard.connect("b");
    const after = shard.connect("b");

    expect(before.closed).toEqual(REPLACED);
    expect(after.take()).toEqual([hello("standby", 1)]);
    expect(shard.core.status()).toMatchObject({ origin: "a", standbys: [{ origin: "b" }] });
  });

  test("[U12] the active one that comes anew is active again; where another one is ready, that is", () => {
    const first = shard.connect("a");
    shard.connect("b", { ready: false });
    const again = shard.connect("a");
    expect(first.closed).toEqual(REPLACED);
    expect(again.take()).toEqual([hello("active", 2)]);

    shard.connect("c");
    const third = shard.connect("a", { ready: false });

    expect(again.closed).toEqual(REPLACED);
    expect(third.take()).toEqual([hello("standby", 3)]);
    expect(active()).toBe("c");
  });
});

describe("taking over", () => {
  test("[U13] [U14] [L7] when the active one's socket closes, a ready one goes on at once from where each link is", async () => {
    const a = shard.connect("a");
    shard.connect("b", { ready: false });
    const c = shard.connect("c");
    const down = await shard.watch(a, A, 1);
    shard.say(a, 1, updateFrame(A, 6, 5));
    shard.core.linkMessage(down, encodeAttach({ endpoint: A, id: 2, from: new Map([["e", 1]]) }));
    c.take();
    down.take();

    shard.core.uplinkClosed(a);

    expect(c.take()).toEqual([
      activated(2),
      { attach: A, id: 0, link: 1, from: "e:6" },
      { attach: A, id: 2, link: 1, from: "e:1" },
    ]);
    expect(down.messages, "nobody waits").toEqual([]);
    shard.say(c, 1, updateFrame(A, 7, 6));
    expect(down.frames).toEqual([updateFrame(A, 7, 6)]);
    expect(shard.generation).toBe(2);
  });

  test("[U13] where none is ready, one that isn't is better than nobody", () => {
    const a = shard.connect("a");
    shard.connect("b", { ready: false });

    shard.core.uplinkClosed(a);

    expect(shard.core.status()).toMatchObject({ origin: "b", ready: false });
  });

  test("[U8] a question that is open is put to who takes over", async () => {
    const a = shard.connect("a");
    const b = shard.connect("b");
    b.take();
    const latest = shard.core.latest(A);
    const to = { kind: "question", id: 1 } as const;
    shard.core.uplinkMessage(a, encodeAddressed(to, encodeLatest(A, new Map([["e", 5]]), 1)));

    shard.core.uplinkClosed(a);
    expect(b.take()).toEqual([activated(2), { get: A, id: 1 }]);
    shard.core.uplinkMessage(b, encodeAddressed(to, encodeLatest(A, new Map([["e", 6]]), 1)));
    shard.core.uplinkMessage(b, encodeAddressed(to, updateFrame(A, 6, 5)));

    expect(await latest).toEqual({ kind: "update", position: "e:6", frame: updateFrame(A, 6, 5) });
  });

  test.each<[string, () => void]>([
    ["a standby's heartbeat", () => undefined],
    ["a question", () => void shard.core.latest(A)],
    ["an attach", () => shard.core.attach(endpointObject(A))],
  ])("[U13] one that isn't heard for 3 s is replaced by a ready one at %s", (name, arrives) => {
    const a = shard.connect("a");
    const b = shard.connect("b");

    shard.pass(2_000, b);
    shard.pass(999, b);
    expect(active()).toBe("a");
    shard.clock.now++;
    if (name === "a standby's heartbeat") shard.ready(b);
    arrives();

    expect(a.closed).toEqual(REPLACED);
    expect(b.take()).toContainEqual(activated(2));
  });

  test("[U9] [U13] one that only pings is heard, whatever its version", () => {
    const a = shard.connect("a");
    const b = shard.connect("b");

    for (let seconds = 0; seconds < 20; seconds++) {
      shard.pings.set(a, shard.clock.now + 900);
      shard.pass(1_000, b);
    }
    expect(a.closed).toBeUndefined();
    shard.pass(3_000, b);

    expect(a.closed).toEqual(REPLACED);
  });

  test("[U13] a silent one keeps its role while nobody else is ready, and its socket is open", () => {
    const a = shard.connect("a");
    const b = shard.connect("b", { ready: false });
    const beat = () => {
      shard.clock.now += 1_000;
      shard.ready(b, false);
    };

    for (let seconds = 0; seconds < 60; seconds++) beat();
    expect([active(), a.closed]).toEqual(["a", undefined]);
    shard.ready(b);

    expect(active()).toBe("b");
  });

  test("[U13] one that is silent and was not ready gives way to one that can be heard", () => {
    const a = shard.connect("a", { ready: false });
    const b = shard.connect("b", { ready: false });

    for (let seconds = 0; seconds < 3; seconds++) {
      shard.clock.now += 1_000;
      shard.ready(b, false);
    }

    expect([active(), a.closed]).toEqual(["b", REPLACED]);
  });

  test("[U13] one that isn't ready for 3 s gives way to one that is, and is replaced in turn no sooner", () => {
    const a = shard.connect("a");
    const b = shard.connect("b");
    shard.ready(a, false);
    shard.pass(2_999, b);
    expect(active()).toBe("a");
    shard.pass(1, b);
    expect(active()).toBe("b");

    const again = shard.connect("a");
    shard.ready(b, false);
    shard.pass(2_999, again);
    expect(active()).toBe("b");
    shard.pass(3_001, again);
    expect(active()).toBe("a");
  });

  describe("after how long a silent one is replaced", () => {
    let holder: FakeSocket;

    beforeEach(() => {
      holder = shard.connect("a");
    });

    /** `alive`: something comes from it after all. */
    function replacedAfter(alive: boolean): number {
      const [standby, silent] = [shard.connect(active() === "a" ? "b" : "a"), holder];
      const before = active();
      for (let seconds = 1; ; seconds++) {
        shard.pass(1_000, standby);
        if (active() === before) continue;
        holder = standby;
        if (alive) shard.say(silent, 1, updateFrame(A, 6, 5));
        return seconds;
      }
    }

    test("[U13] it is doubled each time that it wasn't dead, up to 30 s, until 60 s have passed", () => {
      expect(Array.from({ length: 7 }, () => replacedAfter(true))).toEqual([3, 6, 12, 24, 30, 30, 30]);
      shard.pass(60_000, holder);
      expect([replacedAfter(true), replacedAfter(true)]).toEqual([3, 6]);
    });

    test("[U13] where it was dead it is 3 s again and again", () => {
      expect(Array.from({ length: 4 }, () => replacedAfter(false))).toEqual([3, 3, 3, 3]);
    });
  });

  test("[U13] where the active one closes, the deadline of the next is no longer than before", () => {
    for (let i = 0; i < 4; i++) shard.core.uplinkClosed(shard.connect(`gone-${i}`));
    shard.connect("a");
    const b = shard.connect("b");

    shard.pass(3_000, b);

    expect(active()).toBe("b");
  });

  test("[U13] after a pause of the shard itself everyone gets a new deadline", () => {
    const a = shard.connect("a");
    const b = shard.connect("b");

    shard.ready(a, false);
    shard.clock.now += 60_000;
    shard.ready(b);
    expect([active(), a.closed]).toEqual(["a", undefined]);
    shard.ready(a);
    shard.clock.now -= 3_600_000;
    shard.pass(2_000, b);

    expect(active(), "after its clock was set back").toBe("a");
    shard.pass(2_000, b);
    expect(active()).toBe("b");
  });

  test("[U13] a silent standby isn't chosen while another can be heard", () => {
    const a = shard.connect("a");
    shard.connect("silent");
    const c = shard.connect("c");
    shard.pass(1_000, a, c);
    shard.pass(3_000, c);

    expect(active()).toBe("c");
  });

  test("[U15] one that leaves is let go once a ready one is active, and what it sent before goes down", async () => {
    const a = shard.connect("a");
    const b = shard.connect("b");
    const down = await shard.watch(a, A, 1);
    shard.say(a, 1, updateFrame(A, 6, 5));
    b.take();

    shard.leave(a);

    expect(down.frames).toEqual([updateFrame(A, 6, 5)]);
    expect(b.take()).toEqual([activated(2), { attach: A, id: 0, link: 1, from: "e:6" }]);
    expect(a.closed).toEqual({ code: 4000, reason: "going_away" });
    expect(shard.problems).toEqual([]);
  });

  test("[U15] the only one is let go, too, and so is one that stands by", () => {
    const a = shard.connect("a");
    const b = shard.connect("b");

    shard.leave(b);
    expect(shard.core.status()).toMatchObject({ origin: "a", standbys: [] });
    shard.leave(a);

    expect([a.closed?.code, b.closed?.code]).toEqual([4000, 4000]);
    expect(shard.core.status()).toMatchObject({ connected: false, origin: null });
  });

  test("[U14] what comes of one that was replaced is dropped, and when it dials again it stands by", async () => {
    const zombie = shard.connect("a");
    const down = await shard.watch(zombie, A, 1);
    const b = shard.connect("b");
    shard.pass(3_000, b);
    zombie.closed = undefined;

    shard.say(zombie, 1, updateFrame(A, 6, 5));
    shard.ready(zombie);
    shard.leave(zombie);
    const back = shard.connect("a");

    expect(down.messages).toEqual([]);
    expect(zombie.closed).toBeDefined();
    expect(back.take()).toEqual([hello("standby", 2)]);
    expect(active()).toBe("b");
    expect(shard.problems).toEqual([]);
  });
});

describe("a shard that has lost its memory", () => {
  test("[U11] [U14] knows who is active, who stands by and who is ready, and takes nobody back that it fenced", () => {
    const fenced = shard.connect("a");
    const b = shard.connect("b");
    const c = shard.connect("c", { ready: false });
    shard.core.uplinkClosed(fenced);
    const older = shard.connect("d");
    const d = shard.connect("d");

    shard.forget([fenced, d, c, older, b]);

    expect(shard.core.status()).toMatchObject({
      origin: "b",
      ready: true,
      standbys: [
        { origin: "d", ready: true },
        { origin: "c", ready: false },
      ],
    });
    shard.core.uplinkClosed(b);
    expect(active()).toBe("d");
  });

  test("[U11] [C5] takes nobody back that it closed for what it said", () => {
    const rude = shard.connect("a");
    shard.core.uplinkMessage(rude, "?");

    shard.forget([rude]);

    expect(shard.core.status()).toMatchObject({ connected: false, origin: null });
  });

  test("[U13] whose active one has gone meanwhile makes a standby active", () => {
    shard.connect("a");
    const b = shard.connect("b");
    b.take();

    shard.forget([b]);

    expect(b.take()).toEqual([activated(2)]);
  });

  test("[U13] one that was silent gets a new deadline", () => {
    const a = shard.connect("a");
    const b = shard.connect("b");
    shard.pass(2_000, b);

    shard.forget([a, b]);
    shard.pass(2_999, b);
    expect(active()).toBe("a");
    shard.pass(1, b);

    expect(active()).toBe("b");
  });

  test("[V4] reads what a version before standbys wrote to its sockets", () => {
    const attach = (generation: number, origin: string) => {
      const socket = new FakeSocket();
      socket.serializeAttachment({ kind: "uplink", generation, origin, ready: generation > 0, nextLink: 7 });
      return socket;
    };

    shard.forget([attach(3, "replaced"), attach(0, ""), attach(4, "a")]);

    expect(shard.core.status()).toMatchObject({ origin: "a", ready: true, standbys: [] });
  });
});
