import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { OriginProcess } from "./origin-process.ts";

test("an origin that ends by itself is told of, and is started again until it is ended", async () => {
  const folder = mkdtempSync(join(tmpdir(), "fault-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const wrong: string[] = [];
  const origin = new OriginProcess(
    "one",
    // It can't do without edges.
    { dataDir: join(folder, "one"), edges: [], env: { ...process.env } },
    { hear: () => {}, wrong: (problem) => wrong.push(problem) },
  );
  onTestFinished(() => origin.kill());

  origin.start();

  await eventually(() => wrong.length === 2, "it has ended twice", 60_000);
  expect(wrong).toEqual(Array(2).fill(expect.stringMatching(/^one ended by itself \(1\): .*EDGES_FILE/)));
  await origin.kill();
  expect(origin.pid).toBeUndefined();
  // Who ends it starts it, too.
  expect(() => origin.start()).not.toThrow();
});
