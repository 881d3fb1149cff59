/** Publishes as requests (W1–W5), and what their answers mean on a connection (W23). Pure. */
import { splitBytesFrame } from "../../protocol/bytes-frame.ts";
import { type ErrorBody, readErrorAnswer } from "../../protocol/error-body.ts";
import { type Frame, toBase64 } from "../../protocol/frame.ts";
import { parseObject } from "../../protocol/json-object.ts";
import { PUBLISH_HEADERS } from "../../protocol/version.ts";

export interface Post {
  readonly id: number;
  /** Canonical path. */
  readonly endpoint: string;
  readonly method: "POST" | "DELETE";
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer> | undefined;
}

/** undefined: there was none, or it was lost. */
export type PostAnswer =
  | { readonly status: number; readonly text: string; readonly retryAfterMs: number | undefined }
  | undefined;

/** A frame that publishes, as this client writes them (up.ts). */
export interface Published {
  readonly id: number;
  readonly pub: string;
  readonly idempotencyKey?: string;
  readonly h?: readonly (readonly [string, string | null, string?])[];
}

/** undefined if the frame is none that publishes. */
export function publishedBy(
  frame: Frame,
): { readonly head: Published; readonly value: Post["body"] } | undefined {
  const read =
    typeof frame === "string" ? { head: parseObject(frame), bytes: undefined } : splitBytesFrame(frame);
  if (read?.head === undefined || !("pub" in read.head)) return undefined;
  return { head: read.head as unknown as Published, value: read.bytes };
}

/** The request, or why none says the same. */
export function postOf(
  { id, pub, idempotencyKey, h = [] }: Published,
  value: Post["body"],
): Post | ErrorBody {
  const headers: Record<string, string> = {};
  if (idempotencyKey !== undefined) headers[PUBLISH_HEADERS.key] = quoted(idempotencyKey);
  for (const [name, text, base64] of h) {
    const problem = problemOf(name, text, headers);
    if (problem !== undefined)
      return {
        code: "unsupported",
        message: `the record's header ${name} can't travel by HTTP: ${problem}`,
        retry: false,
      };
    // HTTP leaves out the space around a value, and has no letters beyond ASCII.
    const isPlain = base64 === undefined && /^(?! )[\x20-\x7e]*(?<! )$/.test(text ?? "");
    if (isPlain) headers[PUBLISH_HEADERS.text + name] = text ?? "";
    else
      headers[PUBLISH_HEADERS.base64 + name] = base64 ? (text ?? "") : toBase64(encoder.encode(text ?? ""));
  }
  return { id, endpoint: pub, method: value === undefined ? "DELETE" : "POST", headers, body: value };
}

const encoder = new TextEncoder();

const quoted = (key: string) => `"${key.replace(/["\\]/g, "\\$&")}"`;

/** Headers of HTTP have names of lower case, each once, and always a value. */
function problemOf(
  name: string,
  text: string | null,
  headers: Readonly<Record<string, string>>,
): string | undefined {
  if (!/^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name))
    return "its name has other characters than HTTP takes, or capitals";
  if (text === null) return "it is null";
  const isThere = PUBLISH_HEADERS.text + name in headers || PUBLISH_HEADERS.base64 + name in headers;
  return isThere ? "it comes twice" : undefined;
}

/** The frame that says it. What nobody answered, or an edge didn't, may be a record. */
export function answerTo(id: number, answer: PostAnswer): string {
  const said = answer && parseObject(answer.text);
  if (answer?.status === 201 && said && "position" in said) {
    const { position, guarantee } = said as { readonly position: string; readonly guarantee?: string };
    return JSON.stringify({ id, ok: { position, guarantee } });
  }
  return JSON.stringify({ id, error: errorOf(answer) });
}

function errorOf(answer: PostAnswer): ErrorBody {
  if (answer === undefined) return { ...LOST, message: "the publish had no answer" };
  const { status, text, retryAfterMs } = answer;
  const error = readErrorAnswer(text);
  if (error !== undefined) return { ...error, retryAfterMs };
  const message = `something in front of the edge answered with ${status}`;
  // What is refused so hasn't passed it.
  return status >= 400 && status < 500 && status !== 408 && status !== 429
    ? { code: status === 413 ? "too_large" : "refused", message, retry: false }
    : { ...LOST, message };
}

const LOST = { code: "unknown_outcome", retry: true } as const;
