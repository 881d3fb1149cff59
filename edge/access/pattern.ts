/**
 * Patterns of endpoints in a token's grants. They are written as canonical paths (A2) and compared on the decoded bytes of
 * topic and key, so that no spelling of a path gets past one:
 *
 * - `/quotes/AAPL` is one endpoint;
 * - `/quotes/*`, `/quotes/A*`, `/quotes-*` and `/*` are all whose path begins so; nothing may follow the star;
 * - `{name}` stands for a claim of the same token, as a literal: what it holds is never a pattern again.
 *
 * A claim that isn't there, is empty, isn't a text or holds a `/` matches nothing, so that a subject called `a/b` gets
 * nothing of `a`'s. Neither does a star follow a claim: `{sub}*` would give `al` what is `alice`'s.
 */
import { type Address, endpointPath, parseAddress, TOPIC } from "../../shared/protocol/address.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";

/** Characters of a pattern as it is written: a topic's name, and a key of 1,024 bytes, each as %XX. */
const PATTERN_CHARACTERS = 3_400;

export type Claims = Readonly<Record<string, unknown>>;

/** What a pattern names. */
export type Matcher =
  | { readonly kind: "nothing" }
  /** Topics that begin so, with all their keys. */
  | { readonly kind: "topics"; readonly prefix: string }
  | { readonly kind: "keys"; readonly topic: string; readonly key: Uint8Array; readonly prefix: boolean };

export type PatternResult =
  | { readonly ok: true; readonly matcher: Matcher }
  | { readonly ok: false; readonly problem: string };

const NOTHING: Matcher = { kind: "nothing" };

/** Names of claims as JWTs usually have them; none is looked for inside another. */
const CLAIM = /\{([A-Za-z0-9_-]{1,64})\}/;

const encoder = new TextEncoder();

export function readPattern(text: string, claims: Claims): PatternResult {
  if (text.length > PATTERN_CHARACTERS)
    return refused(`a pattern has more than ${PATTERN_CHARACTERS} characters`);
  if (text[0] !== "/") return refused("a pattern must begin with /");
  const prefix = text.endsWith("*");
  const body = prefix ? text.slice(1, -1) : text.slice(1);
  if (body.includes("*")) return refused("only the last character of a pattern may be *");
  if (prefix && body.endsWith("}")) return refused("a * right after a claim would match what begins like it");
  const [topicText = "", keyText, ...more] = body.split("/");
  if (more.length > 0) return refused("a / in a key is written as %2F");
  if (keyText === undefined)
    return prefix ? topics(topicText) : refused("a pattern is /topic/key, or ends with *");
  const topic = literals(topicText, claims);
  const key = literals(keyText, claims);
  if (topic === "malformed" || key === "malformed")
    return refused("a claim is written as {name}, of letters, digits, _ and -");
  const problem = problemOf(keyText, prefix);
  if (problem !== undefined) return refused(problem);
  if (topic === "nothing" || key === "nothing") return { ok: true, matcher: NOTHING };
  const name = topic.map(({ text: one }) => one).join("");
  // A claim can hold anything, and that is nobody's mistake.
  if (!TOPIC.test(name)) return topic.some(({ claim }) => claim) ? { ok: true, matcher: NOTHING } : noTopic();
  const bytes = bytesOf(keyText, key, prefix);
  // Nor is it that no key is so long; a beginning is as long at most as one can be written.
  if (bytes.length > LIMITS.keyBytes - (prefix ? 1 : 0)) return { ok: true, matcher: NOTHING };
  return { ok: true, matcher: { kind: "keys", topic: name, key: bytes, prefix } };
}

export function matches(matcher: Matcher, { topic, key }: Pick<Address, "topic" | "key">): boolean {
  switch (matcher.kind) {
    case "nothing":
      return false;
    case "topics":
      return topic.startsWith(matcher.prefix);
    case "keys":
      if (topic !== matcher.topic) return false;
      if (matcher.prefix ? key.length < matcher.key.length : key.length !== matcher.key.length) return false;
      return matcher.key.every((byte, i) => key[i] === byte);
  }
}

/** As it would be written without claims; undefined for what names nothing. */
export function patternText(matcher: Matcher): string | undefined {
  switch (matcher.kind) {
    case "nothing":
      return undefined;
    case "topics":
      return `/${matcher.prefix}*`;
    case "keys": {
      const { topic, key, prefix } = matcher;
      if (!prefix) return endpointPath(topic, key);
      // A beginning has no special spelling.
      return `/${topic}/${endpointPath(topic, Uint8Array.of(0x5f, ...key)).slice(topic.length + 3)}*`;
    }
  }
}

function topics(prefix: string): PatternResult {
  return prefix === "" || TOPIC.test(prefix) ? { ok: true, matcher: { kind: "topics", prefix } } : noTopic();
}

interface Literal {
  readonly text: string;
  /** Whether a claim held it; else it is written as in a path. */
  readonly claim: boolean;
}

function literals(text: string, claims: Claims): readonly Literal[] | "nothing" | "malformed" {
  const parts: Literal[] = [];
  let nothing = false;
  for (const [i, part] of text.split(CLAIM).entries()) {
    const claim = i % 2 === 1;
    if (!claim && /[{}]/.test(part)) return "malformed";
    const value = claim ? (Object.hasOwn(claims, part) ? claims[part] : undefined) : part;
    const usable =
      typeof value === "string" && (!claim || (value !== "" && !value.includes("/") && value.isWellFormed()));
    if (usable) parts.push({ text: value, claim });
    else nothing = true;
  }
  return nothing ? "nothing" : parts;
}

/** Why a key isn't written as its canonical path has it, whatever its claims hold. */
function problemOf(text: string, prefix: boolean): string | undefined {
  if (text === "") return prefix ? undefined : "the empty key is written as $";
  // What begins like the special spelling of a key can't be told from that key.
  if (prefix && text[0] === "$") return "nothing begins with $";
  // A beginning has no special spelling, whatever it is.
  const parsed = parseAddress(`/t/${prefix ? "_" : ""}${text.replace(new RegExp(CLAIM, "g"), "x")}`);
  if (!parsed.ok)
    return parsed.code === "key_too_long" ? "a key has at most 1,024 bytes" : "a pattern holds a malformed %";
  return parsed.canonical ? undefined : "a pattern is written as the canonical path of what it names";
}

function bytesOf(keyText: string, parts: readonly Literal[], prefix: boolean): Uint8Array {
  // As it stands: the longest key has no room for a character more.
  if (!prefix && !parts.some(({ claim }) => claim)) return written(keyText);
  const bytes = parts.map(({ text, claim }) =>
    claim ? encoder.encode(text) : written(`_${text}`).subarray(1),
  );
  const all = new Uint8Array(bytes.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const one of bytes) {
    all.set(one, at);
    at += one.length;
  }
  return all;
}

/** The key that a path has, which is known to be canonical. */
function written(text: string): Uint8Array {
  const parsed = parseAddress(`/t/${text}`);
  if (!parsed.ok) throw new Error(`no key is written as ${text}`);
  return parsed.address.key;
}

const noTopic = () => refused("a pattern names no topic");

function refused(problem: string): PatternResult {
  return { ok: false, problem };
}
