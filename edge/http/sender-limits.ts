/** How much all connections of many endpoints of one sender may ask together, as it is set: M10 of PROTOCOL.md. */
import type { SenderLimits } from "../endpoint/connection-limits.ts";
import { type QuotaSettings, readQuotas } from "./quotas.ts";

export const SENDER_SETTING = {
  CONNECT_SUBSCRIBES_PER_MINUTE: {
    means:
      "How often all connections of many endpoints of one address, or of the subject of tokens, may subscribe, unsubscribe or renew a token in a minute.",
    default: "60000",
  },
} as const;

export type SenderSetting = { readonly [Name in keyof typeof SENDER_SETTING]?: string | undefined };

/** Throws, with what is wrong, if a setting isn't as it must be. */
export function senderLimits(settings: SenderSetting & QuotaSettings): SenderLimits {
  const { default: unset } = SENDER_SETTING.CONNECT_SUBSCRIBES_PER_MINUTE;
  const asks = Number(settings.CONNECT_SUBSCRIBES_PER_MINUTE || unset);
  if (!Number.isInteger(asks) || asks < 1 || asks > 1_000_000)
    throw new Error("CONNECT_SUBSCRIBES_PER_MINUTE must be a whole number from 1 to 1,000,000");
  return { asks: inAMinute(asks), publishes: inAMinute(readQuotas(settings).publish.perMinute) };
}

/** Whether one of them is set by hand, and so for this machine's own addresses, too. */
export function areSet(settings: SenderSetting & QuotaSettings): boolean {
  return Boolean(settings.CONNECT_SUBSCRIBES_PER_MINUTE || settings.PUBLISHES_PER_MINUTE);
}

function inAMinute(times: number) {
  return { perSecond: times / 60, burst: times };
}
