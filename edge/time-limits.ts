/**
 * How long the edge waits for what, and how often it looks. One table; docs/time-limits.md has it for people, and a
 * test sees that both agree. Waits that grow have bounds (backoff.ts).
 */
import type { BackoffBounds } from "../shared/core/backoff.ts";

export const TIME_LIMITS = {
  // Shards
  /** A silent active uplink is taken for dead, one that isn't ready may be replaced (U13). */
  failoverMs: 3_000,
  /** The longest that this is doubled to (U13). */
  failoverLongestMs: 30_000,
  /** A time that was long enough for so long is halved again (U13). */
  failoverSteadyMs: 60_000,
  /** If no standby was heard for so long, it was the shard that didn't hear (U13). */
  shardDeafMs: 2_000,
  /** A slice that says nothing is waited for, if another one can answer (N6). */
  sliceSilentMs: 1_000,
  /** For the answer to a GET (U8). */
  questionMs: 5_000,
  /** GETs wait for the answer that is under way: for a later one (U8), or for that one (H15). */
  questionUnderWayMs: 1_000,
  /** After so long a cache that failed is tried again (H15). */
  cacheAgainMs: 60_000,
  /** A large value that nobody has asked for so long is held no more (U8). */
  largeValueMs: 10_000,
  /** For a publish to be answered (W9). */
  publishMs: 10_000,
  /** So much sooner an origin is to answer (W9). */
  publishMarginMs: 500,
  /** So much sooner its time to be written is over, by the clock of whoever writes: so far clocks may differ (W9). */
  publishClocksMs: 2_000,
  /** Before a publish is sent again of which it isn't known whether it was done (W9). */
  publishAgainMs: 100,
  /** The least that a client should wait whose publish on a socket isn't taken just now (W23). */
  publishLaterMs: 1_000,
  /** An object that has no link holds publishes for so long (W26). */
  publishHeldMs: 5_000,
  /** Between two looks at publishes that aren't answered. */
  publishLookMs: 100,
  /** Between two requests to take a partition over (W8). */
  takeoverAgainMs: 3_000,
  /** The longest that this is doubled to (W8). */
  takeoverLongestMs: 30_000,
  /** After so long without one it is what it was (W8). */
  takeoverSteadyMs: 60_000,
  /** For an origin to say hello on its uplink (U2). */
  uplinkHelloMs: 10_000,
  /** An endpoint stays attached after its last subscriber has gone (L5). */
  lingerMs: 30_000,
  /** The same of one whose key has no record: anybody can think of as many of these as they like (L5). */
  lingerNothingMs: 1_000,
  /** For objects to say how many subscribers they hold (O2). */
  countAnswerMs: 500,
  /** Between two such numbers of an endpoint from one object (O2). */
  countSpacingMs: 500,
  /** Objects go on to say it for so long after somebody has asked (O2), and so does a shard after an origin has (D6). */
  countWantedMs: 60_000,
  /** Between two times that subscribers are told how many there are altogether (O3). */
  occupancyToldMs: 1_000,
  /** For an origin to say how many subscribers other edges have (D6). */
  countElsewhereMs: 1_000,
  /** Between two requests for that, as long as it is wanted (D6). */
  countElsewhereAgainMs: 20_000,
  /** What an origin has said counts for so long after its uplink has ended, unless another one says something (D6). */
  countElsewhereKeptMs: 10_000,
  /** Between two numbers of an endpoint that an origin is told for other edges (D6). */
  countForOriginMs: 400,
  /** For an object to take a link. */
  objectDialMs: 10_000,
  /** Between dials of an object. */
  objectDialAgain: { baseMs: 250, maxMs: 30_000 },
  /** The dials of a shard that restarts are spread over so long. */
  objectDialSpreadMs: 1_000,
  /** Objects that attach so soon after one another are noted together. */
  notesMs: 5,
  /** Between two times that this is done. */
  notesApartMs: 50,
  /** For the first shard to tell another one what was revoked, which that waits for when it begins (A9). */
  shardLearnMs: 3_000,
  /** For origins to bring a revocation to all edges (D4). */
  shardSpreadMs: 4_000,
  /** Between such questions, if it didn't. */
  shardLearnAgain: { baseMs: 250, maxMs: 30_000 },
  /** An object is woken no sooner than this after it asked for that (L9). */
  wakeSoonestMs: 100,
  /** Between two looks at whom to wake, however far off that is: a clock may be set (L9). */
  wakeLookMs: 60_000,
  // Endpoint objects
  /** Between asks for a link. */
  linkAgain: { baseMs: 250, maxMs: 10_000 },
  /** A shard that has noted an object has dialled it within so long, or will not. */
  linkDialMs: 15_000,
  /** Before an object asks a shard that dials all by itself after a break. */
  linkLaterMs: 1_000,
  /** Over so long more these are spread. */
  linkLaterSpreadMs: 4_000,
  /** Between two looks at whether a full subscriber has room, or its sender may be sent more of the past (S27). */
  roomLookMs: 50,
  /** A subscriber that takes nothing of what it is sent, its verdict first, for so long is closed (S9), and so is a large answer to a GET. */
  takesNothingMs: 30_000,
  /** Between two looks at what subscribers haven't taken; if there is too much, who took nothing meanwhile is closed (S9). */
  unsentLookMs: 1_000,
  /** After its verdict it is looked at whether a subscriber has taken it (S9). */
  unsentFirstLookMs: 100,
  /** What a subscriber hadn't taken when it was closed counts for so long (S9). */
  unsentLeftMs: 30_000,
  /** Past that a socket of a token's subject, of which nothing was heard, may be closed for another one (S20), and so may any connection of which nothing was ever heard (M1). */
  subscriberSilentMs: 60_000,
  /** Before a token ends, its bearer is told (S17). */
  tokenNoticeMs: 60_000,
  /** For a token that is renewed on its socket to be verified (S18). */
  renewalMs: 5_000,
  /** A sender that the platform gives no ticket of frames, or of updates of the past, has none for so long (S20, S27). */
  ticketAgainMs: 10_000,
  /** An object of many endpoints writes its rows when nothing has happened for so long (L14). */
  relayQuietMs: 5_000,
  /** Less than that isn't a clock that was set back. */
  clockSetBackMs: 2_000,
  // The Worker
  /** An object that was full isn't asked again for so long: others take subscribers in its place (A11). */
  crowdedMs: 60_000,
  /** For the body of a publish to come in whole (W1). */
  publishBodyMs: 10_000,
  /** A sender that makes keys up is sent to rooms at once for so long (L16). */
  guesserMs: 60_000,
  /** What a sender asks for too fast, a GET or what was before, waits for so long before it is refused (H14, S27). */
  quotaPatienceMs: 5_000,
  /** For room for a large answer to a GET, before it is refused. */
  answerRoomMs: 5_000,
  /** For a shard to say how it is. */
  shardStatusMs: 5_000,
  /** Strangers are told the same health for so long, if it is good (H10). */
  healthFreshMs: 1_000,
  /** For a shard to store a revocation, or to tell of some. */
  shardRevokesMs: 5_000,
  /** Between the end of one question for an issuer's keys and the next. */
  keysPauseMs: 30_000,
  /** An issuer's keys are asked for again after so long. */
  keysFreshMs: 600_000,
  /** They serve for so long while the issuer doesn't answer. */
  keysStaleMs: 86_400_000,
  /** For an issuer to send its keys. */
  keysAnswerMs: 5_000,
  /** An object that has said nothing to an event stream is asked whether it is there: the heartbeat (E5). */
  streamSilentMs: 15_000,
  /** For its answer. */
  streamPongMs: 10_000,
  /** For the answer to a subscribe of an event stream (S13). */
  streamVerdictMs: 30_000,
  /** The longest that a client waits before it opens its event stream again (E4). */
  streamBackMs: 2_000,
  /** The same after an error that may pass. */
  streamBackLaterMs: 10_000,
  /** The longest that a GET waits for news (H13). */
  pollLongestMs: 30_000,
  /** For what followed a position to come, before a GET tells what there is of it (H12). */
  pollPageMs: 5_000,
} satisfies Readonly<Record<string, number | BackoffBounds>>;
