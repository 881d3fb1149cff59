/**
 * When what was done in one go leaves: its turn is over when it has ended, with all continuations that were ready. Rows are
 * committed then. What was sent goes to the network, or is delivered to others, once the disk has these, so nothing leaves an
 * object that isn't stored; meanwhile others are heard.
 */
import { TIME_LIMITS } from "./time-limits.ts";

interface Committing {
  /** Resolves when the disk has it; undefined if there is nothing to wait for. Never fails. */
  commit(): Promise<void> | undefined;
}

interface Flushing {
  /** What was sent until now leaves then; at once if undefined. */
  flush(stored: Promise<void> | undefined): void;
}

let commits: Committing[] = [];
let flushes: Flushing[] = [];
let isDue = false;
/** Until the disk has all that was committed so far. */
let storing: Promise<void> | undefined;

export function commitAtEnd(what: Committing): void {
  commits.push(what);
  due();
}

export function flushAtEnd(what: Flushing): void {
  flushes.push(what);
  due();
}

/** Runs in a later turn, when the disk has all that was written in this one. */
export function onceStored(run: () => void): void {
  setImmediate(() => {
    if (storing === undefined) run();
    else storing.then(run);
  });
}

function due(): void {
  if (isDue) return;
  isDue = true;
  // Ticks come before continuations, and a tick that one of these asks for after all of them.
  void READY.then(endNext);
}

/** What follows it costs less than a microtask of Node's. */
const READY = Promise.resolve();
const endNext = () => process.nextTick(end);

function end(): void {
  isDue = false;
  const [committing, flushing] = [commits, flushes];
  commits = [];
  flushes = [];
  if (committing.length > 0) store(committing);
  for (const one of flushing) one.flush(storing);
}

/** In order: what was sent in an earlier turn doesn't leave after what was sent in this one. */
function store(committing: readonly Committing[]): void {
  const written = committing.map((one) => one.commit()).filter((one) => one !== undefined);
  if (written.length === 0) return;
  const all = Promise.all([storing, ...written]).then(() => {});
  storing = all;
  void all.then(() => {
    if (storing === all) storing = undefined;
  });
}

interface Delivering {
  /** One thing that has come. Never throws. */
  deliver(): void;
}

/** Ends at which something has come, in the order in which it came; one stands there once for each thing. */
let ready: Delivering[] = [];
let isScheduled = false;
/** A look at the clock costs as much as a small delivery. */
const LOOK_EVERY = 16;

/** Something has come: it is delivered in a later turn. */
export function deliverLater(to: Delivering): void {
  ready.push(to);
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(deliverAll);
}

function deliverAll(): void {
  const count = ready.length;
  if (storing === undefined) deliverFirst(count);
  // What comes meanwhile may have to wait for more.
  else storing.then(() => deliverFirst(count));
}

function deliverFirst(count: number): void {
  const until = performance.now() + TIME_LIMITS.turnMs;
  const now = ready;
  ready = [];
  let done = 0;
  for (const one of now) {
    if (done === count) break;
    one.deliver();
    done++;
    // What hears of it next must not hear of what isn't stored.
    if (commits.length > 0 || (done % LOOK_EVERY === 0 && performance.now() > until)) break;
  }
  if (done < now.length) ready = [...now.slice(done), ...ready];
  isScheduled = ready.length > 0;
  if (isScheduled) setImmediate(deliverAll);
}
