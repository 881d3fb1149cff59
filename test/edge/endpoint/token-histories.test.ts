/** Random histories of tokens: whatever happens, each ends when it ends, and is told of once. */
import { expect, test } from "vitest";
import { holderOf } from "../../../edge/endpoint/holder.ts";
import { Wakes } from "../../../edge/shard/links/wakes.ts";
import { decodeLinkUp } from "../../../shared/protocol/link.ts";
import type { FakeSocket } from "../../support/fake-socket.ts";
import { TokenWorld } from "../../support/token-world.ts";

const SEEDS = 1_000;
const STEPS = 80;
/** How far the clock may be off, either way. */
const OFF_MS = 1_000;
/** Of a token: longer than it is told before that, twice what the clock may jump. */
const SHORTEST_S = 10;

/** The one that is woken. */
const OBJECT = "object";

interface Token {
  readonly until: number;
  /** Notices that came while it counted. */
  notices: number;
  renewed: boolean;
}

interface Bearer {
  readonly socket: FakeSocket;
  readonly tokens: Token[];
  lastId: number;
  left: boolean;
}

class History extends TokenWorld {
  readonly bearers: Bearer[] = [];
  readonly anyone: FakeSocket;
  readonly faults: string[] = [];
  readonly #random: () => number;
  readonly #wakes = new Wakes<string>(
    { wall: () => this.wall, after: (ms, run) => this.clock.after(ms, run) },
    () => this.look(() => this.wake()),
  );

  constructor(random: () => number) {
    super();
    this.#random = random;
    this.anyone = this.subscribe();
    this.look(() => this.link());
  }

  /** Does something, and checks what became of everybody. */
  look(act: () => void): void {
    const before = this.saidUp.length;
    act();
    this.answerAsks();
    for (const said of this.saidUp.slice(before)) {
      const read = decodeLinkUp(JSON.stringify(said));
      if (read.ok && read.value.kind === "wakeAt") this.#wakes.set(OBJECT, read.value.at);
    }
    for (const one of this.bearers) this.#check(one);
    this.anyone.take();
  }

  async step(): Promise<void> {
    const choice = this.#random();
    if (choice < 0.35) this.pass(this.#random() * 4_000);
    else if (choice < 0.4) this.pass(this.#random() * 120_000);
    else if (choice < 0.6) this.look(() => this.append());
    else if (choice < 0.7) this.look(() => this.hibernate());
    else if (choice < 0.75) this.look(() => this.#relink());
    else if (choice < 0.8) this.offMs = Math.round((this.#random() * 2 - 1) * OFF_MS);
    else if (choice < 0.9) await this.#join();
    else if (choice < 0.97) await this.#renewSome();
    else this.look(() => this.#leave());
  }

  #relink(): void {
    this.#wakes.forget(OBJECT);
    this.cutLink();
    this.link();
  }

  async #join(): Promise<void> {
    const holder = await this.#token();
    if (this.core.refusalOf(holder) !== undefined) return;
    const tokens = [{ until: holder.until, notices: 0, renewed: false }];
    this.look(() => {
      this.bearers.push({ socket: this.subscribe(holder), tokens, lastId: 0, left: false });
    });
  }

  async #renewSome(): Promise<void> {
    const one = this.#some();
    if (one === undefined) return;
    const holder = await this.#token();
    this.look(() => this.renew(one.socket, ++one.lastId));
    await this.verified({ ok: true, holder, mayRead: () => true, mayPublish: () => false });
    const before = one.tokens.at(-1);
    const isTaken = one.socket.frames.some(
      (frame) =>
        typeof frame === "object" &&
        frame !== null &&
        "id" in frame &&
        frame.id === one.lastId &&
        "ok" in frame,
    );
    if (isTaken && before !== undefined) {
      before.renewed = true;
      one.tokens.push({ until: holder.until, notices: 0, renewed: false });
    }
    this.look(() => undefined);
  }

  #leave(): void {
    const one = this.#some();
    if (one === undefined) return;
    one.left = true;
    one.socket.close(1000, "");
    this.core.clientClosed(one.socket);
  }

  #some(): Bearer | undefined {
    const open = this.bearers.filter(({ socket }) => socket.closed === undefined);
    return open[Math.floor(this.#random() * open.length)];
  }

  /** Ends at a whole second, as tokens do. */
  async #token() {
    const lifetimeS = SHORTEST_S + Math.floor(this.#random() ** 3 * 600);
    const until = (Math.ceil(this.wall / 1_000) + lifetimeS) * 1_000;
    const grants = { subscribe: [], publish: [], discover: [], admin: false };
    const issuedAt = Math.floor(this.#random() * 1_000_000);
    return holderOf({ kind: "known", issuer: "i", subject: "s", issuedAt, grants, until }, this.wall);
  }

  #check({ socket, tokens, left }: Bearer): void {
    const token = tokens.at(-1);
    if (token === undefined) return;
    for (const frame of socket.take()) {
      if (this.wall >= token.until) this.faults.push(`${JSON.stringify(frame)} after the end`);
      if (typeof frame === "object" && frame !== null && "expires" in frame && ++token.notices > 1)
        this.faults.push("told twice");
    }
    if (left || socket.closed === undefined) return;
    if (socket.closed.reason !== "expired") this.faults.push(`closed: ${socket.closed.reason}`);
  }

  /** When each was closed is looked at as it happens. */
  watch(socket: FakeSocket, until: () => number): void {
    const close = socket.close.bind(socket);
    socket.close = (code, reason) => {
      if (reason === "expired" && this.wall < until()) this.faults.push("ended early");
      close(code, reason);
    };
  }
}

function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

test(`[S17] [S18] [S19] [L9] in ${SEEDS} histories nobody gets anything after its token's end, or is ended early, and each token is told of once`, async () => {
  let ended = 0;
  let renewed = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const history = new History(randomOf(seed));
    for (let step = 0; step < STEPS; step++) {
      await history.step();
      for (const { socket, tokens } of history.bearers)
        if (!Object.hasOwn(socket, "close")) history.watch(socket, () => tokens.at(-1)?.until ?? 0);
    }
    // The clock tells the right time again, and nobody sends anything: the shard's word ends them all.
    history.offMs = 0;
    history.pass(700_000);
    for (const { socket, tokens, left } of history.bearers) {
      if (left) continue;
      expect(socket.closed, `seed ${seed}: one is still there`).toBeDefined();
      const told = tokens.filter(({ renewed }) => !renewed).map(({ notices }) => notices);
      expect(told, `seed ${seed}: notices of the last token`).toEqual([1]);
      ended++;
      renewed += tokens.length - 1;
    }
    expect(history.faults, `seed ${seed}`).toEqual([]);
  }
  expect(ended).toBeGreaterThan(SEEDS);
  expect(renewed).toBeGreaterThan(SEEDS / 2);
}, 120_000);
