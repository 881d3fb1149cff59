/**
 * What a shard and an origin say of publishes: rules W6–W10 of INTERNALS.md. A publish travels as a binary frame, whose
 * header is followed by the value's bytes; the answer is a control frame to the shard.
 *
 *   {"publish":"/orders/42","id":7001,"issuer":"local","subject":"alice","key":"c0ffee","by":"client","withinMs":9000,"until":1764000008000,"n":9}⏎{"qty":1}
 *   0⇥{"published":7001,"position":"Zk3x9Q.3:1077"}
 */
import * as v from "valibot";
import { encodeBytesFrame, splitBytesFrame } from "./bytes-frame.ts";
import { type Decoded, decodeHeaders, encodeHeader, type Header } from "./frame.ts";
import { LIMITS } from "./limits.ts";
import { describe, EndpointSchema, HeadersSchema, IdSchema } from "./schemas.ts";

/** What is to become a record, and what its publisher calls that. */
export interface Publish {
  /** Canonical path. */
  readonly endpoint: string;
  /** Hashes of whose publish it is; both empty if nobody said. */
  readonly issuer: string;
  readonly subject: string;
  /** The same twice is one publish. */
  readonly key: string;
  /** Whose key it is. */
  readonly by: "client" | "edge";
  readonly headers: readonly Header[];
  /** null is a tombstone. */
  readonly value: Uint8Array | null;
}

/** As a shard puts it to an origin. */
export interface PublishRequest extends Publish {
  /** Of the shard's, for the answer. */
  readonly id: number;
  /** An answer is wanted within so many milliseconds. */
  readonly withinMs: number;
  /** Nothing is written for it from then on: milliseconds since 1970, by whichever clock is asked. */
  readonly until: number;
  /** Whether to take the partition over, if another origin writes it. */
  readonly claim: boolean;
}

const HeadSchema = v.object({
  publish: EndpointSchema,
  id: IdSchema,
  issuer: v.string(),
  subject: v.string(),
  key: v.string(),
  by: v.picklist(["client", "edge"]),
  withinMs: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  until: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  claim: v.optional(v.literal(true)),
  h: v.optional(HeadersSchema),
  d: v.optional(v.literal(true)),
  n: v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(LIMITS.valueBytes)),
});

const EMPTY = new Uint8Array(0);

export function encodePublish(request: PublishRequest): Uint8Array<ArrayBuffer> {
  const { endpoint, id, issuer, subject, key, by, withinMs, until, claim, headers, value } = request;
  const fields = {
    ...{ publish: endpoint, id, issuer, subject, key, by, withinMs, until },
    claim: claim || undefined,
    h: headers.length > 0 ? headers.map(encodeHeader) : undefined,
    d: value === null || undefined,
  };
  return encodeBytesFrame(fields, value ?? EMPTY);
}

/** The value is a view on the frame. */
export function decodePublish(frame: Uint8Array<ArrayBuffer>): Decoded<PublishRequest> {
  const parts = splitBytesFrame(frame);
  if (parts === undefined) return { ok: false, problem: "publish: its header is one JSON object" };
  const { head, bytes } = parts;
  const read = isPlain(head) ? { success: true as const, output: head } : v.safeParse(HeadSchema, head);
  if (!read.success) return { ok: false, problem: `publish: ${describe(read.issues)}` };
  const { publish: endpoint, id, issuer, subject, key, by, withinMs, until } = read.output;
  const { claim = false, h = [], d, n } = read.output;
  if (bytes.length !== n || (d && n > 0)) return { ok: false, problem: "publish: n isn't the value's size" };
  const headers = decodeHeaders(h);
  if (headers === undefined) return { ok: false, problem: "publish: a header isn't the base64 that it says" };
  const value = d ? null : bytes;
  return {
    ok: true,
    value: { endpoint, id, issuer, subject, key, by, withinMs, until, claim, headers, value },
  };
}

/** Whether a header is as nearly all are, which takes a tenth of the schema's time. Of any other the schema judges. */
function isPlain(json: object): json is v.InferOutput<typeof HeadSchema> {
  const head: { readonly [Name in keyof v.InferOutput<typeof HeadSchema>]?: unknown } = json;
  return (
    typeof head.publish === "string" &&
    head.publish.startsWith("/") &&
    typeof head.issuer === "string" &&
    typeof head.subject === "string" &&
    typeof head.key === "string" &&
    (head.by === "client" || head.by === "edge") &&
    isCount(head.id) &&
    isCount(head.withinMs) &&
    isCount(head.until) &&
    isCount(head.n) &&
    head.n <= LIMITS.valueBytes &&
    (head.claim === undefined || head.claim === true) &&
    (head.d === undefined || head.d === true) &&
    head.h === undefined
  );
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** What is promised where a log can't see to it that a publish is one record: it may be several. */
export const GUARANTEE = "at-least-once";
export type Guarantee = typeof GUARANTEE;

/** How an origin answers: the record's position, or an error by the name that origin/publish/result.ts gives it. */
export type Published =
  | { readonly position: string; readonly guarantee?: Guarantee | undefined }
  | { readonly error: { readonly code: string; readonly message: string } };

export const PublishedSchema = v.union([
  v.object({
    published: IdSchema,
    position: v.pipe(v.string(), v.minLength(1)),
    guarantee: v.optional(v.literal(GUARANTEE)),
  }),
  v.object({ published: IdSchema, error: v.object({ code: v.string(), message: v.string() }) }),
]);

export function encodePublished(id: number, result: Published): string {
  return JSON.stringify({ published: id, ...result });
}

/** Which origin writes a partition. Of several that say so, the highest number does: compared by id, then by epoch. */
export interface WriterNumber {
  readonly id: number;
  readonly epoch: number;
}

/** By what number an origin writes a partition; that it is about to take it; or that it does neither. */
export type WriterStanding = WriterNumber | "taking" | undefined;

/** An origin writes a partition from here on, is about to, or no longer does. */
export interface Writing {
  readonly topic: string;
  readonly partition: number;
  /** How many partitions the topic has. */
  readonly partitions: number;
  readonly number: WriterStanding;
}

const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

export const WritingSchema = v.object({
  writes: v.string(),
  partition: Count,
  partitions: v.pipe(Count, v.minValue(1)),
  number: v.optional(v.tuple([Count, Count])),
  taking: v.optional(v.literal(true)),
});

export function readWriting(o: v.InferOutput<typeof WritingSchema>): Writing {
  const [id, epoch] = o.number ?? [];
  const has = id === undefined || epoch === undefined ? undefined : { id, epoch };
  const number = has ?? (o.taking ? "taking" : undefined);
  return { topic: o.writes, partition: o.partition, partitions: o.partitions, number };
}

export function encodeWriting({ topic, partition, partitions, number }: Writing): string {
  const standing = number === "taking" ? { taking: true } : number && { number: [number.id, number.epoch] };
  return JSON.stringify({ writes: topic, partition, partitions, ...standing });
}
