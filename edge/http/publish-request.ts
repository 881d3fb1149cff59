/** What the headers of a publish say, and how large it may be: W1–W4 of PROTOCOL.md. Pure. */
import type { Header } from "../../shared/protocol/frame.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { isPublishKey, KEY_PROBLEM, problemOfHeaders } from "../../shared/protocol/publication.ts";
import { PUBLISH_HEADERS } from "../../shared/protocol/version.ts";

export const PUBLISH_SETTING = {
  PUBLISH_MAX_BYTES: {
    means: "How many bytes a value may have that is published.",
    default: String(1024 * 1024),
  },
} as const;

/** Throws, with what is wrong, if the setting isn't as it must be. */
export function publishMaxBytes({
  PUBLISH_MAX_BYTES: text,
}: {
  readonly PUBLISH_MAX_BYTES?: string | undefined;
}): number {
  const bytes = Number(text || PUBLISH_SETTING.PUBLISH_MAX_BYTES.default);
  if (!Number.isInteger(bytes) || bytes < 1 || bytes > LIMITS.valueBytes)
    throw new Error(`PUBLISH_MAX_BYTES must be a whole number from 1 to ${LIMITS.valueBytes}`);
  return bytes;
}

export interface PublishHeaders {
  /** Of the record. */
  readonly headers: readonly Header[];
  /** What its client calls the publish; undefined if it says nothing. */
  readonly key: string | undefined;
  /** Whether the position alone will do as an answer. */
  readonly minimal: boolean;
}

export type PublishHeadersResult =
  | { readonly ok: true; readonly read: PublishHeaders }
  | { readonly ok: false; readonly problem: string };

const { text: TEXT, base64: BASE64, key: KEY } = PUBLISH_HEADERS;
const VISIBLE = /^[\x20-\x7e]*$/;
const OF_BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export function readPublishHeaders(given: Headers): PublishHeadersResult {
  const key = readKey(given.get(KEY));
  if (key !== undefined && !isPublishKey(key)) return wrong(`${KEY} ${KEY_PROBLEM}`);
  const headers: Header[] = [];
  for (const [name, value] of given) {
    const read = readHeader(name, value);
    if (read === undefined) continue;
    if (typeof read === "string") return wrong(read);
    if (headers.some(([other]) => other === read[0]))
      return wrong(`the record's header ${read[0]} comes as text and as base64: send it once`);
    headers.push(read);
  }
  const problem = problemOfHeaders(headers);
  if (problem !== undefined) return wrong(problem);
  const minimal = /(^|,)\s*return\s*=\s*"?minimal"?\s*(;|,|$)/i.test(given.get("Prefer") ?? "");
  return { ok: true, read: { headers, key, minimal } };
}

/** Those of a preflight that a page may send: what a publish has, and what every request may have. */
export function allowedOf(requested: string | undefined, always: readonly string[]): string[] {
  const asked = (requested ?? "").split(",").map((name) => name.trim().toLowerCase());
  const known = [...always, "Content-Type", "Prefer", KEY];
  const ofRecords = asked.filter((name) => (nameIn(name, TEXT) ?? nameIn(name, BASE64) ?? "") !== "");
  return [...known, ...ofRecords];
}

/** As it stands, or as a structured field's string, in quotes. */
function readKey(text: string | null): string | undefined {
  if (text === null) return undefined;
  const [, quoted] = /^"((?:[^"\\]|\\["\\])*)"$/.exec(text.trim()) ?? [];
  return quoted?.replaceAll(/\\(.)/g, "$1") ?? text.trim();
}

/** undefined: it is no record's; a sentence: it can't be one. */
function readHeader(name: string, value: string): Header | string | undefined {
  const text = nameIn(name, TEXT);
  const base64 = text === undefined ? nameIn(name, BASE64) : undefined;
  const own = text ?? base64;
  if (own === undefined) return undefined;
  if (own === "") return `${name} lacks a name`;
  if (text !== undefined)
    return VISIBLE.test(value) ? [own, value] : `${name} isn't ASCII: ${BASE64}${own} takes any bytes`;
  const bytes = OF_BASE64.test(value) ? bytesOf(value) : undefined;
  return bytes === undefined ? `${name} isn't base64 with padding` : [own, bytes];
}

function bytesOf(base64: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function nameIn(name: string, prefix: string): string | undefined {
  return name.toLowerCase().startsWith(prefix.toLowerCase())
    ? name.slice(prefix.length).toLowerCase()
    : undefined;
}

function wrong(problem: string): PublishHeadersResult {
  return { ok: false, problem };
}
