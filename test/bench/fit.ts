/** Least squares for what a run costs: `cost = a × updates + b × deliveries`. Pure. */

export interface Sample {
  readonly updates: number;
  readonly deliveries: number;
  /** In the unit that `a` and `b` shall have. */
  readonly cost: number;
}

export interface Fit {
  /** Per update. */
  readonly a: number;
  /** Per delivery. */
  readonly b: number;
  /** The largest deviation of a sample from the line, as a share of the sample. */
  readonly worst: number;
}

/**
 * Every sample counts alike, however large it is: deviations are taken as shares. Undefined if the samples can't
 * tell the two apart, as one sample can't, nor several with the same deliveries for each update.
 */
export function fitCost(samples: readonly Sample[]): Fit | undefined {
  let uu = 0;
  let ud = 0;
  let dd = 0;
  let u1 = 0;
  let d1 = 0;
  for (const { updates, deliveries, cost } of samples) {
    const u = updates / cost;
    const d = deliveries / cost;
    uu += u * u;
    ud += u * d;
    dd += d * d;
    u1 += u;
    d1 += d;
  }
  const determinant = uu * dd - ud * ud;
  if (!(determinant > 1e-9 * uu * dd)) return undefined;
  const a = (dd * u1 - ud * d1) / determinant;
  const b = (uu * d1 - ud * u1) / determinant;
  const deviations = samples.map(({ updates, deliveries, cost }) =>
    Math.abs((a * updates + b * deliveries) / cost - 1),
  );
  return { a, b, worst: Math.max(...deviations) };
}
