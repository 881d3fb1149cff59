/** What is asked of a broker only to examine it: which requests it knows. */
/// <reference path="../kafka/kafkajs-parts.d.ts" />
import Encoder from "kafkajs/src/protocol/encoder.js";
import type { Request } from "../kafka/request.ts";

const FETCH_KEY = 1;

/** The newest version of Fetch that the broker knows; 0 if it knows none. */
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
