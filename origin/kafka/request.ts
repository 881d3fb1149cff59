/** What may be asked of a broker, and how a request is framed. */
import type Encoder from "kafkajs/src/protocol/encoder.js";
import type { Heard } from "./hearing.ts";
import type { WireReader } from "./wire.ts";

export interface Request<T> {
  readonly name: string;
  readonly key: number;
  readonly version: number;
  /** What to send instead to a broker that knows it. */
  readonly newer?: Request<T>;
  /** How long the broker may be silent before and within its answer, if not as long as for others. */
  readonly silenceMs?: number;
  /** Whether to give up an answer of so many bytes, of which that much has come: less is asked for instead. */
  readonly giveUp?: (heard: Heard, bytes: number) => boolean;
  encode(): Encoder;
  decode(reader: WireReader): { readonly throttleMs: number; readonly answer: T };
}

/** Of a request's header, without the client's name: length, key, version, number, and how long the name is. */
const HEADER_BYTES = 14;

/** A request as it goes to the broker, in one buffer. */
export function frameOf<T>(
  { key, version, encode }: Request<T>,
  correlationId: number,
  clientId: Buffer,
): Buffer {
  const body = encode().buffer;
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + clientId.length + body.length);
  bytes.writeInt32BE(bytes.length - 4, 0);
  bytes.writeInt16BE(key, 4);
  bytes.writeInt16BE(version, 6);
  bytes.writeInt32BE(correlationId, 8);
  bytes.writeInt16BE(clientId.length, 12);
  bytes.set(clientId, HEADER_BYTES);
  bytes.set(body, HEADER_BYTES + clientId.length);
  return bytes;
}
