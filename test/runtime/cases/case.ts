/**
 * A case of the conformance suite: what a primitive of the platform does which the edge uses. Every expected value was recorded
 * on workerd.
 */
import type { Probing } from "../client.ts";

export interface Case {
  readonly title: string;
  readonly run: (probing: Probing) => Promise<unknown>;
  readonly expected: unknown;
}
