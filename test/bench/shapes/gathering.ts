/**
 * What a shard gathers for a link: updates that come within a set time of the last message wait, and leave in one. What
 * comes later leaves at once, so that a quiet link adds no delay. Pure.
 */

/** When an update leaves that comes at `at`, after a message that left at `before`. */
export function leavesAt(at: number, before: number, gatherMs: number): number {
  return Math.max(at, before + gatherMs);
}

/**
 * Messages a second if updates come by chance, so many a second: after each message nothing leaves for the set time, and
 * then, if nothing has come, it takes until something does.
 */
export function messagesPerSecond(updates: number, gatherMs: number): number {
  if (updates === 0) return 0;
  const seconds = gatherMs / 1_000;
  return 1 / (seconds + Math.exp(-updates * seconds) / updates);
}

/** However they come. */
export function mostMessagesPerSecond(updates: number, gatherMs: number): number {
  return gatherMs === 0 ? updates : Math.min(updates, 1_000 / gatherMs);
}

/** Of so many messages a second those that hold something for one of whom so many updates a second are. */
export function messagesFor(updates: number, messages: number): number {
  return messages === 0 ? 0 : -messages * Math.expm1(-updates / messages);
}
