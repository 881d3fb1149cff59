/** What must not know of what, within a folder: read from the sources. */
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const source = (path: string) => readFileSync(join(root, path), "utf8");

/** A file and all that it imports, and what these do, from packages too. */
function closureOf(path: string, found = new Set<string>()): ReadonlySet<string> {
  if (found.has(path)) return found;
  found.add(path);
  for (const [, target = ""] of source(path).matchAll(/from "([^"]+)"/g))
    if (target.startsWith(".")) closureOf(relative(root, join(root, path, "..", target)), found);
    else found.add(target);
  return found;
}

describe("an endpoint state", () => {
  const all = [...closureOf("edge/endpoint/endpoint-state.ts")];
  const ofEdge = all.filter((path) => path.startsWith("edge/"));

  test("is made of what belongs to a path", () => {
    expect(ofEdge.map((path) => path.replace("edge/endpoint/", "")).sort()).toEqual([
      "asking.ts",
      "catch-up.ts",
      "census.ts",
      "edge/peer.ts",
      "edge/time-limits.ts",
      "endpoint-state.ts",
      "pace.ts",
      "question-states.ts",
      "replays.ts",
      "replica.ts",
      "state-facts.ts",
      "subscribers.ts",
      "subscription-states.ts",
      "unsent.ts",
      "waiting-line.ts",
    ]);
  });

  test("knows nothing of its object: no platform, no timer, no chance, no socket that keeps something", () => {
    expect(all.filter((path) => !path.startsWith("edge/") && !path.startsWith("shared/"))).toEqual([
      "valibot",
    ]);
    const strays = ofEdge
      .filter((path) => path !== "edge/peer.ts")
      .filter((path) =>
        /HibernatingPeer|serializeAttachment|\.close\(\d|setTimeout|Date\.now|Math\.random|\bPromise\b|async /.test(
          source(path),
        ),
      );
    expect(strays).toEqual([]);
  });
});
