/**
 * The keys of an issuer behind a URL (`jwks_uri`), as one isolate has them. They are asked for again when they are old, and
 * when a token names one that isn't known; at most once in 30 s, whatever tokens say and however the issuer answers. While it
 * doesn't answer, or not with keys, those that are known serve for a day.
 *
 * Tokens that name made-up keys can use up the one question at any time. So only keys that were asked for since a token came
 * can tell that there is none of its name: one that was published a moment ago must not be refused for good.
 */
import { TIME_LIMITS } from "../time-limits.ts";
import { type KeySet, keyOf, readKeySet, type VerificationKey } from "./key-set.ts";

export interface RemoteKeysPorts {
  fetch(url: string, init: { readonly signal: AbortSignal; readonly redirect: "manual" }): Promise<Response>;
  /** Milliseconds. */
  now(): number;
  /** What goes wrong, for the log: the issuer's answers are not repeated. */
  problem(words: string): void;
}

/**
 * Keeps what a request has begun alive when it ends, or is cancelled: else workerd ends that too (`waitUntil`). Whoever asks
 * for a key brings it, since it belongs to a request.
 */
export type KeepAlive = (work: Promise<unknown>) => void;

export const REMOTE_KEYS = {
  /** Between the ends and beginnings of two questions. */
  pauseMs: TIME_LIMITS.keysPauseMs,
  /** After which keys are asked for again: so long a key that its issuer took away may still verify. */
  freshMs: TIME_LIMITS.keysFreshMs,
  /** For how long they serve while the issuer doesn't answer. */
  staleMs: TIME_LIMITS.keysStaleMs,
  /** For an answer, all of it; and for each that waits for one, whoever asked. */
  answerMs: TIME_LIMITS.keysAnswerMs,
  bytes: 256 * 1_024,
} as const;

export type KeyResult =
  | { readonly kind: "key"; readonly key: VerificationKey }
  /** The issuer has none of this name. */
  | { readonly kind: "unknown" }
  /** Nothing is known of the issuer's keys, or not whether one of this name is new. After so long it may be asked again. */
  | { readonly kind: "unavailable"; readonly retryMs: number };

type Known = { readonly keys: KeySet; readonly askedAt: number; readonly at: number } | undefined;

type Question =
  | { readonly kind: "none" }
  | { readonly kind: "asked"; readonly at: number; readonly answer: Promise<void> }
  | { readonly kind: "answered"; readonly at: number };

export class RemoteKeys {
  readonly #url: string;
  readonly #ports: RemoteKeysPorts;
  #known: Known;
  #question: Question = { kind: "none" };

  constructor(url: string, ports: RemoteKeysPorts) {
    this.#url = url;
    this.#ports = ports;
  }

  async key(kid: string | undefined, keepAlive: KeepAlive): Promise<KeyResult> {
    const key = this.#find(kid);
    if (key !== undefined) {
      // It needs no answer to go on.
      if (this.#age() >= REMOTE_KEYS.freshMs) void this.#ask(keepAlive);
      return { kind: "key", key };
    }
    const cameAt = this.#ports.now();
    await inTime(this.#ask(keepAlive));
    const found = this.#find(kid);
    if (found !== undefined) return { kind: "key", key: found };
    if (this.#known !== undefined && this.#known.askedAt >= cameAt) return { kind: "unknown" };
    return { kind: "unavailable", retryMs: this.#pauseMs(this.#ports.now()) };
  }

  #find(kid: string | undefined): VerificationKey | undefined {
    if (this.#age() >= REMOTE_KEYS.staleMs) this.#known = undefined;
    return this.#known && keyOf(this.#known.keys, kid);
  }

  #age(): number {
    return this.#known === undefined ? 0 : this.#ports.now() - this.#known.at;
  }

  /** How long nothing may be asked. */
  #pauseMs(now: number): number {
    return this.#question.kind === "none" ? 0 : Math.max(0, this.#question.at + REMOTE_KEYS.pauseMs - now);
  }

  /** Resolves when the question that is open, or a new one, has been answered; undefined if none may be asked now. */
  #ask(keepAlive: KeepAlive): Promise<void> | undefined {
    const now = this.#ports.now();
    // One whose request the runtime has ended all the same never ends: after its time it is over.
    if (this.#question.kind === "asked" && now - this.#question.at < REMOTE_KEYS.answerMs)
      return this.#question.answer;
    if (this.#pauseMs(now) > 0) return undefined;
    const answer = this.#fetch()
      .then(
        (keys) => {
          this.#known = { keys, askedAt: now, at: this.#ports.now() };
        },
        (error) => {
          this.#ports.problem(
            `the keys of ${shown(this.#url)} can't be had: ${error instanceof Error ? error.message : ""}`,
          );
        },
      )
      .finally(() => {
        this.#question = { kind: "answered", at: this.#ports.now() };
      });
    this.#question = { kind: "asked", at: now, answer };
    // It belongs to the request that asks, though others wait for it, too.
    keepAlive(answer);
    return answer;
  }

  async #fetch(): Promise<KeySet> {
    const signal = AbortSignal.timeout(REMOTE_KEYS.answerMs);
    const response = await this.#ports.fetch(this.#url, { signal, redirect: "manual" });
    if (response.status !== 200) {
      await response.body?.cancel();
      // A redirect could lead inside, and whom the deployment trusts is said by its settings alone.
      throw new Error(`it answers with status ${response.status}`);
    }
    const keys = await readKeySet(readJson(await readText(response, REMOTE_KEYS.bytes)));
    if (keys === undefined) throw new Error("it answers with no key that can verify tokens");
    return keys;
  }
}

/** A query may hold a key of the issuer's API. */
function shown(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

/** Resolves with the answer, and no later than it may take: the question may be another request's, and have died with it. */
async function inTime(answer: Promise<void> | undefined): Promise<void> {
  if (answer === undefined) return;
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, REMOTE_KEYS.answerMs);
  try {
    await Promise.race([answer, over]);
  } finally {
    clearTimeout(timer);
  }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What the parser says repeats a piece of the text.
    throw new Error("it answers with no JSON");
  }
}

async function readText(response: Response, atMost: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    // Leaving the loop cancels the rest.
    if (bytes > atMost) throw new Error(`it answers with more than ${atMost} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
