/** The latest record of an endpoint, by a request of its own (H1). */
import { tagsIn } from "../../protocol/entity-tags.ts";
import { type ErrorBody, readErrorAnswer } from "../../protocol/error-body.ts";
import type { RawValue } from "../api/codec.ts";
import type { Tokens } from "../api/tokens.ts";

export interface Latest<T = unknown> {
  /** Canonical path. */
  readonly endpoint: string;
  /** Subscribe `from` it to get what comes after. */
  readonly position: string;
  /** Milliseconds since 1970; undefined if the record has none. */
  readonly timestamp: number | undefined;
  readonly value: T;
  /** As it was produced; undefined if it is no text. */
  text(): string | undefined;
  bytes(): Uint8Array;
}

/** That there is no value is no error. */
const NO_VALUE: readonly string[] = ["unknown_key", "deleted"];

export interface LatestQuestion<T> {
  /** Canonical path. */
  readonly endpoint: string;
  readonly url: URL;
  readonly tokens: Tokens;
  readonly decode: (raw: RawValue) => T;
  readonly signal: AbortSignal | undefined;
  /** What is thrown: of the class that the application knows. */
  readonly failure: (error: ErrorBody) => Error;
}

/**
 * undefined if the key has no record, or was deleted. Rejects with a failure: `unreachable` if there was no answer, else with
 * the code of the edge; with the reason of the signal; and with what the codec or the schema throws.
 */
export async function latestOf<T>(question: LatestQuestion<T>): Promise<Latest<T> | undefined> {
  const { endpoint, tokens, decode, signal, failure } = question;
  const token = await within(signal, tokens.current());
  let answer = await request(question, token);
  if (answer.status === 401 && token !== "") {
    // It may have ended meanwhile.
    const another = await within(signal, tokens.another(token));
    if (another !== token) answer = await request(question, another);
  }
  const { status, headers, body } = answer;
  if (status !== 200) {
    const error = errorOf(status, body);
    if (NO_VALUE.includes(error.code)) return undefined;
    throw failure(error);
  }
  const raw = rawOf(headers.get("Content-Type") ?? "", body);
  const timestamp = headers.get("Distributary-Timestamp");
  return {
    endpoint,
    position: tagsIn(headers.get("ETag") ?? "")[0] ?? "",
    timestamp: timestamp === null ? undefined : Number(timestamp),
    value: decode(raw),
    text: raw.text,
    bytes: raw.bytes,
  };
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

async function request<T>({ url, signal, failure }: LatestQuestion<T>, token: string): Promise<Answer> {
  const headers: Record<string, string> = token === "" ? {} : { Authorization: `Bearer ${token}` };
  try {
    const response = await fetch(url, { headers, ...(signal && { signal }) });
    const body = new Uint8Array(await response.arrayBuffer());
    return { status: response.status, headers: response.headers, body };
  } catch {
    signal?.throwIfAborted();
    const message = "the edge could not be reached, or answers no pages of this origin";
    throw failure({ code: "unreachable", message, retry: true });
  }
}

/** A proxy before the edge has bodies of its own. */
function errorOf(status: number, body: Uint8Array): ErrorBody {
  const said = readErrorAnswer(new TextDecoder().decode(body));
  return said ?? { code: "refused", message: `refused with ${status}`, retry: status >= 500 };
}

function rawOf(type: string, body: Uint8Array): RawValue {
  const kind = type.startsWith("application/json") ? "json" : type.startsWith("text/") ? "text" : "bytes";
  // A byte order mark is part of what was produced.
  const text = kind === "bytes" ? undefined : new TextDecoder("utf-8", { ignoreBOM: true }).decode(body);
  const json = () => (kind === "json" ? JSON.parse(text ?? "") : undefined);
  return { kind, text: () => text, json, bytes: () => body };
}

/** Rejects as soon as the signal aborts. What it waited for goes on, and its failure is nobody's. */
export function within<T>(signal: AbortSignal | undefined, value: T | Promise<T>): Promise<T> {
  if (signal === undefined) return Promise.resolve(value);
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    Promise.resolve(value)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", abort));
  });
}
