import { beforeEach, describe, expect, test } from "vitest";
import {
  endingOf,
  Streaming,
  type StreamOptions,
  type StreamStart,
} from "../../../../edge/http/plain/streaming.ts";
import { encodeUpdate } from "../../../../shared/protocol/frame.ts";
import {
  formatPosition,
  NOTHING,
  type Position,
  parseLongPosition,
} from "../../../../shared/protocol/position.ts";
import { encodeError, encodeVerdict } from "../../../../shared/protocol/subscriber.ts";

const PATH = "/quotes/A";
const at = (text: string): Position => parseLongPosition(text) ?? NOTHING;

/** What the Worker and the client do, and what has been said to whom. */
let now: number;
let unsent: number;
let text: string;
let said: string[];
let streaming: Streaming;

function start(from?: string): Streaming {
  return begin([{ endpoint: PATH, from: from === undefined ? undefined : at(from) }]);
}

function begin(starts: readonly StreamStart[], options: StreamOptions = {}): Streaming {
  now = unsent = 0;
  text = "";
  said = [];
  const which = (endpoint: number) => (options.isOfSeveral ? ` ${endpoint}` : "");
  const ports = {
    write(more: string) {
      text += more;
      unsent += more.length;
    },
    unsent: () => unsent,
    end: () => said.push("end"),
    drop: () => said.push("drop"),
    send: (frame: string, endpoint: number) => said.push(frame + which(endpoint)),
    leave: (endpoint: number) => said.push(`leave${which(endpoint)}`),
    join: (position: Position | undefined, endpoint: number) =>
      said.push(`join ${position && formatPosition(position)}${which(endpoint)}`),
    now: () => now,
    chance: () => 0.5,
  };
  streaming = new Streaming(starts, ports, options);
  return streaming;
}

const update = (offset: number, size = 1) =>
  encodeUpdate({
    endpoint: PATH,
    epoch: "e.0",
    offset,
    previous: offset - 1,
    timestamp: undefined,
    headers: [],
    value: { kind: "text", text: "x".repeat(size) },
  });

function verdict(position: string, head: string, id = 0): void {
  streaming.message(encodeVerdict(id, { position: at(position), head: at(head), recovered: true }));
}

/** The client takes all that there is. */
function take(): void {
  unsent = 0;
  streaming.drained();
}

/** Looks as its timer does until so much time has passed. */
function pass(ms: number): void {
  const end = now + ms;
  for (let next = streaming.look(); next !== undefined && now + next <= end; next = streaming.look())
    now += next;
  now = end;
}

const offsets = () => [...text.matchAll(/\n\nid: e\.0:(\d+)\ndata/g)].map(([, offset]) => Number(offset));
const ends = () =>
  [...text.matchAll(/^event: error\ndata: (.*)$/gm)].map(([, data = ""]) => JSON.parse(data));

beforeEach(() => {
  start();
});

describe("a stream", () => {
  test("[E4] begins with how long to wait before coming back, and not all wait for as long", () => {
    const waits = [0, 0.5, 1].map((chance) => {
      let first = "";
      new Streaming([{ endpoint: PATH, from: undefined }], {
        write: (more) => {
          first += more;
        },
        unsent: () => 0,
        end() {},
        drop() {},
        send() {},
        leave() {},
        join() {},
        now: () => 0,
        chance: () => chance,
      });
      return /^retry: (\d+)\n\n$/.exec(first)?.[1];
    });

    expect(waits).toEqual(["500", "1250", "2000"]);
  });

  test("[E5] is silent no longer than 15 s and what an answer takes; a heartbeat comes only from the object's own answer", () => {
    verdict("e.0:1", "e.0:1");
    pass(14_999);
    expect(said).toEqual([]);
    pass(1);
    pass(1);
    expect(said).toEqual(['{"ping":1}']);
    expect(text).not.toContain(":\n\n:");
    streaming.message('{"pong":1}');
    expect(text.endsWith("\n\n:\n\n")).toBe(true);
    take();
    pass(14_000);
    streaming.message(update(2));
    take();
    pass(14_000);
    expect(said).toHaveLength(1);
  });

  test("[E5] ends if the object doesn't answer", () => {
    verdict("e.0:1", "e.0:1");
    take();
    pass(25_002);

    expect(said.slice(-2)).toEqual(["leave", "end"]);
    expect(ends()).toMatchObject([{ code: "unavailable", retry: true }]);
  });

  test("[S13] ends without a verdict for 30 s, though pings are answered; told to wait, it waits", () => {
    for (const waits of [false, true]) {
      start();
      if (waits) streaming.message('{"id":0,"wait":{"code":"unavailable","message":"m","retry":true}}');
      for (let i = 0; i < 8; i++) {
        pass(8_000);
        streaming.message('{"pong":1}');
        take();
      }
      expect(streaming.isOver).toBe(!waits);
    }
  });

  test("[E6] that is live and past 256 KiB unsent ends, and what was written before is whole", () => {
    verdict("e.0:1", "e.0:1");
    unsent = 0;
    let offset = 1;
    while (!streaming.isOver && offset < 100) streaming.message(update(++offset, 50_000));

    expect(unsent).toBeLessThan(256 * 1_024 + 51_000);
    expect(ends()).toMatchObject([{ code: "slow_consumer", retry: true }]);
    expect(offsets().at(-1)).toBe(offset - 1);
    expect(said).toEqual(["leave", "end"]);
    streaming.message(update(offset + 1));
    streaming.closed(1006, "");
    expect(offsets().at(-1)).toBe(offset - 1);
  });

  test("[E6] that is catching up leaves the object past its bound, and joins again where its client stands, unnoticed", () => {
    start("e.0:0");
    verdict("e.0:0", "e.0:400");
    let held = 0;
    let offset = 0;
    while (offset < 400) {
      streaming.message(update(offset + 1, 50_000));
      if (said.at(-1) !== "leave") offset++;
      else {
        held = Math.max(held, unsent);
        expect(unsent).toBeGreaterThan(1_024 * 1_024);
        take();
        expect(said.pop()).toBe(`join e.0:${offset}`);
        said.pop();
        verdict(`e.0:${offset}`, "e.0:400");
      }
    }

    expect(held).toBeLessThan(1_024 * 1_024 + 51_000);
    expect(offsets()).toEqual(Array.from({ length: 400 }, (_, i) => i + 1));
    expect(text.match(/^event: /gm)).toEqual(["event: "]);
    expect(streaming.isOver).toBe(false);
  });

  test("[E6] whose client takes nothing for 30 s is dropped, whatever state it is in; one that takes a little isn't", () => {
    for (const [live, takes] of [
      [true, false],
      [false, false],
      [true, true],
    ]) {
      start("e.0:0");
      verdict("e.0:0", live ? "e.0:0" : "e.0:9999");
      for (let offset = 1; offset < 30; offset++) streaming.message(update(offset, 100_000));
      for (let i = 0; i < 5; i++) {
        if (takes) unsent -= 1_000;
        pass(15_000);
      }
      expect(said.includes("drop")).toBe(!takes);
    }
  });

  test("[E4] ends with what the object's close says", () => {
    verdict("e.0:1", "e.0:1");
    streaming.closed(4519, "revoked");

    expect(ends()).toEqual([{ code: "revoked", message: "the token was revoked", retry: false }]);
    expect(text).toMatch(/\n\nevent: error\ndata: [^\n]+\n\n$/);
  });

  test.each([
    [1000, "", "going_away", true],
    [1006, "", "going_away", true],
    [4000, "going_away", "going_away", true],
    [4005, "overloaded: a limit", "overloaded", true],
    [4515, "expired", "expired", false],
    [4520, "forbidden", "forbidden", false],
    [4777, "later_code: of a later version", "later_code", false],
  ])("[E4] [C3] close %i %j is told as %s", (code, reason, name, retry) => {
    expect(endingOf(code, reason)).toMatchObject({ code: name, retry });
    expect(endingOf(code, reason).message).not.toBe("");
  });

  test("[S7] ends with an error of its subscribe, after what came before it", () => {
    streaming.message(`${encodeVerdict(0, { position: at("e.0:1"), head: at("e.0:1") })}\u001e${update(3)}`);
    streaming.message(encodeError(1, "rate_limited", "too much"));

    expect(said).toEqual([`{"id":1,"sub":"${PATH}","from":"e.0:1"}`, "leave", "end"]);
    expect(text).toMatch(/event: gap\n[\s\S]*event: error\n/);
    expect(ends()).toMatchObject([{ code: "rate_limited", retry: true }]);
  });

  test("[E6] leaves the object once when its client has gone, and says nothing more", () => {
    verdict("e.0:1", "e.0:1");
    const before = text;
    streaming.gone();
    streaming.gone();
    streaming.message(update(2));
    streaming.closed(1006, "");

    expect(said).toEqual(["leave"]);
    expect(text).toBe(before);
    expect(streaming.isOver).toBe(true);
  });
});

describe("[E7] a stream of several endpoints", () => {
  const [A, B] = ["/quotes/A", "/quotes/B"];
  const of = (endpoint: string, offset: number, size = 1) =>
    encodeUpdate({
      endpoint,
      epoch: "e.0",
      offset,
      previous: offset - 1,
      timestamp: undefined,
      headers: [],
      value: { kind: "text", text: "x".repeat(size) },
    });
  const verdictOf = (endpoint: number, position: string, head = position, id = 0) =>
    streaming.message(
      encodeVerdict(id, { position: at(position), head: at(head), recovered: true }),
      endpoint,
    );
  const events = () =>
    [...text.matchAll(/^(?:event: (\w+)\n)?(?:id: (.*)\n)?data: (.*)\n\n/gm)].map(
      ([, name = "message", id, data = ""]) =>
        [name, id, JSON.parse(data) as Record<string, unknown>] as const,
    );

  beforeEach(() => {
    begin(
      [A, B].map((endpoint) => ({ endpoint, from: undefined })),
      { isOfSeveral: true },
    );
  });

  test("[E7] each event says whose it is, and ids where all of them are, empty until its verdict", () => {
    verdictOf(1, "e.0:4", "e.0:5");
    streaming.message(of(B, 5), 1);
    verdictOf(0, "e.0:1");
    streaming.message('{"occupancy":"/quotes/A","subscribers":3}', 0);
    streaming.message(of(A, 3), 0);

    expect(events().map(([name, id, { e }]) => [name, id, e])).toEqual([
      ["verdict", ";e.0:4", B],
      ["message", ";e.0:5", B],
      ["verdict", "e.0:1;e.0:5", A],
      ["occupancy", undefined, A],
      ["gap", undefined, A],
    ]);
    expect(said).toEqual([`{"id":1,"sub":"${A}","from":"e.0:1"} 0`]);
  });

  describe("[E8] that ends by itself", () => {
    const wait = (seconds: number) =>
      begin(
        [A, B].map((endpoint) => ({ endpoint, from: at("e.0:4") })),
        { isOfSeveral: true, waitMs: seconds * 1_000 },
      );
    const ENDED = ["leave 0", "leave 1", "end"];

    test("[E8] with the first that is told, and not before each endpoint has its verdict and has caught up", () => {
      wait(25);
      verdictOf(0, "e.0:4", "e.0:6");
      streaming.message(of(A, 5), 0);
      expect(said).toEqual([]);
      streaming.message(of(A, 6), 0);
      expect(said).toEqual([]);
      verdictOf(1, "e.0:4");

      expect(said).toEqual(ENDED);
      expect(events().map(([name]) => name)).toEqual(["verdict", "message", "message", "verdict"]);
      expect(streaming.isOver).toBe(true);
    });

    test("[E8] when the time is over, if there was nothing that its client waits for", () => {
      wait(25);
      verdictOf(0, "e.0:4");
      streaming.message('{"id":0,"wait":{"code":"unavailable","message":"m","retry":true}}', 1);
      streaming.message('{"occupancy":"/quotes/A","subscribers":3}', 0);
      unsent = 0;
      pass(24_999);
      expect(said.filter((what) => !what.startsWith('{"ping"'))).toEqual([]);
      pass(1);

      expect(said.slice(-3)).toEqual(ENDED);
      expect(events().some(([name]) => name === "error")).toBe(false);
    });

    test("[E8] at once with a time of 0, but with each verdict", () => {
      wait(0);
      verdictOf(0, "e.0:4");
      expect(said).toEqual([]);
      verdictOf(1, "e.0:4");

      expect(said).toEqual(ENDED);
    });
  });

  test("[E7] the end of one is that of the stream, and says whose it is", () => {
    verdictOf(0, "e.0:1");
    streaming.closed(4520, "forbidden", 1);

    expect(said).toEqual(["leave 0", "leave 1", "end"]);
    expect(events().at(-1)?.[2]).toMatchObject({ e: B, code: "forbidden", retry: false });
    const before = text;
    streaming.message(of(A, 2), 0);
    expect(text).toBe(before);
  });

  test("[E5] [E7] that one is silent is seen, though the other isn't", () => {
    verdictOf(0, "e.0:1");
    verdictOf(1, "e.0:1");
    for (let offset = 2; offset < 8 && !streaming.isOver; offset++) {
      pass(5_000);
      streaming.message(of(A, offset), 0);
      unsent = 0;
    }

    expect(said).toEqual(['{"ping":1} 1', "leave 0", "leave 1", "end"]);
    expect(events().at(-1)?.[2]).toMatchObject({ e: B, code: "unavailable", retry: true });
  });

  test("[E6] [E7] a past that one is sent isn't held against the others: they wait, and go on from where they were", () => {
    begin(
      [
        { endpoint: A, from: at("e.0:0") },
        { endpoint: B, from: undefined },
      ],
      { isOfSeveral: true },
    );
    verdictOf(0, "e.0:0", "e.0:99");
    for (let offset = 1; offset < 25; offset++) streaming.message(of(A, offset, 50_000), 0);
    // Its first verdict comes while too much is unsent.
    verdictOf(1, "e.0:7");
    expect(said).toEqual(["leave 0", "leave 1"]);
    const [last = 0] = events()
      .map(([, id]) => Number(/^e\.0:(\d+);/.exec(id ?? "")?.[1]))
      .slice(-1);
    take();
    expect(said.slice(2)).toEqual([`join e.0:${last} 0`, "join undefined 1"]);
    text = "";
    verdictOf(0, `e.0:${last}`, "e.0:99");
    verdictOf(1, "e.0:7");
    streaming.message(of(B, 8), 1);

    // Of the first nothing is news; the other never had one.
    expect(events().map(([name, id]) => [name, id])).toEqual([
      ["verdict", `e.0:${last};e.0:7`],
      ["message", `e.0:${last};e.0:8`],
    ]);
  });

  test("[E6] [E7] if all are live, more than 256 KiB unsent end it", () => {
    verdictOf(0, "e.0:1");
    verdictOf(1, "e.0:1");
    unsent = 300_000;
    streaming.message(of(A, 2), 0);

    expect(events().at(-1)?.[2]).toMatchObject({ code: "slow_consumer", retry: true });
    expect(events().at(-1)?.[2].e).toBeUndefined();
  });

  test("[E7] a token's end is told once", () => {
    for (const endpoint of [0, 1]) {
      verdictOf(endpoint, "e.0:1");
      streaming.message('{"expires":{"in":60}}', endpoint);
    }
    expect(events().filter(([name]) => name === "expires")).toHaveLength(1);
  });
});
