/** What the two ways have in common, whether one origin reads all partitions or several share them. */
import { beforeEach, describe, expect, test } from "vitest";
import { endpointObject } from "../../../../edge/object-identity.ts";
import type { Answering, AnsweringPorts } from "../../../../edge/shard/answering/answering.ts";
import type { LatestResult } from "../../../../edge/shard/answering/latest.ts";
import { wayFor } from "../../../../edge/shard/answering/ways.ts";
import { noteAsk, type Watch, watchOn } from "../../../../edge/shard/links/links.ts";
import { readItem } from "../../../../edge/shard/uplinks/origin-items.ts";
import { encodeAddressed } from "../../../../shared/protocol/addressed.ts";
import { type Attach, encodeAttached, encodeWaiting } from "../../../../shared/protocol/attach.ts";
import type { Frame } from "../../../../shared/protocol/frame.ts";
import { RoutingReader } from "../../../../shared/protocol/routing-reader.ts";
import { encodeLatest } from "../../../../shared/protocol/uplink.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { FakeSocket } from "../../../support/fake-socket.ts";
import { updateFrame } from "../../../support/small-shard.ts";

const A = "/quotes/A";
const at = (offset: number) => new Map([["e", offset]]);
const ask = (id: number, offset: number): Attach => ({ endpoint: A, id, from: at(offset) });

let clock: FakeClock;
let present: number[];
let watches: Watch[];
/** To origins, as `slice: what`, and to the object. */
let up: string[];
let down: Frame[];
let ports: AnsweringPorts;

beforeEach(() => {
  clock = new FakeClock();
  present = [];
  up = [];
  down = [];
  const heads = new RoutingReader();
  const link = { number: 7, object: endpointObject(A), peer: new FakeSocket(), heads, watches: new Map() };
  watches = [watchOn(link, A)];
  ports = {
    now: () => clock.now(),
    after: (ms, run) => clock.after(ms, run),
    watches: () => watches,
    present: () => present,
    send: (frames, slice) => up.push(...frames.map((frame) => `${slice}: ${brief(frame)}`)),
    down: { add: (_, frame) => down.push(frame), addAll: (_, frames) => down.push(...frames) },
  };
});

/** `attach 3 from e:5`, `get 1`. */
function brief(frame: string): string {
  const { attach, id, from } = JSON.parse(frame) as { attach?: string; id: number; from?: string };
  return attach === undefined ? `get ${id}` : `attach ${id} from ${from}`;
}

const watch = () => watches[0] as Watch;

function asks(way: Answering, attach: Attach): void {
  noteAsk(watch(), attach);
  way.attaches.ask(watch(), attach);
}

function says(way: Answering, slice: number, ...frames: Frame[]): void {
  for (const frame of frames) {
    const item = readItem(encodeAddressed({ kind: "links", links: [7] }, frame), () => undefined);
    if (item !== undefined) way.attaches.take(watch(), slice, item);
  }
}

function answer(id: number, from: number, frames: readonly string[] = []): string[] {
  const to = at(from + frames.length);
  const verdict = { position: at(from), head: to, recovered: true };
  const rest = { to, horizon: at(0), count: frames.length };
  return [encodeAttached({ endpoint: A, id, verdict, ...rest }), ...frames];
}

/** Each slice becomes active, and is asked what is open. */
function activate(way: Answering, count: number): void {
  for (let slice = 1; slice <= count; slice++) {
    present.push(slice);
    up.push(...way.attaches.repeat(slice).map((frame) => `${slice}: ${brief(frame)}`));
    way.gets.repeat(slice);
  }
}

const each = (count: number, ...what: string[]) =>
  Array.from({ length: count }, (_, i) => what.map((one) => `${i + 1}: ${one}`)).flat();

describe.each([1, 2, 3])("%i slices", (count) => {
  let way: Answering;

  beforeEach(() => {
    way = wayFor(count, ports, []);
  });

  test("[U7] [L7] an ask waits while nobody is there, and is put to each slice that comes", () => {
    asks(way, ask(1, 5));
    expect([up, down]).toEqual([[], [encodeWaiting(A, 1)]]);

    activate(way, count);

    expect(up).toEqual(each(count, "attach 1 from e:5"));
  });

  test("[L7] the next origin of a slice is asked from where the link is, and then what is open, in order", () => {
    activate(way, count);
    asks(way, ask(1, 4));
    for (let slice = 1; slice <= count; slice++) says(way, slice, ...answer(1, 4));
    says(way, 1, updateFrame(A, 5, 4));
    for (const id of [2, 3]) asks(way, ask(id, 10 * id));

    const repeated = way.attaches.repeat(1).map(brief);

    expect(repeated).toEqual(["attach 0 from e:5", "attach 2 from e:20", "attach 3 from e:30"]);
  });

  test("[L8] what was taken back or is watched no more isn't put to anyone", () => {
    for (const id of [1, 2]) asks(way, ask(id, 5));
    watch().asks.delete(1);
    way.attaches.cancel(watch(), 1);
    activate(way, count);
    expect(up).toEqual(each(count, "attach 2 from e:5"));

    way.attaches.forget(watch());
    watches = [];

    expect(way.attaches.repeat(1)).toEqual([]);
  });

  test("[U5] one answer comes down, with what followed it after it", () => {
    activate(way, count);
    asks(way, ask(1, 4));
    says(way, 1, ...answer(1, 4, [updateFrame(A, 5, 4)]), updateFrame(A, 6, 5));
    for (let slice = 2; slice <= count; slice++) says(way, slice, ...answer(1, 4));

    expect(down.slice(1)).toEqual([updateFrame(A, 5, 4), updateFrame(A, 6, 5)]);
    expect(JSON.parse(String(down[0]))).toMatchObject({ attached: A, id: 1, recovered: true, count: 1 });
    expect([watch().asks.size, watch().sent]).toEqual([0, at(6)]);
  });

  test("[U7] whoever asked is told to wait when nobody is left to answer", () => {
    activate(way, count);
    asks(way, ask(1, 4));
    for (let slice = 1; slice <= count; slice++) {
      present.shift();
      way.attaches.lost(slice);
    }

    expect(down).toEqual([encodeWaiting(A, 1)]);
  });

  test("[U8] a GET is answered by whoever is there, and unavailable without", () => {
    const told: LatestResult[] = [];
    const get = (id: number) => way.gets.put({ id, path: A, done: (result) => told.push(result) });
    get(1);
    expect(told.splice(0)).toMatchObject([{ kind: "error", code: "unavailable" }]);

    activate(way, count);
    up = [];
    get(2);
    expect(up).toEqual(each(count, "get 2"));
    for (let slice = 1; slice <= count; slice++)
      for (const frame of [encodeLatest(A, at(5), 1), updateFrame(A, 5)]) {
        const item = readItem(encodeAddressed({ kind: "question", id: 2 }, frame), () => undefined);
        if (item !== undefined) way.gets.take(2, slice, item);
      }

    expect(told[0]).toEqual({ kind: "update", position: "e:5", frame: updateFrame(A, 5) });
  });

  test.each([1, 2, 4])("[N9] what is open is handed over if %i are served instead", (next) => {
    asks(way, ask(1, 5));
    activate(way, count);
    if (count > 1) says(way, 1, ...answer(1, 5, [updateFrame(A, 6, 5)]));
    const told: LatestResult[] = [];
    const get = { id: 1, path: A, done: (result: LatestResult) => told.push(result) };
    way.gets.put(get);
    way.attaches.end();
    way.gets.end();
    [present, up, down] = [[], [], []];

    const instead = wayFor(next, ports, [get]);
    activate(instead, next);

    expect(up).toEqual(each(next, "attach 1 from e:5", "get 1"));
    for (let slice = 1; slice <= next; slice++) says(instead, slice, ...answer(1, 5));
    expect(down).toHaveLength(1);
    clock.pass(10_000);
    expect(told, "what it was about to be told before counts no more").toEqual([]);
  });
});
