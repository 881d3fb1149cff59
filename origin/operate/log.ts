/**
 * What the origin says about itself: one line per event on stderr, as JSON, or as text if stderr is a
 * terminal. Events are a closed set; each has its level and its sentence here.
 */
export const LEVELS = ["error", "warn", "info", "debug"] as const;

export type Level = (typeof LEVELS)[number];

export const EVENTS = {
  started: ["info", "the origin runs"],
  stopping: ["info", "the origin stops"],
  status: ["info", "where the partitions stand"],
  status_port_open: ["info", "/healthz, /readyz and /metrics are answered"],
  log_lacks: ["warn", "a broker lacks what others have; docs/kafka.md says what that means"],
  topic_found: ["info", "reading a topic; records is the most that there is to catch up with"],
  catching_up: ["info", "catching up; total is an upper bound if topics are compacted"],
  topic_caught_up: ["info", "a topic has been read to the end that it had at start"],
  topic_absent: ["warn", "an exposed topic does not exist yet; looking for it again and again"],
  topic_unreadable: ["error", "a topic can't be described; trying again"],
  topic_replaced: ["warn", "a topic is not the one that it was; its old positions are void"],
  topic_gone: ["info", "a topic that matched a pattern is gone, and what was known of it forgotten"],
  topics_left_out: ["error", "more topics match patterns than are read; those beyond are left out"],
  topics_unlisted: ["error", "the topics that match patterns can't be listed; trying again"],
  records_without_key: ["warn", "records without a key belong to no endpoint; nobody sees them"],
  keys_too_long: ["warn", "records with a key that is too long belong to no endpoint; nobody sees them"],
  values_omitted: ["warn", "values that are too large do not travel; subscribers are told their size"],
  partition_ready: ["debug", "a partition has been read to the end that it had at start"],
  partition_failed: ["error", "reading a partition failed; trying again"],
  partition_stalled: [
    "error",
    "nothing is heard of a partition though its log has more; reading it anew, over new connections",
  ],
  still_failing: ["debug", "what was told of befalls another, or this one again; trying again"],
  trouble_over: ["info", "what could not be read is read again"],
  partition_stopped: [
    "error",
    "a partition holds what can't be read; it stays stopped until the log has deleted that, or the origin restarts",
  ],
  partition_hole: [
    "error",
    "the log no longer holds what comes next, or all of it; records were lost to subscribers",
  ],
  credentials_renewed: [
    "info",
    "files with credentials have changed; connections from now on use what they hold",
  ],
  credentials_unusable: [
    "error",
    "files with credentials can't be used; what they held before is used; they are read again for each connection",
  ],
  records_held_back: [
    "warn",
    "a transaction that is open holds back what was written after it began; waiting for its end",
  ],
  records_let_go: ["info", "the transaction that held back records is over"],
  edges_changed: [
    "info",
    "which edges are dialled from now on, and which no more: their file has changed, or at an address there are other workers",
  ],
  shards_changed: ["info", "the edge's number of shards"],
  uplink_open: ["info", "an uplink is open"],
  uplink_active: ["info", "this origin has taken over as the active one"],
  uplink_closed: ["warn", "an uplink is not open; dialling again"],
  uplink_replaced: [
    "warn",
    "another origin has taken over, or one of the same name has; dialling again, to stand by",
  ],
  uplink_refused: ["error", "the edge refuses an uplink; trying again later"],
  uplink_congested: ["warn", "an uplink backs up; forwarding on it pauses"],
  uplink_drained: ["info", "an uplink has drained; sending what was missed"],
  path_refused: ["warn", "the edge asks for what this origin doesn't expose"],
  partition_taken: ["debug", "this origin writes a partition from now on"],
  publish_failing: [
    "error",
    "what is published to a topic can't be written; each publish says so to its client",
  ],
  publish_again: ["info", "what is published to that topic is written again"],
  revocations_failed: [
    "error",
    "what was revoked can't be kept here, for edges that are away; others are told",
  ],
  index_failed: ["error", "the index can't be written; trying again"],
  index_rebuilt: ["warn", "the index that was there can't be used; it is built anew from the log"],
  fatal: ["error", "the origin can't go on"],
} as const satisfies Record<string, readonly [Level, string]>;

export type EventName = keyof typeof EVENTS;

/** Fields must never hold values of records. */
export type Log = (event: EventName, fields?: Readonly<Record<string, unknown>>) => void;

export interface LogOptions {
  /** Events of this level and of the graver ones are written. */
  readonly level: Level;
  /** For people rather than for machines. */
  readonly pretty: boolean;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Texts that are never written, wherever they come from. */
  readonly secrets: Iterable<string>;
  readonly write: (line: string) => void;
}

export function createLog({ level, pretty, now, secrets, write }: LogOptions): Log {
  const threshold = LEVELS.indexOf(level);
  const hide = hiding(secrets);
  const hideIn = (_: string, value: unknown) => (typeof value === "string" ? hide(value) : value);
  return (event, fields = {}) => {
    const [of, sentence] = EVENTS[event];
    if (LEVELS.indexOf(of) > threshold) return;
    const time = new Date(now()).toISOString();
    const shown: Record<string, unknown> = JSON.parse(JSON.stringify(fields, hideIn));
    if (!pretty) return write(`${JSON.stringify({ time, level: of, event, message: sentence, ...shown })}\n`);
    const details = Object.entries(shown).map(([name, value]) => ` ${name}=${show(value)}`);
    write(`${time.slice(11, 19)} ${of.padEnd(5)} ${sentence}${details.join("")}\n`);
  };
}

/** Tokens as they travel (JWT), and keys as they lie in files; they needn't be known to be hidden. */
const TOKEN = /\beyJ[\w-]+\.[\w-]+\.[\w-]*/g;
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/gs;

/** Replaces secrets in a text, those included that come later: errors of others may quote anything. */
export function hiding(secrets: Iterable<string>): (text: string) => string {
  return (text) => {
    // One that contains another goes first.
    const ordered = [...secrets].filter((secret) => secret !== "").sort((a, b) => b.length - a.length);
    let hidden = text;
    for (const secret of ordered) hidden = hidden.replaceAll(secret, "[secret]");
    return hidden.replace(TOKEN, "[token]").replace(PRIVATE_KEY, "[private key]");
  };
}

function show(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
