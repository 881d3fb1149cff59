/**
 * Histories of an object and of what its shard knows of tokens: links break and come, the object sleeps, what the shard
 * says is late, tokens are revoked, lifted and renewed. Nobody has a verdict by a token of which its shard had said that it counts
 * no more, and in the end nobody is left whose token was revoked.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Holder } from "../../../edge/endpoint/holder.ts";
import { Revoking } from "../../../edge/shard/revoking.ts";
import { decodeLinkUp, encodeChecked } from "../../../shared/protocol/link.ts";
import { type Meant, means, type Revocation } from "../../../shared/protocol/revocation.ts";
import type { FakeSocket } from "../../support/fake-socket.ts";
import { holder } from "../../support/holders.ts";
import { TokenWorld } from "../../support/token-world.ts";

const ISSUED = 1_700_000_000;
const SUBJECTS = ["alice", "bob", "carol"] as const;
const GRACE_MS = 20_000;

interface Client {
  readonly socket: FakeSocket;
  token: Holder;
  nextId: number;
  hasVerdict: boolean;
}

class World {
  readonly tokens = new TokenWorld();
  readonly revoking = new Revoking(
    {
      wall: () => this.tokens.wall,
      keepRevocation: () => undefined,
      dropRevocation: () => undefined,
      log: (problem) => this.tokens.problems.push(problem),
    },
    [],
    (frame) => this.#say(frame),
  );
  readonly clients: Client[] = [];
  /** What the shard has said and the object hasn't heard, each with what was revoked when it was said. */
  #late: { frame: string; known: readonly Revocation[] }[] = [];
  /** What was revoked when the shard said what was heard last. */
  #known: readonly Revocation[] = [];
  #looked = 0;
  readonly seen = { verdicts: 0, revoked: 0, renewed: 0, refused: 0 };

  constructor() {
    this.tokens.subscribe();
    this.link();
    this.tokens.append();
  }

  token(subject: string, issuedAt: number): Holder {
    return holder(this.tokens.clock.now + 10_000_000, {
      subject,
      issuedAt,
      tokenId: `${subject}-${issuedAt}`,
    });
  }

  subscribe(subject: string, issuedAt: number): void {
    const token = this.token(subject, issuedAt);
    const socket = this.tokens.subscribe(token, "e:0");
    this.clients.push({ socket, token, nextId: 1, hasVerdict: false });
  }

  link(): void {
    this.cut();
    this.#known = this.revoking.list();
    this.tokens.link(this.revoking.count || undefined);
  }

  cut(): void {
    this.#late = [];
    this.#looked = this.tokens.saidUp.length;
    this.tokens.cutLink();
  }

  revoke(id: string, meant: Meant, graceMs: number): void {
    const madeAt = this.tokens.wall;
    this.revoking.revoke({ id, meant, graceMs, madeAt, until: madeAt + 100_000_000 });
  }

  lift(id: string): void {
    this.revoking.lift("issuer", id);
  }

  pass(ms: number): void {
    this.tokens.clock.now += ms;
  }

  /** The shard hears what the object has said; `some` of its own words arrive. */
  deliver(some: number): void {
    this.#hear();
    for (const { frame, known } of this.#late.splice(0, some)) {
      this.#known = known;
      this.tokens.say(frame);
      this.#hear();
    }
  }

  async renew(at: number, issuedAt: number): Promise<void> {
    const client = this.clients[at % Math.max(1, this.clients.length)];
    if (client === undefined || client.socket.closed !== undefined) return;
    const token = this.token(client.token.subject, issuedAt);
    this.tokens.renew(client.socket, client.nextId++, "a.b.c");
    if (this.tokens.looking.length === 0) return;
    await this.tokens.verified({
      ok: true,
      holder: token,
      mayRead: () => true,
      mayPublish: () => false,
    });
    this.#renewing.set(client.socket, token);
  }

  readonly #renewing = new Map<FakeSocket, Holder>();

  /** What clients were told. */
  look(): void {
    for (const client of this.clients)
      for (const frame of client.socket.take() as {
        id?: number;
        ok?: { expires?: number };
        error?: { code: string };
      }[]) {
        if (frame.ok?.expires !== undefined) {
          client.token = this.#renewing.get(client.socket) ?? client.token;
          expect(this.#isKnown(client.token)).toBe(false);
          this.seen.renewed++;
        } else if (frame.error?.code === "revoked") this.seen.refused++;
        else if (frame.ok !== undefined && !client.hasVerdict) {
          client.hasVerdict = true;
          this.seen.verdicts++;
          expect(this.#isKnown(client.token)).toBe(false);
        }
      }
  }

  end(): void {
    if (this.tokens.up === undefined) this.link();
    for (let round = 0; round < 5; round++) this.deliver(1_000);
    this.tokens.clock.now += GRACE_MS;
    this.tokens.append();
    for (let round = 0; round < 5; round++) this.deliver(1_000);
    for (const { socket, token } of this.clients) {
      if (this.revoking.means(token)) expect(socket.closed).toEqual({ code: 4519, reason: "revoked" });
      if (socket.closed?.code === 4519) this.seen.revoked++;
    }
  }

  #isKnown(token: Holder): boolean {
    return this.#known.some(({ meant }) => means(meant, token));
  }

  #say(frame: string): void {
    if (this.tokens.up !== undefined) this.#late.push({ frame, known: this.revoking.list() });
  }

  #hear(): void {
    this.tokens.answerAsks();
    this.look();
    for (const said of this.tokens.saidUp.slice(this.#looked)) {
      const read = decodeLinkUp(JSON.stringify(said));
      if (read.ok && read.value.kind === "check")
        this.#say(encodeChecked(this.revoking.check(read.value.id, read.value.tokens)));
    }
    this.#looked = this.tokens.saidUp.length;
  }
}

const subject = fc.constantFrom(...SUBJECTS);
const issuedAt = fc.integer({ min: ISSUED, max: ISSUED + 3 });
const id = fc.constantFrom("a", "b", "c");
const graceMs = fc.constantFrom(0, 0, 5_000, GRACE_MS);
const meant = fc.oneof(
  fc.record({
    of: fc.constant("subject" as const),
    issuer: fc.constant("issuer"),
    subject,
    before: issuedAt,
  }),
  fc.record({
    of: fc.constant("all" as const),
    issuer: fc.constantFrom("issuer", "another"),
    before: issuedAt,
  }),
  fc
    .tuple(subject, issuedAt)
    .map(([of, at]) => ({ of: "token" as const, issuer: "issuer", token: `${of}-${at}` })),
);
type Step = (world: World) => void | Promise<void>;
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(subject, issuedAt).map(
      ([of, at]): Step =>
        (world) =>
          world.subscribe(of, at),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(id, meant, graceMs).map(
      (of): Step =>
        (world) =>
          world.revoke(...of),
    ),
  },
  {
    weight: 1,
    arbitrary: id.map(
      (of): Step =>
        (world) =>
          world.lift(of),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Step>((world) => world.cut()) },
  { weight: 2, arbitrary: fc.constant<Step>((world) => world.link()) },
  { weight: 2, arbitrary: fc.constant<Step>((world) => world.tokens.hibernate()) },
  { weight: 2, arbitrary: fc.constant<Step>((world) => void world.tokens.append()) },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.nat(9), issuedAt).map(
      ([at, of]): Step =>
        (world) =>
          world.renew(at, of),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.nat(8_000).map(
      (ms): Step =>
        (world) =>
          world.pass(ms),
    ),
  },
  {
    weight: 5,
    arbitrary: fc.nat(3).map(
      (some): Step =>
        (world) =>
          world.deliver(some),
    ),
  },
);

test("[L10] [L11] [S25] whatever comes in whatever order, no revoked token has a verdict or stays", async () => {
  const total = { verdicts: 0, revoked: 0, renewed: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60, size: "max" }), async (steps) => {
      const world = new World();
      for (const one of steps) {
        await one(world);
        world.look();
      }
      world.end();
      expect(world.tokens.problems).toEqual([]);
      for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += world.seen[name];
    }),
    { numRuns: 300 },
  );
  // Not in vain.
  for (const count of Object.values(total)) expect(count).toBeGreaterThan(0);
});
