/**
 * The origin's settings, read and checked: every problem is reported at once, by the setting's name.
 */
import { join } from "node:path";
import { readPublishSecrets } from "../../shared/config/publish-secrets.ts";
import { parseStreams, type Streams } from "../../shared/config/streams.ts";
import { COMMANDS, typed } from "../../shared/node/commands.ts";
import { type Command, readSettings, type Setting } from "../../shared/node/settings.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { formatSlice, parseSlice, type Slice, WHOLE } from "../../shared/protocol/slice.ts";
import { KAFKA_SETTINGS, readKafka } from "../kafka/config.ts";
import type { KafkaSettings } from "../kafka/settings.ts";
import { LEVELS, type Level } from "../operate/log.ts";
import { EDGE_SETTINGS, type Edge, type EdgesRead, readEdges, readText } from "./edges.ts";
import type { Renewable } from "./renewable.ts";

export interface Config {
  /** Which it dials, as they were at start: one at least, each once. */
  readonly edges: readonly Edge[];
  /** If they, or their keys, lie in a file. */
  readonly edgesInFile?: Renewable<readonly Edge[]>;
  /** As the file has them now. Never rejects. */
  readonly currentEdges?: () => Promise<readonly Edge[]>;
  /** Whether edges come and go while it runs, as their file says. */
  readonly edgesChange: boolean;
  /** The origin's, as its keys have it; whatever takes a key's place bears it, too. */
  readonly name: string;
  /** Which partitions it reads. */
  readonly slice: Slice;
  readonly dataDir: string;
  readonly streams: Streams;
  readonly indexMaxBytes: number;
  readonly logLevel: Level;
  /** Where to tell how it goes; undefined if no port is opened. */
  readonly status: ListenAddress | undefined;
  /** Undefined if the embedded log is read. */
  readonly kafka: KafkaSettings | undefined;
  /** What published records are marked with, never logged; undefined if nothing is published. */
  readonly publishSecrets: PublishSecrets | undefined;
  /** What Kafka knows the writers of all origins by. */
  readonly publishId: string;
}

export type PublishSecrets = readonly [Uint8Array, ...Uint8Array[]];

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export type ConfigResult =
  | { readonly kind: "config"; readonly config: Config; readonly more?: More }
  | { readonly kind: "help"; readonly text: string }
  /** One sentence each, with the setting's name. */
  | {
      readonly kind: "problems";
      readonly problems: readonly string[];
      /** There is no such flag, or it can't be given so: nothing was read. */
      readonly misused?: true;
      /** What could be read all the same. */
      readonly readable: Readable;
      readonly more?: More;
    };

export type Readable = Partial<Omit<Config, "edges">> & { readonly edges?: EdgesRead["readable"] };

/** As they were given: those of the command that are no origin's. */
type More = Readonly<Record<string, string | undefined>>;

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Arguments after the script. */
  readonly args: readonly string[];
  /** The folder that holds streams.json. */
  readonly root: string;
  /** Throws if the file can't be read. */
  readonly readFile: (path: string) => string;
}

const DEFAULT_INDEX_BYTES = 4 * 1024 ** 3;

/** Which command takes these settings. */
export interface Usage {
  readonly usage: string;
  readonly does: string;
  /** Settings that are no origin's. */
  readonly more?: Readonly<Record<string, Setting>>;
}

const ORIGIN: Usage = {
  usage: typed("origin", "[flags]"),
  does: COMMANDS.origin.does,
};

const command = ({ root }: Surroundings, { usage, does }: Usage) =>
  ({
    usage,
    does,
    settings: {
      ...EDGE_SETTINGS,
      ORIGIN_SLICE: {
        means: `Which partitions it reads, of those that several origins share: k/n, slice k of n up to ${LIMITS.slices}, has partition p where p mod n = k - 1.`,
        default: formatSlice(WHOLE),
      },
      DATA_DIR: { means: "Folder of the index, and of the embedded log.", default: "data" },
      STREAMS: { means: "The list of what is exposed.", default: join(root, "streams.json") },
      INDEX_MAX_BYTES: {
        means: "How large the index may grow before it drops its oldest records.",
        default: String(DEFAULT_INDEX_BYTES),
      },
      PUBLISH_SECRET: {
        means:
          "What published records are marked with: 32 bytes or more, or two with a comma while one takes the other's place. The same for all origins. Without it nothing can be published.",
        secret: true,
      },
      PUBLISH_ID: {
        means:
          "What the transactional ids begin with that writing to Kafka takes. The same for all origins that write to the same topics.",
        default: "distributary",
      },
      LOG_LEVEL: { means: `What is logged on stderr: ${LEVELS.join(", ")}.`, default: "info" },
      STATUS_PORT: {
        means: "Port for /healthz, /readyz and /metrics. Without it no port is opened.",
      },
      STATUS_HOST: { means: "The address to listen on for these.", default: "127.0.0.1" },
      ...KAFKA_SETTINGS,
    },
    switches: {},
  }) as const satisfies Command;

type Name = keyof ReturnType<typeof command>["settings"];

const PUBLISH_ID = /^[A-Za-z0-9._-]{1,100}$/;
const MIN_INDEX_BYTES = 16 * 1024 ** 2;

export function readConfig(surroundings: Surroundings, usage = ORIGIN): ConfigResult {
  const own = command(surroundings, usage);
  const all = { ...own, settings: { ...own.settings, ...usage.more } };
  const given = readSettings<typeof own>(all, surroundings.env, surroundings.args);
  if (given.kind === "help") return given;
  if (given.kind === "misused")
    return { kind: "problems", problems: [given.problem], misused: true, readable: {} };
  const { values } = given;
  const others: More = { ...values };
  const more = usage.more && Object.fromEntries(Object.keys(usage.more).map((name) => [name, others[name]]));
  const problems: string[] = [];
  const raw = (name: Name): string | undefined => values[name];
  const wrong = (name: Name, problem: string): undefined => {
    problems.push(`${name} ${problem}`);
  };

  const { readFile } = surroundings;
  const { edges, readable: someEdges } = readEdges(raw, { readFile, wrong });
  const name = edges?.first[0]?.key.name;
  const slice = parseSlice(values.ORIGIN_SLICE);
  if (slice === undefined)
    wrong(
      "ORIGIN_SLICE",
      `must be k/n, two whole numbers with 1 ≤ k ≤ n ≤ ${LIMITS.slices}, for instance 1/4`,
    );
  const streams = readStreamsFile(values.STREAMS, surroundings.readFile, wrong);
  const indexMaxBytes = Number(values.INDEX_MAX_BYTES);
  if (!Number.isSafeInteger(indexMaxBytes) || indexMaxBytes < MIN_INDEX_BYTES)
    wrong("INDEX_MAX_BYTES", `must be a whole number of bytes, ${MIN_INDEX_BYTES} or more`);
  const logLevel = LEVELS.find((candidate) => candidate === values.LOG_LEVEL);
  if (logLevel === undefined) wrong("LOG_LEVEL", `must be one of ${LEVELS.join(", ")}`);
  const status = readStatusAddress(raw("STATUS_PORT"), values.STATUS_HOST, wrong);
  const kafka = readKafka({ raw, readFile, wrong, clientId: `distributary-${name ?? "origin"}` });
  const publishSecrets = readSecrets(raw("PUBLISH_SECRET"), wrong);
  const publishId = values.PUBLISH_ID;
  if (!PUBLISH_ID.test(publishId))
    wrong("PUBLISH_ID", "must be 1 to 100 of the characters A–Z, a–z, 0–9, -, _ and .");

  const dataDir = values.DATA_DIR;
  if (problems.length > 0 || !edges || !name || !slice || !streams || !logLevel) {
    const read = { name, slice, dataDir, edges: someEdges, streams, status, kafka };
    const known = Object.entries({ ...read, indexMaxBytes: indexMaxBytes || undefined });
    const readable = Object.fromEntries(known.filter(([, value]) => value !== undefined));
    return { kind: "problems", problems, readable, ...(more && { more }) };
  }
  return {
    kind: "config",
    config: {
      ...{ edges: edges.first, name, slice, dataDir, streams, indexMaxBytes, logLevel, status, kafka },
      ...{ publishSecrets, publishId, edgesChange: raw("EDGES_FILE") !== undefined },
      ...(edges.files.size > 0 && { edgesInFile: edges }),
    },
    ...(more && { more }),
  };
}

/** Texts that nobody may ever see. */
export function secretsOf({ edges = [], kafka, publishSecrets }: Readable): readonly string[] {
  const bytes = [...edges.flatMap(({ key }) => (key ? [key.secret] : [])), ...(publishSecrets ?? [])];
  const secrets = [...bytes.map((secret) => new TextDecoder().decode(secret)), kafka?.tls?.key];
  const sasl = kafka?.sasl;
  if (sasl !== undefined && "password" in sasl) secrets.push(sasl.password);
  for (const token of kafka?.parts?.sasl?.files.values() ?? []) secrets.push(token.trim());
  return secrets.filter((secret) => secret !== undefined);
}

type Wrong = (name: Name, problem: string) => undefined;

function readSecrets(text: string | undefined, wrong: Wrong): PublishSecrets | undefined {
  if (text === undefined) return undefined;
  const read = readPublishSecrets(text);
  return read.ok ? read.secrets : wrong("PUBLISH_SECRET", read.problem);
}

function readStatusAddress(text: string | undefined, host: string, wrong: Wrong): ListenAddress | undefined {
  if (text === undefined) return undefined;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535)
    return wrong("STATUS_PORT", "must be a port: a whole number from 1 to 65535");
  return { host, port };
}

function readStreamsFile(
  path: string,
  readFile: (path: string) => string,
  wrong: Wrong,
): Streams | undefined {
  const text = readText(path, readFile, (problem) => wrong("STREAMS", problem));
  if (text === undefined) return undefined;
  const result = parseStreams(text);
  if (result.ok) return result.streams;
  for (const problem of result.problems) wrong("STREAMS", `(${path}): ${problem}`);
  return undefined;
}
