/** The same deployment in every shape that can hold it, priced. Pure. */
import { HARSHEST, KINDEST } from "./estimate-assumptions.ts";
import { layoutOfPlan, type Plan } from "./estimate-events.ts";
import { type Limit, limitsOf } from "./estimate-limits.ts";
import { type Estimate, estimate } from "./estimate-model.ts";
import { PRICES } from "./prices.ts";
import type { Shape } from "./shapes/layouts.ts";

export interface Bounds {
  readonly lower: number;
  readonly upper: number;
}

export interface Variant {
  readonly shape: Shape;
  readonly carriers: Plan["carriers"];
  /** Whether the product can be run so. What can't is priced all the same, to know what it would bring. */
  readonly exists: boolean;
}

/** No session holds an object of one endpoint awake: that costs more than all that it could be sent. */
export const VARIANTS: readonly Variant[] = [
  { shape: "direct", carriers: "messages", exists: true },
  { shape: "both", carriers: "messages", exists: true },
  { shape: "relays", carriers: "messages", exists: true },
  { shape: "relays", carriers: "sessions", exists: false },
  { shape: "buckets", carriers: "messages", exists: false },
  { shape: "buckets", carriers: "sessions", exists: false },
  { shape: "shards", carriers: "messages", exists: false },
];

export interface PricedShape extends Variant {
  /** That hold subscribers; of `shards` those. */
  readonly objects: number;
  readonly dollars: Bounds;
  /** What gathering adds to an update at most, in milliseconds. */
  readonly gatherMs: number;
  /** Limits that it passes whatever is assumed, in words. */
  readonly passed: readonly string[];
}

/** The cheapest first, by the upper bound, of those that pass no limit. */
export function shapesFor(plan: Plan): PricedShape[] {
  const priced = VARIANTS.flatMap((variant) => {
    const { shape, carriers } = variant;
    const layout = layoutOfPlan({ ...plan, ...variant });
    if (layout === undefined) return [];
    const objects = shape === "shards" ? layout.shards : layout.objects;
    const gathers = shape === "relays" || shape === "buckets" || (shape === "both" && plan.each > 1);
    const gatherMs = gathers ? plan.gatherMs : 0;
    const passed = limitsOf({ ...plan, shape }).flatMap((limit) =>
      passing(limit) === "yes" ? [limit.what] : [],
    );
    return [{ ...variant, objects, gatherMs, dollars: dollarsOf({ ...plan, shape, carriers }), passed }];
  });
  return priced.sort(
    (a, b) => Number(a.passed.length > 0) - Number(b.passed.length > 0) || a.dollars.upper - b.dollars.upper,
  );
}

export function dollarsOf(plan: Plan): Bounds {
  return { lower: monthOf(estimate(plan, KINDEST)), upper: monthOf(estimate(plan, HARSHEST)) };
}

export function monthOf({ dollars }: Estimate): number {
  return PRICES.minimum + dollars;
}

export function passing({ lower, upper, limit }: Limit): "no" | "perhaps" | "yes" {
  if (Math.min(lower, upper) > limit) return "yes";
  return Math.max(lower, upper) > limit ? "perhaps" : "no";
}
