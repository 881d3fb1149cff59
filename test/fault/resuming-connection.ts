/**
 * A connection of many endpoints by PROTOCOL.md alone (M1–M11), which shares no code with the product. It subscribes to all
 * again after every close, each from its own position. Some of its endpoints come and go meanwhile. What is said of one after
 * its `unsub` was answered is wrong, and so is an answer to nothing, or one that overtakes another of its endpoint.
 */
import { type Followed, FollowedEndpoint } from "./followed.ts";
import type { FollowerSettings, Said } from "./follower.ts";
import { between, oneOf, type Random } from "./random.ts";
import { ResumingSocket } from "./resuming-socket.ts";
import type { Patience } from "./scale.ts";

/** When no answer of those that are due has come for so many times what one may take, it is given up: they may wait for one another (M7). */
const ANSWERS = 2;
/** What was refused for now is asked again after that. */
const AGAIN_MS = [100, 2_000] as const;
/** Between two comings or goings of its endpoints. */
const WALK_MS = [300, 2_000] as const;
/** Of those that go, so many come back before they know that they have gone, and of those that come as many go again. */
const HASTY = 0.25;
/** So many subscribes are one message, which has less than 16 KiB then. */
const AT_ONCE = 50;

export interface ResumingConnectionSettings extends Omit<FollowerSettings, "from"> {
  /** As the edge knows it, and a part of the names of its subscriptions. */
  readonly name: string;
  /** `ws://host:port` */
  readonly edge: string;
  readonly endpoints: readonly string[];
  readonly random: Random;
  readonly patience: Patience;
  /** When it dials first, in milliseconds from now: at once unless it is told. */
  readonly firstAfterMs?: number;
  /** Each that many of its endpoints has one that comes and goes. */
  readonly wanders: number;
  /** Hears what the edge said that it must not. */
  readonly wrong: (problem: string) => void;
}

interface Due {
  readonly to: FollowedEndpoint;
  readonly what: "sub" | "unsub";
}

export class ResumingConnection {
  readonly #settings: ResumingConnectionSettings;
  readonly #all: ReadonlyMap<string, FollowedEndpoint>;
  readonly #wanderers: readonly FollowedEndpoint[];
  readonly #socket: ResumingSocket;
  /** Answers that are due on this socket, by id. */
  readonly #due = new Map<number, Due>();
  readonly #again = new Set<NodeJS.Timeout>();
  #walk: NodeJS.Timeout | undefined;
  #lastId = 0;
  #answeredAt = 0;

  constructor(settings: ResumingConnectionSettings) {
    const { name, edge, random, patience, endpoints, wanders } = settings;
    this.#settings = settings;
    this.#socket = new ResumingSocket({
      random,
      patience,
      firstAfterMs: settings.firstAfterMs,
      url: () => `${edge}/$/connect?client=${name}`,
      opened: () => this.#opened(),
      frame: (frame) => this.#take(frame),
      lost: () => this.#lost(),
      isOverdue: () =>
        this.#due.size > 0 && performance.now() - this.#answeredAt > ANSWERS * patience.answerMs,
    });
    const { closes } = this.#socket;
    this.#all = new Map(
      endpoints.map((endpoint, i) => {
        const isWanderer = i % wanders === wanders - 1;
        return [
          endpoint,
          new FollowedEndpoint({ ...settings, name: `${name}-${i}`, endpoint, isWanderer, closes }),
        ];
      }),
    );
    this.#wanderers = [...this.#all.values()].filter(({ isWanderer }) => isWanderer);
    if (this.#wanderers.length > 0) this.#wander();
  }

  get endpoints(): Iterable<Followed> {
    return this.#all.values();
  }

  /** How often it was lost. */
  get closes(): number {
    return [...this.#socket.closes.values()].reduce((sum, times) => sum + times, 0);
  }

  /** All are followed from now on. */
  recall(): void {
    clearTimeout(this.#walk);
    for (const one of this.#wanderers) this.#come(one);
  }

  /** For good; resolves when no socket is left. */
  close(): Promise<void> {
    clearTimeout(this.#walk);
    this.#forgetAgain();
    return this.#socket.close();
  }

  #wander(): void {
    const { random } = this.#settings;
    const step = () => {
      const one = oneOf(random, this.#wanderers);
      const both = random() < HASTY;
      const isThere = one.isWanted;
      if (isThere || both) this.#leave(one);
      if (!isThere || both) this.#come(one);
      if (!isThere && both) this.#leave(one);
      this.#wander();
    };
    this.#walk = setTimeout(step, between(random, ...WALK_MS));
  }

  #come(one: FollowedEndpoint): void {
    if (one.comes()) this.#subscribe([one]);
  }

  #leave(one: FollowedEndpoint): void {
    const id = this.#lastId + 1;
    if (!one.leaves(id)) return;
    this.#lastId = id;
    this.#awaits(id, one, "unsub");
    this.#socket.send(JSON.stringify({ id, unsub: one.endpoint }));
  }

  #opened(): void {
    this.#lastId = 0;
    this.#subscribe([...this.#all.values()].filter(({ isWanted }) => isWanted));
  }

  #lost(): void {
    this.#due.clear();
    this.#forgetAgain();
    for (const one of this.#all.values()) one.lost();
  }

  #subscribe(those: readonly FollowedEndpoint[]): void {
    if (!this.#socket.isOpen) return;
    const subs = those.map((one) => {
      const id = ++this.#lastId;
      this.#awaits(id, one, "sub");
      return { id, sub: one.endpoint, from: one.asks(id) };
    });
    for (let at = 0; at < subs.length; at += AT_ONCE)
      this.#socket.send(JSON.stringify({ subs: subs.slice(at, at + AT_ONCE) }));
  }

  #awaits(id: number, to: FollowedEndpoint, what: Due["what"]): void {
    if (this.#due.size === 0) this.#answeredAt = performance.now();
    this.#due.set(id, { to, what });
  }

  #take(frame: Said): void {
    const { e, reset, end, id, ok, wait, error } = frame;
    if (typeof e === "string") this.#update(e, frame);
    else if (typeof reset === "string") this.#about(reset, "a reset")?.follower.reset(frame);
    else if (typeof end === "string") this.#ended(end, error as Said);
    else if (wait !== undefined) this.#answeredAt = performance.now();
    else if (ok !== undefined) this.#answered(id as number, ok as Said);
    else if (error !== undefined) this.#refused(id as number, error as Said);
  }

  #update(endpoint: string, frame: Said): void {
    const one = this.#about(endpoint, `an update at ${frame.p}`);
    if (one?.follower.update(frame)) this.#subscribe([one]);
  }

  /** undefined if it isn't listened to just now. Of what it doesn't follow there must be nothing. */
  #about(endpoint: string, what: string): FollowedEndpoint | undefined {
    const one = this.#all.get(endpoint);
    if (one === undefined || one.stands === "apart")
      this.#wrong(`${what} of ${endpoint}, which it doesn't follow`);
    return one?.stands === "followed" ? one : undefined;
  }

  #answered(id: number, ok: Said): void {
    const due = this.#settle(id, "an answer");
    if (due === undefined) return;
    const { to, what } = due;
    if (what === "unsub") to.hasLeft(id);
    else if (to.follower.verdict(id, ok)) this.#socket.served();
    for (const [earlier, other] of this.#due)
      if (other.to === to && earlier < id)
        this.#wrong(`${id} of ${to.endpoint} is answered before its ${other.what} ${earlier} (M4)`);
  }

  #refused(id: number, error: Said): void {
    const due = this.#settle(id, JSON.stringify(error));
    if (due === undefined || error.code === "superseded") return;
    due.to.isRefused(id);
    this.#askAgain(due.to, error);
  }

  #ended(endpoint: string, error: Said): void {
    const one = this.#about(endpoint, "an end");
    // About one whose place a later subscribe takes, which will be answered.
    if (one === undefined || one.follower.askedId !== undefined) return;
    one.lost();
    this.#askAgain(one, error);
  }

  #askAgain(one: FollowedEndpoint, error: Said): void {
    const problem = `${one.name} of ${one.endpoint} is told ${JSON.stringify(error)}`;
    if (error.retry !== true) throw new Error(problem);
    const { askedId } = one.follower;
    const ask = () => {
      this.#again.delete(timer);
      if (one.isWanted && one.stands !== "leaving" && one.follower.askedId === askedId)
        this.#subscribe([one]);
    };
    const timer = setTimeout(ask, between(this.#settings.random, ...AGAIN_MS));
    this.#again.add(timer);
  }

  #forgetAgain(): void {
    for (const timer of this.#again) clearTimeout(timer);
    this.#again.clear();
  }

  /** Each is answered once. */
  #settle(id: number, what: string): Due | undefined {
    const due = this.#due.get(id);
    if (due === undefined) this.#wrong(`${what} to ${id}, to which none is due`);
    this.#due.delete(id);
    this.#answeredAt = performance.now();
    return due;
  }

  #wrong(problem: string): void {
    this.#settings.wrong(`${this.#settings.name}: ${problem}`);
  }
}
