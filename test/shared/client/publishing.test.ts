/** What a client makes of what it publishes, one event after the other; and over any history of them. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PublishOrder } from "../../../shared/client/publish-queue.ts";
import {
  Publishing,
  type PublishingEffect,
  type PublishingEvent,
  type PublishingLimits,
} from "../../../shared/client/publishing.ts";
import type { ErrorBody } from "../../../shared/protocol/error-body.ts";
import { countedModule } from "../../support/counted-work.ts";

const LIMITS: PublishingLimits = {
  ...{ maxPublishes: 10, maxBytes: 1_000, atOnce: 4 },
  again: { baseMs: 100, maxMs: 400 },
  ...{ publishAnswerMs: 20_000, publishMs: 60_000 },
};

const error = (code: string, more: Partial<ErrorBody> = {}): ErrorBody => ({
  ...{ code, message: code, retry: true },
  ...more,
});
const FINAL = { retry: false };

/** A client whose connection is the test's. What it tells, a word for each effect: `→2` sends, `2=e:1` is published. */
class Client {
  now = 0;
  nextId = 1;
  readonly publishing: Publishing;
  #names = 0;
  #timer: number | undefined;

  constructor(limits = LIMITS, Made = Publishing) {
    this.publishing = new Made(limits);
  }

  publish(order: PublishOrder = "wait", endpoint = "/t/a", bytes = 1): string {
    return this.step({ kind: "publish", name: ++this.#names, endpoint, order, bytes });
  }

  step(event: PublishingEvent): string {
    const { now, nextId } = this;
    const effects = this.publishing.step(event, { now, random: 0.5, nextId });
    this.nextId += effects.filter(({ kind }) => kind === "send").length;
    return effects.flatMap((effect) => this.#word(effect)).join(" ");
  }

  open = () => this.step({ kind: "opened" });
  lose = () => this.step({ kind: "lost" });
  take = (id: number) => this.step({ kind: "taken", id, position: `e:${id}` });
  refuse = (id: number | undefined, body: ErrorBody) => this.step({ kind: "refused", id, error: body });

  /** Lets time pass until its timer is due; undefined if there is none. */
  wait(): number | undefined {
    if (this.#timer === undefined) return undefined;
    const waited = this.#timer - this.now;
    this.now = this.#timer;
    this.told = this.step({ kind: "timer" });
    return waited;
  }

  told = "";

  #word(effect: PublishingEffect): string[] {
    switch (effect.kind) {
      case "send":
        return [`→${effect.name}#${effect.id}`];
      case "published":
        return [`${effect.name}=${effect.position}`];
      case "failed":
        return [`${effect.name}!${effect.error.code}`];
      case "schedule":
        this.#timer = this.now + effect.afterMs;
        return [];
      case "cancel":
        this.#timer = undefined;
        return [];
    }
  }
}

/** One that is connected, and has published so many. */
function connected(count = 0, order: PublishOrder = "wait"): Client {
  const client = new Client();
  client.open();
  for (let i = 0; i < count; i++) client.publish(order);
  return client;
}

describe("[W28] what is sent when", () => {
  test("nothing before a connection has answered, then one after the other", () => {
    const client = new Client();
    expect([client.publish(), client.publish()]).toEqual(["", ""]);
    expect(client.open()).toBe("→1#1");
    expect(client.take(1)).toBe("1=e:1 →2#2");
    expect(client.take(2)).toBe("2=e:2");
    expect(client.wait()).toBeUndefined();
  });

  test("what isn't to be in order at once, up to as many as may be under way", () => {
    const client = connected();
    const sent = Array.from({ length: 5 }, () => client.publish("none"));

    expect(sent).toEqual(["→1#1", "→2#2", "→3#3", "→4#4", ""]);
    expect(client.take(2)).toBe("2=e:2 →5#5");
  });

  test("one endpoint's beside another's, which waits for nothing of the first", () => {
    const client = connected(2);

    expect(client.publish("wait", "/t/b")).toBe("→3#2");
    expect(client.take(2)).toBe("3=e:2");
  });

  test("one that is to be in order waits for those before it that aren't", () => {
    const client = connected(2, "none");
    expect(client.publish()).toBe("");
    expect(client.take(1)).toBe("1=e:1");
    expect(client.take(2)).toBe("2=e:2 →3#3");
  });

  test("no more than there is room for: one more fails at once, and the others go on", () => {
    const client = connected(10);
    expect(client.publish()).toBe("11!overloaded");
    expect(client.take(1)).toBe("1=e:1 →2#2");
    const heavy = connected();
    expect(heavy.publish("wait", "/t/a", 1_000)).toBe("→1#1");
    expect(heavy.publish()).toBe("2!overloaded");
  });
});

describe("[W28] what is refused", () => {
  test("for now is sent again after a pause that grows, with what the edge says on top, and nothing before it", () => {
    const client = connected(2);
    expect(client.refuse(1, error("unavailable"))).toBe("");
    expect([client.wait(), client.told]).toEqual([50, "→1#2"]);
    client.refuse(2, error("overloaded", { retryAfterMs: 1_000 }));
    expect([client.wait(), client.told]).toEqual([1_100, "→1#3"]);
    expect(client.take(3)).toBe("1=e:3 →2#4");
    client.refuse(4, error("unavailable"));
    expect(client.wait()).toBe(50);
  });

  test.each(["unavailable", "not_writable", "overloaded", "in_flight", "rate_limited"])(
    "with %s hasn't been done: if its time is over then, it fails as that",
    (code) => {
      const client = connected(1);
      client.refuse(1, error(code));
      client.lose();
      while (client.wait() !== undefined);

      expect(client.told).toBe(`1!${code}`);
    },
  );

  test("for good fails, and what follows is sent if it waited, and fails with it if it was to", () => {
    const client = connected(2);
    client.publish("reject");
    client.publish("wait");
    expect(client.refuse(1, error("forbidden", FINAL))).toBe("1!forbidden 3!skipped →2#2");
    expect(client.take(2)).toBe("2=e:2 →4#3");
  });

  test("for good on one endpoint is nothing to another one's", () => {
    const client = connected(1);
    client.publish("reject", "/t/b");

    expect(client.refuse(1, error("forbidden", FINAL))).toBe("1!forbidden");
  });

  test("as too much makes it slower: a second passes at least, and fewer are under way", () => {
    const client = connected(5, "none");
    client.refuse(1, error("rate_limited", { retryAfterMs: 10 }));
    expect([client.wait(), client.told]).toEqual([1_050, ""]);
    expect([client.take(2), client.take(3)]).toEqual(["2=e:2", "3=e:3 →1#5"]);
  });

  test("without an id is no answer to a publish, unless nobody knows of any", () => {
    const client = connected(2, "none");
    expect(client.refuse(undefined, error("rate_limited"))).toBe("");
    expect([client.take(1), client.publish("none")]).toEqual(["1=e:1", "→3#3"]);
    client.refuse(undefined, error("unknown_outcome"));
    client.wait();
    expect(client.told).toBe("→2#4 →3#5");
  });

  test("with an id that none under way has changes nothing", () => {
    const client = connected(1);
    client.lose();
    client.open();

    expect([client.take(1), client.refuse(1, error("forbidden", FINAL))]).toEqual(["", ""]);
    expect(client.take(2)).toBe("1=e:2");
  });
});

describe("[W28] what nobody knows", () => {
  test("as the connection is lost, is sent again on the next one, in order", () => {
    const client = connected(3, "none");
    client.take(2);
    expect([client.lose(), client.publish("none"), client.open()]).toEqual(["", "", "→1#4 →3#5 →4#6"]);
  });

  test.each(["unknown_outcome", "internal", "a code of a later version"])(
    "as the edge says (%s), is sent again, and its position counts",
    (code) => {
      const client = connected(1);
      client.refuse(1, error(code));
      client.wait();

      expect([client.told, client.take(2)]).toEqual(["→1#2", "1=e:2"]);
    },
  );

  test("as no answer comes in 20 s, is sent again, and a late answer to the first changes nothing", () => {
    const client = connected(1);
    expect([client.wait(), client.told]).toEqual([20_000, "→1#2"]);
    expect([client.take(1), client.take(2)]).toEqual(["", "1=e:2"]);
  });

  test("fails as unknown if it is refused then, unless its key is another publish's", () => {
    const client = connected(2, "none");
    client.lose();
    client.open();

    expect(client.refuse(3, error("forbidden", FINAL))).toBe("1!unknown_outcome");
    expect(client.refuse(4, error("id_reused", FINAL))).toBe("2!id_reused");
  });

  test("fails as unknown when its time is over, what wasn't sent as what was said of it last", () => {
    const client = connected(1);
    client.lose();
    client.publish("wait", "/t/b");
    client.open();
    client.refuse(3, error("overloaded"));
    client.lose();
    const told: string[] = [];
    while (client.wait() !== undefined) told.push(client.told);

    expect([client.now, told.join(" ").trim()]).toEqual([60_000, "1!unknown_outcome 2!overloaded"]);
  });
});

test("[W28] at the end all fail, what was under way as unknown, and what is published later at once", () => {
  const client = connected(2);
  const closed = error("closed", FINAL);

  expect(client.step({ kind: "end", error: closed })).toBe("1!unknown_outcome 2!closed");
  expect([client.publish(), client.open(), client.lose()]).toEqual(["3!closed", "", ""]);
  expect(client.wait()).toBeUndefined();
});

test.each<[string, PublishOrder, (i: number) => string]>([
  ["to one endpoint, in order", "wait", () => "/t/a"],
  ["to one endpoint, those behind failing with one that fails", "reject", () => "/t/a"],
  ["to one endpoint, side by side", "none", () => "/t/a"],
  ["to an endpoint each", "wait", (i) => `/t/${i}`],
])("[W28] a publish costs no more for those that wait with it: %s", async (_, order, endpointOf) => {
  const files = ["/client/publishing.ts", "/client/publish-queue.ts", "/core/ordered.ts"];
  const { module, count } = await countedModule(files, () => import("../../../shared/client/publishing.ts"));
  const limits = { ...LIMITS, maxPublishes: 1_000, maxBytes: 1e9 };
  const workOf = (publishes: number) =>
    count(() => {
      const client = new Client(limits, module.Publishing);
      client.open();
      for (let i = 0; i < publishes; i++) client.publish(order, endpointOf(i));
      client.lose();
      client.open();
      for (let id = 1; client.publishing.size > 0; id++) client.take(id);
    });
  const [few, many] = [await workOf(100), await workOf(1_000)];

  // Ten times as many; their places are found by halving.
  expect(many / few).toBeLessThan(15);
});

/**
 * An edge that does a publish once for each name, over connections that break with answers and requests under way. It refuses
 * some, for now or for good, and then doesn't do them.
 */
describe("[W28] over any history", () => {
  type Deed = "publish" | "lose" | "open" | "serve" | "answer" | "putOff" | "refuse" | "doubt" | "wait";
  const deeds = fc.array(
    fc.constantFrom<Deed>(
      ...(["publish", "publish", "serve", "serve", "answer", "answer", "lose", "open", "open"] as const),
      ...(["putOff", "refuse", "doubt", "wait"] as const),
    ),
    { maxLength: 120 },
  );

  function play(all: readonly Deed[], order: PublishOrder) {
    const limits = { ...LIMITS, maxPublishes: 1_000, maxBytes: 1e9, publishMs: 1e12 };
    const client = new Client(limits);
    /** Names of records, in the log's order. */
    const log: number[] = [];
    const outcomes = new Map<number, string>();
    let requests: [name: number, id: number][] = [];
    let answers: (() => string)[] = [];
    const hear = (words: string) => {
      for (const word of words.split(" ").filter((one) => one !== "")) {
        const [, name, id] = /^→(\d+)#(\d+)$/.exec(word) ?? [];
        if (name !== undefined) requests.push([Number(name), Number(id)]);
        const [, over, outcome = ""] = /^(\d+)[=!](.*)$/.exec(word) ?? [];
        if (over === undefined) continue;
        expect(outcomes.has(Number(over)), `a second outcome of ${over}`).toBe(false);
        outcomes.set(Number(over), outcome);
      }
    };
    const serve = (how: "do" | "putOff" | "refuse" | "doubt") => {
      const [name, id] = requests.shift() ?? [];
      if (name === undefined || id === undefined) return;
      if (how === "putOff") answers.push(() => client.refuse(id, error("overloaded")));
      else if (how === "refuse" && !log.includes(name))
        answers.push(() => client.refuse(id, error("too_large", FINAL)));
      else {
        if (!log.includes(name)) log.push(name);
        const position = `e:${log.indexOf(name)}`;
        if (how === "doubt") answers.push(() => client.refuse(id, error("unknown_outcome")));
        else answers.push(() => client.step({ kind: "taken", id, position }));
      }
    };
    const act = (deed: Deed): void => {
      if (deed === "publish") hear(client.publish(order));
      if (deed === "open") hear(client.open());
      if (deed === "serve") serve("do");
      if (deed === "putOff" || deed === "refuse" || deed === "doubt") serve(deed);
      if (deed === "answer") hear(answers.shift()?.() ?? "");
      if (deed === "wait" && client.wait() !== undefined) hear(client.told);
      if (deed !== "lose") return;
      // What the edge has taken in is done all the same; its answers are lost.
      const served = requests.length % 2 === 0 ? 0 : requests.length;
      for (let i = 0; i < served; i++) serve("do");
      [requests, answers] = [[], []];
      hear(client.lose());
    };
    for (const deed of all) act(deed);
    act("open");
    for (let i = 0; i < 1_000 && client.publishing.size > 0; i++) {
      act("serve");
      act("answer");
      if (requests.length === 0 && answers.length === 0) act("wait");
    }
    return { log, outcomes, left: client.publishing.size };
  }

  test.each(["wait", "reject", "none"] as const)(
    "each publish has one outcome (order: %s): acknowledged ones are records, and in order where that was asked for",
    (order) => {
      fc.assert(
        fc.property(deeds, (all) => {
          const { log, outcomes, left } = play(all, order);

          expect(left).toBe(0);
          expect(new Set(log).size).toBe(log.length);
          for (const [name, outcome] of outcomes) {
            const position = /^e:(\d+)$/.exec(outcome)?.[1];
            if (position !== undefined) expect(log[Number(position)]).toBe(name);
            else if (outcome !== "unknown_outcome") expect(log).not.toContain(name);
          }
          if (order !== "none") expect(log).toEqual([...log].sort((a, b) => a - b));
        }),
        { numRuns: 300 },
      );
    },
  );
});
