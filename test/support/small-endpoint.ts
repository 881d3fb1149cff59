/** An endpoint's object, whose time, links and subscribers a test moves by hand. */
import { EndpointCore } from "../../edge/endpoint/endpoint-core.ts";
import { encodeLinkHello } from "../../shared/protocol/link.ts";
import { answer, PATH, position, update } from "./endpoint-frames.ts";
import { FakeSocket } from "./fake-socket.ts";
import { noTokens, PUBLISHING, UNLIMITED } from "./holders.ts";
import { Clock } from "./simulated-wires.ts";

export class SmallEndpoint {
  readonly clock = new Clock();
  /** How often it has asked its shard for a link, and whether that fails. */
  attaches = 0;
  failing = false;

  /** A new memory, to which these sockets were left. */
  wake(
    links: FakeSocket[] = [],
    subscribers: FakeSocket[] = [],
    replays = false,
    hidesOccupancy = false,
  ): EndpointCore {
    const ports = {
      now: () => this.clock.now,
      wall: () => this.clock.now,
      verify: noTokens,
      newKey: () => "made",
      random: () => 0.5,
      after: (ms: number, run: () => void) => this.clock.after(ms, run),
      log: () => undefined,
      attach: async () => {
        this.attaches++;
        if (this.failing) throw new Error("the shard is away");
      },
      pingedAt: () => undefined,
      sent: () => undefined,
      answered: () => undefined,
    };
    const window = { updates: 3, ageMs: 60_000, bytes: 1_000_000 };
    return new EndpointCore(
      ports,
      { path: PATH, shard: 0, window, replays, hidesOccupancy, limits: UNLIMITED, publishing: PUBLISHING },
      { links, subscribers },
    );
  }

  /** One with a link, a live subscriber, and the updates e:1, e:3, e:5 after e:0; it stands at e:5. */
  running(): { core: EndpointCore; up: FakeSocket; live: FakeSocket } {
    const core = this.wake();
    const live = subscribe(core);
    const up = link(core);
    core.linkMessage(up, answer("e:0", "e:5", [update(1, 0), update(3, 1), update(5, 3)]));
    live.take();
    up.take();
    return { core, up, live };
  }
}

/** Its shard's link to it, after the hello. */
export function link(core: EndpointCore, dial = 1, generation = 1, shard = 0): FakeSocket {
  const socket = new FakeSocket();
  core.linkOpened(socket);
  core.linkMessage(socket, encodeLinkHello({ version: 1, shard, generation, dial }));
  return socket;
}

export function subscribe(core: EndpointCore, from?: string): FakeSocket {
  const socket = new FakeSocket();
  core.subscribe(socket, from === undefined ? undefined : position(from));
  return socket;
}
