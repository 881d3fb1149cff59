/** What the command `produce` is asked for, and writing that one record to the embedded log. */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { parseStreams, type Streams } from "../../shared/config/streams.ts";
import { typed } from "../../shared/node/commands.ts";
import { STREAMS_OR_EXAMPLE } from "../../shared/node/installation.ts";
import { endpointPath } from "../../shared/protocol/address.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import type { RecordHeader } from "../source/source.ts";
import { EmbeddedLog, logPath } from "./log.ts";

export const HELP = `${typed("produce", "TOPIC KEY VALUE [options]")}
${typed("produce", "TOPIC KEY --tombstone [options]")}

Writes one record to the embedded log and prints its position and its endpoint. The topic is created where
there is none and streams.json lists it.

  VALUE              the value, in UTF-8; - reads its bytes from standard input
  --tombstone        a record without a value: the key is deleted
  --key-base64       KEY is in base64, for keys of any bytes
  --header N=V       a header with the name N and the value V; may be repeated
  --partition N      the partition; else Kafka's default partitioner chooses by the key
  --data-dir DIR     folder of the log, or DATA_DIR; default: data
  --streams FILE     the list of what is exposed, or STREAMS; default: ${STREAMS_OR_EXAMPLE}
  --help             this text

Where KEY or VALUE begins with a dash, write -- before TOPIC, after the options.
`;

/** What the arguments ask for. */
export type Command =
  | { readonly kind: "help" }
  /** One sentence: what is wrong with them. */
  | { readonly kind: "usage"; readonly problem: string }
  | ({ readonly kind: "produce" } & Production);

export interface Production {
  readonly topic: string;
  readonly key: Uint8Array;
  /** null is a tombstone. */
  readonly value: Uint8Array | "stdin" | null;
  readonly headers: readonly RecordHeader[];
  readonly partition: number | undefined;
  readonly dataDir: string;
  readonly streamsFile: string;
}

const OPTIONS = {
  tombstone: { type: "boolean" },
  "key-base64": { type: "boolean" },
  header: { type: "string", multiple: true },
  partition: { type: "string" },
  "data-dir": { type: "string" },
  streams: { type: "string" },
  help: { type: "boolean" },
} as const;

/** @param args Arguments after the script. */
export function readCommand(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Command {
  const usage = (problem: string): Command => ({ kind: "usage", problem });
  let parsed: ReturnType<typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>>;
  try {
    parsed = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    // Node adds advice of its own on further lines.
    const [problem = ""] = (error instanceof Error ? error.message : String(error)).split(/\.?\n/, 1);
    return usage(problem);
  }
  const { values, positionals } = parsed;
  if (values.help) return { kind: "help" };

  const [topic, keyText, valueText] = positionals;
  if (topic === undefined || keyText === undefined) return usage("TOPIC and KEY are needed");
  if (values.tombstone && valueText !== undefined) return usage("a tombstone has no VALUE");
  if (!values.tombstone && valueText === undefined) return usage("VALUE is needed, or --tombstone");
  if (positionals.length > 3) return usage(`${JSON.stringify(positionals[3])} is one argument too many`);

  const key = values["key-base64"] ? fromBase64(keyText) : Buffer.from(keyText);
  if (key === undefined) return usage("KEY is not base64");
  const headers: RecordHeader[] = [];
  for (const header of values.header ?? []) {
    const at = header.indexOf("=");
    if (at < 1) return usage(`--header ${JSON.stringify(header)} is not of the form name=value`);
    headers.push([header.slice(0, at), Buffer.from(header.slice(at + 1))]);
  }
  if (values.partition !== undefined && !/^\d{1,9}$/.test(values.partition))
    return usage(`--partition ${JSON.stringify(values.partition)} is not the number of a partition`);

  return {
    kind: "produce",
    topic,
    key,
    value: valueText === undefined ? null : valueText === "-" ? "stdin" : Buffer.from(valueText),
    headers,
    partition: values.partition === undefined ? undefined : Number(values.partition),
    dataDir: values["data-dir"] || env.DATA_DIR || "data",
    streamsFile: values.streams || env.STREAMS || STREAMS_OR_EXAMPLE,
  };
}

/** With or without padding, in either alphabet. */
function fromBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, "base64");
  const plain = text
    .replace(/={1,2}$/, "")
    .replaceAll("-", "+")
    .replaceAll("_", "/");
  return bytes.toString("base64").replace(/=+$/, "") === plain ? bytes : undefined;
}

/** What was asked for can't be done; the message is for people. */
export class ProduceError extends Error {}

/** Writes the record and says where it is: `position endpoint`. Throws ProduceError and LogError. */
export function produce({ topic, key, headers, ...rest }: Production, value: Uint8Array | null): string {
  const log = new EmbeddedLog(logPath(rest.dataDir));
  try {
    if (log.topic(topic) === undefined) {
      const exposed = exposedStreams(rest.streamsFile);
      if (exposed.get(topic) === undefined) {
        const listed = exposed.all.map((stream) => stream.topic).join(", ") || "none";
        throw new ProduceError(
          `there is no topic ${JSON.stringify(topic)}, and ${rest.streamsFile} lists only ${listed}`,
        );
      }
      log.createTopic(topic);
    }
    const partition = rest.partition === undefined ? {} : { partition: rest.partition };
    const [appended] = log.append(topic, [{ key, value, headers, ...partition }]);
    const position = `${appended?.epoch}:${appended?.offset}`;
    return key.length > LIMITS.keyBytes ? position : `${position} ${endpointPath(topic, key)}`;
  } finally {
    log.close();
  }
}

function exposedStreams(file: string): Streams {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new ProduceError(`the list of streams can't be read: ${reason(error)}`);
  }
  const result = parseStreams(text);
  if (!result.ok) throw new ProduceError(`${file}: ${result.problems.join("; ")}`);
  return result.streams;
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
