/**
 * V8 looks for garbage among what is old only when the heap has grown to a multiple of what lived when it last looked, and keeps
 * the pages that it empties. An edge whose clients have left allocates nothing, and would keep what is left of their objects for
 * ever, some 25 KB of each. So V8 is made to look, and to give back what is empty, which stops the process for as long as what
 * lives is large: 0.1 s beside 10 MB, 0.2 s beside 60 (Node 24).
 */
import { TIME_LIMITS } from "../time-limits.ts";
import type { Namespace } from "./namespace.ts";

/** What they leave is worth it. */
const LEAST_GONE = 2_000;
/** What lives is little beside it, */
const GONE_FOR_EACH_THERE = 4;
/** and little by itself. Where more objects live there is much going on, and V8 looks without being told. */
const MOST_THERE = 4_000;

// It isn't for the Worker.
const { gc } = globalThis;
Reflect.deleteProperty(globalThis, "gc");

/** In a turn of its own, when nothing on the stack holds anything. Only this flavor gives pages back. */
const giveBack = () => void gc?.({ type: "major", execution: "async", flavor: "last-resort" });

/** To be called now and then, with the time: gives memory back if most of what was there has gone since it last did. */
export function collector(
  namespaces: readonly Pick<Namespace, "size" | "gone">[],
  collect = giveBack,
): (now: number) => void {
  let goneBefore = 0;
  let notBefore = 0;
  return (now) => {
    const there = namespaces.reduce((sum, { size }) => sum + size, 0);
    const gone = namespaces.reduce((sum, { gone }) => sum + gone, 0);
    if (now < notBefore || there > MOST_THERE) return;
    if (gone - goneBefore < Math.max(LEAST_GONE, GONE_FOR_EACH_THERE * there)) return;
    goneBefore = gone;
    notBefore = now + TIME_LIMITS.collectMs;
    collect();
  };
}
