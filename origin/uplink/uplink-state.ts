/**
 * What an uplink is, from the dial to its end (U2, U11, U14). Pure; each cell says what it is after an event.
 *
 * The shard decides who is active. It may say so in its hello, or later, when another one has gone.
 */
import type { ShardHello } from "../../shared/protocol/uplink.ts";

export type UplinkKind = "dialling" | "greeting" | "standby" | "active" | "over";

/** `greeting`: this end has said hello. With the shard's own, it is of use. */
export type UplinkState =
  | { readonly kind: "dialling" | "greeting" }
  | { readonly kind: "standby" | "active"; readonly hello: ShardHello }
  | { readonly kind: "over"; readonly greeted: boolean };

export type UplinkEvent =
  | { readonly kind: "opened" }
  /** The shard's hello. */
  | { readonly kind: "standby" | "active"; readonly hello: ShardHello }
  | { readonly kind: "activated" }
  | { readonly kind: "ended" };

type Row = Readonly<Record<UplinkEvent["kind"], UplinkKind>>;

/** A second hello changes nothing, nor does what comes before the first one, or after the end. */
export const UPLINK_STATES: Readonly<Record<UplinkKind, Row>> = {
  dialling: {
    opened: "greeting",
    standby: "dialling",
    active: "dialling",
    activated: "dialling",
    ended: "over",
  },
  greeting: {
    opened: "greeting",
    standby: "standby",
    active: "active",
    activated: "greeting",
    ended: "over",
  },
  standby: { opened: "standby", standby: "standby", active: "standby", activated: "active", ended: "over" },
  active: { opened: "active", standby: "active", active: "active", activated: "active", ended: "over" },
  over: { opened: "over", standby: "over", active: "over", activated: "over", ended: "over" },
};

export function stepUplink(state: UplinkState, event: UplinkEvent): UplinkState {
  const kind = UPLINK_STATES[state.kind][event.kind];
  if (kind === state.kind) return state;
  if (kind === "over") return { kind, greeted: "hello" in state };
  if (kind === "dialling" || kind === "greeting") return { kind };
  const hello = "hello" in state ? state.hello : "hello" in event ? event.hello : undefined;
  return hello === undefined ? state : { kind, hello };
}
