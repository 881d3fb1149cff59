/** What is asked of a broker only to examine it: which requests it knows, and how topics are configured. */
/// <reference path="../kafka/kafkajs-parts.d.ts" />
import Encoder from "kafkajs/src/protocol/encoder.js";
import type { Request } from "../kafka/connection.ts";

const FETCH_KEY = 1;
const TOPIC_RESOURCE = 2;
const NO_TAGS = 0;

/** The newest version of Fetch that the broker knows; 0 where it knows none. */
export function fetchVersionRequest(): Request<number> {
  return {
    name: "ApiVersions",
    key: 18,
    version: 0,
    encode: () => new Encoder(),
    decode: (reader) => {
      reader.int16(); // error
      let newest = 0;
      for (let left = reader.int32(); left > 0; left--) {
        const key = reader.int16();
        reader.int16(); // the oldest
        const version = reader.int16();
        if (key === FETCH_KEY) newest = version;
      }
      return { throttleMs: 0, answer: newest };
    },
  };
}

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
