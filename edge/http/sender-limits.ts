/** How much all connections of one sender may say together, as it is set: S20 and M10 of PROTOCOL.md. */
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
} as const;

export type SenderLimitSettings = { readonly [Name in keyof typeof SENDER_SETTINGS]?: string | undefined };

/** Throws, with what is wrong, if a setting isn't as it must be. */
export function senderLimits(settings: SenderLimitSettings & QuotaSettings): SenderLimits {
  const limit = (name: keyof typeof SENDER_SETTINGS) => {
    const times = Number(settings[name] || SENDER_SETTINGS[name].default);
    if (!Number.isInteger(times) || times < 1 || times > 1_000_000)
      throw new Error(`${name} must be a whole number from 1 to 1,000,000`);
    return inAMinute(times);
  };
  return {
    messages: limit("FRAMES_PER_MINUTE"),
    asks: limit("CONNECT_SUBSCRIBES_PER_MINUTE"),
    publishes: inAMinute(readQuotas(settings).publish.perMinute),
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
    settings.FRAMES_PER_MINUTE || settings.CONNECT_SUBSCRIBES_PER_MINUTE || settings.PUBLISHES_PER_MINUTE,
  );
}

function inAMinute(times: number) {
  return { perSecond: times / 60, burst: times };
}
