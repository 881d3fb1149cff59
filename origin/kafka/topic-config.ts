/** How a topic is configured, and whether it keeps for long enough what a publish is known by. */
/// <reference path="./kafkajs-parts.d.ts" />
import Encoder from "kafkajs/src/protocol/encoder.js";
import type { Request } from "./request.ts";

const TOPIC_RESOURCE = 2;
const NO_TAGS = 0;

export interface TopicConfig {
  readonly error: number;
  readonly values: ReadonlyMap<string, string>;
}

export function topicConfigRequest(topic: string, names: readonly string[]): Request<TopicConfig> {
  return {
    name: "DescribeConfigs",
    key: 32,
    version: 4,
    encode: () => {
      const encoder = new Encoder()
        .writeUVarInt(NO_TAGS)
        .writeUVarInt(2)
        .writeInt8(TOPIC_RESOURCE)
        .writeUVarIntString(topic)
        .writeUVarInt(names.length + 1);
      for (const name of names) encoder.writeUVarIntString(name);
      return encoder.writeUVarInt(NO_TAGS).writeBoolean(false).writeBoolean(false).writeUVarInt(NO_TAGS);
    },
    decode: (reader) => {
      reader.skipTags();
      const throttleMs = reader.int32();
      const values = new Map<string, string>();
      const [error] = reader.compactArray(() => {
        const error = reader.int16();
        reader.compactString(); // in words
        reader.int8();
        reader.compactString(); // the topic
        reader.compactArray(() => {
          const name = reader.compactString() ?? "";
          const value = reader.compactString();
          reader.skip(3); // read only, source, sensitive
          reader.compactArray(() => {
            reader.compactString();
            reader.compactString();
            reader.int8();
            reader.skipTags();
          });
          reader.int8(); // type
          reader.compactString(); // documentation
          reader.skipTags();
          if (value !== null) values.set(name, value);
        });
        reader.skipTags();
        return error;
      });
      reader.skipTags();
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
