/** What may be asked of a broker, and how a request is framed. */
import { ApiReader } from "./api-reader.ts";
import { ApiWriter } from "./api-writer.ts";
import { APIS, type ApiName, type Bounds, isFlexible } from "./apis.ts";
import type { Heard } from "./hearing.ts";

export interface Request<T> {
  readonly name: ApiName;
  /** Within which its version must be, if not just any that this client knows. */
  readonly versions?: Bounds;
  /** How long the broker may be silent before and within its answer, if not as long as for others. */
  readonly silenceMs?: number;
  /** Whether to give up an answer of so many bytes, of which that much has come: less is asked for instead. */
  readonly giveUp?: ((heard: Heard, bytes: number) => boolean) | undefined;
  encode(writer: ApiWriter): void;
  decode(reader: ApiReader): { readonly throttleMs: number; readonly answer: T };
}

const LENGTH_BYTES = 4;

/** A request as it goes to the broker, in one buffer. @param client How this one calls itself. */
export function frameOf<T>(
  { name, encode }: Request<T>,
  version: number,
  correlationId: number,
  client: Uint8Array,
): Buffer {
  const writer = new ApiWriter(version, isFlexible(name, version));
  writer.int32(0); // its length, once that is known
  writer.int16(APIS[name].key).int16(version).int32(correlationId).int16(client.length).raw(client);
  // The tags that end the header, and those that end the request.
  encode(writer.tags());
  const { bytes } = writer.tags();
  bytes.writeInt32BE(bytes.length - LENGTH_BYTES);
  return bytes;
}

/** What a broker has answered. Throws WireError, or what the answer says went wrong. */
export function answerOf<T>({ name, decode }: Request<T>, version: number, bytes: Buffer) {
  const reader = new ApiReader(bytes, version, isFlexible(name, version));
  reader.tags(); // of its header
  return decode(reader);
}
