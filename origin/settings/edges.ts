/**
 * The edges that an origin dials, and the key with which it comes to each. They are given in one of two forms:
 *
 *   EDGE_URL, UPLINK_KEY or UPLINK_KEY_FILE   addresses, and keys in the same order, or one key for all
 *   EDGES_FILE                                an address and its key in each line; edges may come and go while the origin runs
 */
import { readUplinkKey, UPLINK_KEY_FORM, type UplinkKey } from "../../shared/config/uplink-key.ts";
import type { Setting } from "../../shared/node/settings.ts";
import { type Reading, type Renewable, renewable } from "./renewable.ts";

export interface Edge {
  readonly url: URL;
  /** It signs the origin's tokens (U1), and is never logged. */
  readonly key: UplinkKey;
}

/** What an edge is called, in logs, metrics and health. */
export const edgeName = ({ url }: Pick<Edge, "url">): string => url.origin;

export const EDGE_SETTINGS = {
  EDGE_URL: {
    means:
      "Where the edge is: http://… or https://…, without a path; or several, with commas between. Required, or EDGES_FILE.",
  },
  UPLINK_KEY: {
    means: `One of the edge's UPLINK_KEYS, as it stands there: ${UPLINK_KEY_FORM}. The name is this origin's; the secret has 32 bytes or more. With several edges one for each, in the order of EDGE_URL, with commas between, or one for all. Required, or a file.`,
    secret: true,
  },
  UPLINK_KEY_FILE: { means: "A file that holds the uplink key or keys, instead of UPLINK_KEY." },
  EDGES_FILE: {
    means:
      "A file that holds the edges, instead of the settings above: in each line the address of one and its uplink key, with a space between. It is read again on SIGHUP.",
  },
} as const satisfies Record<string, Setting>;

type Name = keyof typeof EDGE_SETTINGS;
type Raw = (name: Name) => string | undefined;
type Wrong = Reading<Name>["wrong"];

export interface EdgesRead {
  /** The edges at start, one at least; and again, as often as their file or the file of their keys changes. */
  readonly edges: Renewable<readonly Edge[]> | undefined;
  /** Edges whose address can be read, with the key if that can be. */
  readonly readable: readonly (Pick<Edge, "url"> & Partial<Edge>)[];
}

/** Says what is wrong with edges and keys without showing a secret. */
export function readEdges(raw: Raw, reading: Reading<Name>): EdgesRead {
  let name: string | undefined;
  let readable: EdgesRead["readable"] = [];
  const edges = renewable(reading, (again: Reading<Name>) => {
    const read = raw("EDGES_FILE") === undefined ? readPairs : readLines;
    const found = read(raw, again);
    readable = found.readable;
    return found.edges && ofOneName(found.edges, found.setting, name, again.wrong);
  });
  name = edges?.first[0]?.key.name;
  return { edges, readable };
}

interface Found {
  /** Undefined if something is wrong with one of them. */
  readonly edges: readonly Edge[] | undefined;
  readonly readable: EdgesRead["readable"];
  /** Where the keys stand. */
  readonly setting: Name;
}

/** `EDGE_URL` and the keys in the same order. */
function readPairs(raw: Raw, { readFile, wrong }: Reading<Name>): Found {
  const setting = raw("UPLINK_KEY_FILE") === undefined ? "UPLINK_KEY" : "UPLINK_KEY_FILE";
  const urls = readUrls(raw("EDGE_URL"), (problem) => wrong("EDGE_URL", problem));
  const keys = readKeys(raw, { readFile, wrong });
  const readable = (urls ?? []).map((url, i) => {
    const key = keys?.length === 1 ? keys[0] : keys?.[i];
    return { url, ...(key && { key }) };
  });
  if (urls === undefined || keys === undefined) return { edges: undefined, readable, setting };
  if (keys.length !== 1 && keys.length !== urls.length) {
    const todo = "give one for each edge, in the same order, or one for all";
    wrong(setting, `has ${keys.length} keys for ${countOf(urls)}: ${todo}`);
    return { edges: undefined, readable: urls.map((url) => ({ url })), setting };
  }
  return { edges: readable.flatMap(({ url, key }) => (key ? [{ url, key }] : [])), readable, setting };
}

/** A file with an edge in each line. Blank lines, and those that begin with #, count for nothing. */
function readLines(raw: Raw, { readFile, wrong }: Reading<Name>): Found {
  const setting = "EDGES_FILE";
  const nothing = { edges: undefined, readable: [], setting } as const;
  for (const other of ["EDGE_URL", "UPLINK_KEY", "UPLINK_KEY_FILE"] as const) {
    if (raw(other) === undefined) continue;
    wrong(setting, `and ${other} are both set: which one is it?`);
    return nothing;
  }
  const text = readText(raw(setting) ?? "", readFile, (problem) => wrong(setting, problem));
  if (text === undefined) return nothing;
  const edges: Edge[] = [];
  let isWhole = true;
  for (const [i, line] of text.split("\n").entries()) {
    if (/^(#|$)/.test(line.trim())) continue;
    const wrongIn = (problem: string): undefined => {
      isWhole = false;
      return wrong(setting, `(line ${i + 1}) ${problem}`);
    };
    const edge = readLine(line, wrongIn);
    if (edge === undefined) continue;
    if (edges.some(({ url }) => url.origin === edge.url.origin))
      wrongIn(`has ${edgeName(edge)} a second time`);
    else edges.push(edge);
  }
  if (isWhole && edges.length === 0)
    return { ...nothing, edges: wrong(setting, "has no edge: where is one?") };
  return { edges: isWhole ? edges : undefined, readable: edges, setting };
}

function readLine(line: string, wrong: (problem: string) => undefined): Edge | undefined {
  const [, address, entry] = /^(\S+)\s+(\S.*)$/.exec(line.trim()) ?? [];
  if (address === undefined || entry === undefined)
    return wrong(`isn't an address and a key with a space between: https://… ${UPLINK_KEY_FORM}`);
  const url = readUrl(address, wrong);
  const read = readUplinkKey(entry);
  if (!read.ok) return wrong(`has a key that ${read.problem}`);
  return url && { url, key: read.key };
}

/** An origin has one name, and can't become another one while it runs. */
function ofOneName(
  edges: readonly Edge[],
  setting: Name,
  nameAtStart: string | undefined,
  wrong: Wrong,
): readonly Edge[] | undefined {
  const names = [...new Set(edges.map(({ key }) => key.name))];
  const [name] = names;
  if (names.length > 1)
    return wrong(setting, `has keys of ${names.join(" and ")}: an origin has one name at all edges`);
  if (nameAtStart !== undefined && name !== nameAtStart)
    return wrong(setting, `is a key of ${name}, and this origin is ${nameAtStart} until it restarts`);
  return edges;
}

function readUrls(
  text: string | undefined,
  wrong: (problem: string) => undefined,
): readonly URL[] | undefined {
  if (text === undefined) return wrong("is not set: where is the edge?");
  const urls = text.split(",").map((one) => readUrl(one.trim(), wrong));
  const read = urls.filter((url) => url !== undefined);
  if (read.length < urls.length) return undefined;
  const twice = read.find(({ origin }, i) => read.findIndex((other) => other.origin === origin) < i);
  return twice === undefined ? read : wrong(`has ${twice.origin} a second time`);
}

function readUrl(text: string, wrong: (problem: string) => undefined): URL | undefined {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return wrong("is no http:// or https:// URL");
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "") return wrong("must be without a path");
  return url;
}

function readKeys(raw: Raw, { readFile, wrong }: Reading<Name>): readonly UplinkKey[] | undefined {
  const file = raw("UPLINK_KEY_FILE");
  const direct = raw("UPLINK_KEY");
  if (file !== undefined && direct !== undefined)
    return wrong("UPLINK_KEY_FILE", "and UPLINK_KEY are both set: which one is it?");
  const setting = file === undefined ? "UPLINK_KEY" : "UPLINK_KEY_FILE";
  const text = file === undefined ? direct : readText(file, readFile, (problem) => wrong(setting, problem));
  if (text === undefined)
    return file === undefined ? wrong(setting, "is not set, and neither is UPLINK_KEY_FILE") : undefined;
  // In a file each may stand in a line of its own.
  const entries = text.trim().split(/,\s*|\n\s*/);
  const keys: UplinkKey[] = [];
  for (const entry of entries) {
    const read = readUplinkKey(entry);
    if (!read.ok)
      return wrong(
        setting,
        entries.length === 1 ? read.problem : `has several keys, with commas between; one ${read.problem}`,
      );
    keys.push(read.key);
  }
  return keys;
}

export function readText(
  path: string,
  readFile: (path: string) => string,
  wrong: (problem: string) => undefined,
): string | undefined {
  try {
    return readFile(path);
  } catch (error) {
    return wrong(`can't be read: ${error instanceof Error ? error.message : path}`);
  }
}

const countOf = ({ length }: readonly unknown[]) => `${length} ${length === 1 ? "edge" : "edges"}`;
