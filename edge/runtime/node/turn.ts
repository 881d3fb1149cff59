/**
 * When what was done in one go leaves: its turn is over when it has ended, with all continuations that were ready. Rows are
 * committed then, and after that what was sent goes to the network, so nothing leaves an object that isn't stored.
 */
import { TIME_LIMITS } from "./time-limits.ts";

interface Committing {
  /** Never throws. */
  commit(): void;
}

interface Flushing {
  flush(): void;
}

let commits: Committing[] = [];
let flushes: Flushing[] = [];
let isDue = false;

export function commitAtEnd(what: Committing): void {
  commits.push(what);
  due();
}

export function flushAtEnd(what: Flushing): void {
  flushes.push(what);
  due();
}

function due(): void {
  if (isDue) return;
  isDue = true;
  // Ticks come before continuations, and a tick that one of these asks for after all of them.
  queueMicrotask(() => process.nextTick(end));
}

function end(): void {
  isDue = false;
  const [committing, flushing] = [commits, flushes];
  commits = [];
  flushes = [];
  for (const one of committing) one.commit();
  for (const one of flushing) one.flush();
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
  const until = performance.now() + TIME_LIMITS.turnMs;
  const now = ready;
  ready = [];
  let done = 0;
  for (const one of now) {
    one.deliver();
    done++;
    // What hears of it next must not hear of what isn't stored.
    if (commits.length > 0 || (done % LOOK_EVERY === 0 && performance.now() > until)) break;
  }
  if (done < now.length) ready = [...now.slice(done), ...ready];
  isScheduled = ready.length > 0;
  if (isScheduled) setImmediate(deliverAll);
}
