/**
 * Endpoints and their URLs: rules A1–A7, A13. One key, one URL, whatever its bytes are.
 */
import { CLIENT_LIMITS } from "./client-limits.ts";

export interface Address {
  readonly topic: string;
  readonly key: Uint8Array;
  /** The canonical path, `/{topic}/{key}`: the endpoint's name everywhere. */
  readonly path: string;
}

export type AddressResult =
  /**
   * `canonical` is false if the path was another spelling of `address.path`; `isBase64`, if it was the one that any proxy
   * passes on as it is (A13), which is served like the canonical one.
   */
  | {
      readonly ok: true;
      readonly address: Address;
      readonly canonical: boolean;
      readonly isBase64: boolean;
    }
  | { readonly ok: false; readonly code: "bad_address" | "key_too_long" | "not_found" };

/** Kafka's own rule for names of topics; all its characters stand for themselves in a URL. */
export const TOPIC = /^(?!\.\.?$)[A-Za-z0-9._-]{1,249}$/;

/** Keys that a URL parser would collapse (`.`, `..`, an empty segment), however they were encoded. */
const SPECIAL: ReadonlyMap<string, string> = new Map([
  ["", "$"],
  [".", "$."],
  ["..", "$.."],
]);
const SPECIAL_KEYS: ReadonlyMap<string, string> = new Map([...SPECIAL].map(([key, text]) => [text, key]));

/** RFC 3986's unreserved characters stand for themselves; every other byte is %XX in upper case. */
const ENCODED: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  return /[A-Za-z0-9._~-]/.test(character)
    ? character
    : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
});

const encoder = new TextEncoder();

export function isTopicName(text: string): boolean {
  return TOPIC.test(text);
}

/** The canonical path of a key of up to CLIENT_LIMITS.keyBytes; the topic must be a topic name. */
export function endpointPath(topic: string, key: Uint8Array): string {
  return `/${topic}/${encodeKey(key)}`;
}

function encodeKey(key: Uint8Array): string {
  let text = "";
  for (const byte of key) text += ENCODED[byte];
  return SPECIAL.get(text) ?? text;
}

/**
 * Reads the path of a URL as a URL parser left it. A spelling that is not canonical but means one endpoint
 * without doubt is read, so that the caller can redirect; anything else is refused.
 */
export function parseAddress(path: string): AddressResult {
  const slash = path.indexOf("/", 1);
  if (path[0] !== "/" || slash < 0) return { ok: false, code: "not_found" };
  const topic = path.slice(1, slash);
  const rest = path.slice(slash + 1);
  if (rest === "" || rest.includes("/") || topic === "" || topic[0] === "$")
    return { ok: false, code: "not_found" };
  if (!isTopicName(topic)) return { ok: false, code: "bad_address" };
  const isPlain = PLAIN.test(rest);
  const isBase64 = rest.startsWith(BASE64);
  const key = isPlain ? encoder.encode(rest) : isBase64 ? decodeBase64(rest) : decodeKey(rest);
  if (key === undefined) return { ok: false, code: "bad_address" };
  if (key.length > CLIENT_LIMITS.keyBytes) return { ok: false, code: "key_too_long" };
  const canonical = isPlain ? path : endpointPath(topic, key);
  return { ok: true, address: { topic, key, path: canonical }, canonical: canonical === path, isBase64 };
}

/** What a key begins with whose bytes follow in base64url. A literal `$` is always `%24`. */
const BASE64 = "$b64.";

/** Another path of an endpoint (A13), of characters that no proxy spells anew. */
export function base64Path({ topic, key }: Pick<Address, "topic" | "key">): string {
  const text = btoa(String.fromCharCode(...key));
  return `/${topic}/${BASE64}${text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")}`;
}

/** Undefined if it is not as `base64Path` writes it: one key has one such path. */
function decodeBase64(rest: string): Uint8Array | undefined {
  const text = rest.slice(BASE64.length);
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined;
  const bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const key = Uint8Array.from(bytes, (character) => character.charCodeAt(0));
  return base64Path({ topic: "", key }) === `//${rest}` ? key : undefined;
}

/** Of characters that stand for themselves, however often they are read. */
const PLAIN = /^(?!\.\.?$)[A-Za-z0-9._~-]+$/;

function decodeKey(text: string): Uint8Array | undefined {
  const special = SPECIAL_KEYS.get(text);
  if (special !== undefined) return encoder.encode(special);
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "%") {
      const hex = text.slice(i + 1, i + 3);
      if (!/^[0-9A-Fa-f]{2}$/.test(hex)) return undefined;
      bytes.push(Number.parseInt(hex, 16));
      i += 2;
      continue;
    }
    // Surrogate pairs are one character of four bytes.
    const character = String.fromCodePoint(text.codePointAt(i) ?? 0);
    if (character.length === 2) i++;
    bytes.push(...encoder.encode(character));
  }
  return Uint8Array.from(bytes);
}

/** The shard that carries an endpoint: 32-bit FNV-1a of its path, modulo the number of shards. */
export function shardOf(path: string, shards: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < path.length; i++) hash = Math.imul(hash ^ path.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % shards;
}
