import { describe, expect, test } from "vitest";
import { edgeName, readEdges } from "../../../origin/settings/edges.ts";

const A = "https://a.example";
const B = "http://127.0.0.1:8787";
const SECRETS = ["a".repeat(32), "b".repeat(32), "c".repeat(32)] as const;
const keyOf = (number: 0 | 1 | 2, name = "origin-7") => `k${number}:${name}:${SECRETS[number]}`;
const [KEY, OTHER] = [keyOf(0), keyOf(1)];

type Given = Partial<Record<"EDGE_URL" | "UPLINK_KEY" | "UPLINK_KEY_FILE" | "EDGES_FILE", string>>;

function read(given: Given, files: Readonly<Record<string, string>> = {}) {
  const problems: string[] = [];
  const readFile = (path: string) => {
    const text = files[path];
    if (text === undefined) throw new Error(`no such file: ${path}`);
    return text;
  };
  const { edges, readable } = readEdges((name) => given[name], {
    readFile,
    wrong: (name, problem) => {
      problems.push(`${name} ${problem}`);
    },
  });
  return { edges, readable, problems };
}

/** Each edge with its key's id. */
const dialled = (given: Given, files?: Readonly<Record<string, string>>) =>
  read(given, files).edges?.first.map((edge) => `${edgeName(edge)} ${edge.key.kid}`);

describe("in settings", () => {
  test("there is one edge, or several in a row, with a key for each in the same order", () => {
    expect(dialled({ EDGE_URL: A, UPLINK_KEY: KEY })).toEqual([`${A} k0`]);
    expect(dialled({ EDGE_URL: `${A}, ${B}`, UPLINK_KEY: `${KEY}, ${OTHER}` })).toEqual([
      `${A} k0`,
      `${B} k1`,
    ]);
    expect(dialled({ EDGE_URL: `${B},${A}`, UPLINK_KEY: `${KEY},${OTHER}` })).toEqual([`${B} k0`, `${A} k1`]);
  });

  test("one key can do for all", () => {
    expect(dialled({ EDGE_URL: `${A},${B}`, UPLINK_KEY: KEY })).toEqual([`${A} k0`, `${B} k0`]);
  });

  test("keys can come from a file, each in a line of its own, whose last newline is no part of it", () => {
    const given = { EDGE_URL: `${A},${B}`, UPLINK_KEY_FILE: "/keys" };

    expect(dialled(given, { "/keys": `${KEY}\n${OTHER}\n` })).toEqual([`${A} k0`, `${B} k1`]);
    expect(dialled(given, { "/keys": `${KEY},${OTHER}` })).toEqual([`${A} k0`, `${B} k1`]);
    const [edge] = read({ ...given, EDGE_URL: A }, { "/keys": `${KEY}\n` }).edges?.first ?? [];
    expect(edge?.key).toEqual({ kid: "k0", name: "origin-7", secret: new TextEncoder().encode(SECRETS[0]) });
  });

  test("[U1] keys that take their file's place bear the same name, or aren't taken", () => {
    const { edges } = read({ EDGE_URL: A, UPLINK_KEY_FILE: "/key" }, { "/key": keyOf(0, "a") });

    expect(edges?.read(() => keyOf(1, "a"))).toMatchObject([{ key: { kid: "k1", name: "a" } }]);
    expect(() => edges?.read(() => keyOf(1, "b"))).toThrow(
      "UPLINK_KEY_FILE is a key of b, and this origin is a until it restarts",
    );
  });
});

describe("in a file", () => {
  const FILE = "/edges";
  const given = { EDGES_FILE: FILE };

  test("each has a line with its address and its key; blank lines and remarks count for nothing", () => {
    const text = `# Frankfurt\n${A} ${KEY}\n\n  ${B}\t k1:origin-7(slices=1/2 topics=t):${SECRETS[1]}\r\n`;

    expect(dialled(given, { [FILE]: text })).toEqual([`${A} k0`, `${B} k1`]);
  });

  test("edges come and go when it is read again, and keys change, but not the origin's name", () => {
    const { edges } = read(given, { [FILE]: `${A} ${KEY}` });
    const again = (text: string) =>
      edges?.read(() => text).map((edge) => `${edgeName(edge)} ${edge.key.kid}`);

    expect(again(`${A} ${OTHER}\n${B} ${KEY}`)).toEqual([`${A} k1`, `${B} k0`]);
    expect(again(`${B} ${KEY}`)).toEqual([`${B} k0`]);
    expect(() => again(`${B} ${keyOf(0, "other")}`)).toThrow("is a key of other");
    expect(() => again("")).toThrow("EDGES_FILE has no edge");
  });
});

test.each([
  [
    {},
    {},
    ["EDGE_URL is not set: where is the edge?", "UPLINK_KEY is not set, and neither is UPLINK_KEY_FILE"],
  ],
  [{ EDGE_URL: `${A},ftp://b`, UPLINK_KEY: KEY }, {}, ["EDGE_URL is no http:// or https:// URL"]],
  [{ EDGE_URL: `${A}/base`, UPLINK_KEY: KEY }, {}, ["EDGE_URL must be without a path"]],
  [{ EDGE_URL: `${A},`, UPLINK_KEY: KEY }, {}, ["EDGE_URL is no http:// or https:// URL"]],
  [{ EDGE_URL: `${A},${B},${A}/`, UPLINK_KEY: KEY }, {}, [`EDGE_URL has ${A} a second time`]],
  [
    { EDGE_URL: `${A},${B}`, UPLINK_KEY: `${KEY},${OTHER},${keyOf(2)}` },
    {},
    ["UPLINK_KEY has 3 keys for 2 edges: give one for each edge, in the same order, or one for all"],
  ],
  [
    { EDGE_URL: A, UPLINK_KEY: `${KEY},${OTHER}` },
    {},
    ["UPLINK_KEY has 2 keys for 1 edge: give one for each edge, in the same order, or one for all"],
  ],
  [
    { EDGE_URL: `${A},${B}`, UPLINK_KEY: `${KEY},${keyOf(1, "other")}` },
    {},
    ["UPLINK_KEY has keys of origin-7 and other: an origin has one name at all edges"],
  ],
  [
    { EDGE_URL: A, UPLINK_KEY: `k0:origin-7:${SECRETS[0]},more` },
    {},
    [
      expect.stringMatching(
        /^UPLINK_KEY has several keys, with commas between; one is not of the form kid:name/,
      ),
    ],
  ],
  [
    { EDGE_URL: A, UPLINK_KEY: KEY, UPLINK_KEY_FILE: "/keys" },
    {},
    ["UPLINK_KEY_FILE and UPLINK_KEY are both set: which one is it?"],
  ],
  [{ EDGE_URL: A, UPLINK_KEY_FILE: "/keys" }, {}, [expect.stringContaining("UPLINK_KEY_FILE can't be read")]],
  [{ EDGES_FILE: "/edges" }, {}, [expect.stringContaining("EDGES_FILE can't be read")]],
  [
    { EDGES_FILE: "/edges", EDGE_URL: A },
    { "/edges": `${A} ${KEY}` },
    ["EDGES_FILE and EDGE_URL are both set: which one is it?"],
  ],
  [
    { EDGES_FILE: "/edges" },
    { "/edges": `${A}\nftp://b ${KEY}\n${B} k1:origin-7:short\n${A} ${KEY}\n${A} ${OTHER}` },
    [
      "EDGES_FILE (line 1) isn't an address and a key with a space between: https://… kid:name:secret",
      "EDGES_FILE (line 2) is no http:// or https:// URL",
      "EDGES_FILE (line 3) has a key that has a secret of less than 32 bytes, that of k1",
      `EDGES_FILE (line 5) has ${A} a second time`,
    ],
  ],
] as const)("of %o: every problem is told, and no secret", (given, files, expected) => {
  const { edges, problems } = read(given, files);

  expect(problems).toEqual(expected);
  expect(edges).toBeUndefined();
  for (const secret of SECRETS) expect(problems.join()).not.toContain(secret);
});

test("edges that can be read are examined though something is wrong with their keys, or with others", () => {
  expect(read({ EDGE_URL: `${A},${B}`, UPLINK_KEY: "k" }).readable.map(edgeName)).toEqual([A, B]);
  const [first] = read({ EDGE_URL: A }).readable;
  expect(first).toEqual({ url: new URL(A) });
  const lines = `${A} ${KEY}\n${B} k1`;
  expect(read({ EDGES_FILE: "/edges" }, { "/edges": lines }).readable.map(edgeName)).toEqual([A]);
});
