/**
 * In which state a question of an object can be, and what changes that: R2, R5 and L8 of INTERNALS.md. Pure.
 *
 * The object's own question is asked from where it is, and is about itself:
 *
 *   settled ──missed──▶ due ──asks──▶ asked ──waiting──▶ held
 *      ▲                 ▲              │                 │
 *      └──── answered ───┴── (more) ────┴─────────────────┘         lost: due
 *
 * A question of others is about the position at which they wait. It ends when none of them is left there:
 *
 *              ┌──────────────── answered, and some are left ────────────────┐
 *              ▼                                                             │
 *   own ──▶ queued ──asks──▶ asked ──waiting──▶ held ◀──asks── tired         │
 *   answered   ▲                │ no room to hold it ──cancel──▶ ▲           │
 *              │                └──────────────┬─────────────────┴───────────┘
 *           stalled ◀── while the object's own is open, which may tell more          lost: queued
 */
import type { Position } from "../../shared/protocol/position.ts";

/** What the object asks for itself. */
export type Own =
  /** Nothing is known to be missing. */
  | { readonly kind: "settled" }
  /** It must ask, now or when it has a subscriber again. */
  | { readonly kind: "due" }
  | { readonly kind: "asked"; readonly id: number; readonly from: Position | undefined }
  /** The source said that its answer will take time. */
  | { readonly kind: "held"; readonly id: number; readonly from: Position | undefined };

export type OwnEvent =
  /** Something was missed, or may have been. An open question will be answered with it: asking twice helps nobody. */
  | { readonly kind: "missed" }
  | { readonly kind: "asks"; readonly id: number; readonly from: Position | undefined }
  | { readonly kind: "waiting" }
  /** `more`: it doesn't lead to where the source is. */
  | { readonly kind: "answered"; readonly more: boolean }
  /** What was asked won't be answered, and anything may have been missed. */
  | { readonly kind: "lost" };

export function stepOwn(own: Own, event: OwnEvent): Own {
  const isOpen = own.kind === "asked" || own.kind === "held";
  switch (event.kind) {
    case "missed":
      return isOpen ? own : { kind: "due" };
    case "asks":
      return own.kind === "due" ? { kind: "asked", id: event.id, from: event.from } : own;
    case "waiting":
      return isOpen ? { ...own, kind: "held" } : own;
    case "answered":
      return isOpen ? { kind: event.more ? "due" : "settled" } : own;
    case "lost":
      return { kind: "due" };
  }
}

/**
 * What is asked for those who wait at one position. `checked`: an answer knew less than the object, which has asked from
 * where it is since: the next one counts, whatever it knows, and so is given by no source that hasn't read as far.
 */
export type Theirs =
  /** It waits for its turn. `passed`: it was passed over once for questions that were open then, before this id. */
  | { readonly kind: "queued"; readonly checked: boolean; readonly passed: number | undefined }
  | { readonly kind: "asked"; readonly checked: boolean; readonly id: number }
  /** The source said that its answer will take time. */
  | { readonly kind: "held"; readonly checked: boolean; readonly id: number }
  /** The same, but too many are held: it was taken back, and is asked again when one of those has been answered. */
  | { readonly kind: "tired"; readonly checked: boolean }
  /** Its answer helped not all of them, and the object's own question may: it is asked again after that. */
  | { readonly kind: "stalled" };

export type TheirEvent =
  /** It has got a place. */
  | { readonly kind: "asks"; readonly id: number }
  | { readonly kind: "passedOver"; readonly before: number }
  | { readonly kind: "waiting"; readonly hasRoom: boolean }
  /** `steady`: nothing of the endpoint is missing in the object. */
  | { readonly kind: "answered"; readonly steady: boolean }
  | { readonly kind: "ownAnswered" }
  | { readonly kind: "lost" };

export const QUEUED: Theirs = { kind: "queued", checked: false, passed: undefined };

export function stepTheirs(theirs: Theirs, event: TheirEvent): Theirs {
  switch (event.kind) {
    case "asks":
      if (theirs.kind === "queued") return { kind: "asked", checked: theirs.checked, id: event.id };
      return theirs.kind === "tired" ? { kind: "held", checked: theirs.checked, id: event.id } : theirs;
    case "passedOver":
      return theirs.kind === "queued" ? { ...theirs, passed: theirs.passed ?? event.before } : theirs;
    case "waiting":
      if (theirs.kind !== "asked") return theirs;
      return event.hasRoom ? { ...theirs, kind: "held" } : { kind: "tired", checked: theirs.checked };
    case "answered":
      if (openId(theirs) === undefined) return theirs;
      return event.steady ? QUEUED : { kind: "stalled" };
    case "ownAnswered":
      return theirs.kind === "stalled" ? { kind: "queued", checked: true, passed: undefined } : theirs;
    case "lost":
      return QUEUED;
  }
}

/** Whether its next answer counts, whatever it knows. */
export function isChecked(question: Theirs): boolean {
  return question.kind !== "stalled" && question.checked;
}

/** The id of a question that the source has been asked. */
export function openId(question: Own | Theirs): number | undefined {
  return question.kind === "asked" || question.kind === "held" ? question.id : undefined;
}
