/** What a check has found, in one line. */

export interface Finding {
  /**
   * - `ok`: as it must be.
   * - `hint`: it works, but perhaps not as it was meant.
   * - `wrong`: it doesn't work.
   */
  readonly verdict: "ok" | "hint" | "wrong";
  /** What was looked at. */
  readonly what: string;
  readonly says: string;
  /** What to do about it, in one sentence. */
  readonly todo: string | undefined;
}

export const ok = (what: string, says: string): Finding => ({ verdict: "ok", what, says, todo: undefined });

export const hint = (what: string, says: string, todo: string): Finding => ({
  verdict: "hint",
  what,
  says,
  todo,
});

export const wrong = (what: string, says: string, todo: string): Finding => ({
  verdict: "wrong",
  what,
  says,
  todo,
});

/** Errors of others may have several lines. */
export function lineOf({ verdict, what, says, todo }: Finding): string {
  const text = `${verdict.padEnd(5)}  ${what}: ${says}${todo === undefined ? "" : ` → ${todo}`}`;
  return text.replaceAll(/\s*[\r\n]+\s*/g, " ");
}
