/** Several endpoint states in one object, over a link to each of two shards: none knows of another. */
import { beforeEach, describe, expect, test } from "vitest";
import { loadLink, loadSubscriber, saveLink, saveSubscriber } from "../../../edge/endpoint/attachment.ts";
import { EndpointState } from "../../../edge/endpoint/endpoint-state.ts";
import { type ObjectLink, ObjectLinks } from "../../../edge/endpoint/object-links.ts";
import { OF_A_SOCKET } from "../../../edge/endpoint/pace.ts";
import { ReplayQuota } from "../../../edge/endpoint/replay-quota.ts";
import type { SubscriptionFacts } from "../../../edge/endpoint/subscription-states.ts";
import { encodeWaiting } from "../../../shared/protocol/attach.ts";
import { routingOf } from "../../../shared/protocol/frame.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { decodeLinkDown, encodeLinkHello } from "../../../shared/protocol/link.ts";
import { type Message, SEPARATOR, splitBinary, splitText } from "../../../shared/protocol/message.ts";
import { isUpdate } from "../../../shared/protocol/subscriber.ts";
import { answer, PATH, position, update } from "../../support/endpoint-frames.ts";
import { FakeSocket } from "../../support/fake-socket.ts";

/** Two endpoints of shard 0, and one of shard 1. */
const [A, B, C] = ["/quotes/A", "/quotes/B", "/quotes/C"];
const SHARDS = new Map([
  [A, 0],
  [B, 0],
  [C, 1],
]);
const WINDOW = { updates: 3, ageMs: 60_000, bytes: 1_000_000 };

/** What an object would be that holds all three. */
class Core {
  readonly links: ObjectLinks;
  readonly states = new Map<string, EndpointState<FakeSocket>>();

  constructor(links: readonly FakeSocket[] = [], subscribers: readonly FakeSocket[] = []) {
    this.links = new ObjectLinks(links);
    for (const path of SHARDS.keys()) this.states.set(path, this.#state(path, subscribers));
    this.#settle();
  }

  #state(path: string, subscribers: readonly FakeSocket[]): EndpointState<FakeSocket> {
    const ports = {
      now: () => 1_000_000,
      unsent: {
        hasRoom: true,
        sent: () => undefined,
        sentFirst: () => undefined,
        remove: () => undefined,
      },
      pace: OF_A_SOCKET,
      replays: new ReplayQuota(undefined),
      refuse: () => undefined,
      sent: () => undefined,
      answered: () => undefined,
      ask: (frame: string) => this.#linkOf(path)?.socket.send(frame),
      keep: (socket: FakeSocket, facts: SubscriptionFacts) =>
        saveSubscriber(socket, undefined, new Map(loadSubscriber(socket)?.follows).set(path, facts)),
      close: (socket: FakeSocket, name: string) => {
        for (const state of this.states.values()) state.leave(socket);
        socket.close(4_000, name);
      },
      isHeld: () => false,
    };
    const link = this.#linkOf(path);
    const follows = subscribers.flatMap((socket) => {
      const facts = loadSubscriber(socket)?.follows.get(path);
      return facts === undefined ? [] : [[socket, facts] as const];
    });
    const facts = link && loadLink(link.socket)?.states.get(path);
    return new EndpointState<FakeSocket>(ports, { path, window: WINDOW, replays: false }, facts, follows);
  }

  state(path: string): EndpointState<FakeSocket> {
    const state = this.states.get(path);
    if (state === undefined) throw new Error(path);
    return state;
  }

  subscribe(socket: FakeSocket, path: string, from?: string): void {
    this.state(path).subscribe(socket, 1, from === undefined ? undefined : position(from));
    this.#settle();
  }

  leave(socket: FakeSocket, path: string): void {
    this.state(path).leave(socket);
    this.#settle();
  }

  linkOpened(shard: number, dial = 1): FakeSocket {
    const socket = new FakeSocket();
    const hello = encodeLinkHello({ version: 1, shard, generation: 1, dial });
    const link = this.links.greet(socket, hello);
    if (link !== undefined) for (const state of this.#on(link)) state.linked();
    this.#settle();
    return socket;
  }

  linkMessage(socket: FakeSocket, message: Message): void {
    const link = this.links.on(socket);
    if (link === undefined) return;
    const frames = typeof message === "string" ? splitText(message) : splitBinary(message);
    if (frames === undefined) for (const state of this.#on(link)) state.garbled();
    for (const frame of frames ?? []) {
      if (typeof frame !== "string" || isUpdate(frame)) {
        const routing = routingOf(frame);
        this.states.get(routing?.endpoint ?? "")?.update(frame, routing);
        continue;
      }
      const says = decodeLinkDown(frame);
      if (!says.ok) continue;
      const { value } = says;
      if (value.kind === "waiting") this.state(value.endpoint).waiting(value.id);
      if (value.kind === "attached") this.state(value.attached.endpoint).attached(value.attached);
    }
    for (const state of this.#on(link)) state.passOn();
    this.#settle();
  }

  linkClosed(socket: FakeSocket): void {
    const link = this.links.remove(socket);
    if (link !== undefined) for (const state of this.#on(link)) state.linkLost();
    this.#settle();
  }

  #linkOf(path: string): ObjectLink | undefined {
    return this.links.of(SHARDS.get(path) ?? -1);
  }

  #on({ hello }: ObjectLink): readonly EndpointState<FakeSocket>[] {
    return [...this.states.values()].filter(({ path }) => SHARDS.get(path) === hello.shard);
  }

  #settle(): void {
    for (const state of this.states.values()) if (this.#linkOf(state.path) !== undefined) state.speak();
    for (const shard of new Set(SHARDS.values())) {
      const link = this.links.of(shard);
      if (link !== undefined) saveLink(link.socket, link.hello, this.#on(link));
    }
  }
}

/** The same about another path. */
const of = (path: string, text: string) => text.replaceAll(PATH, path);
/** The first answer of an endpoint, which leads up to e:1. */
const first = (path: string) => of(path, answer("e:0", "e:1", [update(1, 0)]));
const updates = (socket: FakeSocket, path: string) =>
  socket.frames.flatMap((frame) => {
    const routing = typeof frame === "string" ? routingOf(frame) : undefined;
    return routing?.endpoint === path ? [routing.offset] : [];
  });

let core: Core;
let up: readonly [FakeSocket, FakeSocket];
/** Follows all three. */
let all: FakeSocket;

beforeEach(() => {
  core = new Core();
  all = new FakeSocket();
  for (const path of [A, B, C]) core.subscribe(all, path);
  up = [core.linkOpened(0), core.linkOpened(1)];
});

function takeBoth(): readonly unknown[][] {
  return up.map((socket) => socket.take());
}

/** All have their first answer. */
function running(): void {
  core.linkMessage(up[0], [first(A), first(B)].join(SEPARATOR));
  core.linkMessage(up[1], first(C));
  takeBoth();
}

describe("several endpoint states in one object", () => {
  test("[L4] each asks its own shard, with ids of its own", () => {
    expect(takeBoth()).toEqual([
      [
        { attach: A, id: 1 },
        { attach: B, id: 1 },
      ],
      [{ attach: C, id: 1 }],
    ]);
  });

  test("[P5] each has its own continuity: what is missing of one is asked for there, and all else goes on", () => {
    running();

    core.linkMessage(
      up[0],
      [of(A, update(2, 1)), of(B, update(9, 8)), of(A, update(3, 2)), of(B, update(10, 9))].join(SEPARATOR),
    );
    core.linkMessage(up[1], of(C, update(2, 1)));

    expect(takeBoth()).toEqual([[{ attach: B, id: 2, from: "e:1" }], []]);
    const rest = [update(8, 1), update(9, 8), update(10, 9)];
    core.linkMessage(up[0], of(B, answer("e:1", "e:10", rest, { id: 2, recovered: true })));
    expect([A, B, C].map((path) => updates(all, path))).toEqual([
      [1, 2, 3],
      [1, 8, 9, 10],
      [1, 2],
    ]);
  });

  test("[U5] the answers of two may come one within the other, since each counts its own updates", () => {
    const [headA = "", ...bodyA] = first(A).split(SEPARATOR);
    const [headB = "", ...bodyB] = first(B).split(SEPARATOR);

    core.linkMessage(up[0], [headA, headB, ...bodyB, ...bodyA].join(SEPARATOR));

    expect([A, B, C].map((path) => updates(all, path))).toEqual([[1], [1], []]);
  });

  test("[L3] [L4] the loss of one link touches only what is carried on it", () => {
    running();
    const late = new FakeSocket();
    core.subscribe(late, C, "e:0,f:3");
    expect(takeBoth()).toEqual([[], [{ attach: C, id: 2, from: "e:0,f:3" }]]);

    core.linkClosed(up[0]);
    core.linkMessage(up[1], of(C, update(2, 1)));
    expect(takeBoth()[1]).toEqual([]);
    up = [core.linkOpened(0, 2), up[1]];

    expect(takeBoth()).toEqual([
      [
        { attach: A, id: 2, from: "e:1" },
        { attach: B, id: 2, from: "e:1" },
      ],
      [],
    ]);
    expect(updates(all, C)).toEqual([1, 2]);
  });

  test("[L3] of two links of one shard the newer one stays, and that of the other shard is not concerned", () => {
    running();

    const newer = core.linkOpened(0, 2);

    expect(up.map(({ closed }) => closed?.reason)).toEqual(["replaced", undefined]);
    expect(newer.take()).toEqual([
      { attach: A, id: 2, from: "e:1" },
      { attach: B, id: 2, from: "e:1" },
    ]);
    core.linkMessage(up[1], of(C, update(2, 1)));
    expect([updates(all, C), up[1].take()]).toEqual([[1, 2], []]);
  });

  test("[F9] what can't be read on one link is asked anew of that shard only", () => {
    running();

    core.linkMessage(up[0], new Uint8Array([1, 2, 3]));

    expect(takeBoth()).toEqual([
      [
        { attach: A, id: 2, from: "e:1" },
        { attach: B, id: 2, from: "e:1" },
      ],
      [],
    ]);
  });

  test("[S4] [R5] who waits is told so of the endpoint that can't be had just now, and not of the others", () => {
    core.linkMessage(up[0], [of(A, encodeWaiting(PATH, 1)), first(B)].join(SEPARATOR));

    expect(all.frames.filter((frame) => JSON.stringify(frame).includes('"wait"'))).toHaveLength(1);
    expect(updates(all, B)).toEqual([1]);
  });

  test("[L5] each says for itself whether it has subscribers", () => {
    running();

    core.leave(all, A);
    core.leave(all, C);
    core.subscribe(all, C, "e:1");

    expect(takeBoth()).toEqual([[{ empty: A }], [{ empty: C }, { occupied: C }]]);
  });

  test("[S9] a socket that takes nothing is closed once, and follows none of them any more", () => {
    running();
    const other = new FakeSocket();
    for (const path of [A, B]) core.subscribe(other, path, "e:1");
    all.bufferedAmount = LIMITS.subscriberBacklogBytes + 1;

    core.linkMessage(up[0], [of(A, update(2, 1)), of(B, update(2, 1))].join(SEPARATOR));

    expect(all.closed?.reason).toBe("slow_consumer");
    expect([A, B, C].map((path) => core.state(path).subscribers)).toEqual([1, 1, 0]);
    expect([A, B].map((path) => updates(other, path))).toEqual([[2], [2]]);
    expect(takeBoth()).toEqual([[], [{ empty: C }]]);
  });

  test("[S6] all of them go on after a hibernation, from what stands on the sockets by path", () => {
    running();
    core.linkMessage(up[0], of(B, update(2, 1)));

    core = new Core(up, [all]);
    core.linkMessage(up[0], [of(A, update(2, 1)), of(B, update(2, 1)), of(B, update(3, 2))].join(SEPARATOR));
    core.linkMessage(up[1], of(C, update(2, 1)));

    expect(takeBoth()).toEqual([[], []]);
    expect([A, B, C].map((path) => updates(all, path))).toEqual([
      [1, 2],
      [1, 2, 3],
      [1, 2],
    ]);
  });
});
