import { beforeEach, describe, expect, test } from "vitest";
import { Asks, OPEN } from "../../../shared/client/asks.ts";

const BACKOFF = { baseMs: 500, maxMs: 30_000 };
const LIMITS = { backoff: BACKOFF, answerMs: 30_000, steadyMs: 5_000 };
const error = (code: string, retryAfterMs?: number) => ({ code, message: "", retry: true, retryAfterMs });
const path = (i: number) => `/quotes/${i}`;

let asks: Asks;
let lastId: number;

beforeEach(() => {
  asks = new Asks(LIMITS);
  lastId = 0;
});

/** What is said at this time, in short. */
const said = (now: number) =>
  asks
    .take(now, () => ++lastId)
    .map(({ kind, id, endpoint }) => `${id} ${kind === "subscribe" ? "+" : "-"}${endpoint}`);

/** Connected, with these subscribed and the verdicts had. */
function holding(...endpoints: string[]): void {
  for (const endpoint of endpoints) asks.want(endpoint, 0);
  asks.connected(0);
  said(0);
  for (let id = 1; id <= endpoints.length; id++) asks.answered(id, "verdict", 0);
}

describe("[M2] what is to be said", () => {
  test("waits for a connection, and is said anew on each", () => {
    asks.want("/a/1", 0);
    asks.want("/a/2", 0);
    expect(said(0)).toEqual([]);
    expect(asks.nextIn(0)).toBeUndefined();

    asks.connected(10);
    expect(asks.nextIn(10)).toBe(0);
    expect(said(10)).toEqual(["1 +/a/1", "2 +/a/2"]);
    asks.answered(1, "verdict", 11);
    asks.lost(20);
    lastId = 0;
    asks.connected(30);

    expect(said(30)).toEqual(["1 +/a/1", "2 +/a/2"]);
  });

  test("of one that ends before it was said is nothing", () => {
    asks.connected(0);
    asks.want("/a/1", 0);
    asks.drop("/a/1", 0);

    expect(said(0)).toEqual([]);
    expect(asks.nextIn(0)).toBeUndefined();
  });

  test("[M5] of one that ends is said once, whether it had its verdict or not, and nothing after that", () => {
    holding("/a/1");
    asks.want("/a/2", 0);
    said(0);
    asks.drop("/a/1", 1);
    asks.drop("/a/2", 1);

    expect(said(1)).toEqual(["3 -/a/1", "4 -/a/2"]);
    asks.unsubscribed(3, 2);
    asks.unsubscribed(4, 2);
    expect(asks.nextIn(2)).toBeUndefined();
    asks.lost(3);
    asks.connected(4);
    expect(said(4)).toEqual([]);
  });

  test("[M4] of one that ends and begins again is what holds at last", () => {
    holding("/a/1");
    asks.drop("/a/1", 1);
    asks.want("/a/1", 1);
    expect(said(1)).toEqual(["2 +/a/1"]);

    // The same, once the end was said: the order tells.
    asks.drop("/a/1", 2);
    expect(said(2)).toEqual(["3 -/a/1"]);
    asks.want("/a/1", 2);
    expect(said(2)).toEqual(["4 +/a/1"]);
    asks.unsubscribed(3, 3);

    expect(asks.answered(4, "verdict", 3)).toBe("/a/1");
  });

  test("of one whose connection is gone before its end was said is nothing", () => {
    holding("/a/1");
    asks.drop("/a/1", 1);
    asks.lost(2);
    asks.connected(3);

    expect(said(3)).toEqual([]);
  });
});

describe("an answer", () => {
  test("[M4] is nobody's if its subscribe was followed by another statement", () => {
    asks.connected(0);
    asks.want("/a/1", 0);
    said(0);
    asks.drop("/a/1", 0);
    said(0);

    expect(asks.isAwaited(1)).toBe(false);
    expect(asks.answered(1, "verdict", 1)).toBeUndefined();
  });

  test("[S4] `wait` leaves the verdict to come, however long that takes", () => {
    asks.connected(0);
    asks.want("/a/1", 0);
    said(0);

    expect(asks.answered(1, "wait", 1)).toBe("/a/1");
    expect(asks.nextIn(1)).toBeUndefined();
    expect(asks.unanswered(3_600_000, 0.5)).toEqual([]);
    expect(asks.answered(1, "verdict", 3_600_000)).toBe("/a/1");
  });

  test("[M3] of a refusal leaves what there was before, which has to be ended then", () => {
    holding("/a/1");
    asks.soon("/a/1", 1);
    expect(said(1)).toEqual(["2 +/a/1"]);
    expect(asks.refused(2, error("bad_position"), 2, 0.5)).toBe("/a/1");
    asks.drop("/a/1", 2);

    expect(said(2)).toEqual(["3 -/a/1"]);
  });

  test("[M3] of a refusal may leave what a subscribe before it got, whose own answer came too late to count", () => {
    asks.connected(0);
    asks.want("/a/1", 0);
    said(0);
    asks.drop("/a/1", 0);
    asks.want("/a/1", 0);
    said(0);
    asks.refused(2, error("forbidden"), 1, 0.5);
    asks.drop("/a/1", 1);

    expect(said(1)).toEqual(["3 -/a/1"]);
  });

  test("of a refusal, where there was nothing before, leaves nothing to be ended", () => {
    asks.connected(0);
    asks.want("/a/1", 0);
    said(0);
    asks.refused(1, error("forbidden"), 1, 0.5);
    asks.drop("/a/1", 1);

    expect(said(1)).toEqual([]);
  });

  test("[M8] that ends a subscription leaves nothing to be ended, but a subscribe that was to take its place", () => {
    holding("/a/1", "/a/2");
    asks.soon("/a/2", 1);
    said(1);
    asks.dismissed("/a/1", 2);
    asks.dismissed("/a/2", 2);
    asks.drop("/a/1", 3);
    asks.drop("/a/2", 3);

    expect(said(3)).toEqual(["4 -/a/2"]);
  });
});

test("[M7] no more than so many are unanswered, and the next follow as answers come, each once and in order", () => {
  const all = Array.from({ length: 1_000 }, (_, i) => path(i));
  for (const endpoint of all) asks.want(endpoint, 0);
  asks.connected(0);

  const seen: string[] = [];
  for (let open: string[] = said(0); open.length > 0; open = said(0)) {
    expect(open.length).toBeLessThanOrEqual(OPEN);
    expect(asks.nextIn(0)).toBe(LIMITS.answerMs);
    for (const line of open) {
      const [id = "", endpoint = ""] = line.split(" +");
      seen.push(endpoint);
      asks.answered(Number(id), seen.length % 2 === 0 ? "wait" : "verdict", 0);
    }
  }

  expect(seen).toEqual(all);
});

describe("[S13] a subscribe that isn't answered", () => {
  test("in 30 s is asked for again, by itself", () => {
    asks.connected(0);
    asks.want("/a/1", 0);
    said(0);
    expect(asks.nextIn(0)).toBe(30_000);
    expect(asks.unanswered(29_999, 0.5)).toEqual([]);

    expect(asks.unanswered(30_000, 0.5)).toEqual(["/a/1"]);
    asks.later("/a/1", undefined, 30_000, 0.5);
    expect(asks.nextIn(30_000)).toBe(250);
    expect(said(30_250)).toEqual(["2 +/a/1"]);
    expect(asks.answered(1, "verdict", 30_251)).toBeUndefined();
  });

  test("[M7] waits on as long as others are answered, or one of them goes on", () => {
    asks.connected(0);
    for (const endpoint of ["/a/1", "/a/2"]) asks.want(endpoint, 0);
    said(0);
    asks.answered(2, "verdict", 20_000);
    expect(asks.unanswered(30_000, 0.5)).toEqual([]);
    asks.progress(45_000);
    expect(asks.nextIn(45_000)).toBe(30_000);
    expect(asks.unanswered(74_999, 0.5)).toEqual([]);

    expect(asks.unanswered(75_000, 0.5)).toEqual(["/a/1"]);
  });

  test("nor the end of one: it is said again", () => {
    holding("/a/1");
    asks.drop("/a/1", 0);
    said(0);

    expect(asks.unanswered(30_000, 0.5)).toEqual([]);
    expect(said(30_250)).toEqual(["3 -/a/1"]);
  });
});

describe("a refusal that may pass", () => {
  test("holds up its own endpoint alone, longer each time, until it was subscribed for long enough", () => {
    asks.connected(0);
    asks.want("/a/1", 0);
    const delays: (number | undefined)[] = [];
    let now = 0;
    for (let i = 0; i < 8; i++) {
      said(now);
      asks.refused(lastId, error("unavailable"), now, 0.5);
      asks.later("/a/1", error("unavailable"), now, 0.5);
      delays.push(asks.nextIn(now));
      now += asks.nextIn(now) ?? 0;
    }
    asks.want("/a/2", now);
    expect(said(now)).toEqual([`${lastId - 1} +/a/1`, `${lastId} +/a/2`]);
    asks.answered(lastId - 1, "verdict", now);
    asks.answered(lastId, "verdict", now);
    asks.dismissed("/a/1", now + LIMITS.steadyMs);
    asks.later("/a/1", error("unavailable"), now + LIMITS.steadyMs, 0.5);

    expect(delays).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
    expect(asks.nextIn(now + LIMITS.steadyMs)).toBe(250);
  });

  test("[C2] is heeded if it says how long", () => {
    asks.connected(0);
    asks.want("/a/1", 0);
    said(0);
    asks.refused(1, error("internal", 7_000), 0, 0.5);
    asks.later("/a/1", error("internal", 7_000), 0, 0.5);

    expect(asks.nextIn(0)).toBe(7_250);
  });

  test.each(["rate_limited", "overloaded"])(
    "[M10] %s holds up all that is to be said, once for what was asked at once, and with one delay by chance",
    (code) => {
      for (let i = 0; i < 100; i++) asks.want(path(i), 0);
      asks.connected(0);
      said(0);
      for (let id = 1; id <= 100; id++) {
        const chance = id === 1 ? 0.2 : 0.9;
        const endpoint = asks.refused(id, error(code, id * 10), 0, chance) ?? "";
        asks.later(endpoint, error(code, id * 10), 0, chance);
      }
      asks.want("/a/other", 0);

      expect(asks.nextIn(0)).toBe(1_000 + 100);
      expect(said(1_099)).toEqual([]);
      expect(said(1_100)).toHaveLength(101);
    },
  );

  test("[M10] pauses grow while nothing is accepted, and are short ones again after that", () => {
    asks.connected(0);
    asks.want("/a/1", 0);
    const pauses: (number | undefined)[] = [];
    let now = 0;
    for (let i = 0; i < 4; i++) {
      if (i === 3) {
        asks.want("/a/2", now);
        said(now);
        asks.answered(lastId, "verdict", now);
      } else said(now);
      const id = i === 3 ? lastId - 1 : lastId;
      asks.refused(id, error("overloaded"), now, 0.5);
      asks.later("/a/1", error("overloaded"), now, 0.5);
      pauses.push(asks.nextIn(now));
      now += asks.nextIn(now) ?? 0;
    }

    expect(pauses).toEqual([250, 500, 1_000, 250]);
  });

  test("[M10] of the end of a subscription is followed by another attempt, unless it is wanted again", () => {
    holding("/a/1", "/a/2");
    asks.drop("/a/1", 0);
    asks.drop("/a/2", 0);
    expect(said(0)).toEqual(["3 -/a/1", "4 -/a/2"]);
    asks.want("/a/2", 0);
    for (const id of [3, 4]) expect(asks.refused(id, error("rate_limited", 100), 0, 0)).toBeUndefined();

    expect(said(100)).toEqual(["5 +/a/2", "6 -/a/1"]);
  });

  test("outlasts a connection: what was put off isn't asked for at once on the next one", () => {
    asks.connected(0);
    asks.want("/a/1", 0);
    said(0);
    asks.refused(1, error("unavailable", 60_000), 0, 0);
    asks.later("/a/1", error("unavailable", 60_000), 0, 0);
    asks.lost(1);
    asks.connected(2);

    expect(said(2)).toEqual([]);
    expect(said(60_000)).toEqual(["2 +/a/1"]);
  });
});
