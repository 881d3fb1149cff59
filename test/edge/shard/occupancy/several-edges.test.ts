/** Several edges, each with objects that a shard counts, and an origin between them: all in one process, and what is said takes time. */
import { expect, test } from "vitest";
import { Occupancy } from "../../../../edge/shard/occupancy/occupancy.ts";
import { type CountPort, OccupancyExchange } from "../../../../origin/occupancy/exchange.ts";
import { decodeOriginSays, decodeShardSays } from "../../../../shared/protocol/uplink.ts";
import { Holder, Line } from "../../../support/counted-objects.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { FakeSocket } from "../../../support/fake-socket.ts";

const PATH = "/quotes/A";
const HISTORIES = 60;

let state = 7;
function random(): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
}

const clock = new FakeClock();

const newLine = () => new Line(clock, random);

class Edge {
  readonly name: string;
  readonly holders = Array.from({ length: 2 }, () => new Holder(PATH, clock, random));
  occupancy = this.#made();
  #exchange: OccupancyExchange | undefined;
  #socket: FakeSocket | undefined;
  #port: CountPort | undefined;
  #up = newLine();

  constructor(name: string) {
    this.name = name;
    for (const holder of this.holders) holder.linked(this.occupancy);
  }

  /** Its origin dials it. */
  connect(exchange: OccupancyExchange): void {
    this.#exchange = exchange;
    const [socket, down, up] = [new FakeSocket(), newLine(), newLine()];
    const hear = (frame: string) => down.after(() => this.#socket === socket && this.#hear(socket, frame));
    const port = { say: hear };
    [this.#socket, this.#port, this.#up] = [socket, port, up];
    exchange.connected(port, this.name, { shard: 0, shards: 1 });
    this.occupancy.elsewhere.look();
  }

  /** The uplink is lost. */
  cut(): void {
    const [socket, port] = [this.#socket, this.#port];
    this.#socket = undefined;
    if (port !== undefined) this.#exchange?.ended(port);
    if (socket !== undefined) this.occupancy.uplinkEnded(socket);
    this.occupancy.elsewhere.look();
  }

  /** It is killed, and starts again with nobody. */
  restart(exchange: OccupancyExchange): void {
    this.cut();
    for (const holder of this.holders) {
      holder.lost();
      holder.subscribers = 0;
    }
    this.occupancy = this.#made();
    for (const holder of this.holders) holder.linked(this.occupancy);
    this.connect(exchange);
  }

  get subscribers(): number {
    return this.holders.reduce((sum, { subscribers }) => sum + subscribers, 0);
  }

  #made(): Occupancy {
    const occupancy: Occupancy = new Occupancy({
      now: () => clock.now(),
      after: (ms, run) => clock.after(ms, run),
      send: (link, frame) => {
        if (this.occupancy === occupancy) for (const holder of this.holders) holder.hear(link, frame);
      },
      origins: () => (this.#socket === undefined ? [] : [this.#socket]),
      tell: (uplink, frames) => {
        const port = this.#port;
        if (uplink !== this.#socket || port === undefined) return;
        for (const frame of frames) this.#up.after(() => this.#port === port && this.#say(port, frame));
      },
    });
    return occupancy;
  }

  #say(port: CountPort, frame: string): void {
    const says = decodeShardSays(frame);
    if (!says.ok) throw new Error(says.problem);
    const { value } = says;
    if (value.kind === "counted") this.#exchange?.counted(port, value.endpoint, value.subscribers);
    else if (value.kind === "count") this.#exchange?.count(port, value.endpoint);
    else if (value.kind === "enough") this.#exchange?.enough(port, value.endpoint);
  }

  #hear(socket: FakeSocket, frame: string): void {
    const says = decodeOriginSays(frame);
    if (!says.ok) throw new Error(says.problem);
    const { value } = says;
    if (value.kind === "elsewhere") this.occupancy.elsewhere.heard(socket, value.endpoint, value.subscribers);
    else if (value.kind === "count" || value.kind === "enough")
      this.occupancy.toTell(socket, value.endpoint, value.kind === "count");
  }
}

const newExchange = () => {
  const exchange = new OccupancyExchange({
    now: () => clock.now(),
    after: (ms, run) => clock.after(ms, run),
    tells: () => true,
    opening: () => [],
  });
  exchange.isAlone = false;
  return exchange;
};

test(`[D6] each edge's number is right, and the same, within two seconds of whatever happened: ${HISTORIES} histories of three edges`, async () => {
  for (let history = 0; history < HISTORIES; history++) {
    let exchange = newExchange();
    const edges = ["a", "b", "c"].map((name) => new Edge(name));
    for (const edge of edges) edge.connect(exchange);
    for (let step = 0; step < 30; step++) {
      const edge = edges[Math.floor(random() * edges.length)] as Edge;
      const holder = edge.holders[Math.floor(random() * 2)] as Holder;
      const what = random();
      if (what < 0.55) holder.change(random() < 0.6 ? 1 : -1);
      else if (what < 0.7) void edge.occupancy.ask(PATH);
      else if (what < 0.78) holder.lost();
      else if (what < 0.86 && holder.watch === undefined) holder.linked(edge.occupancy);
      else if (what < 0.9) edge.restart(exchange);
      else if (what < 0.95) {
        edge.cut();
        edge.connect(exchange);
      } else if (what < 0.97) {
        // Another origin, or this one again.
        exchange = newExchange();
        for (const one of edges) {
          one.cut();
          one.connect(exchange);
        }
      }
      await clock.passInTurns(random() < 0.7 ? 50 : 400);
    }
    for (const edge of edges)
      for (const holder of edge.holders) if (holder.watch === undefined) holder.linked(edge.occupancy);
    for (const edge of edges) void edge.occupancy.ask(PATH);
    await clock.passInTurns(2_000);
    const expected = edges.reduce((sum, { subscribers }) => sum + subscribers, 0);
    const told = Promise.all(edges.map(({ occupancy }) => occupancy.ask(PATH)));
    await clock.passInTurns(50);
    expect(await told, `history ${history}`).toEqual([expected, expected, expected]);

    // When all have gone, and nobody asks any more, nothing is left.
    for (const edge of edges) for (const holder of edge.holders) holder.change(-holder.subscribers);
    await clock.passInTurns(2_000);
    for (const edge of edges) expect(await edge.occupancy.ask(PATH)).toBe(0);
    await clock.passInTurns(130_000);
    expect([exchange.size, clock.pending]).toEqual([0, 0]);
  }
});
