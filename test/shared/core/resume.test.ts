import { describe, expect, test } from "vitest";
import { decideResume, type Known, snapshotOf } from "../../../shared/core/resume.ts";
import { Window } from "../../../shared/core/window.ts";
import { routingOf } from "../../../shared/protocol/frame.ts";
import { NOTHING, type Position } from "../../../shared/protocol/position.ts";

const frame = (p: string, q?: number) =>
  `{"e":"/quotes/A","p":"${p}"${q === undefined ? "" : `,"q":${q}`},"v":1}`;
const latest = (text: string) => {
  const routing = routingOf(text);
  if (routing === undefined) throw new Error(text);
  return { frame: text, routing };
};
const at = (...components: [string, number][]): Position => new Map(components);

/** Floor a:3, updates a:5 and a:9. */
function known(changed: Partial<Known> = {}): Known {
  const window = new Window({ updates: 10, ageMs: 1_000, bytes: 10_000 }, at(["a", 3]), true);
  window.push({ frame: frame("a:5", 3), epoch: "a", offset: 5 }, 0);
  window.push({ frame: frame("a:9", 5), epoch: "a", offset: 9 }, 0);
  return { position: at(["a", 9]), window, latest: latest(frame("a:9", 5)), ...changed };
}

describe("[S3] without from", () => {
  test("it begins just before the latest update, which follows", () => {
    expect(decideResume(undefined, known())).toEqual({
      kind: "snapshot",
      position: at(["a", 5]),
      frames: [frame("a:9", 5)],
      head: at(["a", 9]),
    });
  });

  test("before an update of which no predecessor is known it stands at the offset before; other epochs stay", () => {
    const position = at(["a", 9], ["b", 4]);

    expect(snapshotOf(position, latest(frame("a:9")))?.position).toEqual(at(["a", 8], ["b", 4]));
    expect(snapshotOf(at(["a", 0]), latest(frame("a:0")))?.position).toEqual(NOTHING);
  });

  test("an endpoint that nobody has written to answers with the position of nothing", () => {
    const empty = known({ position: NOTHING, latest: "none" });

    expect(decideResume(undefined, empty)).toEqual({
      kind: "snapshot",
      position: NOTHING,
      frames: [],
      head: NOTHING,
    });
  });

  test("an endpoint whose updates have all gone answers with where it is", () => {
    expect(decideResume(undefined, known({ latest: "none" }))).toEqual({
      kind: "snapshot",
      position: at(["a", 9]),
      frames: [],
      head: at(["a", 9]),
    });
  });

  test("where the latest update isn't in memory, only the origin can tell", () => {
    expect(decideResume(undefined, known({ latest: undefined }))).toEqual({ kind: "ask" });
  });
});

describe("[R1] with from", () => {
  test.each([
    ["before the floor", at(["a", 2])],
    ["nothing at all, where the floor is not", NOTHING],
    ["past what the object has", at(["a", 10])],
    ["in an epoch that the object doesn't know", at(["a", 5], ["b", 0])],
    ["in an epoch that the object knows, and the window says nothing of", at(["a", 5], ["c", 0])],
  ])("%s: only the origin can tell, and nothing is replayed", (_, from) => {
    expect(decideResume(from, known({ position: at(["a", 9], ["c", 3]) }))).toEqual({ kind: "ask" });
  });

  test("an epoch in which nothing had been received counts from its beginning, if the window does", () => {
    const window = new Window({ updates: 10, ageMs: 1_000, bytes: 10_000 }, at(["a", 3], ["b", -1]), true);
    window.push({ frame: frame("c:7"), epoch: "c", offset: 7 }, 0);
    const position = at(["a", 3], ["c", 7]);

    expect(decideResume(at(["a", 3]), known({ window, position }))).toEqual({ kind: "ask" });
    expect(decideResume(at(["a", 3], ["c", 6]), known({ window, position }))).toEqual({
      kind: "replay",
      frames: [frame("c:7")],
      head: at(["a", 3], ["c", 7]),
    });
  });

  test("at the floor, or between updates: all that follow are replayed", () => {
    expect(decideResume(at(["a", 3]), known())).toEqual({
      kind: "replay",
      frames: [frame("a:5", 3), frame("a:9", 5)],
      head: at(["a", 9]),
    });
    expect(decideResume(at(["a", 7]), known())).toEqual({
      kind: "replay",
      frames: [frame("a:9", 5)],
      head: at(["a", 9]),
    });
  });

  test("at the object's own position nothing is missing", () => {
    expect(decideResume(at(["a", 9]), known())).toEqual({ kind: "replay", frames: [], head: at(["a", 9]) });
  });

  test("where the object has read past offsets without a record of the endpoint, nothing leads there", () => {
    const head = at(["a", 9]);
    const further = known({ position: at(["a", 20]) });

    expect(decideResume(at(["a", 9]), further)).toEqual({ kind: "replay", frames: [], head });
    expect(snapshotOf(at(["a", 20]), latest(frame("a:9", 5)))?.head).toEqual(head);
  });
});

test("before the first answer from above, an object can tell nobody anything", () => {
  const nothing = known({ position: undefined, latest: undefined });

  expect(decideResume(undefined, nothing)).toEqual({ kind: "ask" });
  expect(decideResume(at(["a", 9]), nothing)).toEqual({ kind: "ask" });
});
