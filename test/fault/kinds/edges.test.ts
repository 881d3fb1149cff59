import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { seeded } from "../random.ts";
import type { Rig, Target } from "../rig.ts";
import { EDGES } from "./edges.ts";
import { KINDS } from "./kinds.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const silent = () => {
  const kind = EDGES.find(({ name }) => name === "one of two edges silent to origins");
  if (kind === undefined) throw new Error("there is no such kind");
  return kind;
};

test("what ails the second edge waits for those at the first, is gone, and is over when those at the second have all", async () => {
  const [first, second] = [{ port: 1 }, { port: 2 }];
  const reached = new Set<unknown>();
  const said: string[] = [];
  const proxy = { silence: () => said.push("silent"), speak: () => said.push("speaks") };
  const parts = {
    edge: first,
    edges: [first, second],
    crews: { uplinksTo: () => [proxy] },
    targetsAt: (edge: unknown) => [edge as Target],
    isReached: (target: unknown) => reached.has(target),
  };
  // All of a rig that is asked for.
  const rig = parts as unknown as Rig;
  const inject = silent().inject(
    rig,
    seeded(1),
    () => said.push("gone"),
    (problem) => said.push(problem),
  );
  const over = inject.then(() => said.push("over"));

  await vi.advanceTimersByTimeAsync(10_000);
  expect(said).toEqual(["silent"]);

  reached.add(first);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(said).toEqual(["silent", "speaks", "gone"]);

  reached.add(second);
  await vi.advanceTimersByTimeAsync(1_000);
  await over;
  expect(said).toEqual(["silent", "speaks", "gone", "over"]);
});

test("nothing keeps origins from an edge at which they must come to stand by, nor from an index that they must make anew", () => {
  const partsOf = (name: RegExp) => KINDS.filter((kind) => name.test(kind.name)).map(({ parts }) => parts);
  const relieving = partsOf(/^(1 slice|the same,|kill -9 of the active|SIGSTOP of the active)/);

  expect(relieving).toHaveLength(4);
  for (const parts of relieving) expect(parts).toEqual(expect.arrayContaining(["second edge", "disk"]));
  for (const parts of partsOf(/slow with a backlog/)) expect(parts).toContain("disk");
});
