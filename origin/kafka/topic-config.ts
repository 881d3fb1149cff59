/** How a topic is configured, and whether it keeps for long enough what a publish is known by. */
import type { Request } from "./request.ts";

const TOPIC_RESOURCE = 2;

export interface TopicConfig {
  readonly error: number;
  readonly values: ReadonlyMap<string, string>;
}

export function topicConfigRequest(topic: string, names: readonly string[]): Request<TopicConfig> {
  return {
    name: "DescribeConfigs",
    encode: (writer) => {
      writer.array([topic], (name) => {
        writer.int8(TOPIC_RESOURCE).string(name);
        writer.array(names, (one) => writer.string(one)).tags();
      });
      writer.boolean(false); // synonyms
      if (writer.version >= 3) writer.boolean(false); // documentation
    },
    decode: (reader) => {
      const throttleMs = reader.int32();
      const values = new Map<string, string>();
      const [error] = reader.array(() => {
        const error = reader.int16();
        reader.string(); // in words
        reader.int8();
        reader.string(); // the topic
        reader.array(() => {
          const name = reader.string() ?? "";
          const value = reader.string();
          reader.skip(3); // read only, source, sensitive
          reader.array(() => {
            reader.string();
            reader.string();
            reader.int8();
            reader.tags();
          });
          if (reader.version >= 3) {
            reader.int8(); // type
            reader.string(); // documentation
          }
          reader.tags();
          if (value !== null) values.set(name, value);
        });
        reader.tags();
        return error;
      });
      return { throttleMs, answer: { error: error ?? -1, values } };
    },
  };
}

const FOR_EVER = "-1";
/** What says for how long a topic keeps its records. */
export const KEEPING = ["cleanup.policy", "retention.ms", "min.compaction.lag.ms"] as const;

/**
 * Why a retry couldn't be told from another publish for as long as is promised, after the topic's name; undefined if it can.
 * What is read back goes twice as far, so that much must be there.
 */
export function forgetsIn(windowMs: number, { error, values }: TopicConfig): string | undefined {
  if (error !== 0) return "Kafka doesn't tell its configuration: allow DESCRIBE_CONFIGS";
  const policy = (values.get("cleanup.policy") ?? "").split(",").map((part) => part.trim());
  const isShort = (name: string) => {
    const text = values.get(name);
    return text === undefined || (text !== FOR_EVER && Number(text) < 2 * windowMs);
  };
  const tooShort = [
    ...(policy.includes("delete") && isShort("retention.ms") ? ["retention.ms"] : []),
    ...(policy.includes("compact") && isShort("min.compaction.lag.ms") ? ["min.compaction.lag.ms"] : []),
  ];
  if (tooShort.length === 0) return undefined;
  return `it must be kept for longer: set ${tooShort.join(" and ")} to ${2 * windowMs} or more`;
}
