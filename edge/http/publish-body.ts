/** The body of a publish, whole: W1 of PROTOCOL.md. It is held while it comes, so that it has a bound and a time. */

/** A body that has one. */
export interface Body {
  readonly body: ReadableStream<Uint8Array> | null;
  readonly headers: { get(name: string): string | null };
}

/** @param signal Aborts when it has taken too long. */
export async function readBody(
  { body, headers }: Body,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array | "tooLarge" | "tooSlow"> {
  if (Number(headers.get("Content-Length") ?? 0) > maxBytes) return "tooLarge";
  const reader = body?.getReader();
  const slow = new Promise<"tooSlow">((resolve) =>
    signal.addEventListener("abort", () => resolve("tooSlow"), { once: true }),
  );
  const chunks: Uint8Array[] = [];
  let size = 0;
  while (reader !== undefined) {
    const next = await Promise.race([reader.read(), slow]);
    if (next !== "tooSlow" && next.done) break;
    if (next !== "tooSlow") {
      chunks.push(next.value);
      size += next.value.byteLength;
    }
    if (next === "tooSlow" || size > maxBytes) {
      // The rest is let go, and whether that works is nobody's concern.
      void reader.cancel().catch(() => {});
      return next === "tooSlow" ? "tooSlow" : "tooLarge";
    }
  }
  return joined(chunks, size);
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined) return only;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
