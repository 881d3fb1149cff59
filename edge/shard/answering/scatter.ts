/**
 * One question that is put to each of several slices, so that one answer can be given: what is known of each slice, and
 * whether that is enough. N6 and N8 of INTERNALS.md. Pure.
 *
 *                    ┌── says that it takes time, or 1 s passes ──▶ skipped
 *                    │                                                 │
 *   missing ──put──▶ asked ───────────────answers──────────────────▶ answered
 *      ▲                                                           │   ▲
 *      └── lost, from wherever                 others take longer  │   │
 *                                                                  ▼   │
 *                              pressed ◀── another one answers ── released
 *                                 └───────────────answers──────────────┘
 */
import { TIME_LIMITS } from "../../time-limits.ts";

/** How long a slice that says nothing is waited for, if another one can answer. */
export const SILENT_SLICE_MS = TIME_LIMITS.sliceSilentMs;

/** How one slice stands to a question. */
export type SliceState<A> =
  /** Nobody has been asked there: it has no active origin. */
  | { readonly kind: "missing" }
  /** Its answer is waited for, unless it takes time. */
  | { readonly kind: "asked" }
  /** It may still answer, and isn't waited for. */
  | { readonly kind: "skipped" }
  | { readonly kind: "answered"; readonly answer: A }
  /** It had answered, but others took longer than an answer is held. */
  | { readonly kind: "released" }
  /**
   * After that it was asked again, and is waited for though it takes time: if the answers of others were released
   * meanwhile, two slices would undo one another's for ever.
   */
  | { readonly kind: "pressed" };

export type SliceEvent<A> =
  /** The question is put to its active origin, for the first time or again. */
  | { readonly kind: "put" }
  | { readonly kind: "answers"; readonly answer: A }
  /** It says that its answer takes time. */
  | { readonly kind: "takesTime" }
  /** It has said nothing for as long as a slice is waited for. */
  | { readonly kind: "late" }
  /** No more can be held until it answers. */
  | { readonly kind: "full" }
  /** Others take longer than its answer is held. */
  | { readonly kind: "release" }
  /** The question is put to it again, since another one has answered after it was released. */
  | { readonly kind: "press" }
  /** Its origin has gone. `keeps`: an answer that has come is good without it. */
  | { readonly kind: "lost"; readonly keeps: boolean };

const MISSING = { kind: "missing" } as const;
const ASKED = { kind: "asked" } as const;
const SKIPPED = { kind: "skipped" } as const;
const RELEASED = { kind: "released" } as const;
const PRESSED = { kind: "pressed" } as const;

export function stepSlice<A>(state: SliceState<A>, event: SliceEvent<A>): SliceState<A> {
  switch (event.kind) {
    case "put":
      return ASKED;
    case "answers":
      return state.kind === "answered" ? state : { kind: "answered", answer: event.answer };
    case "takesTime":
    case "late":
      return state.kind === "asked" ? SKIPPED : state;
    case "full":
      return state.kind === "asked" || state.kind === "pressed" ? SKIPPED : state;
    case "release":
      return state.kind === "answered" ? RELEASED : state;
    case "press":
      return state.kind === "released" ? PRESSED : state;
    case "lost":
      return state.kind === "answered" && event.keeps ? state : MISSING;
  }
}

/** Where a question stands, all slices taken together. */
export type Progress =
  /** A slice is waited for. */
  | "open"
  /** Each slice has answered. */
  | "whole"
  /** Nobody is waited for, but some may still answer. */
  | "partial"
  /** As things are, no slice that hasn't answered will. */
  | "over";

export class Scatter<A> {
  readonly #count: number;
  /** By number, the one that changed last coming last; one that isn't here is missing. */
  readonly #states = new Map<number, SliceState<A>>();

  constructor(count: number) {
    this.#count = count;
  }

  step(slice: number, event: SliceEvent<A>): void {
    const before = this.#states.get(slice) ?? MISSING;
    const after = stepSlice(before, event);
    if (after === before) return;
    this.#states.delete(slice);
    if (after.kind !== "missing") this.#states.set(slice, after);
  }

  /** The same happens to each slice. */
  stepAll(event: SliceEvent<A>): void {
    for (const slice of [...this.#states.keys()]) this.step(slice, event);
  }

  answerOf(slice: number): A | undefined {
    const state = this.#states.get(slice);
    return state?.kind === "answered" ? state.answer : undefined;
  }

  /** By the number of their slice, in the order in which they came. */
  answers(): ReadonlyMap<number, A> {
    const answers = new Map<number, A>();
    for (const [slice, state] of this.#states)
      if (state.kind === "answered") answers.set(slice, state.answer);
    return answers;
  }

  /** The numbers of the slices whose answers were released. */
  released(): readonly number[] {
    return [...this.#states].filter(([, { kind }]) => kind === "released").map(([slice]) => slice);
  }

  get progress(): Progress {
    const kinds = new Set<SliceState<A>["kind"]>();
    let answered = 0;
    for (const { kind } of this.#states.values()) {
      kinds.add(kind);
      if (kind === "answered") answered++;
    }
    if (kinds.has("asked") || kinds.has("pressed")) return "open";
    if (answered === this.#count) return "whole";
    return kinds.has("skipped") ? "partial" : "over";
  }
}
