/** What strangers can make the owner of a deployment on Cloudflare pay, by the estimate's own arithmetic. Pure. */
import { QUOTA_SETTINGS } from "../../edge/http/quotas.ts";
import { SENDER_SETTINGS } from "../../edge/http/sender-limits.ts";
import { ROOMS_SETTING } from "../../edge/relay/rooms.ts";
import { GATHER_SETTING } from "../../edge/shard/links/gathering.ts";
import { type Assumptions, HARSHEST, KINDEST } from "./estimate-assumptions.ts";
import { type Events, NO_EVENTS } from "./estimate-events.ts";
import { MEASURED } from "./estimate-measured.ts";
import { activeSeconds, itemsOf, usageOfItems } from "./estimate-model.ts";
import type { Bounds } from "./estimate-shapes.ts";
import { marginalBill } from "./prices.ts";

const DAY_SECONDS = 86_400;
const MINUTE_SECONDS = 60;

interface Attack {
  readonly what: string;
  /** By one address, in a second. */
  readonly perSecond: number;
  /** What one of them makes happen, where there are so many in a second. */
  readonly each: Partial<Events> | ((inASecond: number) => Partial<Events>);
  /** However many addresses do it, there is no more of it. */
  readonly isShared?: true;
}

/** Within a quota, as it is set unless somebody sets it otherwise. */
const quota = (name: keyof typeof QUOTA_SETTINGS) => Number(QUOTA_SETTINGS[name].default) / MINUTE_SECONDS;

/** As wrangler.toml has them. */
const SHARDS = 2;
/** In a second. */
const LISTS = 1_000;
/** Relays of a region that an address reaches, as wrangler.toml has it; each counts for itself. */
const RELAYS = 2;
const FRAMES = Number(SENDER_SETTINGS.FRAMES_PER_MINUTE.default) / MINUTE_SECONDS;
const REPLAYED = Number(SENDER_SETTINGS.REPLAYED_PER_MINUTE.default) / MINUTE_SECONDS;
/** How many subscribes of a list are none too many. */
const PASSING =
  (RELAYS * Number(SENDER_SETTINGS.CONNECT_SUBSCRIBES_PER_MINUTE.default)) / MINUTE_SECONDS / LISTS;

const ROOMS = SHARDS * Number(ROOMS_SETTING.ROOMS.default);
/** Messages into which a room gathers what it asks, in a second. */
const GATHERED = 1_000 / Number(GATHER_SETTING.GATHER_MS.default);

export const ATTACKS: readonly Attack[] = [
  {
    what: "subscribes to keys without a record, each to another one",
    perSecond: quota("SUBSCRIBES_PER_MINUTE"),
    // After the first of them, which also go to an object and a shard, each goes to a room: that asks, and says when it is left.
    each: (inASecond) => {
      // One address is led to a room of each shard; many are led to all of them.
      const rooms = Math.min(ROOMS, (SHARDS * inASecond) / quota("SUBSCRIBES_PER_MINUTE"));
      const gathered = Math.min(1, (rooms * GATHERED) / inASecond);
      const answers = Math.max(gathered, 1 / MEASURED.answersPerStep);
      // What is asked and what is left leave together; that it was left is answered a second later.
      const asks = Math.min(2, (rooms * GATHERED) / inASecond);
      return { subscribes: 1, asks, asked: answers + gathered, answers };
    },
  },
  {
    what: "the same so slowly that nobody is known to make keys up",
    perSecond: 1,
    // The key's own object asks its shard, and says that a room is to be asked.
    each: { subscribes: 1, led: 1, recordAsks: 1, asks: 2, asked: 2, answers: 1 },
  },
  {
    what: "subscribes to such keys in each room whenever it has been quiet for 5 s, so that it writes down what it has",
    perSecond: ROOMS / MEASURED.relayQuietSeconds,
    each: { subscribes: 1, asks: 2, asked: 2, answers: 1, keeps: 1, kept: 1 },
    isShared: true,
  },
  {
    what: "subscribes from positions that only the origin can judge",
    perSecond: quota("REPLAYS_PER_MINUTE"),
    each: { subscribes: 1, asks: 1, asked: 1, answers: 1 },
  },
  {
    what: "replays of a thousand updates each, which an origin must be asked for",
    // What an origin is asked for counts twice.
    perSecond: REPLAYED / 1_000 / 2,
    // As if each update were a message.
    each: { subscribes: 1, asks: 1, asked: 1, answers: 1, deliveries: 1_000 },
  },
  {
    what: "`GET`s",
    perSecond: quota("READS_PER_MINUTE"),
    each: { gets: 1, questions: 1 },
  },
  {
    what: "`GET`s that wait for the next state, and go before it comes",
    perSecond: quota("READS_PER_MINUTE"),
    each: { polls: 1, questions: 1 },
  },
  {
    what: "questions how many subscribers an endpoint has, each of another object",
    perSecond: quota("READS_PER_MINUTE"),
    each: { occupancyGets: 1, counts: 1, counted: 1 },
  },
  {
    what: "publishes to keys that nobody watches, where anybody may",
    perSecond: quota("PUBLISHES_PER_MINUTE"),
    each: { publishes: 1 },
  },
  {
    what: "frames on 1,000 connections, of which all but 1,000 are refused, and the connections closed",
    // Of those that are refused 100 close no connection, and as many connections can be opened again.
    perSecond: FRAMES + 100 + quota("SUBSCRIBES_PER_MINUTE"),
    each: { said: 1 },
  },
  {
    what: `lists of 100 subscribes on 1,000 connections of many endpoints, one a second each, of which ${PASSING} pass`,
    perSecond: LISTS,
    each: { said: 1, asks: PASSING, asked: PASSING, answers: PASSING },
  },
  {
    what: "1,000 event streams of an endpoint with an update a second",
    perSecond: 1_000,
    each: { deliveries: 1, events: 1 },
  },
  {
    what: "requests past a quota, which are refused, 1,000 a second",
    perSecond: 1_000,
    each: { gets: 1 },
  },
];

/** US dollars a day, beyond what a plan includes. */
export function dollarsADay({ perSecond, each, isShared }: Attack, addresses: number): Bounds {
  const inASecond = perSecond * (isShared ? 1 : addresses);
  const times = inASecond * DAY_SECONDS;
  const happens = typeof each === "function" ? each(inASecond) : each;
  const events = { ...NO_EVENTS };
  for (const name of Object.keys(happens) as (keyof Events)[])
    Object.assign(events, { [name]: (happens[name] ?? 0) * times });
  return { lower: priced(events, KINDEST), upper: priced(events, HARSHEST) };
}

function priced(events: Events, assumptions: Assumptions): number {
  const standing = {
    sessions: undefined,
    // Awake anyway.
    shardSeconds: 0,
    objectSeconds: activeSeconds(events, assumptions, 1),
    rowsRead: 0,
    databases: 0,
  };
  return marginalBill(usageOfItems(itemsOf(events, assumptions, standing))).total;
}

/** From the root of the project. */
export const DOCUMENT = "docs/security.md";

const BEGIN = "<!-- by the estimate: npm run shapes -->";
const END = "<!-- end of the estimate -->";

/** The document's text with today's dollars. Throws if it has no place for them. */
export function renewed(text: string): string {
  const [from, until] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || until < from) throw new Error(`${DOCUMENT} has no lines ${BEGIN} and ${END}`);
  return `${text.slice(0, from + BEGIN.length)}\n\n${table()}\n\n${text.slice(until)}`;
}

function table(): string {
  const rows = ATTACKS.map((attack) => {
    const [one, thousand] = [1, 1_000].map((addresses) => range(dollarsADay(attack, addresses)));
    return `| ${attack.what} | ${Math.round(attack.perSecond).toLocaleString("en-US")} | ${one} | ${thousand} |`;
  });
  const floor = ({ what }: Attack) => what.startsWith("requests past a quota");
  const [guesses = NOTHING, refused = NOTHING] = [ATTACKS[0], ATTACKS.find(floor)];
  return [
    "| An address that does nothing else | In a second | $ a day, one address | A thousand addresses |",
    "|---|--:|--:|--:|",
    ...rows,
    "",
    `A million subscribes to keys without a record cost $${range(aMillion(guesses, 1_000))} from a thousand addresses, ` +
      `and $${range(aMillion(guesses, 1))} from one.`,
    `When each such key had an object, a link and two rows, as in commit 68b96ee, they cost $${range(aMillion(WITH_OBJECTS, 1))}.`,
    `A million requests that the Worker refuses cost $${range(aMillion(refused, 1))}.`,
  ].join("\n");
}

const NOTHING: Attack = { what: "nothing", perSecond: 1, each: {} };
/** What a subscribe to a made-up key was before there were rooms. */
const WITH_OBJECTS: Attack = {
  what: "a subscribe to a key that has an object, a link and two rows of its own",
  perSecond: 100,
  each: { subscribes: 1, attaches: 1, firstAsks: 1, firstAnswers: 1, answers: 1, detaches: 1 },
};

function aMillion(attack: Attack, addresses: number): Bounds {
  const { lower, upper } = dollarsADay(attack, addresses);
  const times = attack.perSecond * addresses * DAY_SECONDS;
  return { lower: (lower / times) * 1e6, upper: (upper / times) * 1e6 };
}

function range({ lower, upper }: Bounds): string {
  const [a, b] = [figure(Math.min(lower, upper)), figure(Math.max(lower, upper))];
  return a === b ? a : `${a} – ${b}`;
}

/** To two digits, or, if there are more of them, to whole ones. */
function figure(dollars: number): string {
  return dollars >= 10 ? Math.round(dollars).toLocaleString("en-US") : String(Number(dollars.toPrecision(2)));
}
