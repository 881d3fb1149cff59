/** Plays the cases of shared/conformance on this project's client. */
import { connect, type SharedSubscription } from "../../shared/client/client.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeTransport } from "./fake-transport.ts";

/** What happens at a time in milliseconds, and nothing else does. */
export type Happening = { readonly at: number } & (
  | { readonly subscribe: string; readonly from?: string; readonly occupancy?: true }
  | { readonly unsubscribe: string }
  | { readonly looks: { readonly sleptMs: number } }
  | { readonly gives: string }
  | { readonly opens: true }
  | { readonly hears: string }
  | { readonly closes: { readonly code: number; readonly reason: string } }
);

type Timed<T> = readonly [at: number, what: T];

export interface Doings {
  readonly asks: readonly number[];
  readonly dials: readonly Timed<string>[];
  readonly hangsUp: readonly number[];
  readonly says: readonly Timed<object>[];
  readonly tells: readonly Timed<string>[];
}

export interface Case {
  readonly id: string;
  readonly rules: readonly string[];
  readonly name: string;
  readonly happens: readonly Happening[];
  readonly until: number;
  readonly does: Doings;
}

/** All times of the cases are whole ones of these. */
const STEP_MS = 5;

/** All that waits for nothing but promises. */
async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

export async function play({ happens, until }: Pick<Case, "happens" | "until">): Promise<Doings> {
  const clock = new FakeClock();
  const transport = new FakeTransport();
  const asks: number[] = [];
  const tells: Timed<string>[] = [];
  const hangsUp: number[] = [];
  const heardOf = new Map<string, SharedSubscription>();
  let answer: (token: string) => void = () => {};
  const hasToken = happens.some((one) => "gives" in one);
  const source = () => {
    asks.push(clock.now());
    return new Promise<string>((resolve) => {
      answer = resolve;
    });
  };
  const says: Timed<object>[] = [];
  const dials: Timed<string>[] = [];
  const recording = {
    dial(...[url, events, token]: Parameters<FakeTransport["dial"]>) {
      dials.push([clock.now(), token]);
      transport.dial(url, events, token);
      return {
        send: (message: string | Uint8Array) => says.push([clock.now(), JSON.parse(String(message))]),
        close: () => hangsUp.push(clock.now()),
      };
    },
    explain: async () => undefined,
  };
  const connection = connect("wss://edge.example", {
    transport: recording,
    clock,
    ...(hasToken && { token: source }),
  });
  const tell = (what: string) => tells.push([clock.now(), what]);
  connection.on("connection", ({ state }) => tell(`connection ${state}`));

  for (const one of happens) {
    await passUntil(one.at);
    if ("subscribe" in one) follow(one);
    else if ("unsubscribe" in one) heardOf.get(one.unsubscribe)?.close();
    else if ("looks" in one) connection.look(one.looks.sleptMs);
    else if ("gives" in one) answer(one.gives);
    else if ("opens" in one) transport.socket.open();
    else if ("hears" in one) transport.socket.say(one.hears);
    else transport.socket.drop(one.closes.code, one.closes.reason);
    await settled();
  }
  await passUntil(until);
  const done = structuredClone({ asks, dials, hangsUp, says, tells });
  connection.close();
  return done;

  /** What waits for promises is done at its time, too. */
  async function passUntil(at: number): Promise<void> {
    await settled();
    while (clock.now() < at) {
      clock.pass(Math.min(STEP_MS, at - clock.now()));
      await settled();
    }
  }

  function follow({ subscribe, from, occupancy }: Extract<Happening, { subscribe: string }>): void {
    const subscription = connection.subscribe(subscribe, { from, occupancy });
    heardOf.set(subscribe, subscription);
    const note = (what: string) => tell(`${subscribe} ${what}`);
    subscription.on("update", ({ position }) => note(`update ${position}`));
    subscription.on("verdict", ({ recovered }) => recovered && note("recovered"));
    subscription.on("gap", ({ cause }) => note(`lost ${cause}`));
    subscription.on("live", () => note("live"));
    subscription.on("wait", ({ code }) => note(`wait ${code}`));
    subscription.on("error", ({ code }) => note(`error ${code}`));
    subscription.on("occupancy", ({ subscribers }) => note(`subscribers ${subscribers}`));
    subscription.on("connection", ({ state }) => state === "closed" && note("end"));
  }
}
