import { parseObject } from "./json-object.ts";

/** What an error says, in every frame and in the body of every answer over HTTP (H6, S7). */
export interface ErrorBody {
  readonly code: string;
  readonly message: string;
  readonly retry: boolean;
  /** Of what a connection asked too often (S20), or of a token that can't be looked at yet (T3). */
  readonly retryAfterMs?: number | undefined;
}

/** undefined if this isn't what an error says. What later versions say beside it is left out. */
export function readErrorBody(json: unknown): ErrorBody | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  const { code, message, retry, retryAfterMs } = json as Readonly<Record<string, unknown>>;
  if (typeof code !== "string" || typeof message !== "string" || typeof retry !== "boolean") return undefined;
  if (retryAfterMs === undefined) return { code, message, retry };
  return typeof retryAfterMs === "number" && retryAfterMs >= 0
    ? { code, message, retry, retryAfterMs }
    : undefined;
}

/** What the body of an answer over HTTP says, as text; undefined if something else than an edge has answered. */
export function readErrorAnswer(text: string): ErrorBody | undefined {
  const json = parseObject(text);
  return json && "error" in json ? readErrorBody(json.error) : undefined;
}
