/**
 * A publish on its way from the object that has its socket to the shard, and the answer on its way back: rule W26 of
 * INTERNALS.md. The object keeps nothing of it: the frame names the socket, and so does the answer.
 *
 *   {"publish":"/orders/42","socket":4711,"id":2,"key":"c0ffee","by":"client","n":9}⏎{"qty":1}
 *   {"published":{"socket":4711,"id":2,"position":"Zk3x9Q.3:1077"}}
 */
import * as v from "valibot";
import { encodeBytesFrame, splitBytesFrame } from "./bytes-frame.ts";
import type { ErrorBody } from "./error-body.ts";
import { type Decoded, decodeHeaders, encodeHeader } from "./frame.ts";
import { GUARANTEE, type Guarantee, type Publish } from "./publish.ts";
import { type TokenNames, TokenNamesSchema, writeNames } from "./revocation.ts";
import { describe, EndpointSchema, ErrorBodySchema, HeadersSchema, IdSchema } from "./schemas.ts";

/** By whose token it is published, as far as that is looked at again. */
export interface PublishToken {
  readonly names: TokenNames;
  /** Milliseconds since 1970. */
  readonly until: number;
}

export interface LinkPublish {
  /** The socket's tag, and the id that its client gave the frame. */
  readonly socket: number;
  readonly id: number;
  /** undefined for "public". */
  readonly token: PublishToken | undefined;
  /** By issuer and subject of the token; both are empty without. */
  readonly publish: Publish;
}

const HeadSchema = v.object({
  publish: EndpointSchema,
  socket: IdSchema,
  id: IdSchema,
  key: v.string(),
  by: v.picklist(["client", "edge"]),
  token: v.optional(v.object({ names: TokenNamesSchema, until: v.pipe(v.number(), v.minValue(0)) })),
  h: v.optional(HeadersSchema),
  d: v.optional(v.literal(true)),
  n: v.number(),
});

const EMPTY = new Uint8Array(0);
const PUBLIC_NAMES = { issuer: "", subject: "" };

export function encodeLinkPublish({ socket, id, token, publish }: LinkPublish): Uint8Array<ArrayBuffer> {
  const { endpoint, key, by, headers, value } = publish;
  const fields = {
    ...{ publish: endpoint, socket, id, key, by },
    token: token && { names: writeNames(token.names), until: token.until },
    h: headers.length > 0 ? headers.map(encodeHeader) : undefined,
    d: value === null || undefined,
  };
  return encodeBytesFrame(fields, value ?? EMPTY);
}

/** The value is a view on the frame. */
export function decodeLinkPublish(frame: Uint8Array<ArrayBuffer>): Decoded<LinkPublish> {
  const parts = splitBytesFrame(frame);
  if (parts === undefined) return { ok: false, problem: "publish: its header is one JSON object" };
  const read = v.safeParse(HeadSchema, parts.head);
  if (!read.success) return { ok: false, problem: `publish: ${describe(read.issues)}` };
  const { publish: endpoint, socket, id, token, h = [], d, n, ...same } = read.output;
  const { bytes } = parts;
  if (bytes.length !== n || (d && n > 0)) return { ok: false, problem: "publish: n isn't the value's size" };
  const headers = decodeHeaders(h);
  if (headers === undefined) return { ok: false, problem: "publish: a header isn't the base64 that it says" };
  const { issuer, subject } = token?.names ?? PUBLIC_NAMES;
  const publish = { ...same, issuer, subject, endpoint, headers, value: d ? null : bytes };
  return { ok: true, value: { socket, id, token, publish } };
}

/** Whom it is for, and how it went. */
export interface LinkPublished {
  readonly socket: number;
  readonly id: number;
  readonly result:
    | { readonly position: string; readonly guarantee?: Guarantee | undefined }
    /** `key`: with which it can be sent again, if the edge made it. */
    | { readonly error: ErrorBody; readonly key: string | undefined };
}

const To = { socket: IdSchema, id: IdSchema };

export const LinkPublishedSchema = v.object({
  published: v.union([
    v.object({
      ...To,
      position: v.pipe(v.string(), v.minLength(1)),
      guarantee: v.optional(v.literal(GUARANTEE)),
    }),
    v.object({ ...To, error: ErrorBodySchema, key: v.optional(v.string()) }),
  ]),
});

export function readLinkPublished({ published }: v.InferOutput<typeof LinkPublishedSchema>): LinkPublished {
  const { socket, id, ...result } = published;
  return { socket, id, result: "position" in result ? result : { error: result.error, key: result.key } };
}

export function encodeLinkPublished({ socket, id, result }: LinkPublished): string {
  return JSON.stringify({ published: { socket, id, ...result } });
}
