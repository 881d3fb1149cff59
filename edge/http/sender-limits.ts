/** How much all connections of one sender may say and be sent together, as it is set: S20, S27 and M10 of PROTOCOL.md. */
import { hashOfName } from "../access/name-hash.ts";
import type { SenderLimits } from "../endpoint/sender-spending.ts";
import { type QuotaSettings, readQuotas } from "./quotas.ts";
import type { Sender } from "./sender.ts";

export const SENDER_SETTINGS = {
  FRAMES_PER_MINUTE: {
    means:
      "How many frames all connections of one address, or of the subject of tokens, may send in a minute.",
    default: "60000",
  },
  CONNECT_SUBSCRIBES_PER_MINUTE: {
    means:
      "How often all connections of many endpoints of one address, or of the subject of tokens, may subscribe, unsubscribe or renew a token in a minute.",
    default: "60000",
  },
  REPLAYED_PER_MINUTE: {
    means:
      "How many updates of the past all connections of one address, or of the subject of tokens, may be sent in a minute; what is larger than 1 KiB counts as several.",
    default: "600000",
  },
} as const;

export type SenderLimitSettings = { readonly [Name in keyof typeof SENDER_SETTINGS]?: string | undefined };

/** Throws, with what is wrong, if a setting isn't as it must be. */
export function senderLimits(settings: SenderLimitSettings & QuotaSettings): SenderLimits {
  const limit = (name: keyof typeof SENDER_SETTINGS, most: number) => {
    const times = Number(settings[name] || SENDER_SETTINGS[name].default);
    if (!Number.isInteger(times) || times < 1 || times > most)
      throw new Error(`${name} must be a whole number from 1 to ${most.toLocaleString("en-US")}`);
    return times;
  };
  const replayed = limit("REPLAYED_PER_MINUTE", 1_000_000_000);
  return {
    messages: inAMinute(limit("FRAMES_PER_MINUTE", 1_000_000)),
    asks: inAMinute(limit("CONNECT_SUBSCRIBES_PER_MINUTE", 1_000_000)),
    publishes: inAMinute(readQuotas(settings).publish.perMinute),
    // Who is sent a minute's worth at once stands in the way of others: what comes at once is two seconds' worth.
    replayed: { perSecond: replayed / 60, burst: Math.max(1, Math.floor(replayed / 30)) },
  };
}

/**
 * Whose connections are counted together, in a name that says nothing else of it; undefined if they aren't counted. As with
 * quotas, what comes from this machine isn't, unless one of these limits is set.
 */
export async function countedSender(
  sender: Sender | undefined,
  settings: SenderLimitSettings & QuotaSettings,
): Promise<string | undefined> {
  if (sender === undefined) return undefined;
  return sender.isOwn && !areSet(settings) ? undefined : hashOfName(sender.key);
}

/** Whether one of them is set by hand. */
export function areSet(settings: SenderLimitSettings & QuotaSettings): boolean {
  return Boolean(
    settings.FRAMES_PER_MINUTE ||
      settings.CONNECT_SUBSCRIBES_PER_MINUTE ||
      settings.PUBLISHES_PER_MINUTE ||
      settings.REPLAYED_PER_MINUTE,
  );
}

function inAMinute(times: number) {
  return { perSecond: times / 60, burst: times };
}
