/**
 * Who may import whom. Every folder of code is in the table, with all that it may import besides itself; none stands
 * apart, no import runs up, and no module imports itself by way of others.
 */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");

/** From the bottom up. A folder that isn't here is of the layer of the one above it. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  "shared/protocol": [],
  "shared/core": ["shared/protocol"],
  "shared/config": ["shared/protocol"],
  /** What needs Node, for the commands of both halves. */
  "shared/node": [],
  "shared/client": ["shared/protocol", "shared/core"],
  /** Makes the package that applications install. */
  "shared/client/package": ["shared/client", "shared/node"],
  origin: ["shared/protocol", "shared/core", "shared/config", "shared/node"],
  "edge/page": ["shared/protocol", "shared/core", "shared/client"],
  edge: ["shared/protocol", "shared/core", "shared/config", "edge/page", "dist"],
  /** Runs the edge's classes on Node: it knows none of them, and they don't know it. */
  "edge/runtime": [],
  /** Runs the edge on this machine. */
  "edge/local": ["shared/protocol", "shared/config", "shared/node", "edge", "edge/runtime"],
  /** Starts both halves. */
  "start.ts": ["shared/node", "edge/local", "edge", "origin"],
  /** Examines what both halves need. */
  doctor: ["shared/protocol", "shared/node", "edge", "edge/local", "origin"],
  /** The command that starts each of them, and the package in which it is. */
  package: ["shared/node", "edge/local"],
  examples: ["shared/client"],
};
/** Tests look at everything. */
const ALL = "test";

/** Data that is imported as it lies in the root. */
const DATA = ["streams.json"];

const sources = globSync("**/*.ts", {
  cwd: root,
  exclude: (path) => /(^|\/)(node_modules|dist|data|\..+)$/.test(path),
});

/** Files that a file imports, for their types only, too. */
function importsOf(path: string): readonly string[] {
  const text = readFileSync(join(root, path), "utf8");
  return [...text.matchAll(/(?:\bfrom|\bimport|\bimport\() ?"(\.[^"]+)"/g)].map(([, target = ""]) =>
    normalize(join(dirname(path), target)),
  );
}

/** The most exact entry of the table that a file lies in. */
function layerOf(path: string): string | undefined {
  const above = [...Object.keys(LAYERS), "dist", ALL].filter(
    (layer) => path === layer || path.startsWith(`${layer}/`),
  );
  return above.sort((a, b) => b.length - a.length)[0];
}

describe("layers", () => {
  const tested = sources.filter((path) => layerOf(path) !== ALL);

  test("every file is of a layer", () => {
    expect(sources.length).toBeGreaterThan(400);
    expect(sources.filter((path) => !path.endsWith(".d.ts") && layerOf(path) === undefined)).toEqual([]);
  });

  test("the table has an order: no layer may import one that stands above it", () => {
    const order = Object.keys(LAYERS);
    for (const [layer, below] of Object.entries(LAYERS))
      for (const other of below.filter((name) => name !== "dist"))
        expect(order.indexOf(other), `${layer} → ${other}`).toBeLessThan(order.indexOf(layer));
  });

  test.each(Object.entries(LAYERS))("%s imports only from itself and from %j", (layer, below) => {
    const strays = tested
      .filter((path) => layerOf(path) === layer)
      .flatMap((path) => importsOf(path).map((target) => ({ path, target })))
      .filter(({ target }) => {
        const to = layerOf(target);
        return !DATA.includes(target) && to !== layer && !below.includes(to ?? "");
      });

    expect(strays.map(({ path, target }) => `${path} → ${target}`)).toEqual([]);
  });

  test("no module of the product imports itself by way of others", () => {
    const known = new Map(sources.map((path) => [path, importsOf(path)]));
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (path: string, above: readonly string[]) => {
      const from = above.indexOf(path);
      if (from >= 0) cycles.push([...above.slice(from), path].join(" → "));
      if (from >= 0 || done.has(path)) return;
      for (const target of known.get(path) ?? []) visit(target, [...above, path]);
      done.add(path);
    };
    for (const path of tested) visit(path, []);

    expect(cycles).toEqual([]);
  });
});

describe("one thought, one place", () => {
  test("the forms of a record are those that INTERNALS.md names, each declared once, where it says", () => {
    const text = readFileSync(join(root, "shared/INTERNALS.md"), "utf8");
    const [, table = ""] = /^\| Form of a record \|.*\n\|[-|]+\n((?:\|.*\n)+)/m.exec(text) ?? [];
    const named = [...table.matchAll(/^\| `(\w+)` \|.*\| `(.+)` \|$/gm)];

    expect(named.length).toBe(6);
    for (const [, name, folder = ""] of named) {
      const declared = sources.filter((path) => {
        const code = readFileSync(join(root, path), "utf8");
        return new RegExp(`^export (?:interface|type|class) ${name}\\b`, "m").test(code);
      });
      if (name === "Frame") expect(declared).toEqual(["shared/protocol/frame.ts"]);
      else expect(declared.map((path) => path.startsWith(folder))).toEqual([true]);
    }
  });

  test("[P3] only shared/protocol/position.ts knows where a position without an epoch stands", () => {
    const elsewhere = sources
      .filter((path) => layerOf(path) !== ALL && path !== "shared/protocol/position.ts")
      .filter((path) => /\.get\([^)]*epoch\)+ \?\? -1/.test(readFileSync(join(root, path), "utf8")));

    expect(elsewhere).toEqual([]);
  });
});
